"""The store into files: CSV, TSV, JSONL, Parquet, and Google Merchant XML for products. Importing them gives it back."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal, TypeVar, cast

import orjson
import polars as pl
import pyarrow.parquet as pq

from shopkeeper import progress
from shopkeeper.errors import InputError
from shopkeeper.records import Event, Item, Judgement, Passage, PassageKind
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.merchant_out import FRAME, merchant_feed
from shopkeeper.store.protocols import Store

ExportFormat = Literal["csv", "tsv", "jsonl", "parquet", "xml"]
R = TypeVar("R")
Cells = dict[str, Any]

_BATCH = 5_000
_TEXTS = pl.List(pl.String())
_ITEM: Mapping[str, pl.DataType] = {
    "id": pl.String(), "title": pl.String(), "description": pl.String(), "brand": pl.String(), "category": _TEXTS,
    "price": pl.Float64(), "currency": pl.String(), "availability": pl.String(), "attributes": pl.String(),
    "codes": _TEXTS, "group": pl.String(), "images": _TEXTS, "videos": _TEXTS, "link": pl.String(),
    "language": pl.String(), "hidden": pl.Boolean(), "created": pl.String(), "updated": pl.String(),
}  # fmt: skip
_EVENT: Mapping[str, pl.DataType] = {
    "id": pl.String(), "time": pl.String(), "kind": pl.String(), "customer": pl.String(), "session": pl.String(),
    "item": pl.String(), "query": pl.String(), "request": pl.String(), "value": pl.Float64(), "quantity": pl.Int64(),
    "impression": pl.String(), "properties": pl.String(),
}  # fmt: skip
_REVIEW: Mapping[str, pl.DataType] = {
    "id": pl.String(), "item": pl.String(), "customer": pl.String(), "author": pl.String(), "time": pl.String(),
    "rating": pl.Float64(), "title": pl.String(), "text": pl.String(), "thread": pl.String(), "language": pl.String(),
}  # fmt: skip
_TEXT: Mapping[str, pl.DataType] = {"kind": pl.String(), **_REVIEW, "source": pl.String()}
_JUDGEMENT: Mapping[str, pl.DataType] = {
    "query": pl.String(), "item": pl.String(), "grade": pl.Float64(), "rater": pl.String(),
}  # fmt: skip


def export_products(store: Store, path: Path, format: ExportFormat | str = "csv") -> int:  # noqa: A002
    """Write the catalogue, ordered by id; a name ending in ``.gz`` packs text.

    Args:
        store: The shop.
        path: The file to write, replaced when it exists.
        format: ``csv``, ``tsv``, ``jsonl``, ``parquet`` or ``xml`` (Google Merchant, RSS 2.0).

    Returns:
        How many were written.

    Raises:
        InputError: No such format, or the file cannot be written.
    """
    items = progress.track(store.catalogue.scan(), "export products", store.catalogue.count(), "rows")
    if format == "xml":
        return _text(path, lambda file: _written(merchant_feed(items), file) - FRAME)
    return _export(items, item_cells, _ITEM, path, format)


def export_events(store: Store, path: Path, format: ExportFormat | str = "csv") -> int:  # noqa: A002
    """Write the event log in its order; arguments, result and errors as for `export_products`, without ``xml``."""
    events = progress.track(store.events.scan(), "export events", store.events.count(), "rows")
    return _export((event for _, event in events), _event_cells, _EVENT, path, format)


def export_reviews(store: Store, path: Path, format: ExportFormat | str = "csv") -> int:  # noqa: A002
    """Write the reviews, ordered by id; arguments, result and errors as for `export_events`."""
    reviews = progress.track(store.words.scan([PassageKind.REVIEW]), "export reviews", unit="rows")
    return _export(reviews, _review_cells, _REVIEW, path, format)


def export_texts(store: Store, path: Path, format: ExportFormat | str = "csv") -> int:  # noqa: A002
    """Write all texts, reviews as well, ordered by id; arguments, result and errors as for `export_events`."""
    texts = progress.track(store.words.scan(), "export texts", store.words.count(), "rows")
    return _export(texts, _text_cells, _TEXT, path, format)


def export_judgements(store: Store, path: Path, format: ExportFormat | str = "csv") -> int:  # noqa: A002
    """Write the search judgements; arguments, result and errors as for `export_events`."""
    judgements = progress.track(store.labels.scan(), "export judgements", store.labels.count(), "rows")
    return _export(judgements, _judgement_cells, _JUDGEMENT, path, format)


def item_cells(item: Item) -> Cells:
    """An item as a flat record: lists stay lists, attributes a mapping, times ISO 8601."""
    return {
        "id": item.id,
        "title": item.title,
        "description": item.description,
        "brand": item.brand,
        "category": list(item.category),
        "price": item.price,
        "currency": item.currency,
        "availability": item.availability.value,
        "attributes": dict(item.attributes),
        "codes": list(item.codes),
        "group": item.group,
        "images": list(item.images),
        "videos": list(item.videos),
        "link": item.link,
        "language": item.language,
        "hidden": item.hidden,
        "created": _iso(item.created),
        "updated": _iso(item.updated),
    }


def _event_cells(event: Event) -> Cells:
    shown = event.impression
    names = ("items", "positions", "propensities", "model", "surface")
    return {
        "id": event.id,
        "time": _iso(event.time),
        "kind": event.kind.value,
        "customer": event.customer,
        "session": event.session,
        "item": event.item,
        "query": event.query,
        "request": event.request,
        "value": event.value,
        "quantity": event.quantity,
        "impression": {name: getattr(shown, name) for name in names} if shown else None,
        "properties": dict(event.properties),
    }


def _review_cells(review: Passage) -> Cells:
    cells: Cells = {name: getattr(review, name) for name in _REVIEW}
    return cells | {"time": _iso(review.time)}


def _text_cells(passage: Passage) -> Cells:
    cells: Cells = {name: getattr(passage, name) for name in _TEXT}
    return cells | {"kind": passage.kind.value, "time": _iso(passage.time)}


def _judgement_cells(judgement: Judgement) -> Cells:
    return {name: getattr(judgement, name) for name in _JUDGEMENT}


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _export(
    records: Iterable[R],
    cells: Callable[[R], Cells],
    schema: Mapping[str, pl.DataType],
    path: Path,
    format: str,  # noqa: A002
) -> int:
    rows = (cells(record) for record in records)
    if format == "parquet":
        return _parquet(rows, schema, path)
    if format == "jsonl":
        return _text(path, lambda file: _written((orjson.dumps(row).decode() + "\n" for row in rows), file))
    if format in ("csv", "tsv"):
        return _text(path, lambda file: _csv(rows, schema, file, "\t" if format == "tsv" else ","))
    raise InputError(
        f"There is no export format {format!r} for this.", where=str(path), cure="Say csv, tsv, jsonl or parquet."
    )


def _text(path: Path, write: Callable[[IO[str]], int]) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as raw:
            if path.suffix.lower() != ".gz":
                return _encoded(raw, write)
            with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
                return _encoded(cast("IO[bytes]", packed), write)
    except OSError as error:
        raise _unwritable(path, error) from error


def _encoded(file: IO[bytes], write: Callable[[IO[str]], int]) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    count = write(text)
    text.flush()
    text.detach()
    return count


def _written(pieces: Iterable[str], file: IO[str]) -> int:
    count = 0
    for piece in pieces:
        file.write(piece)
        count += 1
    return count


def _csv(rows: Iterator[Cells], schema: Mapping[str, pl.DataType], file: IO[str], delimiter: str) -> int:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(schema)
    count = 0
    for row in rows:
        writer.writerow([_cell(name, value) for name, value in row.items()])
        count += 1
    return count


def _cell(name: str, value: Any) -> object:
    """A cell that reads back as it was and that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return values.quote_formula(_joined(name, value))
    if isinstance(value, Mapping):
        return orjson.dumps(value).decode() if value else ""
    return values.quote_formula(value) if isinstance(value, str) else value


def _joined(name: str, value: list[str] | tuple[str, ...]) -> str:
    """A list as people write it where that reads back the same, else as JSON."""
    separator, parse = (" > ", values.category) if name == "category" else (" | ", values.many)
    text = separator.join(value)
    return text if parse(text) == tuple(value) else orjson.dumps(value).decode()


def _parquet(rows: Iterator[Cells], schema: Mapping[str, pl.DataType], path: Path) -> int:
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        empty = pl.DataFrame(schema=schema).to_arrow().schema
        with pq.ParquetWriter(path, empty, compression="zstd") as writer:
            while batch := list(itertools.islice(rows, _BATCH)):
                frame = pl.DataFrame([_packed(row) for row in batch], schema=schema)
                writer.write_table(frame.to_arrow().cast(empty))
                count += len(batch)
    except OSError as error:
        raise _unwritable(path, error) from error
    return count


def _packed(row: Cells) -> Cells:
    return {name: orjson.dumps(value).decode() if isinstance(value, Mapping) else value for name, value in row.items()}


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"The file cannot be written ({error.strerror or error}).",
        where=str(path),
        cure="Check the folder and its rights.",
    )

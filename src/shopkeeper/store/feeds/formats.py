"""Which format a file has, and the reader that turns it into rows under the file's or the standard's names."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, cast, get_args

from shopkeeper.errors import InputError
from shopkeeper.store.feeds import ga4, segment, shopify
from shopkeeper.store.feeds.merchant import MerchantReader
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.sources import TextSource, is_gzip, open_bytes, unreadable
from shopkeeper.store.feeds.synonyms import Kind
from shopkeeper.store.feeds.tables import CsvReader, JsonlReader, ParquetReader, Reader, Row

Container = Literal["csv", "tsv", "jsonl", "parquet", "xml"]
Format = Literal["auto", "csv", "tsv", "jsonl", "parquet", "xml", "merchant", "shopify", "ga4", "segment"]

_SUFFIXES: dict[str, Container] = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
    ".pq": "parquet", ".xml": "xml", ".rss": "xml", ".atom": "xml",
}  # fmt: skip
_PARQUET = b"PAR1"
_SAMPLE = 1000
_HEAD = 65_536

_FOLDS: dict[str, Callable[[Iterable[Row]], Iterator[Row]]] = {
    "shopify": shopify.fold,
    "ga4": ga4.flatten,
    "segment": segment.flatten,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A file ready to be read.

    Attributes:
        reader: Tells size and position.
        rows: The rows, under the names in `columns`.
        columns: Names met in the first thousand rows, in order of first appearance.
        format: What it was read as, e.g. ``csv``, ``shopify (csv)``.
    """

    reader: Reader
    rows: Iterator[Row]
    columns: tuple[str, ...]
    format: str

    def __enter__(self) -> Self:
        """Use it within the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.reader.close()


def open_file(path: Path, kind: Kind, format: str, limit: int) -> Opened:  # noqa: A002 - the user's word
    """Open a file, finding out its format where it is ``auto``.

    Args:
        path: The file.
        kind: What is to be read out of it.
        format: One of `Format`.
        limit: Most characters in one cell.

    Raises:
        InputError: No such format or file, or it is not Parquet although it says so.
    """
    if format not in get_args(Format):
        raise InputError(
            f"There is no format {format!r}.", where=str(path), cure=f"Say one of: {', '.join(get_args(Format))}."
        )
    container, delimiter = _container(path, format)
    reader = _reader(path, container, delimiter, limit)
    try:
        sample, rows = _sampled(reader.rows())
        shape = _shape(_columns(sample), kind, format)
        if shape:
            sample, rows = _sampled(_FOLDS[shape](rows))
    except BaseException:
        reader.close()
        raise
    return Opened(reader, rows, _columns(sample), f"{shape} ({container})" if shape else container)


def _sampled(rows: Iterator[Row]) -> tuple[list[Row], Iterator[Row]]:
    """The first thousand rows, and all of them."""
    sample = list(itertools.islice(rows, _SAMPLE))
    return sample, itertools.chain(sample, rows)


def _container(path: Path, format: str) -> tuple[Container, str]:  # noqa: A002
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    named = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if format in ("csv", "tsv", "jsonl", "parquet", "xml"):
        named = cast("Container", format)
    elif format == "merchant":
        named = "tsv" if named == "tsv" else named or None
    elif format in ("ga4", "segment"):
        named = named if named in ("parquet", "csv") else "jsonl"
    elif format == "shopify":
        named = "csv"
    head = _head(path, binary=named in ("parquet", None))
    found = named or _guess(head)
    delimiter = "\t" if found == "tsv" else _delimiter(head) if found == "csv" and format != "shopify" else ","
    return found, delimiter


def _head(path: Path, *, binary: bool) -> str:
    try:
        if binary:
            with path.open("rb") as file:
                if file.read(4) == _PARQUET:
                    return _PARQUET.decode()
            if not is_gzip(path) and path.suffix.lower() in (".parquet", ".pq"):
                return ""
        with open_bytes(path) as unpacked:
            if not unpacked.read(1):
                return ""
    except OSError as error:
        raise unreadable(path, error) from error
    except EOFError:
        return ""
    source = TextSource(path)
    try:
        return next(source.chunks(), "")[:_HEAD]
    except Reject:
        return ""
    finally:
        source.close()


def _guess(head: str) -> Container:
    if head == _PARQUET.decode():
        return "parquet"
    start = head.lstrip("\ufeff \t\r\n")[:1]
    if start == "<":
        return "xml"
    if start == "{":
        return "jsonl"
    first = head.split("\n", 1)[0]
    return "tsv" if first.count("\t") > first.count(",") else "csv"


def _delimiter(head: str) -> str:
    """The likeliest delimiter of the header line; a comma when in doubt."""
    first = head.lstrip("\ufeff").split("\n", 1)[0]
    return max((",", ";", "\t", "|"), key=first.count)


def _reader(path: Path, container: Container, delimiter: str, limit: int) -> Reader:
    if container == "parquet":
        return ParquetReader(path, limit)
    if container == "xml":
        return MerchantReader(path, limit)
    return JsonlReader(path, limit) if container == "jsonl" else CsvReader(path, limit, delimiter)


def _shape(columns: tuple[str, ...], kind: Kind, format: str) -> str:  # noqa: A002
    if format in _FOLDS:
        return format
    if format != "auto":
        return ""
    if kind == "products" and shopify.is_shopify(columns):
        return "shopify"
    if kind == "events":
        return "ga4" if ga4.is_ga4(columns) else "segment" if segment.is_segment(columns) else ""
    return ""


def _columns(sample: Iterable[Row]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for _, row in sample:
        if isinstance(row, dict):
            names.update(dict.fromkeys(row))
    return tuple(names)

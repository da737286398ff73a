"""The public data sets as a user would hold them: feed and event files, and records read through the importer."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from shopkeeper.records import Item, Judgement
from shopkeeper.store.feeds import item_cells, read_products

CHORUS_MAPPING: dict[str, Any] = {
    "id": "id",
    "title": "title",
    "description": "short_description",
    "brand": "supplier",
    "price_cents": "price_cents",
    "codes": ["name", "ean"],
    "created": "date_released",
    "attributes": "attributes",
    "ignore": ["n_attributes"],
    "constants": {"currency": "USD", "language": "en"},
}
"""How the Chorus catalogue's Parquet file is read as products."""

_FIRST_DAY = datetime(2014, 1, 1, tzinfo=UTC)
_KINDS = {"t_": "text", "n_": "number", "b_": "flag"}


@dataclass(frozen=True, slots=True)
class Files:
    """Files ready for ``shopkeeper import``."""

    products: Path
    events: Path | None = None
    judgements: Path | None = None


def chorus_items(data: Path) -> list[Item]:
    """The Chorus catalogue (19,406 products) through the importer, its attributes under readable names.

    ``t_product_colour`` becomes ``product colour``; flags are kept only where they are true.
    """
    items = read_products(data / "chorus_icecat" / "products.parquet", mapping=CHORUS_MAPPING)
    return [replace(item, attributes=readable(item.attributes)) for item in items]


def chorus_judgements(data: Path) -> list[Judgement]:
    """The 3,668 graded (query, product) pairs, grades 0 to 3."""
    frame = pl.read_parquet(data / "chorus_icecat" / "judgements.parquet")
    rows = frame.select("query", "product_id", "rating").iter_rows()
    return [Judgement(query=query, item=item, grade=float(grade)) for query, item, grade in rows]


def chorus_files(data: Path, folder: Path) -> Files:
    """The same as a products JSONL and a judgements CSV in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(products=folder / "products.jsonl", judgements=folder / "judgements.csv")
    _write_jsonl(files.products, map(item_cells, chorus_items(data)))
    assert files.judgements is not None
    rows = ((judgement.query, judgement.item, judgement.grade) for judgement in chorus_judgements(data))
    _write_csv(files.judgements, ("query", "item", "grade"), rows)
    return files


def amazon_frames(data: Path, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Items (item, asin, title, categories, brand ...) and sequences (user, items in time order) of ``beauty`` or ``toys``."""
    folder = data / "amazon-2014-seqrec" / name
    return pl.read_parquet(folder / "items.parquet"), pl.read_parquet(folder / "sequences.parquet")


def amazon_files(data: Path, name: str, folder: Path, *, seed: int = 7) -> Files:
    """A set as a products JSONL and an events CSV in `folder`.

    Item ids are ASINs. The data have no times: the n-th purchase of every user happens on the n-th day, in an order of
    users that is shuffled, so that neither user numbers nor catalogue order say anything.

    Args:
        data: Folder of the public data sets.
        name: ``beauty`` or ``toys``.
        folder: Where to write.
        seed: Of the shuffling.
    """
    rng = np.random.default_rng(seed)
    items, sequences = amazon_frames(data, name)
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(products=folder / f"{name}-products.jsonl", events=folder / f"{name}-events.csv")
    order = rng.permutation(items.height)
    _write_jsonl(files.products, (_amazon_product(row) for row in items[order].iter_rows(named=True)))
    asins = dict(items.select("item", "asin").iter_rows())
    assert files.events is not None
    _write_csv(files.events, ("time", "user", "item", "event"), _amazon_events(sequences, asins, rng))
    return files


def amazon_user(number: int) -> str:
    """The customer id under which `amazon_files` writes a user number of the data set."""
    return f"u{number}"


def _amazon_product(row: dict[str, Any]) -> dict[str, Any]:
    paths: list[list[str]] = row["categories"] or [[]]
    return {
        "id": row["asin"],
        "title": row["title"],
        "brand": row.get("brand") or "",
        "category": max(paths, key=len),
        "language": "en",
    }


def _amazon_events(
    sequences: pl.DataFrame, asins: dict[int, str], rng: np.random.Generator
) -> Iterator[tuple[str, str, str, str]]:
    shuffled = sequences[rng.permutation(sequences.height)]
    users, histories = shuffled["user"].to_list(), shuffled["items"].to_list()
    for place in range(max(map(len, histories))):
        for rank, (user, history) in enumerate(zip(users, histories, strict=True)):
            if place < len(history):
                moment = _FIRST_DAY + timedelta(days=place, seconds=rank)
                yield moment.isoformat(), amazon_user(user), asins[history[place]], "purchase"


def readable(attributes: Any) -> dict[str, str]:
    """Attribute names without their type prefix and underscores; flags that are false are left out."""
    found: dict[str, str] = {}
    for name, value in attributes.items():
        kind = _KINDS.get(name[:2], "")
        plain = " ".join((name[2:] if kind else name).replace("_", " ").split())
        if kind == "flag" and value != "true":
            continue
        found[plain] = "yes" if kind == "flag" else value
    return found


def _write_jsonl(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)

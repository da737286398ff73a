"""The public data sets as the shop's own records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from shopkeeper.records import Item

_LONGEST_ATTRIBUTE = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """Queries with graded items, in one fixed order.

    Attributes:
        queries: n texts.
        grades: n mappings of item id to grade, 0 for judged and not relevant.
    """

    queries: tuple[str, ...]
    grades: tuple[dict[str, float], ...]


def chorus_items(data: Path) -> Iterator[Item]:
    """The 19,406 electronics of `chorus_icecat`, in the file's order."""
    table = pl.read_parquet(data / "chorus_icecat" / "products.parquet")
    for row in table.iter_rows(named=True):
        yield Item(
            id=row["id"],
            title=row["title"],
            description=_described(row),
            brand=row["supplier"] or "",
            price=row["price_cents"] / 100 if row["price_cents"] else None,
            currency="USD",
            attributes=dict(_attributes(row["attributes"])),
            codes=tuple(row["ean"] or ()),
            language="en",
            created=_date(row["date_released"]),
        )


def chorus_judged(data: Path) -> Judged:
    """The 116 queries that have at least one relevant product, in alphabetical order."""
    table = pl.read_parquet(data / "chorus_icecat" / "judgements.parquet")
    grades: dict[str, dict[str, float]] = {}
    for query, item, rating in table.select("query", "product_id", "rating").iter_rows():
        grades.setdefault(query, {})[item] = float(rating)
    kept = sorted(query for query, known in grades.items() if max(known.values()) > 0)
    return Judged(tuple(kept), tuple(grades[query] for query in kept))


def _described(row: dict[str, Any]) -> str:
    parts = [row["name"] or "", row["short_description"] or ""]
    return ". ".join(dict.fromkeys(part for part in parts if part and part != row["title"]))


def _attributes(encoded: str | None) -> Iterator[tuple[str, str]]:
    for name, value in json.loads(encoded or "{}").items():
        readable = name[2:].replace("_", " ").strip()
        if value is True:
            yield readable, "yes"
            continue
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if value is not False and 0 < len(text) <= _LONGEST_ATTRIBUTE:
            yield readable, text


def _date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC) if text else None

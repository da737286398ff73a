"""Rows to items of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shopkeeper.records import Availability, Item
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.cells import Cells, Read, Row
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject

_GONE = {"deleted", "removed", "delete", "已删除", "删除"}
_AWAY = {
    "draft",
    "archived",
    "inactive",
    "disabled",
    "hidden",
    "unlisted",
    "unpublished",
    "草稿",
    "隐藏",
    "停用",
    "下架",
    "已下架",
}
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u4e00-\u9fff]")
_HANGUL = re.compile("[\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Removal:
    """A row that says a record is gone."""

    id: str


class ItemParser:
    """Makes an `Item` of a row, or a `Removal` where the row says deleted.

    Args:
        mapping: Which column holds what; every column no field uses becomes an attribute.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        cells = Cells(mapping)
        self._id_column, self._title_column = cells.column("id"), cells.column("title")
        self.identify: Read[str] = cells.text("id", values.token)
        self._id = cells.identifier("id")
        self._title = cells.text("title", values.line)
        self._status = cells.text("status", values.token) if cells.has("status") else None
        self._deleted = cells.parsed("deleted", values.flag, "unparsable flag") if cells.has("deleted") else None
        self._hidden = cells.parsed("hidden", values.flag, "unparsable flag") if cells.has("hidden") else None
        self._prices = [(cells.amount(name), unit) for name, unit in _PRICES if cells.has(name)]
        self._currency = cells.text("currency", values.token) if cells.has("currency") else None
        self._language = _language(cells)
        self._attributes = _Attributes(cells)
        self._fields = _fields(cells)

    def __call__(self, row: Row) -> Item | Removal:
        """Parse one row.

        Raises:
            Reject: The row is not an item; says which column is at fault.
        """
        identifier = self._id(row)
        if not identifier:
            raise Reject("no id", self._id_column)
        status = self._status(row).casefold() if self._status else ""
        if status in _GONE or (self._deleted and self._deleted(row)):
            return Removal(identifier)
        title = self._title(row)
        if not title:
            raise Reject("no title", self._title_column)
        price, currency = self._price(row)
        return Item(
            id=identifier,
            title=title,
            price=price,
            currency=currency or (self._currency(row).upper() if self._currency else ""),
            language=self._language(row) if self._language else guess_language(title),
            hidden=status in _AWAY or bool(self._hidden and self._hidden(row)),
            attributes=self._attributes(row),
            **{name: read(row) for name, read in self._fields},
        )

    def _price(self, row: Row) -> tuple[float | None, str]:
        amount: float | None = None
        currency = ""
        for read, unit in self._prices:
            found = read(row)
            if found is not None:
                amount = found[0] / unit if amount is None else amount
                currency = currency or found[1]
        return amount, currency


_PRICES = (("sale_price", 1), ("price", 1), ("price_cents", 100))


def _fields(cells: Cells) -> list[tuple[str, Read[Any]]]:
    """Fields that the file has and that depend on nothing else."""
    order = cells.mapping.dates
    found: list[tuple[str, Read[Any]]] = [("availability", _availability(cells))]
    texts: list[tuple[str, Callable[[Any], str]]] = [
        ("description", values.paragraph),
        ("brand", values.line),
        ("link", values.token),
    ]
    found += [(name, cells.text(name, clean)) for name, clean in texts if cells.has(name)]
    found += [(name, cells.listed(name)) for name in ("codes", "images", "videos") if cells.has(name)]
    if cells.has("group"):
        found.append(("group", cells.identifier("group")))
    if cells.has("category"):
        found.append(("category", _category(cells)))
    for name in ("created", "updated"):
        if cells.has(name):
            found.append((name, cells.parsed(name, lambda value: when(value, order), "unparsable date")))
    return found


def _category(cells: Cells) -> Read[tuple[str, ...]]:
    columns = cells.mapping.columns.get("category", ())
    if len(columns) > 1:
        return lambda row: tuple(part for column in columns for part in values.category(row.get(column) or ""))
    read = cells.raw("category")
    return lambda row: values.category(read(row) or "")


def _availability(cells: Cells) -> Read[Availability]:
    if not cells.has("availability"):
        if not cells.has("stock"):
            return lambda _: Availability.IN_STOCK
        left = cells.parsed("stock", values.number, "unparsable stock")
        return lambda row: _by_stock(left(row))
    read = cells.parsed("availability", lambda value: values.availability(values.plain(value)), "unknown availability")
    return lambda row: read(row) or Availability.IN_STOCK


def _by_stock(left: float | None) -> Availability:
    return Availability.OUT_OF_STOCK if left is not None and left <= 0 else Availability.IN_STOCK


def _language(cells: Cells) -> Read[str] | None:
    if not cells.has("language"):
        return None
    read = cells.text("language", values.token)
    return lambda row: read(row).replace("_", "-").split("-")[0].casefold()


class _Attributes:
    """The attributes column, and all columns that nothing else uses."""

    def __init__(self, cells: Cells) -> None:
        self._column = cells.mapping.column("attributes")
        self._used = cells.used
        self._names: dict[str, str] = {}

    def __call__(self, row: Row) -> dict[str, str]:
        found: dict[str, str] = {}
        if self._column:
            try:
                nested = values.mapping(row.get(self._column))
            except ValueError as error:
                raise Reject("unparsable attributes", self._column, row.get(self._column)) from error
            for name, value in nested.items():
                if text := values.paragraph(value):
                    found[self._name(name)] = text
        used = self._used
        for column, value in row.items():
            if column not in used and value is not None and value != "" and (text := values.paragraph(value)):
                found[self._name(column)] = text
        return found

    def _name(self, column: str) -> str:
        """An attribute's readable name, worked out once."""
        known = self._names.get(column)
        if known is None:
            known = values.line(column) or column
            if len(self._names) < 100_000:
                self._names[column] = known
        return known


def guess_language(text: str) -> str:
    """``zh``, ``ja`` or ``ko`` by script, ``en`` for plain ASCII letters, else ""."""
    if text.isascii():
        return "en" if text.upper() != text.lower() else ""
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    return "zh" if _HAN.search(text) else ""

"""Rows to items of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from shopkeeper.records import Availability, Item
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject

T = TypeVar("T")
D = TypeVar("D")
ID_LIMIT = 200

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
    """A row that says an item is gone."""

    id: str


class ItemParser:
    """Makes an `Item` of a row, or a `Removal` where the row says deleted.

    Args:
        mapping: Which column holds what; every column no field uses becomes an attribute.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        self._mapping = mapping
        self._used = mapping.used
        self._column = {name: mapping.column(name) for name in (*mapping.columns, *mapping.constants)}
        self._codes = mapping.columns.get("codes", ())
        self._images = mapping.columns.get("images", ())
        self._category = mapping.columns.get("category", ())
        self._names: dict[str, str] = {}

    def identify(self, row: Mapping[str, Any]) -> str:
        """The row's id, "" when it has none."""
        return values.token(self._cell(row, "id"))

    def __call__(self, row: Mapping[str, Any]) -> Item | Removal:
        """Parse one row.

        Raises:
            Reject: The row is not an item; says which column is at fault.
        """
        identifier = self.identify(row)
        if not identifier:
            raise Reject("no id", self._column.get("id", ""))
        if len(identifier) > ID_LIMIT:
            raise Reject("id too long", self._column["id"], identifier)
        status = values.token(self._cell(row, "status")).casefold()
        if status in _GONE or self._parse(row, "deleted", values.flag, False, "unparsable flag"):
            return Removal(identifier)
        title = values.line(self._cell(row, "title"))
        if not title:
            raise Reject("no title", self._column.get("title", ""))
        price, currency = self._price(row)
        stated = values.token(self._cell(row, "currency")).upper()
        return Item(
            id=identifier,
            title=title,
            description=values.paragraph(self._cell(row, "description")),
            brand=values.line(self._cell(row, "brand")),
            category=self._path(row),
            price=price,
            currency=currency or stated,
            availability=self._availability(row),
            attributes=self._attributes(row),
            codes=self._listed(row, "codes", self._codes),
            group=values.token(self._cell(row, "group")),
            images=self._listed(row, "images", self._images),
            videos=values.many(self._raw(row, "videos")),
            link=values.token(self._cell(row, "link")),
            language=self._language(row, title),
            hidden=status in _AWAY or self._parse(row, "hidden", values.flag, False, "unparsable flag"),
            created=self._time(row, "created"),
            updated=self._time(row, "updated"),
        )

    def _raw(self, row: Mapping[str, Any], name: str) -> Any:
        """The cell of a field, its constant where there is no such column or the cell is empty."""
        column = self._column.get(name)
        value = row.get(column) if column else None
        if value is None or value == "":
            return self._mapping.constants.get(name)
        return value

    def _cell(self, row: Mapping[str, Any], name: str) -> Any:
        """`_raw`, of several values the first."""
        value = self._raw(row, name)
        return (value[0] if value else None) if isinstance(value, (list, tuple)) else value

    def _parse(self, row: Mapping[str, Any], name: str, parse: Callable[[Any], T], default: D, reason: str) -> T | D:
        value = self._cell(row, name)
        if values.empty(value):
            return default
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            raise Reject(reason, self._column[name], value) from error

    def _time(self, row: Mapping[str, Any], name: str) -> datetime | None:
        order = self._mapping.dates
        return self._parse(row, name, lambda value: when(value, order), None, "unparsable date")

    def _price(self, row: Mapping[str, Any]) -> tuple[float | None, str]:
        amount: float | None = None
        currency = ""
        for name, unit in (("sale_price", 1), ("price", 1), ("price_cents", 100)):
            if name not in self._column:
                continue
            found = self._parse(row, name, values.price, None, "unparsable price")
            if found is None:
                continue
            if found[0] < 0:
                raise Reject("negative price", self._column[name], self._cell(row, name))
            amount = found[0] / unit if amount is None else amount
            currency = currency or found[1]
        return amount, currency

    def _path(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        if len(self._category) > 1:
            return tuple(part for column in self._category for part in values.category(row.get(column) or ""))
        value = self._raw(row, "category")
        return values.category(value) if value else ()

    def _availability(self, row: Mapping[str, Any]) -> Availability:
        value = self._cell(row, "availability")
        if not values.empty(value):
            try:
                return values.availability(value if isinstance(value, str) else values.plain(value))
            except ValueError as error:
                raise Reject("unknown availability", self._column["availability"], value) from error
        left = self._parse(row, "stock", values.number, None, "unparsable stock")
        return Availability.OUT_OF_STOCK if left is not None and left <= 0 else Availability.IN_STOCK

    def _listed(self, row: Mapping[str, Any], name: str, columns: tuple[str, ...]) -> tuple[str, ...]:
        if len(columns) == 1:
            return values.many(row.get(columns[0]))
        if not columns:
            return values.many(self._mapping.constants.get(name))
        return tuple(dict.fromkeys(part for column in columns for part in values.many(row.get(column))))

    def _language(self, row: Mapping[str, Any], title: str) -> str:
        if "language" in self._column:
            return values.token(self._cell(row, "language")).replace("_", "-").split("-")[0].casefold()
        return guess_language(title)

    def _attributes(self, row: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        if column := self._column.get("attributes"):
            try:
                nested = values.mapping(row.get(column))
            except ValueError as error:
                raise Reject("unparsable attributes", column, row.get(column)) from error
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
        return "en" if any(map(str.isalpha, text)) else ""
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    return "zh" if _HAN.search(text) else ""

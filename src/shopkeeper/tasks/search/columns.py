"""Attributes as sparse columns: which rows have which value of an attribute, what facets over many rows are counted from."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Item
from shopkeeper.retrieval.shelf import Codes, Rows

_SETTLE = 500
"""Replaced items that are looked at one by one before the columns take them up."""
_FEW = 8
"""Rows are looked up one by one where so many times as many have the attribute."""


@dataclass(slots=True)
class _Column:
    """Rows that have an attribute, in order, and which value each has."""

    values: Codes = field(default_factory=Codes)
    rows: array[int] = field(default_factory=lambda: array("i"))
    codes: array[int] = field(default_factory=lambda: array("i"))

    def of(self, rows: Rows, height: int) -> NDArray[np.int32]:
        """Codes of `rows`, all below `height`, 0 for those without: int32 (n,)."""
        own, codes = np.asarray(self.rows, dtype=np.intc), np.asarray(self.codes, dtype=np.intc)
        if len(rows) * _FEW > len(own):
            table = np.zeros(height, dtype=np.int32)
            table[own] = codes
            return table[rows]
        found = np.zeros(len(rows), dtype=np.int32)
        if len(own):
            place = np.minimum(np.searchsorted(own, rows), len(own) - 1)
            hit = own[place] == rows
            found[hit] = codes[place[hit]]
        return found


class AttributeColumns:
    """The attributes of the items of one shelf, by row.

    New rows are taken up by themselves; a row whose item was replaced must be `put`. A look at an attribute costs as much
    as rows have it, whatever the number of attributes.

    Args:
        items: `Shelf.items`, the list itself.
    """

    def __init__(self, items: Sequence[Item | None]) -> None:
        self._items = items
        self._columns: dict[str, _Column] = {}
        self._changed: set[int] = set()
        self._filled = 0
        self._lock = threading.Lock()
        self._fill()

    def put(self, row: int) -> None:
        """Take up what the item of a row is now."""
        with self._lock:
            if row < self._filled:
                self._changed.add(row)
                if len(self._changed) > _SETTLE:
                    self._settle()

    def codes(self, name: str, rows: Rows) -> tuple[NDArray[np.int32], Codes]:
        """Code of an attribute's value in each of `rows`, int32 (n,), and what the codes stand for; 0 is no value."""
        with self._lock:
            self._fill()
            column = self._columns.get(name)
            if column is None:
                if not any(self._value(row, name) for row in self._changed):
                    return np.zeros(len(rows), dtype=np.int32), Codes()
                column = self._columns.setdefault(name, _Column())
            found = column.of(rows, self._filled)
            if self._changed:
                places = np.flatnonzero(np.isin(rows, list(self._changed)))
                values = [column.values.code(self._value(row, name)) for row in rows[places].tolist()]
                found[places] = values
            return found, column.values

    def _fill(self) -> None:
        count = len(self._items)
        for row in range(self._filled, count):
            self._add(row)
        self._filled = count

    def _add(self, row: int) -> None:
        item = self._items[row]
        for name, value in item.attributes.items() if item is not None else ():  # taken off, or about to be put on
            if value:
                column = self._columns.setdefault(name, _Column())
                column.rows.append(row)
                column.codes.append(column.values.code(value))

    def _settle(self) -> None:
        """Replace what the columns say of changed rows."""
        gone = np.fromiter(self._changed, dtype=np.intc)
        for column in self._columns.values():
            rows, codes = np.array(column.rows, dtype=np.intc), np.array(column.codes, dtype=np.intc)
            stays = ~np.isin(rows, gone)
            column.rows, column.codes = array("i", rows[stays].tobytes()), array("i", codes[stays].tobytes())
        for row in sorted(self._changed):
            self._add(row)
        for column in self._columns.values():
            order = np.argsort(column.rows, kind="stable")
            rows, codes = (np.array(values, dtype=np.intc)[order] for values in (column.rows, column.codes))
            column.rows, column.codes = array("i", rows.tobytes()), array("i", codes.tobytes())
        self._changed.clear()

    def _value(self, row: int, name: str) -> str:
        item = self._items[row]
        return item.attributes.get(name, "") if item is not None else ""

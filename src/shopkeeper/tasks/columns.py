"""Attributes as columns of small integers, made when they are first asked for: what facets over many rows are counted from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Item
from shopkeeper.retrieval.shelf import Codes

_MOST = 64
"""Columns kept; the one not asked for the longest goes first."""
_SPARE = 1.5


class AttributeColumns:
    """The attributes of the items of one shelf, by row.

    New rows are taken up by themselves; a row whose item was replaced must be `put`.

    Args:
        items: `Shelf.items`, the list itself.
    """

    def __init__(self, items: Sequence[Item | None]) -> None:
        self._items = items
        self._columns: OrderedDict[str, _Column] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, row: int, item: Item) -> None:
        """Take up what an item is now."""
        with self._lock:
            for name, column in self._columns.items():
                if row < column.filled:
                    column.codes[row] = column.values.code(item.attributes.get(name, ""))

    def column(self, name: str) -> tuple[NDArray[np.int32], Codes]:
        """Code of an attribute's value by row, int32 (rows,), and what the codes stand for; 0 is no value."""
        with self._lock:
            column = self._columns.setdefault(name, _Column())
            self._columns.move_to_end(name)
            if len(self._columns) > _MOST:
                self._columns.popitem(last=False)
            column.fill(name, self._items)
            return column.codes[: column.filled], column.values


class _Column:
    def __init__(self) -> None:
        self.values = Codes()
        self.codes: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self.filled = 0

    def fill(self, name: str, items: Sequence[Item | None]) -> None:
        count = len(items)
        if count > len(self.codes):
            grown = np.zeros(int(count * _SPARE), dtype=np.int32)
            grown[: self.filled] = self.codes[: self.filled]
            self.codes = grown
        for row in range(self.filled, count):
            item = items[row]
            if item is None:  # taken off, or about to be put on
                continue
            self.codes[row] = self.values.code(item.attributes.get(name, ""))
        self.filled = count

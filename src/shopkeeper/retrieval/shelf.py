"""The shelf: every item gets a dense row, and what filters need stands beside it as arrays.

All indexes and models speak rows (int64); only the edges of a task turn rows into ids. A row is never given to another
item: a removed item's row stays dead, a returning one takes its old row back. A fresh shelf compacts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Filters, Item

Rows = NDArray[np.int64]
Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]

_GROWTH = 1.5
_BEYOND = 3e38


class Codes:
    """Strings as small integers, in order of first appearance; 0 is the empty string."""

    def __init__(self) -> None:
        self.values: list[str] = [""]
        self._code: dict[str, int] = {"": 0}

    def code(self, value: str) -> int:
        """The code of `value`, given out when new."""
        found = self._code.get(value)
        if found is None:
            found = len(self.values)
            self.values.append(value)  # before anybody can ask for it
            self._code[value] = found
        return found

    def known(self, values: Iterable[str]) -> list[int]:
        """Codes of those values that occur at all."""
        return [self._code[value] for value in values if value in self._code]


class Shelf:
    """Items in dense rows with filter columns: price, brand, category, language, attributes, showable.

    One thread writes at a time, any number may read beside it; what they read may lack the latest rows.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.items: list[Item | None] = []
        self.brands = Codes()
        self.categories = Codes()
        self.languages = Codes()
        self._row: dict[str, int] = {}
        self._attributes: dict[str, dict[str, set[int]]] = {}
        self._prefixes: list[frozenset[int]] = [frozenset()]
        size = 16
        self._price = np.full(size, np.nan, dtype=np.float32)
        self._brand = np.zeros(size, dtype=np.int32)
        self._category = np.zeros(size, dtype=np.int32)
        self._language = np.zeros(size, dtype=np.int32)
        self._created = np.zeros(size, dtype=np.float64)
        self._visible = np.zeros(size, dtype=np.bool_)
        self._sellable = np.zeros(size, dtype=np.bool_)
        for item in items:
            self.put(item)

    def __len__(self) -> int:
        """Number of rows, dead ones included."""
        return len(self.items)

    @property
    def ids(self) -> list[str]:
        """Item id of every row; dead rows give the empty string."""
        return [item.id if item is not None else "" for item in self.items]

    @property
    def spoken(self) -> list[str]:
        """Languages of the living items, each once, with the unknown as the empty string."""
        codes = {self.languages.code(item.language) for item in self.items if item is not None}
        return [self.languages.values[code] for code in sorted(codes)]

    def put(self, item: Item) -> int:
        """Add or replace an item; returns its row."""
        row = self._row.get(item.id)
        if row is None:
            row = len(self.items)
            self._grow(row + 1)  # before the row is counted: readers cut the arrays at the number of rows
            self.items.append(None)
            self._row[item.id] = row
        elif (old := self.items[row]) is not None:
            self._forget_attributes(row, old)
        self.items[row] = item
        self._price[row] = np.nan if item.price is None else item.price
        self._brand[row] = self.brands.code(item.brand)
        self._category[row] = self._category_code(item.category)
        self._language[row] = self.languages.code(item.language)
        self._created[row] = item.created.timestamp() if item.created else 0.0
        self._visible[row] = not item.hidden
        self._sellable[row] = item.availability.sellable
        for name, value in item.attributes.items():
            if value:
                self._attributes.setdefault(name, {}).setdefault(value, set()).add(row)
        return row

    def remove(self, item: str) -> int | None:
        """Take an item off; returns its row, or None when it was never there."""
        row = self._row.get(item)
        if row is None or (old := self.items[row]) is None:
            return None
        self._forget_attributes(row, old)
        self.items[row] = None
        self._visible[row] = self._sellable[row] = False
        return row

    def row(self, item: str) -> int | None:
        """Row of an item id, None when unknown (dead rows are found: behaviour refers to them)."""
        return self._row.get(item)

    def rows(self, items: Iterable[str]) -> Rows:
        """Rows of the known ones among item ids, in their order."""
        return np.array([self._row[item] for item in items if item in self._row], dtype=np.int64)

    def item(self, row: int) -> Item:
        """The living item of a row.

        Raises:
            KeyError: The row is dead.
        """
        item = self.items[row]
        if item is None:
            raise KeyError(row)
        return item

    @property
    def prices(self) -> NDArray[np.float32]:
        """float32 (rows,), NaN where unknown."""
        return self._price[: len(self)]

    @property
    def created(self) -> NDArray[np.float64]:
        """float64 (rows,), seconds since 1970, 0 where unknown."""
        return self._created[: len(self)]

    @property
    def brand_codes(self) -> NDArray[np.int32]:
        """int32 (rows,), codes into `brands.values`."""
        return self._brand[: len(self)]

    @property
    def category_codes(self) -> NDArray[np.int32]:
        """int32 (rows,), codes into `categories.values`, paths joined by `` > ``."""
        return self._category[: len(self)]

    @property
    def language_codes(self) -> NDArray[np.int32]:
        """int32 (rows,), codes into `languages.values`."""
        return self._language[: len(self)]

    def showable(self) -> Mask:
        """Bool (rows,): alive, not hidden, not sold out."""
        count = len(self)
        return self._visible[:count] & self._sellable[:count]

    def allowed(self, filters: Filters) -> Mask:
        """Bool (rows,): which rows pass the filters. Hidden and removed items never do."""
        count = len(self)
        mask = self._visible[:count].copy()
        if filters.sellable:
            mask &= self._sellable[:count]
        if filters.brands:
            mask &= np.isin(self._brand[:count], self.brands.known(filters.brands))
        if filters.languages:
            mask &= np.isin(self._language[:count], self.languages.known(filters.languages))
        if filters.categories:
            wanted = set(self.categories.known(" > ".join(path) for path in filters.categories))
            leaves = [code for code, prefixes in enumerate(self._prefixes) if prefixes & wanted]
            mask &= np.isin(self._category[:count], leaves)
        if filters.price_min is not None:
            mask &= self._price[:count] >= limit(filters.price_min)
        if filters.price_max is not None:
            mask &= self._price[:count] <= limit(filters.price_max)
        for name, values in filters.attributes.items():
            rows: set[int] = set()
            for value in values:
                rows |= self._attributes.get(name, {}).get(value, set())
            mask &= _mask(rows, count)
        if filters.exclude:
            rows_out = self.rows(filters.exclude)
            mask[rows_out[rows_out < count]] = False
        return mask

    def having(self, name: str, value: str, rows: Rows) -> Mask:
        """Bool (n,): which of `rows` have a value of ``brand``, ``category`` (a path joined by `` > ``) or an attribute."""
        if name == "brand":
            return np.isin(self._brand[rows], self.brands.known([value]))
        if name == "category":
            wanted = set(self.categories.known([value]))
            return np.isin(self._category[rows], [n for n, prefixes in enumerate(self._prefixes) if prefixes & wanted])
        held = self._attributes.get(name, {}).get(value, set())
        return np.fromiter((row in held for row in rows.tolist()), dtype=np.bool_, count=len(rows))

    def _category_code(self, path: Sequence[str]) -> int:
        codes = [self.categories.code(" > ".join(path[: depth + 1])) for depth in range(len(path))]
        while len(self._prefixes) < len(self.categories.values):
            self._prefixes.append(frozenset())
        for depth, code in enumerate(codes):
            if not self._prefixes[code]:
                self._prefixes[code] = frozenset(codes[: depth + 1])
        return codes[-1] if codes else 0

    def _forget_attributes(self, row: int, item: Item) -> None:
        for name, value in item.attributes.items():
            self._attributes.get(name, {}).get(value, set()).discard(row)

    def _grow(self, count: int) -> None:
        if count <= len(self._price):
            return
        size = int(count * _GROWTH) + 1
        for name in ("_price", "_brand", "_category", "_language", "_created", "_visible", "_sellable"):
            old = getattr(self, name)
            new = np.zeros(size, dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)


def limit(price: float) -> np.float32:
    """A price as the shelf holds it; what is beyond all prices is infinite.

    >>> limit(9.99) == np.float32(9.99), limit(1e300)
    (True, np.float32(inf))
    """
    return np.float32(price if abs(price) < _BEYOND else np.copysign(np.inf, price))


def _mask(rows: set[int], count: int) -> Mask:
    mask = np.zeros(count, dtype=np.bool_)
    mask[[row for row in rows if row < count]] = True  # rows that came since `count` was taken stay out
    return mask

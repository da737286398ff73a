"""Variants of one product stand in a list once: its best one, which knows the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Item
from shopkeeper.retrieval.shelf import Codes, Rows

_SPARE = 1.5


class Groups:
    """Which rows are variants of one product, by `Item.group`. One writer at a time; readers beside it are safe."""

    def __init__(self, items: Iterable[Item | None] = ()) -> None:
        self._names = Codes()
        self._of_row: NDArray[np.int32] = np.zeros(16, dtype=np.int32)
        for row, item in enumerate(items):
            if item is not None and item.group:
                self.put(row, item)

    @property
    def any(self) -> bool:
        """Is there any group at all?"""
        return len(self._names.values) > 1

    def put(self, row: int, item: Item) -> None:
        """Set the group of a row, known or new. Rows that were never put stand alone."""
        if row >= len(self._of_row):
            grown = np.zeros(int(row * _SPARE) + 1, dtype=np.int32)
            grown[: len(self._of_row)] = self._of_row
            self._of_row = grown
        self._of_row[row] = self._names.code(item.group)

    def codes(self, rows: Rows) -> NDArray[np.int32]:
        """Group of each row, int32 (n,); 0 for those that stand alone."""
        of_row = self._of_row
        codes = np.zeros(len(rows), dtype=np.int32)
        known = rows < len(of_row)
        codes[known] = of_row[rows[known]]
        return codes

    def keys(self, rows: Rows) -> NDArray[np.int64]:
        """Equal for variants of one product and for nothing else: int64 (n,)."""
        codes = self.codes(rows).astype(np.int64)
        return np.where(codes > 0, codes, -1 - rows)


@dataclass(frozen=True, slots=True)
class Products:
    """A ranking with one row a product.

    Attributes:
        rows: int64 (m,), the best variant of each product, best product first.
        variants: The other variants of each product that were in the ranking, int64 (n - m,), best first, product by
            product in the order of `rows`.
        ends: int64 (m,), where those of each product end in `variants`.
    """

    rows: Rows
    variants: Rows
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of products."""
        return len(self.rows)

    def others(self, place: int) -> Rows:
        """The other variants of the product at a place of the ranking, best first."""
        start = self.ends[place - 1] if place else 0
        found: Rows = self.variants[start : self.ends[place]]
        return found


def products(rows: Rows, groups: Groups) -> Products:
    """Fold the variants of a whole ranking together; do it before paging, so that no page repeats a product.

    Args:
        rows: int64 (n,), distinct, best first. A product stands where its best variant stood.
        groups: Of the same shelf.
    """
    if not len(rows):
        return Products(rows, rows, np.zeros(0, dtype=np.int64))
    _, first, product = np.unique(groups.keys(rows), return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    at = place[product]  # of each row: place of its product
    other = np.ones(len(rows), dtype=np.bool_)
    other[first] = False
    behind = at[other]
    variants: Rows = rows[other][np.argsort(behind, kind="stable")]
    return Products(rows[np.sort(first)], variants, np.cumsum(np.bincount(behind, minlength=len(first))))

"""The pool of recommendation: the best items of every source for every customer, and what each source says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.leading import best_allowed, shuffled
from shopkeeper.retrieval.shelf import Mask, Rows

EACH = 100
"""Items that each source may name."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of n users, padded to the longest list.

    Attributes:
        rows: int64 (n, most), shelf rows; padding repeats some row.
        valid: bool (n, most), False for padding.
    """

    rows: Rows
    valid: Mask

    def __len__(self) -> int:
        """Number of users."""
        return len(self.rows)

    def of(self, dense: Floats) -> Floats:
        """What is known of every row, float32 (n, rows), for the candidates alone: float32 (n, most)."""
        found: Floats = np.take_along_axis(dense, self.rows, axis=1)
        return found

    def per(self, column: NDArray[Any]) -> NDArray[Any]:
        """A column of the shelf, (rows,), for the candidates: (n, most)."""
        found: NDArray[Any] = column[self.rows]
        return found


def pooled(scores: Mapping[str, Floats], allowed: Mask, each: int = EACH) -> Pool:
    """The union of the best items of all sources.

    Args:
        scores: Source to float32 (n, rows); only what scores above 0 is named.
        allowed: bool (n, rows), or (1, rows) for all alike: what may be recommended.
        each: How many each source names.
    """
    users, width = next(iter(scores.values())).shape
    chosen = np.zeros((users, width), dtype=np.bool_)
    places, open_ = shuffled(width), np.broadcast_to(allowed, (users, width))
    for dense in scores.values():
        for user in range(users):
            chosen[user, best_allowed(dense[user], open_[user], each, places, above=0.0)] = True
    most = max(int(chosen.sum(axis=1).max(initial=0)), 1)
    if users == 1:
        rows = np.flatnonzero(chosen[0])
        return Pool(rows[None], np.ones((1, len(rows)), dtype=np.bool_)) if len(rows) else _nobody(width)
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :most]
    return Pool(order, np.take_along_axis(chosen, order, axis=1))


def _nobody(width: int) -> Pool:
    rows = np.zeros((1, min(width, 1)), dtype=np.int64)
    return Pool(rows, np.zeros(rows.shape, dtype=np.bool_))

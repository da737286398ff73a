"""The showings of a period as arrays, and which of them teach what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Floats
from shopkeeper.records import Event
from shopkeeper.retrieval.shelf import Rows

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Period:
    """The showings of some pages, in order of time; n showings on m pages.

    Attributes:
        table: float32 (n, len(NAMES)).
        row: int64 (n,), the items' rows.
        page: int64 (n,), place in `around` and `events`.
        around: float16 (m, 3, d), see `ad_vectors`.
        place: int64 (n,), 1-based.
        looked: float64 (n,), how often such a place is looked at.
        clicked: bool (n,).
        bought: bool (n,), bought after a click, as far as that is known when the period ends.
        paid: bool (n,), shown as an advertisement.
        events: The impressions.
    """

    table: Floats
    row: Rows
    page: NDArray[np.int64]
    around: NDArray[np.float16]
    place: NDArray[np.int64]
    looked: Values
    clicked: Mask
    bought: Mask
    paid: Mask
    events: tuple[Event, ...]

    def __len__(self) -> int:
        """Number of showings."""
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Examples:
    """The showings that teach one target.

    Attributes:
        table: float32 (n, f).
        hit: float64 (n,), 0 or 1.
        looked: float64 (n,), 1 where the hit needs no look.
        chosen: bool (all showings,), which of the period's they are.
    """

    table: Floats
    hit: Values
    looked: Values
    chosen: NDArray[np.bool_]


def examples(period: Period, target: str) -> Examples:
    """What teaches a target: clicks of all showings, or sales of those that were clicked."""
    if target == "click":
        every = np.ones(len(period), dtype=np.bool_)
        return Examples(period.table, period.clicked.astype(np.float64), period.looked, every)
    chosen = period.clicked
    return Examples(period.table[chosen], period.bought[chosen].astype(np.float64), np.ones(int(chosen.sum())), chosen)

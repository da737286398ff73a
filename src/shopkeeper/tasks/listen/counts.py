"""Counts of posts by series and quarter-hour, over the last five weeks. Late posts count where they belong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.tasks.listen.rhythm import Flags, Floats

QUARTER: Final = 900
"""Seconds of a slot. Slots are numbered since 1970, in UTC."""
HOUR: Final = 4
"""Slots of an hour."""
DAY: Final = 96
"""Slots of a day."""
WEEKS: Final = 5
_SLOTS: Final = (7 * WEEKS + 1) * DAY  # a day of room ahead

BY: Final = ("item", "entity", "brand", "topic", "risk", "source")
"""What posts are counted by, from the most to the least specific."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """A series of counts: all posts, or the complaints, that share a topic, a brand, an item, a source, an entity or a risk."""

    by: str
    name: str
    negative: bool = False


class Counts:
    """What was counted.

    Args:
        most: Series that are kept; further ones are not counted until silent ones have gone.

    Attributes:
        rows: Row of each series.
        newest: The last slot there is room for, None before the first post.
        oldest: The first slot from which on posts were counted, None before the first post.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._weighed: NDArray[np.float32] = np.zeros((0, _SLOTS), dtype=np.float32)
        self._posts: NDArray[np.uint16] = np.zeros((0, _SLOTS), dtype=np.uint16)
        self._masked: Flags = np.zeros((0, _SLOTS), dtype=bool)
        self.rows: dict[Series, int] = {}
        self.newest: int | None = None
        self.oldest: int | None = None

    def add(
        self, times: Sequence[datetime], series: Sequence[Iterable[Series]], weights: Sequence[float], now: datetime
    ) -> int:
        """Count posts where they belong.

        Args:
            times: One a post, timezone-aware.
            series: The series that each counts in.
            weights: What each counts.
            now: The time now.

        Returns:
            How many could not be counted: older than five weeks, or more than a day ahead of now.
        """
        latest = self.advance(now) + DAY
        slots = [int(time.timestamp() // QUARTER) for time in times]
        refused = 0
        rows: list[int] = []
        columns: list[int] = []
        amounts: list[float] = []
        for slot, names, weight in sorted(zip(slots, series, weights, strict=True), key=lambda post: post[0]):
            if slot > latest or not self._opened(slot):
                refused += 1
                continue
            found = [row for name in names if (row := self._row(name)) is not None]
            rows += found
            columns += [slot % _SLOTS] * len(found)
            amounts += [weight] * len(found)
        np.add.at(self._weighed, (rows, columns), np.asarray(amounts, dtype=np.float32))
        np.add.at(self._posts, (rows, columns), 1)
        return refused

    def advance(self, now: datetime) -> int:
        """Let time pass; the slot that is going on. Where the clock went back nothing is lost."""
        slot = int(now.timestamp() // QUARTER)
        if self.newest is not None:
            self._clear(slot)
        return slot

    def weighed(self, rows: Rows, slots: Rows) -> NDArray[np.float32]:
        """What the posts of some series count, float32 (rows, slots)."""
        found: NDArray[np.float32] = self._weighed[rows[:, None], (slots % _SLOTS)[None, :]]
        return found

    def posts(self, row: int, slots: Rows) -> int:
        """Posts of a series in some slots, copies included."""
        return int(self._posts[row, slots % _SLOTS].sum())

    def masked(self, rows: Rows, slots: Rows) -> Flags:
        """Where known surges are, bool (rows, slots)."""
        found: Flags = self._masked[rows[:, None], (slots % _SLOTS)[None, :]]
        return found

    def there(self, slots: Rows) -> Flags:
        """Which slots are kept."""
        newest = -1 if self.newest is None else self.newest
        found: Flags = (slots > newest - _SLOTS) & (slots <= newest)
        return found

    def mask(self, series: Series, start: datetime, end: datetime) -> None:
        """Keep a surge out of what is usual."""
        row = self.rows.get(series)
        if row is not None and self.newest is not None:
            first = max(int(start.timestamp() // QUARTER), self.newest - _SLOTS + 1)
            last = min(math.ceil(end.timestamp() / QUARTER), self.newest + 1)
            self._masked[row, np.arange(first, max(last, first)) % _SLOTS] = True

    def unmask(self, rows: Rows) -> None:
        """Let the surges of some series count as usual."""
        self._masked[rows] = False

    def since(self, hour: int) -> int:
        """The hour from which on posts came regularly: days with hardly any before it are no history."""
        assert self.oldest is not None
        first = max(self.oldest // HOUR, hour - WEEKS * 168)
        slots = np.arange(first * HOUR, hour * HOUR)
        held = self._weighed[: len(self.rows)].sum(0)[slots % _SLOTS]
        starts = np.arange(len(held) % DAY, len(held), DAY)
        if not len(starts):
            return first
        totals = np.add.reduceat(held, starts)
        usual = float(np.median(totals[totals > 0])) if (totals > 0).any() else 0.0
        place = int(np.argmax(totals >= usual / 10)) if usual else 0
        return first if place == 0 else first + int(starts[place]) // HOUR

    def forget_silent(self) -> None:
        """Drop series without a count in five weeks, once there are many."""
        rows = len(self.rows)
        if rows < self._most // 2:
            return
        heard = np.flatnonzero(self._weighed[:rows].any(1))
        names = list(self.rows)
        self._weighed, self._posts, self._masked = self._weighed[heard], self._posts[heard], self._masked[heard]
        self.rows = {names[old]: row for row, old in enumerate(heard.tolist())}

    def _row(self, series: Series) -> int | None:
        row = self.rows.get(series)
        if row is None and len(self.rows) < self._most:
            row = self.rows[series] = len(self.rows)
            if row >= len(self._weighed):
                room = ((0, max(64, row)), (0, 0))
                self._weighed = np.pad(self._weighed, room)
                self._posts, self._masked = np.pad(self._posts, room), np.pad(self._masked, room)
        return row

    def _opened(self, slot: int) -> bool:
        """Make room for a slot; False where it is too old."""
        if self.newest is None or self.oldest is None:
            self.newest = self.oldest = slot
        if slot <= self.newest - _SLOTS + DAY:
            return False
        self._clear(slot)
        self.oldest = min(self.oldest, slot)
        return True

    def _clear(self, slot: int) -> None:
        if self.newest is None or slot <= self.newest:
            return
        gone = np.arange(max(self.newest + 1, slot - _SLOTS + 1), slot + 1) % _SLOTS
        self._weighed[:, gone] = 0
        self._posts[:, gone] = 0
        self._masked[:, gone] = False
        self.newest = slot
        self.oldest = max(slot if self.oldest is None else self.oldest, slot - _SLOTS + DAY)


def hourly(counts: Floats) -> Floats:
    """Sums of four quarter-hours each, float (rows, slots / 4)."""
    sums: Floats = counts.reshape(len(counts), -1, HOUR).sum(2)
    return sums

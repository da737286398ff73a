"""Payments in runs of one key each: windows by binary search, sums over them by differences of running totals.

All sums are of whole numbers, so that a window has the same sum whether it is read from a table of millions of payments or
from the few that a shop keeps while it serves.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shopkeeper.ranking.payments.columns import DAY

Ints = NDArray[np.int64]
Values = NDArray[np.float64]

HOUR: Final = 3_600
HORIZON: Final = 30 * DAY
"""How far windows reach back at most, in seconds."""
LIMIT: Final = 500
"""Payments of one customer or counterpart that windows look back on at most: where there are more, they end there."""
KNOWN_DAYS: Final = (1, 7, 30)
"""Windows of known fraud, in days."""
MEMORY: Final = 60 * 24
"""How far known fraud reaches back at most, in hours before the delay."""


class Runs:
    """Rows in runs of one key each, every run ordered by time; rows of the same second keep their order.

    Args:
        keys: int64 (n,), -1 or above.
        times: int64 (n,), in any unit.
        reach: How far back anybody will ask from the first of `times`, in their unit.
    """

    def __init__(self, keys: Ints, times: Ints, reach: int) -> None:
        self.keys, self.times = keys, times
        first, last = (int(times.min()), int(times.max())) if len(times) else (0, 0)
        self._base, self._span = first - reach, last - first + reach + 1
        self.order = np.lexsort((times, keys))
        self._composite = self._compose(keys[self.order], times[self.order])
        self.place = np.empty(len(keys), dtype=np.int64)
        self.place[self.order] = np.arange(len(keys))

    def _compose(self, keys: Ints, times: Ints) -> Ints:
        return (keys + 1) * self._span + np.minimum(np.maximum(times - self._base, 0), self._span - 1)

    def until(self, keys: Ints, times: Ints) -> Ints:
        """Places after the last row of each key that is not later than the time given, int64 (q,).

        Fast where `keys` and `times` are nearly ordered, as rows in the order of `ordered` are.
        """
        return self._composite.searchsorted(self._compose(keys, times), side="right").astype(np.int64, copy=False)

    def before(self, rows: Ints, steps: int) -> Ints:
        """The row that stands `steps` before each of `rows` in its run, -1 for none; int64 (q,)."""
        places = self.place[rows] - steps
        found = np.where(places >= 0, self.order[np.maximum(places, 0)], -1)
        return np.where((found >= 0) & (self.keys[found] == self.keys[rows]), found, -1)

    def ordered(self, rows: Ints) -> Ints:
        """Where each of `rows` stands among them when they are put in the order of the runs: int64 (q,) places to take."""
        return np.argsort(self.place[rows])

    def totals(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Running totals over places, int64 (n + 1, ...): their differences are the sums of windows."""
        return np.concatenate([np.zeros((1, *values.shape[1:]), dtype=np.int64), np.cumsum(values[self.order], axis=0)])

    def start(self, rows: Ints) -> Ints:
        """The moment after which windows of each row may look: `HORIZON` ago, or the `LIMIT`-th payment before."""
        earliest = self.before(rows, LIMIT)
        limit = np.where(earliest >= 0, self.times[earliest], np.iinfo(np.int64).min)
        return np.maximum(self.times[rows] - HORIZON, limit)


class Tally(NamedTuple):
    """Counts by key and hour; rows may repeat a key and an hour.

    Attributes:
        keys: int64 (m,).
        hours: int64 (m,), hours since 1970.
        counts: int64 (m,).
    """

    keys: Ints
    hours: Ints
    counts: Ints


class KnownFraud:
    """What was known about fraud of each key at any moment, in whole hours.

    A payment counts once `delay` has passed. Fraud counts from when it is known, and at the earliest with its payment:
    fraud that becomes known later than that moves to the hour in which it would have been paid to be known in time.

    Args:
        paid: Payments by the hour in which they were made.
        frauds: Frauds by the hour from which they count, see `counts_from`.
        delay: Seconds.
    """

    def __init__(self, paid: Tally, frauds: Tally, delay: int) -> None:
        self._delay = delay
        self._paid, self._frauds = (Runs(tally.keys, tally.hours, MEMORY) for tally in (paid, frauds))
        self._sums = [runs.totals(tally.counts) for runs, tally in ((self._paid, paid), (self._frauds, frauds))]

    def at(self, keys: Ints, times: Ints) -> dict[tuple[str, str], Values]:
        """What is known of `keys` at `times`, float64 (q,) by measure and window.

        ``known`` and ``share`` count frauds, and their share among payments with one genuine payment more, by window;
        ``settled`` counts payments old enough; ``hours_since`` the last and ``hours_from`` the first fraud say how long
        ago they count from, NaN for none within `MEMORY`; ``genuine_since`` counts payments after the last.
        """
        until = settled_hour(times, self._delay)
        found: dict[tuple[str, str], Values] = {}
        high = self._frauds.until(keys, until)
        all_paid, all_frauds = self._up_to(0, keys, until), self._sums[1][high]
        for days in KNOWN_DAYS:
            paid = (all_paid - self._up_to(0, keys, until - 24 * days)).astype(np.float64)
            frauds = (all_frauds - self._up_to(1, keys, until - 24 * days)).astype(np.float64)
            found["known", f"{days}d"] = frauds
            found["share", f"{days}d"] = np.minimum(frauds / (paid + 1), 1)
        found["settled", "30d"] = paid
        low = self._frauds.until(keys, until - MEMORY)
        none = low >= high
        hours = np.concatenate([self._frauds.times[self._frauds.order], [0]])
        first, last = hours[np.where(none, -1, low)], hours[np.where(none, -1, high - 1)]
        since = (all_paid - self._up_to(0, keys, np.where(none, until, last))).astype(np.float64)
        found["hours_since", "60d"] = np.where(none, np.nan, until - last)
        found["hours_from", "60d"] = np.where(none, np.nan, until - first)
        found["genuine_since", "60d"] = np.where(none, np.nan, since)
        return {key: np.where(keys < 0, np.nan, values) for key, values in found.items()}

    def share(self, keys: Ints, times: Ints, days: int) -> Values:
        """Share of frauds among payments and one genuine one more, over so many days before the delay; NaN for no key."""
        until = settled_hour(times, self._delay)
        after = until - 24 * days
        paid, frauds = (
            (self._up_to(which, keys, until) - self._up_to(which, keys, after)).astype(np.float64) for which in (0, 1)
        )
        return np.where(keys < 0, np.nan, np.minimum(frauds / (paid + 1), 1))

    def _up_to(self, which: int, keys: Ints, hours: Ints) -> Ints:
        """Payments (0) or frauds (1) of all keys up to those of each at an hour: differences count those between."""
        runs = (self._paid, self._frauds)[which]
        totals: Ints = self._sums[which][runs.until(keys, hours)]
        return totals


def settled_hour(times: Ints, delay: int) -> Ints:
    """The last whole hour that lies `delay` seconds back, in hours since 1970."""
    return (times - delay) // HOUR - 1


def counts_from(time: Ints, known: Ints, delay: int) -> Ints:
    """The hour from which a fraud counts, in hours since 1970: int64 as `time` and `known`, which are seconds."""
    return np.maximum(time, known - delay) // HOUR

"""Surges: counts of posts that rise beyond what their own past, the hour and the weekday explain.

Five detectors look at each series: the tails of the last quarter-hour, hour, six hours and day, and a cumulative sum for slow
rises. Their scores are in nats (a score of 10 is a chance of e^-10), and each detector has a threshold that the series' own
past would have passed as seldom as the settings ask for. Nothing but the counts is kept between two looks, so posts may come
late and clocks may go back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Final

import numpy as np

from shopkeeper.tasks.listen.counts import DAY, HOUR, QUARTER, Counts, Rows, Series, hourly
from shopkeeper.tasks.listen.course import STEPS, Course, band
from shopkeeper.tasks.listen.rhythm import Baseline, Floats, dispersion, fit
from shopkeeper.tasks.listen.tails import DETECTORS, WINDOWS, Thresholds, common_factor, learnt_thresholds, scores
from shopkeeper.tasks.listen.wall import WallClock

_WARM: Final = 2 * DAY
_REFIT: Final = DAY // 2
_BEHIND: Final = 7 * DAY
"""Slots that the cumulative sum looks back."""
_NORMAL: Final = 7 * DAY
"""A surge that lasts so long is what is usual from now on."""
_DRAWN: Final = 300
"""Series that the thresholds are learnt from."""
_PAST: Final = 21 * DAY
"""Slots of their past that are looked at."""
_LEADING: Final = 500
"""Series that tell what all have in common."""
_STRICT: Final = (0.6, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A series that rises now.

    Attributes:
        detector: One of `DETECTORS`: the window or the sum that is surest.
        start: When the rise began, as far as that detector can tell.
        end: End of the last quarter-hour that was looked at.
        posts: Posts in between.
        seen: What they count: copies of one post by the logarithm of their number.
        expected: What they were expected to count.
        score: Minus the logarithm of the chance of so many or more.
        excess: Score divided by the threshold, at least 1.
    """

    series: Series
    detector: str
    start: datetime
    end: datetime
    posts: int
    seen: float
    expected: float
    score: float
    excess: float


class Surges:
    """Counts of all series, and what rises among them.

    Args:
        false_alarms: How often a week, over all series, quiet streams may pass a threshold.
        least: Posts below which nothing is a surge.
        most: Series that are kept at most.
        seed: Of the series that are drawn to learn the thresholds from.
        zone: Time zone whose days and weeks people live by.
    """

    def __init__(
        self,
        *,
        false_alarms: float = 1.0,
        least: float = 5.0,
        most: int = 20_000,
        seed: int = 7,
        zone: tzinfo = UTC,
    ) -> None:
        self._false_alarms = false_alarms
        self._least = least
        self._seed = seed
        self._clock = WallClock(zone)
        self._counts = Counts(most)
        self._strict: Mapping[Series, float] = {}
        self._fitted: _Fitted | None = None

    def __len__(self) -> int:
        return len(self._counts.rows)

    def add(
        self, times: Sequence[datetime], series: Sequence[Iterable[Series]], weights: Sequence[float], now: datetime
    ) -> int:
        """Count posts where they belong, see `Counts.add`; how many are too old, or too far ahead, to be counted."""
        return self._counts.add(times, series, weights, now)

    def mask(self, series: Series, start: datetime, end: datetime) -> None:
        """Keep a surge out of what is usual; one that lasts a week is let in again."""
        self._counts.mask(series, start, end)

    def heed(self, strictness: Mapping[Series, float]) -> None:
        """Take factors on the thresholds of single series, from what people said of their alarms; bounded by 0.6 and 4."""
        self._strict = strictness

    def ready(self, now: datetime) -> datetime | None:
        """None where surges can be told, else the time from which on they can: after two days of posts."""
        oldest = self._counts.oldest
        moment = _moment((int(now.timestamp() // QUARTER) if oldest is None else oldest) + _WARM)
        return None if now >= moment else moment

    def look(self, now: datetime) -> list[Surge]:
        """What rises now, the surest first. Only quarter-hours that are over count; looking twice changes nothing."""
        end = self._counts.advance(now)
        oldest = self._counts.oldest
        if oldest is None or end - oldest < _WARM or not self._counts.rows:
            return []
        if self._fitted is None or abs(end - self._fitted.end) >= _REFIT:
            self._fitted = self._fit(end)
        fitted = self._fitted
        names = list(self._counts.rows)
        rows = np.arange(len(names))
        view = self._view(fitted.baseline, rows, fitted.of(rows), end, min(_BEHIND, end - oldest))
        found = scores(view.seen, view.usual, *fitted.doubts(rows), self._least, last=True)
        strict = np.clip([self._strict.get(name, 1.0) for name in names], *_STRICT)
        excess = found.score[:, :, -1] / (np.asarray(fitted.thresholds.score)[:, None] * strict)
        surges = []
        for row in np.flatnonzero(excess.max(0) >= 1).tolist():
            detector = int(excess[:, row].argmax())
            length = WINDOWS[detector] if detector < len(WINDOWS) else int(found.run[row])
            surges.append(
                Surge(
                    series=names[row],
                    detector=DETECTORS[detector],
                    start=_moment(end - length),
                    end=_moment(end),
                    posts=self._counts.posts(row, view.slots[-length:]),
                    seen=float(view.seen[row, -length:].sum()),
                    expected=float(view.usual[row, -length:].sum()),
                    score=float(found.score[detector, row, -1]),
                    excess=float(excess[detector, row]),
                )
            )
        for surge in surges:
            self.mask(surge.series, surge.start, surge.end)
        return sorted(surges, key=lambda surge: -surge.excess)

    def largest(self, by: str, start: datetime, end: datetime, most: int) -> list[Series]:
        """Series of all posts, split `by` one of `counts.BY`, with the highest counts in [start, end), the highest first."""
        names = [name for name in self._counts.rows if name.by == by and not name.negative]
        slots = np.arange(int(start.timestamp() // QUARTER), int(end.timestamp() // QUARTER))
        slots = slots[self._counts.there(slots)]
        rows = np.array([self._counts.rows[name] for name in names], dtype=np.int64)
        totals = self._counts.weighed(rows, slots).sum(1)
        ranked = sorted(zip(names, totals.tolist(), strict=True), key=lambda one: (-one[1], one[0]))
        return [name for name, total in ranked[:most] if total > 0]

    def courses(self, series: Sequence[Series], start: datetime, end: datetime, hours: int) -> list[Course]:
        """What was counted and what was to be expected, in steps of `hours` from the first whole hour on.

        Args:
            series: Which; unknown ones have counts of 0.
            start: Of the first step, in the last five weeks.
            end: What remains of a step before it is left out.
            hours: One of `course.STEPS`.
        """
        first = int(start.timestamp() // 3600)
        steps = max(int(end.timestamp() // 3600) - first, 0) // hours
        whole = np.arange(first, first + steps * hours)
        nothing = np.full(steps, np.nan)
        if not steps or not self._counts.rows:
            return [Course(np.zeros(steps), nothing, nothing, nothing)] * len(series)
        rows = np.array([self._counts.rows.get(name, -1) for name in series], dtype=np.int64)
        slots = np.arange(first * HOUR, (first + len(whole)) * HOUR)
        there = (rows >= 0)[:, None] & self._counts.there(slots)
        seen = np.where(there, self._counts.weighed(rows, slots), 0).reshape(len(series), steps, -1).sum(2)
        fitted = self._fitted
        if fitted is None or self._counts.oldest is None:
            return [Course(row, nothing, nothing, nothing) for row in seen]
        known = np.where(rows >= 0, fitted.of(rows), fitted.rows)
        everybody = np.arange(len(self._counts.rows))
        factor = self._factor(fitted.baseline, everybody, fitted.of(everybody), whole, int(slots[-1]) + 1)
        usual = fitted.baseline.expected(whole, known) * factor
        usual[:, whole * HOUR < self._counts.oldest] = np.nan
        usual = usual.reshape(len(series), steps, hours).sum(2)
        scatter, doubt, cell = fitted.doubts(known)
        spread = (scatter[1 + STEPS.index(hours)] + doubt + cell / hours)[:, None]
        low, high = band(usual, np.broadcast_to(spread, usual.shape))
        return [Course(*lines) for lines in zip(seen, usual, low, high, strict=True)]

    def _fit(self, end: int) -> _Fitted:
        self._counts.forget_silent()
        rows = np.arange(len(self._counts.rows))
        hour = end // HOUR
        since = self._counts.since(hour)
        slots = np.arange(since * HOUR, hour * HOUR)
        unseen = ((0, 1), (0, 0))  # a last row for series that come later
        counts = np.pad(self._counts.weighed(rows, slots), unseen)
        masked = np.pad(self._counts.masked(rows, slots), unseen)
        lasting = np.flatnonzero(masked[:, -_NORMAL:].mean(1) > 0.9)
        if len(slots) >= _NORMAL and len(lasting):
            masked[lasting] = False
            self._counts.unmask(lasting)
        baseline = fit(hourly(counts), hourly(masked.astype(np.float32)) == 0, since, self._clock)
        recent = slots[-_BEHIND:]
        usual = np.repeat(baseline.expected(recent[::HOUR] // HOUR) / HOUR, HOUR, axis=1)
        quarter = dispersion(counts[:, -_BEHIND:], usual, ~masked[:, -_BEHIND:])
        scatter = np.stack([quarter, *(baseline.scatter[hours] for hours in (1, 6, 24))])
        nominal = Thresholds.nominal(self._false_alarms, max(len(rows), 1))
        fitted = _Fitted(len(rows), end, baseline, scatter, nominal)
        drawn = np.random.default_rng(self._seed).permutation(rows)[:_DRAWN]
        view = self._view(baseline, drawn, drawn, hour * HOUR, min(len(slots), _PAST))
        past = scores(view.seen, view.usual, *fitted.doubts(drawn), self._least)
        held = self._counts.masked(drawn, view.slots)
        return replace(
            fitted, thresholds=learnt_thresholds(past, held, nominal, self._false_alarms / max(len(rows), 1))
        )

    def _view(self, baseline: Baseline, rows: Rows, known: Rows, end: int, length: int) -> _View:
        """The last slots of some series beside what is expected, the common rise or fall of all series included.

        `known` are the rows of the baseline that speak for them.
        """
        slots = np.arange(end - length, end)
        hours = np.arange(slots[0] // HOUR, slots[-1] // HOUR + 1)
        usual = baseline.expected(hours, known) * self._factor(baseline, rows, known, hours, end) / HOUR
        return _View(slots, self._counts.weighed(rows, slots), usual[:, slots // HOUR - hours[0]])

    def _factor(self, baseline: Baseline, rows: Rows, known: Rows, hours: Rows, end: int) -> Floats:
        """What some series have in common in the hours that end before the slot `end`, float (hours,)."""
        leading = np.argsort(-baseline.level[known], kind="stable")[:_LEADING]
        slots = np.arange(hours[0] * HOUR, (hours[-1] + 1) * HOUR)
        counted = (slots < end) & self._counts.there(slots)
        return common_factor(
            hourly(np.where(counted, self._counts.weighed(rows[leading], slots), 0)),
            baseline.expected(hours, known[leading]),
            part=(end - int(hours[-1]) * HOUR) / HOUR,
        )


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What was learnt of the first `rows` series up to the slot `end`; the row after them is that of an unseen series."""

    rows: int
    end: int
    baseline: Baseline
    scatter: Floats
    thresholds: Thresholds

    def of(self, rows: Rows) -> Rows:
        """Rows of the baseline that speak for some series."""
        return np.minimum(rows, self.rows)

    def doubts(self, rows: Rows) -> tuple[Floats, Floats, Floats]:
        """Scatter by window, doubt of the level and of the rhythm, of some series."""
        known = self.of(rows)
        return self.scatter[:, known], self.baseline.doubt[known], self.baseline.cell[known]


@dataclass(frozen=True, slots=True)
class _View:
    slots: Rows
    seen: Floats
    usual: Floats


def _moment(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * QUARTER, UTC)

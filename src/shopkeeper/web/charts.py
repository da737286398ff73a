"""Charts of counts over time as SVG: lines, the band of what is usual, marks and a grid, all as coordinates for a template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

import numpy as np

from shopkeeper.tasks.listen.course import Course
from shopkeeper.tasks.listen.rhythm import Floats

WIDTH, HEIGHT = 360, 132
LEFT, RIGHT, TOP, BOTTOM = 30, 354, 12, 112
"""The frame in which lines are drawn; numbers stand left of it, days below."""
_NICE: Final = (1, 2, 5, 10)
_MOST_DAYS: Final = 8
"""Names of days that there is room for."""


@dataclass(frozen=True, slots=True)
class Point:
    """One step, for the table.

    Attributes:
        time: Its begin, in the shop's time zone.
        posts: What was counted.
        bad: Complaints among them.
        expected: NaN where it cannot be told, as are low and high.
        alerts: Raised in it.
    """

    time: datetime
    posts: float
    bad: float
    expected: float
    low: float
    high: float
    alerts: int

    @property
    def known(self) -> bool:
        """Could something be expected?"""
        return not np.isnan(self.expected)


@dataclass(frozen=True, slots=True)
class Chart:
    """A series as drawn.

    Attributes:
        posts: Points of the polyline of all posts, as SVG writes them.
        bad: Of complaints.
        expected: Of what was to be expected; empty where nothing was.
        band: Of the polygon of what is usual.
        marks: Where alerts were raised, from the left.
        days: Where days begin and what they are called.
        grid: Heights of lines and their numbers.
        points: The same as a table.
    """

    posts: str
    bad: str
    expected: str
    band: str
    marks: tuple[float, ...]
    days: tuple[tuple[float, str], ...]
    grid: tuple[tuple[float, str], ...]
    points: tuple[Point, ...]


def chart(every: Course, bad: Course, start: datetime, hours: int, alerts: Sequence[datetime], zone: tzinfo) -> Chart:
    """Draw a series.

    Args:
        every: All posts, in steps of `hours` from `start` on.
        bad: Complaints, likewise.
        start: A whole hour.
        hours: Of a step.
        alerts: When alerts were raised, any moments.
        zone: Whose days are shown.
    """
    steps = len(every.seen)
    end = start + timedelta(hours=hours * steps)
    most = ceiling(float(np.nanmax([*every.seen, *bad.seen, *every.high, 1.0])))
    middles = (np.arange(steps) + 0.5) / max(steps, 1)
    known = ~np.isnan(every.expected)
    lower = _points(middles[known][::-1], every.low[known][::-1], most)
    inside = [moment for moment in alerts if steps and start <= moment < end + timedelta(hours=hours)]
    return Chart(
        posts=_points(middles, every.seen, most),
        bad=_points(middles, bad.seen, most),
        expected=_points(middles[known], every.expected[known], most),
        band=f"{_points(middles[known], every.high[known], most)} {lower}".strip(),
        marks=tuple(round(_across(min((moment - start) / (end - start), 1.0)), 1) for moment in inside),
        days=tuple(_days(start, end, zone)),
        grid=tuple((round(_up(value, most), 1), f"{value:g}") for value in (0, most / 2, most)),
        points=tuple(_table(every, bad, start, hours, inside, zone)),
    )


def ceiling(value: float) -> float:
    """The next number above that people count by: 2, 4, 10, 20, 40, 100 ...

    >>> [ceiling(value) for value in (0.3, 3, 7, 10, 11, 45)]
    [2.0, 4.0, 10.0, 10.0, 20.0, 100.0]
    """
    scale = 2.0 * 10.0 ** max(np.floor(np.log10(max(value, 1.0) / 2)), 0.0)
    return float(next(scale * step for step in _NICE if scale * step >= value))


def _points(across: Floats, values: Floats, most: float) -> str:
    pairs = zip(across.tolist(), values.tolist(), strict=True)
    return " ".join(f"{_across(share):.1f},{_up(value, most):.1f}" for share, value in pairs)


def _across(share: float) -> float:
    return LEFT + share * (RIGHT - LEFT)


def _up(value: float, most: float) -> float:
    return BOTTOM - value / most * (BOTTOM - TOP)


def _days(start: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[float, str]]:
    """Days that begin between start and end: every one, or as many as there is room for."""
    day = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    each = -(-(end - start).days // _MOST_DAYS) or 1
    number = 0
    while (moment := (day + timedelta(days=number)).replace(tzinfo=zone)) < end:
        if moment >= start:
            yield round(_across((moment - start) / (end - start)), 1), f"{moment.month}/{moment.day}"
            number += each
        else:
            number += 1


def _table(
    every: Course, bad: Course, start: datetime, hours: int, alerts: Sequence[datetime], zone: tzinfo
) -> Iterator[Point]:
    step = timedelta(hours=hours)
    last = len(every.seen) - 1
    places = np.array([min((moment - start) // step, last) for moment in alerts], dtype=np.int64)
    held = np.bincount(places, minlength=last + 1).tolist()
    lines = zip(every.seen, bad.seen, every.expected, every.low, every.high, strict=True)
    for place, (posts, worse, expected, low, high) in enumerate(lines):
        moment = (start + place * step).astimezone(zone)
        yield Point(moment, float(posts), float(worse), float(expected), float(low), float(high), held[place])

"""What a series of counts usually does: its level, its trend, its rhythm of the week, and how much it scatters.

All series are fitted together, hour by hour, as ``level x growth x rhythm of the hour of the week``. Surges of the past must
not shape what is usual, so counts are clipped at three deviations before they are averaged (a Huber-type M-estimate: Cantoni
and Ronchetti, "Robust Inference for Generalized Linear Models", 2001). What a sparse series cannot say by itself it borrows:
its rhythm and its scatter are shrunk to those of all series, as strongly as the series are alike (empirical Bayes with a
gamma prior; Efron, "Large-Scale Inference", 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.tasks.listen.wall import WallClock

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]

WEEK = 168
"""Hours of a week."""
_DAY = 24
_HALF_LIFE = 7.0
"""Days after which a count weighs half as much for the level."""
_ROUNDS = 4
_CLIP = 3.0
_GROWTH = 0.02
"""Deviation of the daily growth of series that one has not seen: about 15 % a week."""
_MOST_GROWTH = 0.5
_ALIKE = (5.0, 1_000.0)
"""Bounds of what the common rhythm weighs, in counts an hour of the week."""
_BORROWED = 10.0
"""Windows that the scatter of all series is worth."""
_MOST_SCATTER = 2.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual. Rows are series; hours are counted since 1970 in UTC, hours of the week by the clock on the wall.

    Attributes:
        level: float (series,), counts an hour.
        growth: float (series,), of the logarithm, a day.
        rhythm: float (series, 168), with mean 1.
        scatter: Hours of a window to float (series,): variance beyond the mean is scatter x mean squared.
        doubt: float (series,), relative variance of the level as estimated.
        cell: float (series,), relative variance of one hour of the rhythm.
        centre: The hour at which `level` holds.
        clock: Tells the hour of the week.
    """

    level: Floats
    growth: Floats
    rhythm: Floats
    scatter: dict[int, Floats]
    doubt: Floats
    cell: Floats
    centre: float
    clock: WallClock

    def expected(self, hours: NDArray[np.int64], rows: NDArray[np.int64] | slice = slice(None)) -> Floats:
        """Expected counts, float (series, hours), of hours since 1970."""
        drift = np.clip(np.outer(self.growth[rows], (hours - self.centre) / _DAY), -_MOST_GROWTH, _MOST_GROWTH)
        found: Floats = self.level[rows, None] * np.exp(drift) * self.rhythm[rows][:, self.clock.local(hours) % WEEK]
        return found


def fit(counts: Floats, trusted: Flags, first: int, clock: WallClock | None = None) -> Baseline:
    """Estimate what is usual.

    The weeks are those of the clock on the wall: an hour that summer time leaves out is one that was not seen, and of one that
    comes twice the second counts.

    Args:
        counts: float (series, hours), all hours from the first on.
        trusted: bool of the same shape; False where a known surge shall not count.
        first: Hour since 1970 of the first column, in UTC.
        clock: Tells the hour of the week; in UTC when not given.

    Returns:
        The baseline; without any history its levels are next to nothing.
    """
    clock = clock or WallClock()
    series, length = counts.shape
    local = clock.local(first + np.arange(length))
    place = local - local.min() + local.min() % WEEK
    weeks = int(place.max()) // WEEK + 1
    shape = (series, weeks, WEEK)
    seen, weight = np.zeros((2, series, weeks * WEEK), dtype=np.float32)
    seen[:, place] = counts
    weight[:, place] = trusted
    seen, weight = seen.reshape(shape), weight.reshape(shape)
    ages = (place.max() - np.arange(weeks * WEEK)).reshape(1, weeks, WEEK) / _DAY
    recent = np.where(ages >= 0, 0.5 ** (np.maximum(ages, 0) / _HALF_LIFE), 0).astype(np.float32)

    level = _median_level(seen, weight)
    rhythm = np.ones((series, WEEK), dtype=np.float32)
    scatter = np.full(series, 0.1, dtype=np.float32)
    for _ in range(_ROUNDS):
        usual = level[:, None, None] * rhythm[:, None, :]
        clipped = weight * np.minimum(seen, usual + _CLIP * np.sqrt(usual + scatter[:, None, None] * usual**2) + 1)
        rhythm, alike = _rhythm(clipped.sum(1), weight.sum(1) * level[:, None], usual, weight, scatter)
        found = (recent * clipped).sum((1, 2))
        exposed = (recent * weight * rhythm[:, None, :]).sum((1, 2))
        common = max(float(found.sum()), 1e-3) / max(float(exposed.sum()), 1e-3)
        level = (found + 0.5) / (exposed + 0.5 / common)
        usual = level[:, None, None] * rhythm[:, None, :]
        scatter = dispersion(seen, np.broadcast_to(usual, shape), weight)
    flat = (series, weeks * WEEK)
    growth, lag = _growth(clipped.reshape(flat), (weight * usual).reshape(flat), ages.reshape(-1), recent.reshape(-1))
    centre = first + length - 1 - lag * _DAY
    drift = np.clip(np.outer(growth, lag - ages.reshape(-1)), -_MOST_GROWTH, _MOST_GROWTH)
    usual = (np.broadcast_to(usual, shape).reshape(flat) * np.exp(drift)).astype(np.float32)
    scatters = {
        hours: dispersion(_blocks(seen, hours), _blocks(usual, hours), _blocks(weight, hours) == hours)
        for hours in (1, 6, _DAY)
    }
    days = (recent * weight).sum((1, 2)) / _DAY
    return Baseline(
        level=level,
        growth=growth,
        rhythm=rhythm,
        scatter=scatters,
        doubt=1 / (found + 0.5) + scatters[_DAY] / np.maximum(days, 1),
        cell=1 / (weight.sum((1, 2)) * level / WEEK + alike),
        centre=centre,
        clock=clock,
    )


def dispersion(seen: Floats, usual: Floats, weight: NDArray[np.generic]) -> Floats:
    """Scatter of each series beyond chance: (variance - mean) / mean squared, clipped against surges, and shrunk to all.

    Args:
        seen: float (series, ...), counts.
        usual: The same shape, expected counts.
        weight: The same shape, 0 where a count is not to be used.

    Returns:
        float (series,), in [0, 2]; 0 is the Poisson distribution.

    >>> bool(dispersion(np.full((1, 50), 10.0), np.full((1, 50), 10.0), np.ones((1, 50)))[0] == 0)
    True
    """
    rows = len(seen)
    seen, usual, weight = (array.reshape(rows, -1) for array in (seen, usual, np.asarray(weight, dtype=np.float32)))
    apart = (seen - usual) ** 2
    windows = weight.sum(1)
    squares = (weight * usual**2).sum(1)
    means = np.sqrt(squares / np.maximum(windows, 1))
    certain = windows * means**2 / (1 + means**2)
    found = np.zeros(rows)
    for _ in range(2):
        cap = 16 * (usual + (found[:, None] + 0.05) * usual**2) + 1
        own = (weight * (np.minimum(apart, cap) - usual)).sum(1) / np.maximum(squares, 1e-9)
        own = np.clip(own, 0, _MOST_SCATTER)
        shared = float((certain * own).sum() / max(float(certain.sum()), 1e-9))
        found = (certain * own + _BORROWED * shared) / (certain + _BORROWED)
    return found


def _median_level(seen: Floats, weight: Floats) -> Floats:
    """A first level: median of the days, but no less than a quarter of the mean, as most days of a sparse series are empty."""
    days = seen.reshape(len(seen), -1, _DAY).sum(2)
    whole = weight.reshape(len(seen), -1, _DAY).sum(2)
    rates = np.where(whole >= _DAY / 2, days / np.maximum(whole, 1), np.nan)
    rates[np.isnan(rates).all(1)] = 0
    mean = (seen * weight).sum((1, 2)) / np.maximum(weight.sum((1, 2)), 1)
    level: Floats = np.maximum(np.maximum(np.nanmedian(rates, axis=1), mean / 4), 1e-4).astype(np.float32)
    return level


def _rhythm(cells: Floats, exposed: Floats, usual: Floats, weight: Floats, scatter: Floats) -> tuple[Floats, float]:
    """Rhythm of each series, float (series, 168), and how many counts the common one is worth in each hour."""
    weeks = float(weight.sum()) / max(float((weight.max(1) > 0).sum()), 1)
    common = _common_rhythm(cells.sum(0), exposed.sum(0), weeks)
    told = exposed * common
    chance = (weight * (usual + scatter[:, None, None] * usual**2)).sum(1)
    unlike = float(((cells - told) ** 2 - chance).sum() / max(float((told**2).sum()), 1e-9))
    alike = float(np.clip(1 / max(unlike, 1e-9), *_ALIKE))
    rhythm = (cells + alike * common) / (exposed + alike)
    return (rhythm / rhythm.mean(1, keepdims=True)).astype(np.float32), alike


def _common_rhythm(cells: Floats, exposed: Floats, weeks: float) -> Floats:
    """Rhythm of all series together, float (168,): hour of the day first, weekday and hour by the weeks seen."""
    total = float(cells.sum()) / max(float(exposed.sum()), 1e-9) or 1.0
    told, could = cells.reshape(7, _DAY), exposed.reshape(7, _DAY) * total
    hour = (told.sum(0) + 1) / (could.sum(0) + 1)
    day = (weeks * (told.sum(1) + 1) / ((could * hour).sum(1) + 1) + 1) / (weeks + 1)
    simple = np.outer(day, hour)
    seen = np.where(could > 0, told / np.maximum(could, 1e-9), simple)
    found = ((weeks * seen + simple) / (weeks + 1)).reshape(-1)
    rhythm: Floats = found / found.mean()
    return rhythm


def _growth(seen: Floats, usual: Floats, ages: Floats, recent: Floats) -> tuple[Floats, float]:
    """Daily growth of each series by ridge regression of the days' log ratios, and the mean age of what was seen, in days."""
    rows = len(seen)
    days, told = (array.reshape(rows, -1, _DAY).sum(2) for array in (seen, usual))
    ages, recent = ages.reshape(-1, _DAY).mean(1), recent.reshape(-1, _DAY).mean(1)
    weight = recent * told / (1 + 0.05 * told)
    ratio = np.log((days + 0.5) / (told + 0.5))
    pooled = weight.sum(0)
    lag = float((pooled * ages).sum() / max(float(pooled.sum()), 1e-9))
    away = lag - ages
    ratio -= ((weight * ratio).sum(1) / np.maximum(weight.sum(1), 1e-9))[:, None]
    return (weight * away * ratio).sum(1) / ((weight * away**2).sum(1) + 1 / _GROWTH**2), lag


def _blocks(array: Floats, hours: int) -> Floats:
    rows = len(array)
    sums: Floats = array.reshape(rows, -1, hours).sum(2)
    return sums

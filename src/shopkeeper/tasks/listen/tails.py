"""How unlikely counts are: tails of the negative binomial, cumulative sums, and thresholds that hold a rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from shopkeeper.tasks.listen.rhythm import Floats

WINDOWS: Final = (1, 4, 24, 96)
"""Lengths of the windows, in quarter-hours."""
DETECTORS: Final = ("15 min", "1 h", "6 h", "1 d", "slow")
_SLOW: Final = 1.4
"""The rise for which the cumulative sum is most sensitive."""
_LIFT: Final = 1.25
"""Rises below this are none, however sure they are."""
_STEP: Final = 1.5
"""What an hour adds at most to the cumulative sum: a storm of an hour is no slow rise."""
_LASTING: Final = 1.15
"""A slow rise is over when the last day had no more than this."""
_CLEAR: Final = 1.5
"""Deviations above what is expected below which a tail is not worth computing."""
_HOUR: Final = 4
_DAY: Final = 96
_FACTOR: Final = (0.5, 3.0)
_TOLD: Final = 5.0
_VOICES: Final = 8.0
_BULK: Final = 0.1
_TAIL: Final = 0.01
_BLOCKS: Final = 200
_MOST: Final = 3.0


@dataclass(frozen=True, slots=True)
class Scores:
    """How surprising the counts are.

    Attributes:
        score: float (5, series, ends), minus the logarithm of the chance, by detector; 0 where there is nothing to tell.
        run: int (series,), quarter-hours since the cumulative sum left 0, at the last end.
    """

    score: Floats
    run: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The score that each detector must reach, in the order of `DETECTORS`."""

    score: tuple[float, ...]

    @classmethod
    def nominal(cls, false_alarms: float, series: int) -> Thresholds:
        """Where nothing was learnt yet: the chances as they stand, by all windows of a week (Bonferroni)."""
        each = false_alarms / (7 * series * len(DETECTORS))
        return cls(tuple(float(np.log(_DAY / length / each)) for length in (*WINDOWS, _DAY)))


def log_tail(seen: Floats, usual: Floats, scatter: Floats) -> Floats:
    """Minus the logarithm of the chance of so many or more, negative binomial, Poisson where the scatter is next to nothing.

    Counts may be fractions: the distribution function is continued by the incomplete beta and gamma functions.

    >>> float(np.exp(-log_tail(np.array([1.0]), np.array([1.0]), np.array([0.0]))[0]).round(4))
    0.6321
    """
    size = 1 / np.maximum(scatter, 1e-4)
    share = size / (size + usual)
    tail = np.where(
        scatter > 1e-4,
        special.betaincc(size, np.maximum(seen, 1e-9), share),
        special.gammainc(np.maximum(seen, 1e-9), usual),
    )
    deep = tail < 1e-290
    found = -np.log(np.maximum(tail, 1e-290))
    return np.where(deep, np.maximum(found, found + np.log(np.maximum(seen / np.maximum(usual, 1e-9), 1))), found)


def scores(
    seen: Floats, usual: Floats, scatter: Floats, doubt: Floats, cell: Floats, least: float, *, last: bool = False
) -> Scores:
    """Scores of all detectors at all slots, or at the last one only.

    Args:
        seen: float (series, slots), counts.
        usual: The same shape, expected counts.
        scatter: float (4, series), by window.
        doubt: float (series,), relative variance of the level.
        cell: float (series,), relative variance of an hour of the rhythm.
        least: Counts below which nothing is a surge.
        last: Only the last slot.
    """
    rows, slots = len(seen), len(seen[0])
    ends = 1 if last else slots
    score = np.zeros((len(DETECTORS), rows, ends))
    for place, length in enumerate(WINDOWS):
        if length > slots:
            continue
        found, told = (_windows(array, length, last=last) for array in (seen, usual))
        spread = np.asarray(scatter[place] + doubt + cell / max(length / 4, 1)).reshape(-1, 1)
        worth = (found >= least) & (found >= _LIFT * told)
        worth &= found - told >= _CLEAR * np.sqrt(told + spread * told**2)
        values = np.zeros(found.shape)
        wide = np.broadcast_to(spread, found.shape)
        values[worth] = log_tail(found[worth], told[worth], wide[worth])
        score[place, :, ends - len(values[0]) :] = values
    whole = slots // _HOUR * _HOUR
    by_hour, told_by_hour = (array[:, slots - whole :].reshape(rows, -1, _HOUR).sum(2) for array in (seen, usual))
    sums, run = _slow(by_hour, told_by_hour, (scatter[2] + doubt)[:, None])
    day = min(24, by_hour.shape[1])
    lasts = _windows(by_hour, day, last=False) >= _LASTING * _windows(told_by_hour, day, last=False)
    sums[:, day - 1 :] *= lasts
    score[-1, :, ::-1][:, : whole if not last else 1 : _HOUR] = sums[:, ::-1][:, : 1 if last else None]
    return Scores(score, run * _HOUR)


def common_factor(seen: Floats, usual: Floats, *, part: float = 1.0) -> Floats:
    """What the series have in common, hour by hour: a holiday, a campaign, an outage of a feed.

    The weighted median of seen / expected over six hours, of series that expect five posts or more in them; 1 where fewer
    than eight series speak (by their effective number), so that a surge does not explain itself.

    Args:
        seen: float (series, hours).
        usual: The same shape, for whole hours.
        part: How much of the last hour is over.

    Returns:
        float (hours,), between 0.5 and 3.
    """
    hours = seen.shape[1]
    usual = usual.copy()
    usual[:, -1] *= part
    found, told = (_windows(np.pad(array, ((0, 0), (5, 0))), 6, last=False) for array in (seen, usual))
    weight = np.where(told >= _TOLD, told, 0.0)
    ratio = found / np.maximum(told, 1e-9)
    order = np.argsort(ratio, axis=0)
    ratio, heavy = np.take_along_axis(ratio, order, 0), np.take_along_axis(weight, order, 0)
    half = (heavy.cumsum(0) >= heavy.sum(0) / 2).argmax(0)
    voices = weight.sum(0) ** 2 / np.maximum((weight**2).sum(0), 1e-9)
    factor: Floats = np.where(voices >= _VOICES, np.clip(ratio[half, np.arange(hours)], *_FACTOR), 1.0)
    return factor


def learnt_thresholds(found: Scores, masked: NDArray[np.bool_], nominal: Thresholds, rate: float) -> Thresholds:
    """Thresholds that the past would have passed as seldom as wanted.

    The highest score of each series and day is one block; beyond their 90 % quantile blocks fall off exponentially (peaks
    over threshold; Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017), by the distance from
    there to the 99 % quantile, which surges of the past can hardly move. Never below what the chances themselves ask for in
    a day, never above three times the nominal threshold.

    Args:
        found: Scores of the past, all slots.
        masked: bool (series, slots), True in known surges.
        nominal: Where there are too few blocks.
        rate: False alarms a week and series.
    """
    detectors, rows, slots = (int(size) for size in np.shape(found.score))
    days = slots // _DAY
    if rows * (days - 1) < _BLOCKS:
        return nominal
    past = np.where(masked, 0, found.score)[:, :, slots - days * _DAY :]
    blocks = (
        past.reshape(detectors, rows, days, _DAY).max(3)[:, :, 1:].reshape(detectors, -1)
    )  # the first day has no windows
    each = rate / (7 * detectors)
    bulk, tail = np.quantile(blocks, [1 - _BULK, 1 - _TAIL], axis=1)
    slope = np.maximum(tail - bulk, 0) / np.log(_BULK / _TAIL)
    slope *= 1 + 1 / np.sqrt(_TAIL * blocks.shape[1])  # by a standard error, as few blocks lie that far out
    wanted = bulk + slope * np.log(max(_BULK / each, 1.0))
    bounded = np.clip(wanted, np.log(1 / each), _MOST * np.asarray(nominal.score))
    return Thresholds(tuple(float(value) for value in bounded))


def _slow(seen: Floats, usual: Floats, scatter: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Cumulative sum of log likelihood ratios for a rise by 1.4 (Page 1954; Hoehle and Paul 2008 for counts), each capped.

    The chance that it ever passes h by luck within a run is at most e^-h (Wald), which makes it comparable to tails.
    """
    size = 1 / np.maximum(scatter, 1e-4)
    gain = np.log(_SLOW * (size + usual) / (size + _SLOW * usual))
    cost = size * np.log((size + _SLOW * usual) / (size + usual))
    path = np.cumsum(np.minimum(seen * gain - cost, _STEP), axis=1)
    floor = np.minimum(np.minimum.accumulate(path, axis=1), 0)
    sums: Floats = path - floor
    last = path.shape[1] - 1 - np.argmin(path[:, ::-1], axis=1)
    run = np.where(path[np.arange(len(path)), last] < 0, path.shape[1] - 1 - last, path.shape[1])
    return sums, np.maximum(run, 1)


def _windows(array: Floats, length: int, *, last: bool) -> Floats:
    """Sums of all windows, float (rows, columns - length + 1), or of the last one."""
    if last:
        found: Floats = array[:, -length:].sum(1, keepdims=True)
    else:
        sums = np.cumsum(np.pad(array, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
        found = sums[:, length:] - sums[:, :-length]
    return found

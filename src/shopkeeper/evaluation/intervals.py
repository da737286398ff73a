"""How far a mean can be trusted: bootstrap intervals over queries or users, and paired differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_CELLS = 4_000_000
"""Resampled values held in memory at once."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a second system is than a first on the same queries or users.

    Attributes:
        mean: Mean of second - first.
        low: Lower end of the interval.
        high: Upper end of the interval.
        chance: Two-sided bootstrap p-value: how often the resampled mean falls on the other side of 0, doubled.
    """

    mean: float
    low: float
    high: float
    chance: float

    @property
    def clear(self) -> bool:
        """True when the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def bootstrap_interval(
    values: ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean.

    Args:
        values: float (n,), one value per query or user.
        level: Share of resamples inside the interval.
        resamples: How many.
        seed: Same seed, same interval.

    Returns:
        (low, high); both NaN for no values, both the value itself for one.

    >>> bootstrap_interval([0.5, 0.5, 0.5])
    (0.5, 0.5)
    """
    means = _resampled_means(np.asarray(values, dtype=np.float64), resamples, seed)
    return _ends(means, level)


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> Difference:
    """Bootstrap of second - first over the same queries or users.

    Args:
        first: float (n,), the baseline.
        second: float (n,), in the same order.
        level: Share of resamples inside the interval.
        resamples: How many.
        seed: Same seed, same answer.

    Raises:
        ValueError: The two do not have the same length.

    >>> paired_difference([0.1, 0.2], [0.2, 0.3]).clear
    True
    """
    before, after = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if before.shape != after.shape:
        raise ValueError(f"paired values must have the same shape, got {before.shape} and {after.shape}")
    gains = after - before
    means = _resampled_means(gains, resamples, seed)
    low, high = _ends(means, level)
    if not len(gains):
        return Difference(float("nan"), low, high, 1.0)
    chance = min(1.0, 2 * min(float((means <= 0).mean()), float((means >= 0).mean())))
    return Difference(float(gains.mean()), low, high, chance)


def _resampled_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    count = len(values)
    if count == 0:
        return np.full(resamples, np.nan)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _CELLS // count)
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        means[start:stop] = values[rng.integers(0, count, size=(stop - start, count))].mean(axis=1)
    return means


def _ends(means: NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

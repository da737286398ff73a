"""How well mentions are found: exact matches of start, end and kind, counted by text, as seqeval's default does."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.int64]


def span_counts(wanted: Sequence[Iterable[Hashable]], found: Sequence[Iterable[Hashable]]) -> Counts:
    """Right, invented and missed mentions of each text, int64 (n, 3).

    Args:
        wanted: Mentions of each of n texts.
        found: What was found, in the same order.

    >>> span_counts([[(0, 2, "brand")]], [[(0, 2, "brand"), (3, 4, "model")]]).tolist()
    [[1, 1, 0]]
    """
    rows = []
    for right, given in zip(wanted, found, strict=True):
        here, there = set(right), set(given)
        rows.append((len(here & there), len(there - here), len(here - there)))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def micro_f1(counts: ArrayLike) -> float:
    """F1 over all mentions of all texts: 2 right / (2 right + invented + missed); 0 where there is nothing at all.

    >>> micro_f1([[1, 1, 0], [1, 0, 1]])
    0.6666666666666666
    """
    right, invented, missed = np.asarray(counts).reshape(-1, 3).sum(axis=0)
    total = 2 * right + invented + missed
    return float(2 * right / total) if total else 0.0


def f1_interval(
    counts: ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of `micro_f1` over texts; (0, 0) for none."""
    table = np.asarray(counts, dtype=np.float64).reshape(-1, 3)
    if not len(table):
        return 0.0, 0.0
    low, high = np.quantile(_resampled(table, resamples, seed), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def f1_gain(
    first: ArrayLike, second: ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> tuple[float, float]:
    """Interval of how much better the second system's F1 is than the first's, over the same texts in the same order."""
    tables = [np.asarray(counts, dtype=np.float64).reshape(-1, 3) for counts in (first, second)]
    if len(tables[0]) != len(tables[1]):
        raise ValueError(f"paired counts must be of the same texts, got {len(tables[0])} and {len(tables[1])}")
    before, after = (_resampled(table, resamples, seed) for table in tables)
    low, high = np.quantile(after - before, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampled(table: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    found = np.empty(resamples)
    for number in range(resamples):
        right, invented, missed = table[rng.integers(0, len(table), size=len(table))].sum(axis=0)
        found[number] = 2 * right / max(1.0, 2 * right + invented + missed)
    return found

"""Ranking metrics as plain functions: grades in the order shown go in, one value per query or user comes out.

Every function takes ``grades``, float (n, m): row q holds the grades of the items in the order in which they were shown
for query q, best first, 0 for everything not relevant; shorter rankings are padded with 0. Means, intervals and paired
comparisons are the caller's (`evaluation.intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def ndcg_at(k: int, grades: ArrayLike, ideal: ArrayLike | None = None) -> Values:
    """Normalised discounted cumulative gain: gain 2^grade - 1, discount log2(1 + place).

    Args:
        k: Places looked at.
        grades: float (n, m), grades as shown.
        ideal: float (n, j), all grades that exist for each query in any order, zero-padded; `grades` itself when None
            (then a relevant item that was not shown costs nothing).

    Returns:
        float64 (n,) in [0, 1]; 0 where nothing is relevant.

    >>> ndcg_at(10, [[3, 0, 1]]).round(4)
    array([0.9828])
    >>> ndcg_at(10, [[0, 0]], ideal=[[3, 1]])
    array([0.])
    """
    shown = _gain(_table(grades))
    best = -np.sort(-(shown if ideal is None else _gain(_table(ideal))), axis=1)
    top = _discounted(best, k)
    return _ratio(_discounted(shown, k), top)


def recall_at(k: int, grades: ArrayLike, relevant: ArrayLike | None = None) -> Values:
    """Share of all relevant items (grade above 0) that stand in the first k places.

    Args:
        k: Places looked at.
        grades: float (n, m).
        relevant: (n,), how many relevant items exist; those in `grades` when None.

    Returns:
        float64 (n,); 0 where nothing is relevant.

    >>> recall_at(2, [[1, 0, 1, 0]], relevant=[4])
    array([0.25])
    """
    table = _table(grades) > 0
    total = table.sum(axis=1) if relevant is None else np.asarray(relevant)
    return _ratio(table[:, :k].sum(axis=1), total)


def precision_at(k: int, grades: ArrayLike) -> Values:
    """Share of the first k places that hold a relevant item; missing places count as not relevant.

    >>> precision_at(4, [[1, 0, 2]])
    array([0.5])
    """
    return _ratio((_table(grades)[:, :k] > 0).sum(axis=1), np.asarray(k))


def mrr_at(k: int, grades: ArrayLike) -> Values:
    """One over the place of the first relevant item, 0 when none stands in the first k.

    >>> mrr_at(10, [[0, 0, 1], [0, 0, 0]]).round(4)
    array([0.3333, 0.    ])
    """
    hit = _table(grades)[:, :k] > 0
    if not hit.shape[1]:
        return np.zeros(len(hit))
    return np.where(hit.any(axis=1), 1.0 / (1 + hit.argmax(axis=1)), 0.0)


def average_precision(grades: ArrayLike, relevant: ArrayLike | None = None) -> Values:
    """Mean of the precisions at the places of the relevant items, over all relevant items that exist.

    Args:
        grades: float (n, m).
        relevant: (n,), how many relevant items exist; those in `grades` when None.

    >>> average_precision([[1, 0, 1]]).round(4)
    array([0.8333])
    """
    hit = _table(grades) > 0
    total = hit.sum(axis=1) if relevant is None else np.asarray(relevant)
    at_hits = (np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1) * hit).sum(axis=1)
    return _ratio(at_hits, total)


def judged_at(k: int, known: ArrayLike) -> Values:
    """Share of the first k places whose item somebody has judged at all: how far a score can be trusted.

    Args:
        k: Places looked at; an empty place counts as not judged.
        known: bool (n, m), True where the item shown has a grade, even 0.

    >>> judged_at(4, [[True, False, True]])
    array([0.5])
    """
    return precision_at(k, np.asarray(known, dtype=np.float64))


def graded(rankings: Sequence[Sequence[str]], grades: Sequence[Mapping[str, float]]) -> Values:
    """Turn rankings of ids into the table of grades that every metric here takes.

    Args:
        rankings: n rankings of item ids, best first, of any lengths.
        grades: n mappings of item id to grade; ids outside count as 0.

    Returns:
        float64 (n, m), m the longest ranking.

    >>> graded([["a", "b"], ["c"]], [{"b": 2.0}, {"c": 1.0}])
    array([[0., 2.],
           [1., 0.]])
    """
    return _padded(
        [[known.get(item, 0.0) for item in ranking] for ranking, known in zip(rankings, grades, strict=True)]
    )


def ideal_grades(grades: Sequence[Mapping[str, float]]) -> Values:
    """All grades of each query, best first and zero-padded: the `ideal` of `ndcg_at`.

    >>> ideal_grades([{"a": 1.0, "b": 3.0}, {}])
    array([[3., 1.],
           [0., 0.]])
    """
    return _padded([sorted(known.values(), reverse=True) for known in grades])


def _padded(lists: Sequence[Sequence[float]]) -> Values:
    width = max((len(values) for values in lists), default=0)
    table = np.zeros((len(lists), width))
    for place, values in enumerate(lists):
        table[place, : len(values)] = values
    return table


def _table(grades: ArrayLike) -> Values:
    table = np.asarray(grades, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"grades must have one row per query, got an array of shape {table.shape}")
    return table


def _ratio(part: ArrayLike, whole: ArrayLike) -> Values:
    above, below = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    ratio: Values = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return ratio


def _gain(grades: Values) -> Values:
    return np.exp2(grades) - 1


def _discounted(gains: Values, k: int) -> Values:
    top = gains[:, :k]
    discounted: Values = top @ (1 / np.log2(np.arange(2, top.shape[1] + 2)))
    return discounted

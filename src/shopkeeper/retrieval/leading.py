"""The best of very many scores without sorting them: a bound from below first, then only what reaches it.

The rows are laid out as a table of `_DEEP` lines; the k-th highest of the columns' peaks is reached by k rows at least. That
reads the scores twice, in order, where a partition of them all moves each several times.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from shopkeeper.retrieval.shelf import Mask, Rows, Scores

_DEEP = 64
_LARGE = 4_096
"""Below so many scores they are partitioned as they are."""


def best(scores: Scores, count: int, places: Rows, above: float = -np.inf) -> Rows:
    """The rows of the highest scores, best first.

    Args:
        scores: float32 (rows,), without NaN.
        count: How many at most.
        places: int64 (rows,), distinct: of equal scores the one with the lower place comes first.
        above: Only what scores more than this; -inf never counts.

    Returns:
        int64 (<= count,).
    """
    rows = _reaching(scores, count, above)
    if len(rows) > count:
        own = scores[rows]
        edge = np.partition(own, len(rows) - count)[len(rows) - count]
        over, equal = rows[own > edge], rows[own == edge]
        wanted = count - len(over)
        if wanted < len(equal):
            equal = equal[np.argpartition(places[equal], wanted)[:wanted]]
        rows = np.concatenate([over, equal])
    return rows[np.lexsort((places[rows], -scores[rows]))]


def best_allowed(scores: Scores, allowed: Mask, count: int, places: Rows, above: float = -np.inf) -> Rows:
    """The same among the rows where `allowed`, bool (rows,), holds."""
    rows = best(scores, 2 * count, places, above)  # nearly all rows are allowed as a rule
    open_ = rows[allowed[rows]]
    if len(open_) < count and len(rows) == 2 * count:
        return best(np.where(allowed, scores, np.float32(-np.inf)), count, places, above)
    return open_[:count]


@lru_cache(maxsize=8)
def shuffled(width: int, seed: int = 7) -> Rows:
    """A fixed random place for each of `width` rows, so that neither ids nor the catalogue's order decide: int64 (width,)."""
    places: Rows = np.argsort(np.random.default_rng([seed, width]).permutation(width))
    places.flags.writeable = False
    return places


def _reaching(scores: Scores, count: int, above: float) -> Rows:
    """Rows that score more than `above`, `count` of the highest among them at least where there are so many."""
    if count < 1:
        return np.zeros(0, dtype=np.int64)
    columns = len(scores) // _DEEP
    if len(scores) >= _LARGE and columns > count:
        peaks = scores[: columns * _DEEP].reshape(_DEEP, columns).max(axis=0)
        bound = np.partition(peaks, columns - count)[columns - count]
        if bound > above:
            return np.flatnonzero(scores >= bound)
    return np.flatnonzero(scores > above)

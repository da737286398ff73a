"""A page that is not ten times the same thing: candidates are re-ranked so that each adds something to those above it.

Two ways, both greedy, both with one knob `theta` from pure relevance (0) to pure diversity (1):

    marginal relevance:  (1 - theta) relevance_i - theta max over the page of likeness_ij
    determinant:         (1 - theta) relevance_i + theta log det(likeness of the page with i) / det(of the page)

The first is MMR (Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking"): it looks at the nearest item
on the page only. The second is the greedy MAP of a determinantal point process: an item counts by what none of the page's
items together say of it. Its determinants come from one growing Cholesky factor, O(k^2 n) in all (Chen, Zhang and Zhou 2018,
"Fast greedy MAP inference for determinantal point process"). Relevance is brought to [0, 1] over the candidates first.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.retrieval.shelf import Rows

Codes = NDArray[np.integer]

_SAME_CATEGORY: Final = np.float32(0.3)
"""Share of likeness that a common category decides, where categories are given."""
_OWN: Final = np.float32(0.01)
"""Share of an item that no other has, even a copy of it: determinants stay above 0."""


def marginal_relevance(
    scores: Floats, vectors: Floats, k: int, theta: float, *, categories: Codes | None = None, seed: int = 7
) -> Rows:
    """Re-rank by maximal marginal relevance.

    Args:
        scores: float32 (n,), the higher the better, on any scale.
        vectors: float32 (n, d), each of length 1.
        k: Places of the page.
        theta: Weight of diversity, in [0, 1].
        categories: int (n,), equal where two candidates are of one category; None leaves likeness to the vectors.
        seed: Decides between candidates that are equally good.

    Returns:
        int64 (min(k, n),), places among the candidates, the first to show first.

    Raises:
        InputError: Lengths differ, a score or a vector is not finite, or `theta` is outside [0, 1].
    """
    likeness = _Likeness(scores, vectors, categories, theta)
    gain = np.float32(1 - theta) * relevance(scores)
    nearest = np.full(len(scores), -1, dtype=np.float32)
    weight, chosen = np.float32(theta), _Page(len(scores), k, seed)
    while chosen.open:
        chosen.take(gain - weight * nearest if len(chosen.rows) else gain)
        np.maximum(nearest, likeness.to(chosen.rows[-1]), out=nearest)
    return np.array(chosen.rows, dtype=np.int64)


def determinantal(
    scores: Floats, vectors: Floats, k: int, theta: float, *, categories: Codes | None = None, seed: int = 7
) -> Rows:
    """Re-rank by the greedy MAP of a determinantal point process. Takes, returns and raises as `marginal_relevance`.

    A page's quality is (1 - theta) sum of relevance + theta log det of the likeness of its items. A candidate that is a
    mixture of items on the page adds almost nothing, though it may be far from each of them.
    """
    likeness = _Likeness(scores, vectors, categories, theta)
    count = len(scores)
    gain = np.float32(1 - theta) * relevance(scores)
    factor = np.zeros((min(k, count), count), dtype=np.float32)
    left = np.ones(count, dtype=np.float32)
    chosen = _Page(count, k, seed)
    while chosen.open:
        step = len(chosen.rows)
        row = chosen.take(gain + np.float32(theta) * np.log(left))
        told = likeness.to(row) - factor[:step, row] @ factor[:step]
        factor[step] = told / np.sqrt(left[row])
        np.maximum(left - factor[step] ** 2, _OWN * _OWN, out=left)
    return np.array(chosen.rows, dtype=np.int64)


def relevance(scores: Floats) -> Floats:
    """Scores between 0, the lowest candidate's, and 1, the highest's; all 0 where they are equal. float32 (n,)."""
    span = float(np.ptp(scores)) if len(scores) else 0.0
    scaled: Floats = ((scores - scores.min(initial=np.inf)) / np.float32(span or 1.0)).astype(np.float32)
    return scaled


def kernel(vectors: Floats, categories: Codes | None = None) -> Floats:
    """How alike candidates are: float32 (n, n), positive definite, 1 on the diagonal, in [0, 1].

    The cosine brought to [0, 1]; where categories are given, 30 % of it is whether they are the same.
    """
    likeness = _Likeness(np.zeros(len(vectors), dtype=np.float32), vectors, categories, 0.0)
    return np.stack([likeness.to(row) for row in range(len(vectors))])


class _Likeness:
    """One row of `kernel` at a time, and the check of what all of it needs."""

    def __init__(self, scores: Floats, vectors: Floats, categories: Codes | None, theta: float) -> None:
        if not 0 <= theta <= 1:
            raise InputError(f"Diversity cannot weigh {theta}.", where="theta", cure="Give a number from 0 to 1.")
        if vectors.ndim != 2 or not len(scores) == len(vectors) == len(scores if categories is None else categories):
            raise InputError(
                f"{len(scores)} scores, vectors of shape {vectors.shape} and the categories do not fit together.",
                where="candidates",
                cure="Give one score, one vector and one category for each candidate.",
            )
        with np.errstate(invalid="ignore"):
            finite = bool(np.isfinite(scores).all() and np.isfinite(vectors.sum()))
        if not finite:
            raise InputError(
                "A score or a vector is not finite.", where="candidates", cure="Leave that candidate out of the pool."
            )
        self._vectors, self._categories = np.asarray(vectors, dtype=np.float32), categories

    def to(self, row: int) -> Floats:
        """float32 (n,), likeness of every candidate to one of them."""
        alike = (1 + np.clip(self._vectors @ self._vectors[row], -1, 1)) / 2
        if self._categories is not None:
            same = self._categories == self._categories[row]
            alike = (1 - _SAME_CATEGORY) * alike + _SAME_CATEGORY * same
        alike *= 1 - _OWN
        alike[row] = 1
        found: Floats = alike.astype(np.float32, copy=False)
        return found


class _Page:
    """Candidates taken so far; of equally good ones a seeded shuffle takes one."""

    def __init__(self, count: int, k: int, seed: int) -> None:
        self.rows: list[int] = []
        self._places = min(max(k, 0), count)
        self._order = np.random.default_rng(seed).permutation(count)
        self._taken = np.zeros(count, dtype=np.bool_)

    @property
    def open(self) -> bool:
        """Is there a place left?"""
        return len(self.rows) < self._places

    def take(self, gains: NDArray[np.floating]) -> int:
        """Take the candidate with the highest gain that is not on the page."""
        gains = np.where(self._taken, -np.inf, gains)
        row = int(self._order[gains[self._order].argmax()])
        self._taken[row] = True
        self.rows.append(row)
        return row

"""A page in the proportions of its customer: who buys 70 % garden and 30 % kitchen is not shown garden alone.

Steck (2018, "Calibrated recommendations"): a page is built greedily for

    (1 - theta) sum of relevance - theta KL(wanted || shown),   shown = 0.99 mix of the page + 0.01 wanted

where the small share of the wanted mix keeps the divergence finite. What is mixed may be categories, brands, price bands or
anything with codes; an item may have several, each for a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.ranking.pages.diversity import relevance
from shopkeeper.retrieval.histories import Matrix
from shopkeeper.retrieval.shelf import Rows

Values = NDArray[np.float64]

_SMOOTHING: Final = 0.01
_STRENGTH: Final = 5.0
"""Events that the shop's mix weighs against a customer's own."""


def memberships(labels: Sequence[Sequence[int]], width: int) -> Matrix:
    """What each item belongs to, in equal parts.

    Args:
        labels: n lists of codes in [0, width), empty where nothing is known.
        width: How many codes there are.

    Returns:
        Sparse float32 (n, width), rows that sum to 1, or to 0 where there is no label.

    >>> memberships([[0], [0, 1], []], 2).toarray().tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]
    """
    once = [sorted(set(codes)) for codes in labels]
    lengths = np.array([len(codes) for codes in once], dtype=np.int64)
    columns = np.array([code for codes in once for code in codes], dtype=np.int64)
    if len(columns) and not (columns.min() >= 0 and columns.max() < width):
        raise InputError(
            f"A label is outside the {width} codes.", where="labels", cure="Number labels from 0, and raise the width."
        )
    parts = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    return sp.csr_array((parts, columns, np.concatenate([[0], np.cumsum(lengths)])), shape=(len(once), width))


def mix(past: Matrix, weights: ArrayLike, shop: ArrayLike, *, strength: float = _STRENGTH) -> Values:
    """A customer's proportions, drawn to the shop's as long as little is known of them.

    Args:
        past: Sparse float32 (m, g), memberships of what they looked at or bought.
        weights: float (m,), what each of these says, not negative.
        shop: float (g,), the shop's mix, summing to 1.
        strength: Weight of the shop's mix: with as much of their own, a customer stands half way.

    Returns:
        float64 (g,), summing to 1.

    >>> mix(memberships([[0]] * 5, 2), [1.0] * 5, [0.5, 0.5]).tolist()
    [0.75, 0.25]
    """
    own = np.asarray(past.T @ np.asarray(weights, dtype=np.float64), dtype=np.float64)
    total = own + strength * np.asarray(shop, dtype=np.float64)
    return np.asarray(total / total.sum())


def divergence(wanted: ArrayLike, shown: ArrayLike) -> Values:
    """Kullback-Leibler divergence of the mix shown from the one wanted, in nats, smoothed as above.

    Args:
        wanted: float (..., g), each summing to 1.
        shown: float (..., g), likewise, or to less where some items have no label.

    Returns:
        float64 (...), 0 where the two are the same.

    >>> divergence([0.7, 0.3], [[0.7, 0.3], [1.0, 0.0]]).round(2).tolist()
    [0.0, 1.13]
    """
    aim = np.asarray(wanted, dtype=np.float64)
    seen = (1 - _SMOOTHING) * np.asarray(shown, dtype=np.float64) + _SMOOTHING * aim
    told = aim > 0
    ratio = np.divide(aim, seen, out=np.ones(np.broadcast_shapes(aim.shape, seen.shape)), where=told)
    return np.asarray((aim * np.log(ratio)).sum(axis=-1))


def calibrated(scores: Floats, belongs: Matrix, wanted: ArrayLike, k: int, theta: float, *, seed: int = 7) -> Rows:
    """Re-rank candidates into a page whose mix is near the one wanted.

    Args:
        scores: float32 (n,), the higher the better, on any scale.
        belongs: Sparse float32 (n, g), see `memberships`.
        wanted: float (g,), summing to 1, see `mix`.
        k: Places of the page.
        theta: Weight of the mix, in [0, 1]; 0 is relevance alone.
        seed: Decides between candidates that are equally good.

    Returns:
        int64 (min(k, n),), places among the candidates, the first to show first.

    Raises:
        InputError: Shapes do not fit, a score is not finite, or `theta` is outside [0, 1].
    """
    aim, count = np.asarray(wanted, dtype=np.float64), len(scores)
    if not 0 <= theta <= 1:
        raise InputError(f"A mix cannot weigh {theta}.", where="theta", cure="Give a number from 0 to 1.")
    if belongs.shape != (count, len(aim)) or not np.isfinite(scores).all():
        raise InputError(
            f"{count} finite scores, memberships of shape {belongs.shape} and a mix of {len(aim)} do not fit together.",
            where="candidates",
            cure="Give one score and one row of memberships for each candidate.",
        )
    gain = (1 - theta) * relevance(scores).astype(np.float64)
    order = np.random.default_rng(seed).permutation(count)
    owner = np.repeat(np.arange(count), np.diff(belongs.indptr))
    code, part = belongs.indices, belongs.data.astype(np.float64)
    held, taken, rows = np.zeros(len(aim)), np.zeros(count, dtype=np.bool_), []
    for place in range(1, min(max(k, 0), count) + 1):
        base = (1 - _SMOOTHING) * held / place + _SMOOTHING * aim
        safe = np.where(aim > 0, base, 1.0)[code]
        nearer = aim[code] * np.log1p((1 - _SMOOTHING) * part / place / safe)
        gains = gain + theta * np.bincount(owner, nearer, minlength=count)
        gains[taken] = -np.inf
        row = int(order[gains[order].argmax()])
        taken[row] = True
        rows.append(row)
        own = slice(belongs.indptr[row], belongs.indptr[row + 1])
        held[code[own]] += part[own]
    return np.array(rows, dtype=np.int64)

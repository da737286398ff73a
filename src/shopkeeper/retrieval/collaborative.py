"""Item to item from behaviour: which items the same customers like, and which follow which."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from shopkeeper.retrieval.histories import Floats, Histories, Matrix, empty, product, widen
from shopkeeper.retrieval.shelf import Rows

_LONGEST = 300
"""Only the newest items of a history are learnt from: a robot's ten thousand would cost their square."""


class Neighbours:
    """A source whose item-to-item scores are a sparse matrix: history row -> what it recommends.

    Args:
        name: What these scores are called.
        matrix: float32 (rows, rows), no diagonal.
        decay: Weight of an item one step further back.
    """

    def __init__(self, name: str, matrix: Matrix, decay: float) -> None:
        self.name = name
        self.decay = decay
        self.matrix = matrix

    def scores(self, weights: Matrix) -> Floats:
        """Score all items: float32 (users, rows). Rows that came after fitting score 0."""
        fitted = self.matrix.shape[0]
        width = weights.shape[1]
        known = weights[:, :fitted] if fitted < width else weights
        return widen(product(known, self.matrix), width)

    def between(self, history: Rows, items: Rows) -> Floats:
        """The matrix at (history, items), 0 for rows that came after fitting: float32 (h, k)."""
        out = np.zeros((len(history), len(items)), dtype=np.float32)
        if not len(items):
            return out
        old = np.flatnonzero(history < self.matrix.shape[0])
        wanted, place = np.unique(items, return_inverse=True)
        own = self.matrix[history[old]]
        at = np.minimum(np.searchsorted(wanted, own.indices), len(wanted) - 1)
        hit = wanted[at] == own.indices
        found = np.zeros((len(old), len(wanted)), dtype=np.float32)
        found[np.repeat(np.arange(len(old)), np.diff(own.indptr))[hit], at[hit]] = own.data[hit]
        out[old] = found[:, place]
        return out


def together(
    histories: Histories, width: int, *, power: float = 0.3, shrink: float = 3.0, decay: float = 0.7
) -> Neighbours:
    """Items liked by the same customers: shrunk cosine ``c_ij / ((p_i p_j)^power + shrink)``.

    Args:
        histories: What customers did; only what speaks for an item counts.
        width: Number of rows of the shelf.
        power: 0.5 is the cosine; lower favours popular neighbours.
        shrink: Doubt about pairs seen rarely.
        decay: Weight of an item one step further back when scoring.
    """
    liked = _liked(histories)
    seen = sp.csr_array((liked.strengths, liked.rows, liked.indptr), shape=(len(liked), width))
    pairs = sp.csr_array(seen.T @ seen)
    pairs.setdiag(0)
    pairs.eliminate_zeros()
    return Neighbours("together", _shrunk(pairs, mass(liked, width), power, shrink), decay)


def after(
    histories: Histories,
    width: int,
    *,
    window: int = 10,
    fade: float = 0.85,
    backward: float = 0.3,
    power: float = 0.4,
    shrink: float = 2.0,
    decay: float = 0.6,
) -> Neighbours:
    """Items that follow one another: co-occurrence within `window` steps, nearer pairs and the way forward count more.

    Args:
        histories: What customers did, oldest first; only what speaks for an item counts.
        width: Number of rows of the shelf.
        window: Most steps between the two items of a pair.
        fade: Factor per step between them.
        backward: Weight of the later item recommending the earlier one.
        power: See `together`.
        shrink: See `together`.
        decay: Weight of an item one step further back when scoring.
    """
    liked = _liked(histories)
    users, rows, strengths = liked.users, liked.rows, liked.strengths
    lefts, rights, counts = [], [], []
    for gap in range(1, min(window, len(rows) - 1) + 1):
        same = np.flatnonzero(users[:-gap] == users[gap:])
        first, second = rows[same], rows[same + gap]
        weight = strengths[same] * strengths[same + gap] * np.float32(fade ** (gap - 1))
        lefts += [first, second]
        rights += [second, first]
        counts += [weight, weight * np.float32(backward)]
    if not lefts:
        return Neighbours("after", empty(width, width), decay)
    pairs: Matrix = sp.csr_array(
        (np.concatenate(counts), (np.concatenate(lefts), np.concatenate(rights))), shape=(width, width)
    )
    return Neighbours("after", _shrunk(pairs, mass(liked, width), power, shrink), decay)


def mass(histories: Histories, width: int) -> Floats:
    """How much behaviour speaks for each item: float32 (width,)."""
    speaks = np.maximum(histories.strengths, 0)
    return np.bincount(histories.rows, weights=speaks, minlength=width).astype(np.float32)


def _liked(histories: Histories) -> Histories:
    return histories.keep((histories.strengths > 0) & (histories.ages < _LONGEST))


def _shrunk(pairs: Matrix, mass: Floats, power: float, shrink: float) -> Matrix:
    left = np.repeat(np.arange(len(mass)), np.diff(pairs.indptr))
    doubt = (mass[left] * mass[pairs.indices]) ** np.float32(power) + np.float32(shrink)
    return sp.csr_array(((pairs.data / doubt).astype(np.float32), pairs.indices, pairs.indptr), shape=pairs.shape)

"""What everybody likes now, what is new, and what this customer looked at already."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.histories import Floats, Histories, Matrix
from shopkeeper.retrieval.shelf import Rows

DAY = 86_400.0


class Standing:
    """A source that says the same to everybody, whatever they did.

    Args:
        name: What these scores are called.
        values: float32 (rows,).
    """

    decay = 1.0

    def __init__(self, name: str, values: Floats) -> None:
        self.name = name
        self.values = values

    def scores(self, weights: Matrix) -> Floats:
        """The standing of every item, once a user: float32 (users, rows). Rows that came later score 0."""
        users, width = weights.shape
        padded = np.pad(self.values, (0, max(0, width - len(self.values))))[:width]
        return np.tile(padded, (users, 1))

    def between(self, history: Rows, items: Rows) -> Floats:
        """Zeros (h, k): no history carries these scores."""
        return np.zeros((len(history), len(items)), dtype=np.float32)


class Again:
    """What the customer looked at already, for shops where people come back to buy.

    Args:
        decay: Weight of an item one step further back.
    """

    name = "again"

    def __init__(self, decay: float = 0.8) -> None:
        self.decay = decay

    def scores(self, weights: Matrix) -> Floats:
        """The weights themselves: float32 (users, rows)."""
        dense: Floats = weights.toarray()
        return dense

    def between(self, history: Rows, items: Rows) -> Floats:
        """1 where history and item are the same row: float32 (h, k)."""
        return np.equal.outer(history, items).astype(np.float32)


def popularity(histories: Histories, width: int, *, half_life: float, until: float) -> Floats:
    """How much is done with each item lately, as ``log(1 + p) / log(1 + max p)``.

    Args:
        histories: What customers did.
        width: Number of rows of the shelf.
        half_life: Days after which an event counts half.
        until: Now, in seconds since 1970.

    Returns:
        float32 (width,), in [0, 1].
    """
    age = np.maximum(until - histories.times, 0) / DAY
    weight = np.maximum(histories.strengths, 0) * np.exp2(-age / half_life)
    counts = np.bincount(histories.rows, weights=weight, minlength=width)
    top = math.log1p(float(counts.max(initial=0.0)))
    return (np.log1p(counts) / top if top > 0 else counts).astype(np.float32)


def newness(created: NDArray[np.float64], *, days: float, until: float) -> Floats:
    """How new each item is: 1 today, falling by e every `days`; 0 where the date is unknown (0). float32 (rows,)."""
    age = np.maximum(until - created, 0) / DAY
    return np.where(created > 0, np.exp(-age / days), 0).astype(np.float32)

"""From logits to decisions, in plain NumPy so that serving needs no PyTorch: the other half of `training.criteria`.

| criterion | outputs | probabilities | decision |
|---|---|---|---|
| `classes`, `focal` and the noise-robust ones | k | `text.softmax` | `likeliest` |
| `several` | k | `sigmoid` | `chosen` |
| `ordered` | k - 1 | `ordered_shares` | `rank` |
| `number` | 1 | - | `value` |
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Floats

Ints = NDArray[np.int64]


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-logit)), any shape, without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0], dtype=np.float32)).tolist()
    [0.0, 0.5, 1.0]
    """
    shares: Floats = np.multiply(0.5, 1.0 + np.tanh(0.5 * logits), dtype=np.float32)
    return shares


def likeliest(logits: Floats) -> Ints:
    """The class with the largest logit of float (n, k); int64 (n,)."""
    best: Ints = logits.argmax(axis=1)
    return best


def chosen(logits: Floats, thresholds: Floats | float = 0.5) -> NDArray[np.bool_]:
    """Which labels a row has, when it may have several.

    Args:
        logits: float (n, k).
        thresholds: Least probability of each label, float (k,), or one for all.

    Returns:
        Bool (n, k).
    """
    found: NDArray[np.bool_] = sigmoid(logits) >= thresholds
    return found


def ordered_shares(logits: Floats) -> Floats:
    """Probability of each of k ordered classes from k - 1 cumulative logits.

    Logit j speaks of "the class is above j". Nothing forces the outputs of a linear head to fall with j, as they must;
    each is therefore taken as no larger than those before it.

    Args:
        logits: float (n, k - 1).

    Returns:
        float32 (n, k), no value below 0, rows adding up to 1.

    >>> ordered_shares(np.array([[0.0, 0.0], [9.0, -9.0]], dtype=np.float32)).round(2).tolist()
    [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]
    """
    above = np.minimum.accumulate(sigmoid(logits), axis=1)
    edges = np.pad(above, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
    shares: Floats = (edges[:, :-1] - edges[:, 1:]).astype(np.float32)
    return shares


def rank(logits: Floats) -> Ints:
    """The median of the ordered classes: how many of the k - 1 cumulative probabilities are above one half; int64 (n,).

    The median makes the expected absolute error of the class least, which is what an order is about.
    """
    places: Ints = (np.minimum.accumulate(logits, axis=1) > 0).sum(axis=1)
    return places


def value(logits: Floats, middle: float = 0.0, spread: float = 1.0) -> Floats:
    """The number that float (n, 1) logits stand for, float32 (n,).

    Args:
        logits: As learnt from standardised numbers.
        middle: What was taken off the numbers before training.
        spread: What they were divided by.
    """
    numbers: Floats = (logits[:, 0] * spread + middle).astype(np.float32)
    return numbers

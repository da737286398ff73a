"""Several labels a text: which thresholds are best, and how good the choice is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Floats

Bools = NDArray[np.bool_]


def best_thresholds(wanted: Bools, shares: Floats) -> Floats:
    """The threshold of each label with the best F1, float32 (k,); one half where nothing has the label.

    Args:
        wanted: bool (n, k).
        shares: Probabilities, float32 (n, k).
    """
    found = np.full(wanted.shape[1], 0.5, dtype=np.float32)
    for label in range(wanted.shape[1]):
        total = int(wanted[:, label].sum())
        if total == 0:
            continue
        order = np.argsort(-shares[:, label], kind="stable")
        right = np.cumsum(wanted[order, label])
        f1 = 2 * right / (np.arange(1, len(order) + 1) + total)
        last = int(f1.argmax())
        chosen = shares[order[last], label]
        below = shares[order[last + 1], label] if last + 1 < len(order) else 0.0
        found[label] = (chosen + below) / 2
    return np.clip(found, 0.02, 0.98)


def label_f1(wanted: Bools, chosen: Bools) -> tuple[float, float]:
    """Micro and macro F1: over all decisions together, and the mean of the labels' own (0 for one never right).

    >>> label_f1(np.array([[True, False], [True, True]]), np.array([[True, True], [True, False]]))
    (0.6666666666666666, 0.5)
    """
    right = (wanted & chosen).sum(axis=0)
    both = wanted.sum(axis=0) + chosen.sum(axis=0)
    own = np.divide(2 * right, both, out=np.zeros(len(both)), where=both > 0)
    return float(2 * right.sum() / max(1, both.sum())), float(own.mean())


def binary_loss(wanted: Bools, shares: Floats) -> float:
    """Mean log-loss over all texts and labels."""
    clipped = np.clip(shares.astype(np.float64), 1e-6, 1 - 1e-6)
    return float(-np.where(wanted, np.log(clipped), np.log1p(-clipped)).mean())

"""Logistic regression of a few columns, by Newton's method: for probabilities on top of scores."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

_STEPS: Final = 50
_CLOSE: Final = 1e-8


def logistic(
    table: ArrayLike, truth: ArrayLike, *, penalty: float = 1.0, balanced: bool = False
) -> tuple[NDArray[np.float32], float]:
    """Weights and offset of the most probable logistic model.

    Args:
        table: float (n, f).
        truth: Bool (n,).
        penalty: Half of it times the squared weights is added to the loss; the offset is free.
        balanced: Let both classes count the same, however many examples they have.

    Returns:
        float32 (f,) and the offset, such that log-odds are ``table @ weights + offset``.

    >>> weights, offset = logistic([[-2.0], [-1.0], [1.0], [2.0]], [False, False, True, True])
    >>> bool(weights[0] > 0), round(offset, 6)
    (True, 0.0)
    """
    given = np.asarray(table, dtype=np.float64)
    wanted = np.asarray(truth, dtype=np.float64)
    given = np.column_stack([given, np.ones(len(given))])
    counts = np.ones(len(wanted))
    if balanced and 0 < wanted.sum() < len(wanted):
        counts = np.where(
            wanted > 0, 0.5 * len(wanted) / wanted.sum(), 0.5 * len(wanted) / (len(wanted) - wanted.sum())
        )
    pull = np.full(given.shape[1], float(penalty))
    pull[-1] = 1e-6
    found = np.zeros(given.shape[1])
    loss = np.inf
    for _ in range(_STEPS):
        margins = given @ found
        now = float((counts * np.logaddexp(0.0, np.where(wanted > 0, -margins, margins))).sum() + 0.5 * pull @ found**2)
        if loss - now < _CLOSE * max(1.0, abs(now)):
            break
        loss = now
        chance = expit(margins)
        slope = given.T @ (counts * (chance - wanted)) + pull * found
        curve = (given * (counts * np.maximum(chance * (1 - chance), 1e-6))[:, None]).T @ given + np.diag(pull)
        found = found - np.linalg.solve(curve, slope)
    return found[:-1].astype(np.float32), float(found[-1])

"""Learning the chance of a click at place one from clicks at all places, by any model with a logit.

A click needs a look and a wish (`ranking.examination`): P(click at place k) = looked_k x chance(features). So the loss is

    -y log(looked x chance) - (1 - y) log(1 - looked x chance),   chance = 1 / (1 + exp(-logit))

and the place is out of the model once it is learnt. With looked = 1 this is logistic regression, which serves for sales.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from shopkeeper.models.text import Floats
from shopkeeper.ranking.ranker import Linear

Values = NDArray[np.float64]

_ROUNDS = 50
_LEAST = 1e-9
_HONEST = (20.0, 10.0)
"""Evidence (curvature) for slope 1 and shift 0 before any row is seen: deviations of 0.2 and 0.3."""


def losses(logits: ArrayLike, hit: ArrayLike, looked: ArrayLike) -> Values:
    """The loss of each row in nats: float64 (n,).

    Args:
        logits: float (n,).
        hit: 0 or 1 (n,).
        looked: float (n,), in (0, 1].

    >>> losses([0.0, 0.0], [1, 0], [1.0, 0.5]).round(4).tolist()
    [0.6931, 0.2877]
    """
    chance = np.clip(np.asarray(looked) * expit(np.asarray(logits, dtype=np.float64)), _LEAST, 1 - _LEAST)
    return np.asarray(-np.where(np.asarray(hit) > 0, np.log(chance), np.log1p(-chance)))


def slopes(logits: ArrayLike, hit: ArrayLike, looked: ArrayLike) -> tuple[Values, Values]:
    """Gradient of each loss by its logit, and its expected curvature (Fisher): float64 (n,) each, for any booster.

    With p = looked x chance: (p - y) (1 - chance) / (1 - p), and p (1 - chance)^2 / (1 - p).
    """
    chance = np.clip(expit(np.asarray(logits, dtype=np.float64)), _LEAST, 1 - _LEAST)
    given = np.asarray(looked) * chance
    rest = (1 - chance) / (1 - given)
    return np.asarray((given - np.asarray(hit)) * rest), np.asarray(np.maximum(given * (1 - chance) * rest, _LEAST))


def base_logit(hit: NDArray[np.number], looked: NDArray[np.floating]) -> float:
    """The one logit that suits all rows about best: hits over looks, drawn to a half by one of each."""
    rate = (float(hit.sum()) + 0.5) / (float(looked.sum()) + 1)
    return float(logit(min(rate, 1 - 1e-6)))


def fit_linear(table: Floats, hit: NDArray[np.number], looked: NDArray[np.floating], *, ridge: float = 1.0) -> Linear:
    """A linear logit of standardised features, by Fisher scoring.

    Args:
        table: float32 (n, f).
        hit: 0 or 1 (n,).
        looked: float (n,).
        ridge: Weight of the squared weights, the bias excepted.
    """
    x = np.asarray(table, dtype=np.float64)
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-9, spread, np.inf)
    x = np.column_stack([(x - centre) / spread, np.ones(len(x))])
    start = np.append(np.zeros(table.shape[1]), base_logit(hit, looked))
    theta = _fitted(x, hit, looked, start, np.append(np.full(table.shape[1], ridge), 0.0))
    return Linear(centre.astype(np.float32), (theta[:-1] / spread).astype(np.float32), float(theta[-1]))


def straightened(logits: Values, hit: NDArray[np.number], looked: NDArray[np.floating]) -> tuple[float, float]:
    """Slope and shift that make logits honest on rows apart from those learnt from (Platt 1999), slope not below 0.

    They are drawn to 1 and 0, so that few rows, or logits that hardly differ, do not stretch what is nothing but luck.
    """
    x = np.column_stack([np.asarray(logits, dtype=np.float64), np.ones(len(logits))])
    slope, shift = _fitted(x, hit, looked, np.array([1.0, 0.0]), np.array(_HONEST))
    return (float(slope), float(shift)) if slope > 0 else (0.0, base_logit(hit, looked))


def _fitted(x: Values, hit: NDArray[np.number], looked: NDArray[np.floating], start: Values, penalty: Values) -> Values:
    """Weights float64 (k,) of the columns of x that lose least, drawn to where they start by Fisher scoring."""

    def total(theta: Values) -> float:
        return float(losses(x @ theta, hit, looked).sum() + 0.5 * (penalty * (theta - start) ** 2).sum())

    theta, now = start, total(start)
    for _ in range(_ROUNDS):
        gradient, curvature = slopes(x @ theta, hit, looked)
        full = (x * curvature[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.linalg.solve(full, x.T @ gradient + penalty * (theta - start))
        share = 1.0
        while (after := total(theta - share * step)) > now and share > 1e-3:
            share /= 2
        if after >= now - 1e-7 * abs(now):
            break
        theta, now = theta - share * step, after
    return theta

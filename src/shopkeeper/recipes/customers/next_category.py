"""Learning which category comes next: counts of the past, and the weights of a conditional logit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import Deeds, Ints, Values
from shopkeeper.ranking.customers.next_category import NAMES, WORDS, NextCategory, counted

_PENALTIES: Final = (1e-4, 1e-3, 1e-2)
_CELLS: Final = 12_000_000
"""Numbers of features held at once."""


def centroids(items: Floats, categories: Ints, width: int) -> Floats:
    """The mean vector of each category's items, float32 (width, d), of length 1, or 0 where it has none.

    Args:
        items: float32 (rows, d).
        categories: int64 (rows,), -1 for none.
        width: How many categories there are.
    """
    total = np.zeros((width, items.shape[1]), dtype=np.float64)
    told = categories >= 0
    np.add.at(total, categories[told], items[told])
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-12), dtype=np.float32)


class Baskets:
    """Customers at their moments and the categories of their next baskets.

    Args:
        past: Deeds of n customers before their moments.
        at: float (n,), the moments.
        shares: float64 (n, c), see `snapshots.next_baskets`.
        means: float32 (n, d), see `NextCategory.features`.
        last: float32 (n, d), likewise.
    """

    def __init__(self, past: Deeds, at: Values, shares: Values, means: Floats, last: Floats) -> None:
        bought = np.flatnonzero(shares.sum(axis=1) > 0)
        self.past, self.at = past.before(bought, at[bought]), at[bought]
        self.shares, self.means, self.last = shares[bought], means[bought], last[bought]

    def __len__(self) -> int:
        """Number of baskets."""
        return len(self.at)

    def sample(self, most: int, rng: np.random.Generator) -> Baskets:
        """So many of them at most, drawn at random."""
        chosen = np.sort(rng.permutation(len(self))[:most])
        past = self.past.before(chosen, self.at[chosen])
        return Baskets(past, self.at[chosen], self.shares[chosen], self.means[chosen], self.last[chosen])


def learn_next(
    history: Deeds, train: Baskets, valid: Baskets, middle: Floats, *, words: bool = True, seed: int = 7
) -> NextCategory | None:
    """Count what follows on what in the past, and fit the weights to the next baskets of training.

    Args:
        history: Of all customers, before the first moment of training: what is counted must not be what is foreseen.
        train: Fits the weights.
        valid: Chooses their regularisation.
        middle: float32 (c, d), see `centroids`.
        words: Whether words have a say.
        seed: Draws baskets where there are more than memory should hold.

    Returns:
        None where a period has no baskets.
    """
    if not len(train) or not len(valid):
        return None
    width = train.shares.shape[1]
    popular, follows = counted(history, width)
    blank = np.zeros((width, 0), dtype=np.float32)
    model = NextCategory(np.zeros(len(NAMES)), popular, follows, middle if words else blank)
    rng = np.random.default_rng(seed)
    most = max(1, _CELLS // (width * len(NAMES)))
    fitted, later = (_features(model, part.sample(most, rng)) for part in (train, valid))
    used = np.array([words or name not in WORDS for name in NAMES])
    tried = [_weights(*fitted, used, penalty) for penalty in _PENALTIES]
    best = int(np.argmin([_loss(weights, *later) for weights in tried]))
    return replace(model, weights=tried[best])


def recounted(model: NextCategory, history: Deeds) -> NextCategory:
    """The same weights over fresher counts."""
    popular, follows = counted(history, len(model.popular))
    return replace(model, popular=popular, follows=follows)


def hits(chances: Values, shares: Values, places: Sequence[int] = (1, 5)) -> dict[int, Values]:
    """1 where one of the likeliest k categories is in the basket: float64 (n,) for each k; ties fall by chance."""
    shuffled = chances + np.random.default_rng(0).random(chances.shape) * 1e-12
    order = np.argsort(-shuffled, axis=1)
    inside = np.take_along_axis(shares > 0, order, axis=1)
    return {k: np.asarray(inside[:, :k].any(axis=1), dtype=np.float64) for k in places}


def _features(model: NextCategory, part: Baskets) -> tuple[Values, Values]:
    return model.features(part.past, part.at, part.means, part.last), part.shares


def _loss(weights: Values, features: Values, shares: Values) -> float:
    return float(-(shares * log_softmax(features @ weights, axis=1)).sum(axis=1).mean())


def _weights(features: Values, shares: Values, used: NDArray[np.bool_], penalty: float) -> Values:
    wanted = np.einsum("ncf,nc->f", features, shares) / len(shares)

    def objective(weights: Values) -> tuple[float, Values]:
        logs = log_softmax(features @ weights, axis=1)
        expected = np.einsum("ncf,nc->f", features, np.exp(logs)) / len(shares)
        value = -(shares * logs).sum(axis=1).mean() + penalty * (weights**2).sum()
        return float(value), np.where(used, expected - wanted + 2 * penalty * weights, 0.0)

    found = minimize(objective, np.where(used, 0.1, 0.0), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x, dtype=np.float64)

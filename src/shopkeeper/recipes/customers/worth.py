"""Learning what customers will pay: both ways are fitted, and the one with the smaller loss on validation is kept."""

from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import Values
from shopkeeper.ranking.customers.lifetime import fit_lifetime, fit_spending
from shopkeeper.ranking.customers.worth import Buying, Worth

_POWER = 1.5
_TREES = {
    "objective": "tweedie",
    "tweedie_variance_power": _POWER,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.6,
    "lambda_l2": 5.0,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}
_ROUNDS, _PATIENCE = 400, 30


def learn_worth(
    train: tuple[Floats, Buying, Values],
    valid: tuple[Floats, Buying, Values],
    horizon: float,
    *,
    seed: int = 7,
    trees: bool | None = None,
) -> Worth:
    """Fit both ways on training and keep the better on validation.

    Args:
        train: Features float32 (n, f), buying, and money paid within the horizon, float64 (n,), not negative.
        valid: The same of later customers: chooses the number of trees, the way and the scale.
        horizon: Days ahead of the money.
        seed: Of the trees.
        trees: False for BG/NBD and gamma-gamma only, True for trees only, None for the better.
    """
    table, buying, paid = train
    later, later_buying, later_paid = valid
    strangers = paid[buying[3] == 0]
    stranger = float(strangers.mean()) if len(strangers) else 0.0
    simple = _scaled(_simple(buying, stranger, horizon), valid)
    if trees is False or not paid.any() or not later_paid.any():
        return simple
    data = lightgbm.Dataset(table, paid)
    parameters = {**_TREES, "seed": seed, "min_data_in_leaf": max(5, min(40, len(paid) // 50))}
    grown = lightgbm.train(
        parameters,
        data,
        num_boost_round=_ROUNDS,
        valid_sets=[lightgbm.Dataset(later, later_paid, reference=data)],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    kept = lightgbm.Booster(model_str=grown.model_to_string(num_iteration=grown.best_iteration))
    learnt = _scaled(replace(simple, trees=kept, scale=1.0), valid)
    losses = [deviance(later_paid, model.expected(horizon, later, later_buying)).mean() for model in (simple, learnt)]
    return learnt if trees or losses[1] < losses[0] else simple


def deviance(paid: Values, expected: Values) -> Values:
    """Tweedie deviance of power 1.5, float64 (n,): least, on average, where the mean is right; 0 may be paid, not expected."""
    mean = np.maximum(expected, 1e-6)
    rest = 2 - _POWER
    first = np.where(paid > 0, np.maximum(paid, 0) ** rest / ((1 - _POWER) * rest), 0.0)
    return np.asarray(2 * (first - paid * mean ** (1 - _POWER) / (1 - _POWER) + mean**rest / rest))


def _simple(buying: Buying, stranger: float, horizon: float) -> Worth:
    repeats, last, age, orders, money = buying
    known = (orders > 0) & (age > 0)
    try:
        lifetime = fit_lifetime(repeats[known], last[known], age[known])
        spending = fit_spending(orders[known], money[known])
    except TrainingError:
        return Worth(None, None, None, 1.0, stranger, horizon)
    return Worth(lifetime, spending, None, 1.0, stranger, horizon)


def _scaled(worth: Worth, valid: tuple[Floats, Buying, Values]) -> Worth:
    table, buying, paid = valid
    total = float(worth.expected(worth.horizon, table, buying).sum())
    return replace(worth, scale=float(paid.sum()) / total) if total > 0 and paid.any() else worth

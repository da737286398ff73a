"""Learning what customers will do: one chance for each of several things, mixed and calibrated on a later period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from shopkeeper.evaluation.classification import log_loss
from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import Deeds, Values
from shopkeeper.ranking.customers.propensity import Propensity
from shopkeeper.ranking.ranker import Linear
from shopkeeper.recipes.customers.purchase_baselines import weigh
from shopkeeper.recipes.customers.snapshots import Snapshot, ahead
from shopkeeper.records import EventKind

Labels = NDArray[np.int64]

TARGETS: Final = ("purchase_7", "purchase_30", "churn_30", "return_30")
"""Buys within 7 days; within 30; does nothing at all for 30; sends something back within 30."""
_LEAST: Final = 20
"""Customers who did it, and who did not, below which nothing is learnt."""
_STRENGTHS: Final = (0.001, 0.01, 0.1)
"""Inverse regularisation of the linear model, chosen on validation."""
_TREES: Final[Mapping[str, object]] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}
_ROUNDS, _PATIENCE = 400, 30


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of customers at their moments, and what came of it.

    Attributes:
        table: float32 (n, f), features.
        labels: Target to int64 (n,), 1 for those who did it.
    """

    table: Floats
    labels: Mapping[str, Labels]


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """What may be varied of the trees.

    Attributes:
        rounds: Trees at most; as many as validation likes best.
        changes: Parameters of LightGBM that differ from the recipe's own.
    """

    rounds: int = _ROUNDS
    changes: Mapping[str, object] = field(default_factory=dict)


def labels_of(deeds: Deeds, asked: Snapshot) -> dict[str, Labels]:
    """What each customer did after their moment, for each of `TARGETS`."""
    bought = EventKind.PURCHASE
    counts = {
        "purchase_7": ahead(deeds, asked, 7, bought) > 0,
        "purchase_30": ahead(deeds, asked, 30, bought) > 0,
        "churn_30": ahead(deeds, asked, 30) == 0,
        "return_30": ahead(deeds, asked, 30, EventKind.RETURN) > 0,
    }
    return {name: done.astype(np.int64) for name, done in counts.items()}


def learn_propensity(
    train: Told, valid: Told, target: str, *, seed: int = 7, options: TreeOptions | None = None
) -> Propensity | None:
    """Fit trees and a linear model on training, and mix and calibrate them on validation.

    Args:
        train: Earlier customers and moments.
        valid: Later ones: they choose the number of trees, the regularisation and the mixture, nothing else.
        target: One of the labels.
        seed: Of the trees.
        options: See `TreeOptions`.

    Returns:
        None where fewer than 20 customers of a period did it, or did not.
    """
    wanted, later = train.labels[target], valid.labels[target]
    if any(min(found.sum(), len(found) - found.sum()) < _LEAST for found in (wanted, later)):
        return None
    linear = _linear(train.table, wanted, valid.table, later)
    trees = _trees(train.table, wanted, valid.table, later, seed, options or TreeOptions())
    bounds = np.stack([train.table.min(axis=0), train.table.max(axis=0)])
    model = Propensity(linear, trees, (0.5, 0.5, 0.0), bounds, float(later.mean()))
    return mixed(model, valid.table, later)


def mixed(model: Propensity, table: Floats, labels: Labels) -> Propensity:
    """The same model, its parts weighed and calibrated on these customers: float32 (n, f), int64 (n,)."""
    trees, linear = model.parts(table)
    weights = weigh(labels, _chances(trees), _chances(linear))
    return replace(model, weights=weights, base=float(labels.mean()))


def linear_model(table: Floats, labels: Labels, strength: float = 0.1) -> Linear:
    """Logistic regression over standardised features.

    Args:
        table: float32 (n, f).
        labels: int64 (n,), 0 or 1.
        strength: Inverse regularisation.
    """
    centre = table.mean(axis=0)
    scale = np.maximum(table.std(axis=0), 1e-4)
    model = LogisticRegression(C=strength, max_iter=500).fit((table - centre) / scale, labels)
    weights = (model.coef_[0] / scale).astype(np.float32)
    return Linear(centre.astype(np.float32), weights, float(model.intercept_[0]))


def _linear(table: Floats, labels: Labels, later: Floats, later_labels: Labels) -> Linear:
    tried = [linear_model(table, labels, strength) for strength in _STRENGTHS]
    losses = [log_loss(later_labels, _chances(np.asarray(model.score(later)))).mean() for model in tried]
    return tried[int(np.argmin(losses))]


def _trees(
    table: Floats, labels: Labels, later: Floats, later_labels: Labels, seed: int, options: TreeOptions
) -> lightgbm.Booster:
    parameters = {**_TREES, **options.changes, "seed": seed}
    parameters["min_data_in_leaf"] = max(5, min(40, len(labels) // 50))
    data = lightgbm.Dataset(table, labels, free_raw_data=True)
    trees: lightgbm.Booster = lightgbm.train(
        parameters,
        data,
        num_boost_round=options.rounds,
        valid_sets=[lightgbm.Dataset(later, later_labels, reference=data)],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    return lightgbm.Booster(model_str=trees.model_to_string(num_iteration=trees.best_iteration))


def _chances(logits: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))

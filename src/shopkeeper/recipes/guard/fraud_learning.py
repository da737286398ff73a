"""The parts of learning fraud: periods that respect the delay, trees, the blend, figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from shopkeeper.evaluation.classification import auc, calibration_error, log_loss
from shopkeeper.models.text import Floats
from shopkeeper.ranking.payments.columns import Ints, Payments, Values
from shopkeeper.ranking.payments.model import Blend, Costs
from shopkeeper.ranking.payments.table import Feature

TREES: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 8,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "num_threads": 1,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
}
"""LightGBM's parameters: small trees that each see a third of the features, as fraud is rare and labels are few."""
ROUNDS: Final = 300
_BOOTSTRAP = 200


@dataclass(frozen=True, slots=True)
class Periods:
    """Rows of payments by time; before each period lies the delay, so that its labels were known when it began.

    Attributes:
        train: int64, learnt from.
        valid: int64, where trees and outliers are blended.
        test: int64, looked at once.
    """

    train: Ints
    valid: Ints
    test: Ints


def periods(payments: Payments, delay: int) -> Periods:
    """Half of the time to learn from, a quarter to blend on, a quarter to test on, each less the delay before the next."""
    time = payments.time
    end = int(time[-1])
    settled = (time <= end - delay) | (payments.fraud >= 0)
    valid, test = (int(value) for value in np.quantile(time[settled], [0.5, 0.75])) if settled.any() else (end, end)
    return Periods(
        train=np.flatnonzero(settled & (time < valid - delay)),
        valid=np.flatnonzero(settled & (time >= valid) & (time < test - delay)),
        test=np.flatnonzero(settled & (time >= test)),
    )


def grow(table: Floats, labels: Ints, seeds: Sequence[int], **changed: Any) -> tuple[lightgbm.Booster, ...]:
    """One LightGBM model for each seed; they differ in the rows and columns that their trees see.

    Args:
        table: float32 (n, f).
        labels: int64 (n,), 1 for fraud.
        seeds: One a model.
        changed: Parameters other than `TREES`, and ``rounds``.
    """
    rounds = int(changed.pop("rounds", ROUNDS))
    return tuple(
        lightgbm.train(TREES | changed | {"seed": seed}, lightgbm.Dataset(table, labels), num_boost_round=rounds)
        for seed in seeds
    )


def odd_columns(features: Sequence[Feature]) -> list[int]:
    """Places of the features that outlier models look at: how much and how often against what is usual.

    What is known of fraud is left to the trees; when and how much alone are no oddity, and the last payments one by one say
    the same as their means with more noise.
    """
    plain = {"hour", "night", "weekend", "mean", "deviation", "taint", "risk"}
    return [
        place
        for place, feature in enumerate(features)
        if feature.group not in ("labels", "sequence") and feature.measure not in plain
    ]


def log_odds(trees: Sequence[lightgbm.Booster], table: Floats) -> Values:
    """Mean raw score, float64 (n,)."""
    return np.asarray(
        np.mean([np.asarray(tree.predict(table, num_threads=1, raw_score=True)) for tree in trees], axis=0)
    )


def fit_blend(labels: Ints, trees: Values, ranks: Values) -> Blend:
    """Logistic regression of log-odds and outlier ranks; without the ranks where they would count against fraud.

    Args:
        labels: int64 (n,), of validation.
        trees: float64 (n,), log-odds.
        ranks: float64 (n,), mean ranks among outliers.
    """
    if len(np.unique(labels)) < 2:
        return Blend()
    both = np.stack([trees, ranks - 0.5], axis=1)
    fitted = LogisticRegression(C=10.0).fit(both, labels)
    if fitted.coef_[0, 1] > 0 and fitted.coef_[0, 0] > 0:
        return Blend(float(fitted.intercept_[0]), float(fitted.coef_[0, 0]), float(fitted.coef_[0, 1]))
    alone = LogisticRegression(C=10.0).fit(both[:, :1], labels)
    return Blend(float(alone.intercept_[0]), max(float(alone.coef_[0, 0]), 1e-3), 0.0)


def marks(labels: Ints, scores: Values, *, honest: bool = False, seed: int = 0) -> dict[str, Any]:
    """AUC and average precision with 95 % bootstrap intervals; log-loss and calibration error of honest probabilities."""
    found: dict[str, Any] = {
        "auc": interval(auc, labels, scores, seed),
        "average_precision": interval(average_precision, labels, scores, seed),
    }
    if honest:
        found["log_loss"] = {"value": float(log_loss(labels, scores).mean())}
        found["ece"] = {"value": calibration_error(labels, scores)}
    return found


def average_precision(labels: Ints, scores: Values) -> float:
    """Area under the precision-recall curve by steps; NaN where one of the classes is absent."""
    return float(average_precision_score(labels, scores)) if 0 < labels.sum() < len(labels) else float("nan")


def interval(measure: Callable[[Ints, Values], float], labels: Ints, scores: Values, seed: int) -> dict[str, float]:
    """A figure with its percentile bootstrap interval over rows."""
    rng = np.random.default_rng(seed)
    drawn = [measure(labels[rows], scores[rows]) for rows in rng.integers(0, len(labels), (_BOOTSTRAP, len(labels)))]
    usable = [value for value in drawn if not np.isnan(value)]
    low, high = np.quantile(usable, [0.025, 0.975]) if usable else (float("nan"),) * 2
    return {"value": float(measure(labels, scores)), "low": float(low), "high": float(high)}


def spent(labels: Ints, actions: NDArray[np.int64], amount: Values, costs: Costs) -> Values:
    """What the decisions cost, by payment: float64 (n,), in the main currency."""
    fraud = labels == 1
    lost = np.where(fraud, amount, 0.0)
    refused = np.where(fraud, 0.0, costs.margin * amount)
    return np.asarray(np.choose(actions, [lost, np.full(len(labels), costs.review), refused]))

"""Four ways to learn who is persuaded, from a trial, with trees or with linear models.

With m_1(x), m_0(x) the mean outcome with and without treatment, e(x) the chance of being treated, Y the outcome:

    two-model             m_1(x) - m_0(x), each learnt on its own side (T-learner)
    X-learner             e tau_0(x) + (1 - e) tau_1(x); tau_1 learns Y - m_0(x) of the treated, tau_0 m_1(x) - Y of the
                          others (Kuenzel et al. 2019, "Metalearners for estimating heterogeneous treatment effects")
    class transformation  2 P(Z = 1 | x) - 1; Z = 1 for the treated who bought and the others who did not, each weighing
                          the inverse of its chance (Jaskowski and Jaroszewicz 2012); for outcomes of 0 and 1 alone
    doubly robust         learns m_1 - m_0 + T (Y - m_1) / e - (1 - T) (Y - m_0) / (1 - e), with m_1 and m_0 from customers
                          other than the one they are used for (DR-learner, Kennedy 2020)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from shopkeeper.evaluation.uplift import Trial
from shopkeeper.models.text import Floats
from shopkeeper.ranking.ads.uplift import Forest, LinearModel, Model, Part

Values = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS: Final = 3
_TREES: Final[Mapping[str, Any]] = {
    "learning_rate": 0.05,
    "num_leaves": 6,
    "min_data_in_leaf": 200,
    "lambda_l2": 20.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbose": -1,
    "deterministic": True,
    "num_threads": 1,
}
_ROUNDS: Final = 60
_LEAST: Final = 20
"""Least customers in a leaf of a small trial, and trees' least customers at all."""
_STRENGTH: Final = 0.05
"""Inverse weight of "all coefficients are 0" in a logistic regression; ridge takes its inverse."""
_CERTAIN: Final = 0.02
"""Estimated chances are kept this far from 0 and 1."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is learnt from.

    Attributes:
        table: float32 (n, f), features.
        trial: Who was treated, and what came of it.
        chance: float64 (n,), the chance of each of being treated.
    """

    table: Floats
    trial: Trial
    chance: Values

    @property
    def binary(self) -> bool:
        """Is the outcome one that happens or does not?"""
        return bool(np.isin(self.trial.outcome, (0, 1)).all())

    def take(self, rows: Ints | NDArray[np.bool_]) -> Sample:
        """Some customers."""
        return Sample(self.table[rows], self.trial.take(rows), self.chance[rows])


@dataclass(frozen=True, slots=True)
class Means:
    """The two mean outcomes as models."""

    treated: Model
    control: Model

    def pseudo(self, sample: Sample) -> Values:
        """The doubly robust pseudo-outcome of customers that these were not learnt from: float64 (n,)."""
        first, second = self.treated.predict(sample.table), self.control.predict(sample.table)
        chosen, outcome = sample.trial.treated, sample.trial.outcome
        right = np.where(chosen, (outcome - first) / sample.chance, -(outcome - second) / (1 - sample.chance))
        return np.asarray(first - second + right)


Base = Callable[[Floats, Values, Values, int], Model]
"""(table float32 (n, f), target float64 (n,), weight float64 (n,), seed) -> a model of the target's mean."""


def linear(table: Floats, target: Values, weight: Values, seed: int) -> Model:  # noqa: ARG001 - see `Base`
    """Logistic regression for a target of 0 and 1, else ridge; held back."""
    if len(np.unique(target)) < 2:
        return _constant(table, target)
    if np.isin(target, (0, 1)).all():
        fitted = LogisticRegression(C=_STRENGTH, max_iter=500).fit(table, target > 0, weight)
        return LinearModel(fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0]), True)
    ridge = Ridge(alpha=1 / _STRENGTH).fit(table.astype(np.float64), target, weight)
    return LinearModel(np.asarray(ridge.coef_, dtype=np.float64), float(ridge.intercept_), False)


def trees(table: Floats, target: Values, weight: Values, seed: int) -> Model:
    """LightGBM, small and held back; of a binary objective for a target of 0 and 1."""
    if len(np.unique(target)) < 2 or len(target) < 2 * _LEAST:
        return _constant(table, target)
    binary = bool(np.isin(target, (0, 1)).all())
    leaf = int(np.clip(len(target) // 20, _LEAST, _TREES["min_data_in_leaf"]))
    chosen = {"objective": "binary" if binary else "regression", "min_data_in_leaf": leaf, "seed": seed}
    data = lightgbm.Dataset(table, target, weight=weight)
    return Forest(lightgbm.train({**_TREES, **chosen}, data, _ROUNDS))


BASES: Final[Mapping[str, Base]] = {"linear": linear, "trees": trees}


def means(sample: Sample, base: Base, seed: int) -> Means:
    """Mean outcomes with and without treatment, each learnt on its own side."""
    ones = np.ones(len(sample.trial))
    sides = (sample.trial.treated, ~sample.trial.treated)
    return Means(*(base(sample.table[side], sample.trial.outcome[side], ones[side], seed) for side in sides))


def learners(sample: Sample, base: Base, seed: int) -> tuple[dict[str, tuple[tuple[Part, ...], float]], Means]:
    """All four, as what is added up and the shift (see `ranking.ads.uplift`), and the mean outcomes they share."""
    both = means(sample, base, seed)
    found = {
        "two-model": ((Part(1.0, both.treated), Part(-1.0, both.control)), 0.0),
        "X-learner": (_x_learner(sample, both, base, seed), 0.0),
        "doubly robust": ((Part(1.0, _doubly_robust(sample, base, seed)),), 0.0),
    }
    if sample.binary:
        same = np.where(sample.trial.treated, sample.trial.outcome, 1 - sample.trial.outcome)
        found["class transformation"] = ((Part(2.0, base(sample.table, same, _even(sample), seed)),), -1.0)
    return found, both


def response(sample: Sample, base: Base, seed: int) -> Model:
    """The mean outcome whatever was done: what is often taken for persuasion, and is not."""
    return base(sample.table, sample.trial.outcome, np.ones(len(sample.trial)), seed)


def parted(treated: NDArray[np.bool_], seed: int) -> Ints:
    """Folds with equally many treated customers: int64 (n,) in [0, FOLDS)."""
    rng, fold = np.random.default_rng(seed), np.zeros(len(treated), dtype=np.int64)
    for side in (treated, ~treated):
        fold[side] = rng.permutation(int(side.sum())) % FOLDS
    return fold


def estimated(table: Floats, treated: NDArray[np.bool_], seed: int) -> Values:
    """Chance of being treated, by a logistic regression of other customers: float64 (n,)."""
    fold, chance = parted(treated, seed), np.zeros(len(treated))
    for number in range(FOLDS):
        own = fold == number
        model = linear(table[~own], treated[~own].astype(np.float64), np.ones(int((~own).sum())), seed)
        chance[own] = model.predict(table[own])
    return np.clip(chance, _CERTAIN, 1 - _CERTAIN)


def _x_learner(sample: Sample, both: Means, base: Base, seed: int) -> tuple[Part, ...]:
    chosen, outcome = sample.trial.treated, sample.trial.outcome
    gained = outcome[chosen] - both.control.predict(sample.table[chosen])
    missed = both.treated.predict(sample.table[~chosen]) - outcome[~chosen]
    share = float(sample.chance.mean())
    first = base(sample.table[chosen], gained, np.ones(len(gained)), seed)
    second = base(sample.table[~chosen], missed, np.ones(len(missed)), seed)
    return Part(1 - share, first), Part(share, second)


def _doubly_robust(sample: Sample, base: Base, seed: int) -> Model:
    fold, target = parted(sample.trial.treated, seed), np.zeros(len(sample.trial))
    for number in range(FOLDS):
        own = fold == number
        target[own] = means(sample.take(~own), base, seed).pseudo(sample.take(own))
    return base(sample.table, target, np.ones(len(target)), seed)


def _even(sample: Sample) -> Values:
    return np.asarray(0.5 / np.where(sample.trial.treated, sample.chance, 1 - sample.chance))


def _constant(table: Floats, target: Values) -> Model:
    return LinearModel(np.zeros(table.shape[1]), float(target.mean()) if len(target) else 0.0, False)

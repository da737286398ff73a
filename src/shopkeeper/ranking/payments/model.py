"""How likely a payment is fraud, and what to do about it: trees where there are labels, outliers where there are none.

The least costly of three actions is taken (Bayes minimum risk; Bahnsen et al. 2013): letting fraud through costs its amount,
a review costs a fixed sum, and refusing a genuine payment costs the margin on it:

    allow: p * amount        review: c        refuse: (1 - p) * margin * amount
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shopkeeper.errors import ModelError
from shopkeeper.models.outliers import Outliers
from shopkeeper.models.text import Floats
from shopkeeper.ranking.payments.table import Feature

Values = NDArray[np.float64]


class Action(StrEnum):
    """What to do with a payment."""

    ALLOW = "allow"
    REVIEW = "review"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Costs:
    """What mistakes cost.

    Attributes:
        review: A review, in units of the shop's main currency.
        margin: Share of a genuine payment's amount that is lost when it is refused.
    """

    review: float = 5.0
    margin: float = 0.3

    def risks(self, probability: Values, amount: Values) -> Values:
        """Expected cost of each of `Action`, in their order: float64 (n, 3), amounts in the main currency."""
        lost = probability * amount
        return np.stack([lost, np.full(len(lost), self.review), (1 - probability) * self.margin * amount], axis=1)

    def actions(self, probability: Values, amount: Values) -> NDArray[np.int64]:
        """Places in `Action` of what costs least, int64 (n,)."""
        return np.asarray(self.risks(probability, amount).argmin(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Blend:
    """A calibrated probability from the trees and the outliers: a logistic regression of their scores.

    Attributes:
        bias: Log-odds of nothing in particular.
        trees: Weight of the trees' log-odds.
        outliers: Weight of the mean rank among outliers, from -.5 to .5; not negative.
    """

    bias: float = 0.0
    trees: float = 1.0
    outliers: float = 0.0

    def probabilities(self, trees: Values, ranks: Values) -> Values:
        """float64 (n,) from log-odds (n,) and ranks (n,)."""
        return np.asarray(expit(self.bias + self.trees * trees + self.outliers * (ranks - 0.5)))


@dataclass(frozen=True, slots=True)
class FraudModel:
    """Scores payments from their features.

    Attributes:
        features: What the columns are.
        outliers: Knows no labels.
        trees: LightGBM models whose log-odds are averaged; none where there were no labels.
        blend: How both become a probability.
        costs: Decide about what is probable.
        threshold: Score of `outliers` from which a payment is reviewed, where there are no trees.
        medians: Currency to its median amount.
        main: The currency that costs are in.
        kinds: Kinds of counterparts.
        delay: Seconds until fraud counts as known.
        words: Do the features read items' vectors?
    """

    features: tuple[Feature, ...]
    outliers: Outliers
    trees: tuple[lightgbm.Booster, ...]
    blend: Blend
    costs: Costs
    threshold: float
    medians: Mapping[str, float]
    main: str
    kinds: tuple[str, ...]
    delay: int
    words: bool

    def log_odds(self, table: Floats) -> Values:
        """Mean log-odds of the trees, float64 (n,) for float32 (n, f)."""
        found = [np.asarray(tree.predict(table, num_threads=1, raw_score=True)) for tree in self.trees]
        return np.asarray(np.mean(found, axis=0))

    def probabilities(self, table: Floats) -> Values | None:
        """Of fraud, float64 (n,), calibrated; None where nothing was labelled."""
        if not self.trees:
            return None
        ranks = self.outliers.score(table) if self.blend.outliers else np.full(len(table), 0.5)
        return self.blend.probabilities(self.log_odds(table), ranks)

    def scores(self, table: Floats) -> Values:
        """The probability, or without labels the mean rank among outliers: float64 (n,) in [0, 1]."""
        found = self.probabilities(table)
        return self.outliers.score(table) if found is None else found

    def action(self, score: float, amount: float, currency: str) -> Action:
        """What to do with a payment of this score."""
        if not self.trees:
            return Action.REVIEW if score >= self.threshold else Action.ALLOW
        worth = np.array([self.worth(amount, currency)])
        return tuple(Action)[int(self.costs.actions(np.array([score]), worth)[0])]

    def worth(self, amount: float, currency: str) -> float:
        """An amount in the main currency, by the ratio of the medians."""
        main = self.medians.get(self.main, 1.0)
        return amount * main / self.medians.get(currency, main)

    def contributions(self, table: Floats) -> Values:
        """What each feature adds to the suspicion, float64 (n, f): log-odds of the trees, or tails without labels.

        Trees are taken apart by the path-dependent Shapley values of LightGBM (Lundberg et al. 2018).
        """
        if not self.trees:
            return self.outliers.contributions(table)
        parts = [np.asarray(tree.predict(table, num_threads=1, pred_contrib=True))[:, :-1] for tree in self.trees]
        return np.asarray(np.mean(parts, axis=0))

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and plain data that `load` reads back; trees go as the bytes of their text."""
        arrays = self.outliers.save()
        for place, tree in enumerate(self.trees):
            arrays[f"trees.{place}"] = np.frombuffer(tree.model_to_string().encode(), dtype=np.uint8)
        return arrays, {
            "features": [str(feature) for feature in self.features],
            "blend": [self.blend.bias, self.blend.trees, self.blend.outliers],
            "costs": [self.costs.review, self.costs.margin],
            "threshold": self.threshold,
            "medians": dict(self.medians),
            "main": self.main,
            "kinds": list(self.kinds),
            "delay": self.delay,
            "words": self.words,
        }

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> FraudModel:
        """Read what `save` wrote.

        Raises:
            ModelError: Something is missing.
        """
        try:
            texts = [arrays[f"trees.{place}"].tobytes().decode() for place in range(_count(arrays))]
            return cls(
                features=tuple(Feature.parse(name) for name in values["features"]),
                outliers=Outliers.load(arrays),
                trees=tuple(lightgbm.Booster(model_str=text) for text in texts),
                blend=Blend(*values["blend"]),
                costs=Costs(*values["costs"]),
                threshold=float(values["threshold"]),
                medians=dict(values["medians"]),
                main=str(values["main"]),
                kinds=tuple(values["kinds"]),
                delay=int(values["delay"]),
                words=bool(values["words"]),
            )
        except KeyError as error:
            raise ModelError(f"The fraud model lacks {error}.", cure="Train again: shopkeeper train fraud") from error


def _count(arrays: Mapping[str, NDArray[Any]]) -> int:
    return sum(name.startswith("trees.") for name in arrays)

"""The learnt ranker of search: a linear model and a forest of trees over the features of `features`, or one of them.

Each part is brought to mean 0 and deviation 1 over the candidates of a query before they are added up, so that neither
drowns the other and a score means the same for every query: deviations above the average candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shopkeeper.models.text import Floats
from shopkeeper.ranking.features import NAMES

SURE = ("title_coverage", "text_coverage", "coverage", "cosine", "near_best", "named")
"""Features that `Confidence` looks at."""
_SURE = [NAMES.index(name) for name in SURE]


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights of standardised features.

    Attributes:
        centre: float32 (f,), mean of each feature.
        weights: float32 (f,), weight of each over its deviation.
        bias: What the average candidate scores.
    """

    centre: Floats
    weights: Floats
    bias: float = 0.0

    def score(self, table: Floats) -> Floats:
        """float32 (n,) for features float32 (n, f)."""
        scores: Floats = ((table - self.centre) @ self.weights).astype(np.float32) + np.float32(self.bias)
        return scores


@dataclass(frozen=True, slots=True)
class Ranker:
    """Scores candidates from their features; at least one part is there.

    Attributes:
        linear: The linear part, or None.
        trees: LightGBM trees, or None.
    """

    linear: Linear | None = None
    trees: lightgbm.Booster | None = None

    def score(self, table: Floats) -> Floats:
        """Scores of the candidates of one query: float32 (n,) for features float32 (n, len(NAMES))."""
        if not len(table):
            return np.zeros(0, dtype=np.float32)
        total = np.zeros(len(table), dtype=np.float32)
        if self.linear is not None:
            total += standardised(self.linear.score(table))
        if self.trees is not None:
            predicted = np.asarray(self.trees.predict(table, num_threads=1), dtype=np.float32)
            total += standardised(predicted)
        return standardised(total)

    def margin(self, table: Floats) -> Floats:
        """Scores that mean the same whatever stands beside a candidate: float32 (n,), the raw sum of the parts."""
        total = np.zeros(len(table), dtype=np.float32)
        if self.linear is not None:
            total += self.linear.score(table)
        if self.trees is not None and len(table):
            total += np.asarray(self.trees.predict(table, num_threads=1), dtype=np.float32)
        return total

    def parts(self, table: Floats) -> Floats:
        """What each feature adds to the margin of each candidate, against the average one: float32 (n, f)."""
        total = np.zeros(table.shape, dtype=np.float32)
        if self.linear is not None:
            total += (table - self.linear.centre) * self.linear.weights
        if self.trees is not None:
            total += np.asarray(self.trees.predict(table, num_threads=1, pred_contrib=True), dtype=np.float32)[:, :-1]
        return total

    def contributions(self, table: Floats) -> Floats:
        """What each feature adds to or takes from each candidate, against the average one: float32 (n, f).

        Trees are taken apart by the path-dependent Shapley values of LightGBM (Lundberg et al. 2018).
        """
        total = np.zeros(table.shape, dtype=np.float32)
        if self.linear is not None:
            part = (table - self.linear.centre) * self.linear.weights
            total += part / _deviation(part.sum(axis=1))
        if self.trees is not None:
            shapley = np.asarray(self.trees.predict(table, num_threads=1, pred_contrib=True), dtype=np.float32)
            total += shapley[:, :-1] / _deviation(shapley.sum(axis=1))
        return total

    def save(self) -> dict[str, NDArray[Any]]:
        """Arrays that `load` reads back; trees go as the bytes of their text."""
        arrays: dict[str, NDArray[Any]] = {}
        if self.linear is not None:
            arrays |= {"ranker.centre": self.linear.centre, "ranker.weights": self.linear.weights}
        if self.trees is not None:
            arrays["ranker.trees"] = np.frombuffer(self.trees.model_to_string().encode(), dtype=np.uint8)
        return arrays

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]]) -> Ranker | None:
        """Read what `save` wrote; None where there is no ranker."""
        linear = trees = None
        if "ranker.weights" in arrays:
            linear = Linear(arrays["ranker.centre"], arrays["ranker.weights"])
        if "ranker.trees" in arrays:
            trees = lightgbm.Booster(model_str=arrays["ranker.trees"].tobytes().decode())
        return cls(linear, trees) if linear is not None or trees is not None else None


@dataclass(frozen=True, slots=True)
class Confidence:
    """How likely a candidate is an answer at all, by a few plain features whose weights are held back.

    Attributes:
        linear: Over the columns `SURE` of the features.
        candidate: Least probability of a candidate that shares no word with the query; below it is left out.
        answer: Least probability of the best candidate; below it the honest answer is that nothing was found.
    """

    linear: Linear
    candidate: float
    answer: float

    def probabilities(self, table: Floats) -> Floats:
        """In [0, 1], one a candidate: float32 (n,) for features float32 (n, len(NAMES))."""
        found: Floats = expit(self.linear.score(table[:, _SURE]))
        return found

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        """Arrays and plain data that `load` reads back."""
        arrays = {"confidence.centre": self.linear.centre, "confidence.weights": self.linear.weights}
        return arrays, {"bias": self.linear.bias, "candidate": self.candidate, "answer": self.answer}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, float]) -> Confidence:
        """Read what `save` wrote."""
        linear = Linear(arrays["confidence.centre"], arrays["confidence.weights"], float(values["bias"]))
        return cls(linear, float(values["candidate"]), float(values["answer"]))


def standardised(scores: Floats) -> Floats:
    """Mean 0 and deviation 1; all 0 where all are equal: float32 (n,)."""
    scaled: Floats = ((scores - scores.mean()) / _deviation(scores)).astype(np.float32)
    return scaled


def _deviation(scores: Floats) -> np.float32:
    return np.float32(max(float(scores.std()), 1e-6))

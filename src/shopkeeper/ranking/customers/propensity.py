"""How likely a customer is to do something: trees and a linear model over the same features, mixed into one honest chance.

    logit = a x raw score of the trees + b x logit of the linear model + c

The three weights are fitted to a later period than the two models, which mixes and calibrates in one step (Platt 1999).
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
from shopkeeper.ranking.ranker import Linear

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Propensity:
    """The chance of one thing.

    Attributes:
        linear: Logistic regression over the features.
        trees: LightGBM trees over the same; None where they did not help.
        weights: a, b and c of the module's formula.
        bounds: float32 (2, f), least and greatest of each feature in training: what lies beyond counts as the bound.
        base: Share of all customers who did it: what is said of whoever is unknown.
    """

    linear: Linear
    trees: lightgbm.Booster | None
    weights: tuple[float, float, float]
    bounds: Floats
    base: float

    def chances(self, table: Floats) -> Values:
        """In (0, 1), float64 (n,), for features float32 (n, f)."""
        trees, linear = self.parts(table)
        a, b, c = self.weights
        found: Values = expit(a * trees + b * linear + c)
        return found

    def parts(self, table: Floats) -> tuple[Values, Values]:
        """Logits of the trees (0 without any) and of the linear model, float64 (n,) each."""
        linear = np.asarray(self.linear.score(np.clip(table, *self.bounds)), dtype=np.float64)
        if self.trees is None or not len(table):
            return np.zeros(len(table)), linear
        return np.asarray(self.trees.predict(table, raw_score=True, num_threads=1), dtype=np.float64), linear

    def save(self, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and plain data that `load` reads back."""
        arrays: dict[str, NDArray[Any]] = {
            f"{name}.centre": self.linear.centre,
            f"{name}.weights": self.linear.weights,
            f"{name}.bounds": self.bounds,
        }
        if self.trees is not None:
            arrays[f"{name}.trees"] = as_bytes(self.trees)
        return arrays, {"bias": self.linear.bias, "weights": list(self.weights), "base": self.base}

    @classmethod
    def load(cls, name: str, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> Propensity:
        """Read what `save` wrote."""
        a, b, c = values["weights"]
        linear = Linear(arrays[f"{name}.centre"], arrays[f"{name}.weights"], float(values["bias"]))
        trees = from_bytes(arrays[f"{name}.trees"]) if f"{name}.trees" in arrays else None
        return cls(linear, trees, (float(a), float(b), float(c)), arrays[f"{name}.bounds"], float(values["base"]))


def as_bytes(trees: lightgbm.Booster) -> NDArray[np.uint8]:
    """The text of trees, as an array for a bundle."""
    return np.frombuffer(trees.model_to_string().encode(), dtype=np.uint8)


def from_bytes(array: NDArray[Any]) -> lightgbm.Booster:
    """Read what `as_bytes` gave."""
    return lightgbm.Booster(model_str=array.tobytes().decode())

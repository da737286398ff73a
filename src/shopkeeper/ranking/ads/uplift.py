"""Who is persuaded: what a treatment (a coupon, an e-mail, an ad) changes for each customer, and whom to treat.

Every way to learn it (`recipes.ads.uplift`) ends in a few models of the same features whose outputs are weighed and added up:

    gain(x) = shift + sum over parts of weight x model(x)

so that one small class serves them all, and their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import lightgbm
import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from shopkeeper.errors import InputError, ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.text import Floats
from shopkeeper.ranking.ads.hashed_features import HashedFeatures
from shopkeeper.ranking.customers.deeds import Deeds
from shopkeeper.ranking.customers.features import propensity_features

Values = NDArray[np.float64]

TASK: Final = "uplift"


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A linear or logistic model.

    Attributes:
        weights: float64 (f,).
        bias: Its constant.
        chance: True where the output is a probability.
    """

    weights: Values
    bias: float
    chance: bool

    def predict(self, table: Floats) -> Values:
        """float64 (n,) for features float32 (n, f)."""
        raw = table @ self.weights + self.bias
        return np.asarray(expit(raw) if self.chance else raw, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Forest:
    """LightGBM trees, of a binary or a squared objective."""

    trees: lightgbm.Booster

    def predict(self, table: Floats) -> Values:
        """float64 (n,) for features float32 (n, f)."""
        return np.asarray(self.trees.predict(table, num_threads=1), dtype=np.float64)


Model = LinearModel | Forest


@dataclass(frozen=True, slots=True)
class Part:
    """One model of the sum, and what it weighs."""

    weight: float
    model: Model


@dataclass(frozen=True, slots=True)
class Uplift:
    """Predicts what a treatment changes for a customer.

    Attributes:
        features: Reads the customers' table.
        parts: What is added up.
        shift: What is added to the sum.
    """

    features: HashedFeatures
    parts: Sequence[Part]
    shift: float = 0.0

    def gain(self, customers: pl.DataFrame) -> Values:
        """What treating each customer changes in the mean of the outcome: float64 (n,), negative where it harms.

        Args:
            customers: The columns that were learnt from, others are not looked at; nulls are fine.

        Raises:
            InputError: A column is missing, or holds something else than was learnt from.
        """
        return self.raw(dense(self.features, customers))

    def raw(self, table: Floats) -> Values:
        """The same for features that are read already, float32 (n, f)."""
        return combined(self.parts, table, self.shift)

    def treat(
        self,
        customers: pl.DataFrame,
        *,
        share: float = 1.0,
        cost: float = 0.0,
        benefit: float = 1.0,
        seed: int = 7,
    ) -> NDArray[np.bool_]:
        """Whom to treat: those for whom gain x benefit exceeds the cost, the best first, as far as the share goes.

        Args:
            customers: See `gain`.
            share: Of the customers that can be treated at most, in [0, 1].
            cost: Of treating one customer, in money.
            benefit: What one unit of the outcome is worth, in money.
            seed: Decides between equal customers at the border.

        Returns:
            bool (n,).

        Raises:
            InputError: As `gain`; or a number makes no sense.
        """
        return chosen(self.gain(customers), share=share, cost=cost, benefit=benefit, seed=seed)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and plain data of a bundle, for `load`; trees go as the bytes of their text."""
        arrays: dict[str, NDArray[Any]] = {}
        told: list[dict[str, Any]] = []
        for place, part in enumerate(self.parts):
            if isinstance(part.model, Forest):
                arrays[f"part.{place}"] = np.frombuffer(part.model.trees.model_to_string().encode(), dtype=np.uint8)
                told.append({"weight": part.weight, "trees": True})
            else:
                arrays[f"part.{place}"] = part.model.weights
                told.append({"weight": part.weight, "bias": part.model.bias, "chance": part.model.chance})
        return arrays, {"features": self.features.save(), "parts": told, "shift": self.shift}

    @classmethod
    def load(cls, bundle: Bundle) -> Uplift:
        """Read a bundle of the task ``uplift``.

        Raises:
            ModelError: It is a bundle of something else.
        """
        if bundle.card.task != TASK or "parts" not in bundle.parameters:
            raise ModelError(
                f"This is a bundle of {bundle.card.task!r}, not of {TASK!r}.",
                where=str(bundle.folder),
                cure="Learn one with: shopkeeper uplift train FILE",
            )
        arrays, parts = bundle.arrays(), []
        for place, told in enumerate(bundle.parameters["parts"]):
            array = arrays[f"part.{place}"]
            model: Model
            if told.get("trees"):
                model = Forest(lightgbm.Booster(model_str=array.tobytes().decode()))
            else:
                model = LinearModel(array.astype(np.float64), float(told["bias"]), bool(told["chance"]))
            parts.append(Part(float(told["weight"]), model))
        return cls(HashedFeatures.load(bundle.parameters["features"]), parts, float(bundle.parameters["shift"]))


def combined(parts: Sequence[Part], table: Floats, shift: float = 0.0) -> Values:
    """The gain: float64 (n,) for features float32 (n, f)."""
    total = np.full(len(table), shift)
    if len(table):
        for part in parts:
            total += part.weight * part.model.predict(table)
    return total


def chosen(
    gain: Values, *, share: float = 1.0, cost: float = 0.0, benefit: float = 1.0, seed: int = 7
) -> NDArray[np.bool_]:
    """See `Uplift.treat`.

    >>> chosen(np.array([0.1, -0.1, 0.3]), share=0.34).tolist()
    [False, False, True]
    """
    if not 0 <= share <= 1 or not cost >= 0 or not benefit > 0 or not np.isfinite(cost + benefit):
        raise InputError(
            f"A share of {share}, a cost of {cost} and a benefit of {benefit} make no budget.",
            where="budget",
            cure="Give a share from 0 to 1, a cost of 0 or more, and a positive benefit.",
        )
    order = np.random.default_rng(seed).permutation(len(gain))
    order = order[np.argsort(-gain[order], kind="stable")][: int(share * len(gain) + 1e-9)]
    picked = np.zeros(len(gain), dtype=np.bool_)
    picked[order] = True
    worth: NDArray[np.bool_] = picked & (gain * benefit > cost)
    return worth


def dense(features: HashedFeatures, customers: pl.DataFrame) -> Floats:
    """The matrix of a table of customers, which is small: float32 (n, f)."""
    matrix: sp.csr_array = features.matrix(customers)
    return matrix.toarray()


def behaviour(deeds: Deeds, at: ArrayLike) -> pl.DataFrame:
    """What customers had done before a moment each, as the table that a shop's own campaigns learn from.

    Args:
        deeds: Of n customers, all before their moments; see `Deeds.before`.
        at: float (n,), seconds since 1970.
    """
    features, names = propensity_features(deeds, at)
    return pl.DataFrame(features, schema=dict.fromkeys(names, pl.Float32))

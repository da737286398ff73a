"""What a customer is expected to pay within the next days: by BG/NBD and gamma-gamma, or by trees, whichever validation likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import Values
from shopkeeper.ranking.customers.lifetime import Lifetime, Spending
from shopkeeper.ranking.customers.propensity import as_bytes, from_bytes

Buying = tuple[Values, Values, Values, Values, Values]
"""See `propensity_features.repeat_buying`."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Expected money, in typical purchases.

    Attributes:
        lifetime: How often; None where too few customers came back.
        spending: How much at a time; None likewise.
        trees: LightGBM trees over the features for `horizon` days; None where lifetime and spending are better.
        scale: What the answers are multiplied by so that their mean was right on validation.
        stranger: What whoever never bought pays within `horizon` days, on average.
        horizon: Days that the trees and `stranger` speak of.
    """

    lifetime: Lifetime | None
    spending: Spending | None
    trees: lightgbm.Booster | None
    scale: float
    stranger: float
    horizon: float

    def expected(self, days: float, table: Floats, buying: Buying) -> Values:
        """Money within so many days, float64 (n,), for features float32 (n, f).

        The trees know one horizon; for another one their answer grows as BG/NBD says that purchases of the same customer do.
        """
        simple = self.by_lifetime(days, buying)
        if self.trees is None:
            return simple * self.scale
        learnt = np.asarray(self.trees.predict(table, num_threads=1), dtype=np.float64)
        growth = simple / np.maximum(self.by_lifetime(self.horizon, buying), 1e-9)
        return np.asarray(learnt * self.scale * np.where(np.isfinite(growth), growth, days / self.horizon))

    def by_lifetime(self, days: float, buying: Buying) -> Values:
        """The same by BG/NBD and gamma-gamma alone, not scaled."""
        repeats, last, age, orders, money = buying
        nobody = np.full(len(orders), self.stranger * days / self.horizon)
        if self.lifetime is None or self.spending is None:
            return nobody
        known = orders > 0
        found = nobody.copy()
        times = self.lifetime.expected(days, repeats[known], last[known], np.maximum(age[known], 1e-3))
        found[known] = times * self.spending.mean(orders[known], money[known])
        return found

    def alive(self, buying: Buying) -> Values:
        """Chance that somebody who bought has not left for good, float64 (n,); NaN for whoever never bought."""
        repeats, last, age, orders, _ = buying
        if self.lifetime is None:
            return np.full(len(orders), np.nan)
        return np.where(orders > 0, self.lifetime.alive(repeats, last, np.maximum(age, 1e-3)), np.nan)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and plain data that `load` reads back."""
        values = {
            "lifetime": asdict(self.lifetime) if self.lifetime else None,
            "spending": asdict(self.spending) if self.spending else None,
            "scale": self.scale,
            "stranger": self.stranger,
            "horizon": self.horizon,
        }
        return ({"worth.trees": as_bytes(self.trees)} if self.trees is not None else {}), values

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> Worth:
        """Read what `save` wrote."""
        return cls(
            Lifetime(**values["lifetime"]) if values["lifetime"] else None,
            Spending(**values["spending"]) if values["spending"] else None,
            from_bytes(arrays["worth.trees"]) if "worth.trees" in arrays else None,
            float(values["scale"]),
            float(values["stranger"]),
            float(values["horizon"]),
        )

"""Words and an item's own record together: the probability that a customer buys it, right for cold and warm items alike.

    logit = a x logit of the words + b x logit of the item's rate + c

An item that few have looked at has the rate of all items, so that its words decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from shopkeeper.models.text import Scorer

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rates:
    """How often those who looked at an item bought it, drawn towards the mean of all.

    Attributes:
        counts: Item id to (bought, looked at).
        mean: Share of looks that ended in a purchase, over all items.
        strength: Looks that the mean counts for.
    """

    counts: Mapping[str, tuple[int, int]]
    mean: float
    strength: float

    def of(self, items: Sequence[str]) -> Values:
        """Rate of each item, float64 (n,), in (0, 1)."""
        found = [self.counts.get(item, (0, 0)) for item in items]
        return np.array([(bought + self.strength * self.mean) / (seen + self.strength) for bought, seen in found])


@dataclass(frozen=True, slots=True)
class Chances:
    """A pair classifier and the items' rates as one.

    Attributes:
        words: Scores (customer in words, item in words).
        rates: The items' own record.
        weights: a, b and c of the module's formula.
    """

    words: Scorer
    rates: Rates
    weights: tuple[float, float, float]

    def of(self, customers: Sequence[str], texts: Sequence[str], items: Sequence[str]) -> Values:
        """Probability of a purchase, float64 (n,).

        Args:
            customers: Customers in words, see `ranking.customers.words`.
            texts: Items in words.
            items: Ids of the same items.
        """
        return together(np.asarray(self.words.score(customers, texts)), self.rates.of(items), self.weights)

    @classmethod
    def load(cls, words: Scorer, values: Mapping[str, Any]) -> Chances:
        """Read what `to_json` gave."""
        counts = {item: (int(bought), int(seen)) for item, (bought, seen) in values["counts"].items()}
        a, b, c = values["weights"]
        rates = Rates(counts, float(values["mean"]), float(values["strength"]))
        return cls(words, rates, (float(a), float(b), float(c)))

    def to_json(self) -> dict[str, Any]:
        """Plain data that `load` reads back, the classifier aside."""
        counts = {item: list(pair) for item, pair in self.rates.counts.items()}
        return {
            "counts": counts,
            "mean": self.rates.mean,
            "strength": self.rates.strength,
            "weights": list(self.weights),
        }


def together(words: NDArray[np.floating], rates: Values, weights: tuple[float, float, float]) -> Values:
    """The module's formula on probabilities, float (n,) each."""
    a, b, c = weights
    mixed: Values = expit(a * to_logit(words) + b * to_logit(rates) + c)
    return mixed


def to_logit(chances: NDArray[np.floating]) -> Values:
    """Logits of probabilities, kept finite."""
    return np.asarray(logit(np.clip(np.asarray(chances, dtype=np.float64), 1e-7, 1 - 1e-7)), dtype=np.float64)

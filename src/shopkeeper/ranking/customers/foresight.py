"""What customers are likely to do: everything that the bundle `profile` holds, opened, and asked for many or for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.models.bundle import Bundle
from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import Deeds, Ints, Taxonomy, Values
from shopkeeper.ranking.customers.features import (
    propensity_features,
    reduced,
    repeat_buying,
    review_features,
    text_features,
)
from shopkeeper.ranking.customers.next_category import NextCategory, last_vectors
from shopkeeper.ranking.customers.propensity import Propensity
from shopkeeper.ranking.customers.segments import CustomerSegments
from shopkeeper.ranking.customers.worth import Worth

VALUE_DAYS = 90
"""Days ahead that the expected value speaks of."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """How the meaning of what a customer touched becomes a few numbers.

    Attributes:
        encoder: Name of the encoder of the vectors; another one's mean nothing here.
        centre: float32 (d,), see `propensity_features.principal`.
        directions: float32 (k, d), likewise; k is 0 where words are left out.
    """

    encoder: str
    centre: Floats
    directions: Floats

    def table(self, deeds: Deeds, means: Floats) -> Floats:
        """Columns of the words, float32 (n, k + 2), none where they are left out."""
        if not len(self.directions):
            return np.zeros((len(deeds), 0), dtype=np.float32)
        return np.hstack([reduced(means, self.centre, self.directions), review_features(deeds)])


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of n customers.

    Attributes:
        chances: Target to the chance of it, float64 (n,).
        next: float64 (n, c), chance of each category of the taxonomy to be the next bought from; None where not learnt.
        value: float64 (n,), money within 90 days, in typical purchases, see `Taxonomy.scales`.
        alive: float64 (n,), chance of not having left for good, NaN for whoever never bought.
        segments: int64 (n,), places of `CustomerSegments.segments`, -1 for none.
    """

    chances: Mapping[str, Values]
    next: Values | None
    value: Values
    alive: Values
    segments: Ints


@dataclass(frozen=True, slots=True)
class Foresight:
    """The models of the bundle.

    Attributes:
        taxonomy: Categories and currencies as they were learnt.
        meaning: Of words.
        propensities: Target to its model.
        next: Of the next category; None where too few baskets were seen.
        worth: Of money.
        segments: Of customers alike; None where too few are known.
    """

    taxonomy: Taxonomy
    meaning: Meaning
    propensities: Mapping[str, Propensity]
    next: NextCategory | None
    worth: Worth
    segments: CustomerSegments | None

    def outlook(self, deeds: Deeds, at: ArrayLike, items: Floats, queries: Floats) -> Outlook:
        """What to expect of customers.

        Args:
            deeds: Of n customers, all before their moments. Of whoever has none, what is said holds for all customers.
            at: float (n,), seconds since 1970.
            items: float32 (rows, d), a vector for each shelf row, of `meaning.encoder`.
            queries: float32 (q, d), for each query of the deeds.
        """
        known = np.diff(deeds.indptr) > 0
        means = text_features(deeds, at, items, queries)
        table = np.hstack([propensity_features(deeds, at)[0], self.meaning.table(deeds, means)])
        chances = {name: np.where(known, model.chances(table), model.base) for name, model in self.propensities.items()}
        buying = repeat_buying(deeds, at)
        following = None
        if self.next is not None:
            following = self.next.chances(deeds, at, means, last_vectors(deeds, items, queries))
        places = np.full(len(deeds), -1, dtype=np.int64) if self.segments is None else self.segments.places(means)
        value = self.worth.expected(VALUE_DAYS, table, buying)
        value = np.where(known, value, self.worth.stranger * VALUE_DAYS / self.worth.horizon)
        return Outlook(chances, following, value, self.worth.alive(buying), places)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and plain data that `load` reads back."""
        arrays: dict[str, NDArray[Any]] = {
            "meaning.centre": self.meaning.centre,
            "meaning.directions": self.meaning.directions,
        }
        propensities = {}
        for name, model in self.propensities.items():
            own, propensities[name] = model.save(name)
            arrays |= own
        worth, worth_values = self.worth.save()
        values: dict[str, Any] = {
            "categories": [list(path) for path in self.taxonomy.names],
            "depth": self.taxonomy.depth,
            "scales": dict(self.taxonomy.scales),
            "encoder": self.meaning.encoder,
            "propensities": propensities,
            "worth": worth_values,
        }
        arrays |= worth | (self.next.save() if self.next is not None else {})
        if self.segments is not None:
            own, grouped = self.segments.save()
            arrays, values = arrays | own, values | {"grouped": grouped}
        return arrays, values

    @classmethod
    def load(cls, bundle: Bundle) -> Foresight:
        """Read what `save` wrote into a bundle."""
        arrays, values = bundle.arrays(), bundle.parameters
        names = tuple(tuple(path) for path in values["categories"])
        return cls(
            Taxonomy(names, int(values["depth"]), values["scales"]),
            Meaning(values["encoder"], arrays["meaning.centre"], arrays["meaning.directions"]),
            {name: Propensity.load(name, arrays, own) for name, own in values["propensities"].items()},
            NextCategory.load(arrays) if "next.weights" in arrays else None,
            Worth.load(arrays, values["worth"]),
            CustomerSegments.load(arrays, values["grouped"]) if "grouped" in values else None,
        )

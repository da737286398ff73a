"""Which category a customer will buy from next: their own habits, what follows on what, and what their words are near.

A conditional logit (McFadden 1974, "Conditional logit analysis of qualitative choice behavior") over all categories:

    P(c) = exp(w x(c)) / sum over all categories of exp(w x)

whose chances are therefore honest as soon as the weights are fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import CODE, DAY, Deeds, Ints, Values
from shopkeeper.records import EventKind

NAMES: Final = (
    "bought",
    "touched_lately",
    "touched",
    "bought_just_now",
    "popular",
    "follows",
    "follows_last",
    "near",
    "near_last",
)
WORDS: Final = ("near", "near_last")
"""Features that need vectors of words."""
_SHORT, _LONG = 7.0, 60.0
"""Half-lives in days."""
_SMOOTHING: Final = 5.0
"""Purchases that popularity weighs against what was seen to follow on a category."""


@dataclass(frozen=True, slots=True)
class NextCategory:
    """A fitted model of the next category.

    Attributes:
        weights: float64 (len(NAMES),).
        popular: float64 (c,), logarithm of each category's share of purchases.
        follows: float64 (c, c), logarithm of how much likelier the column is after the row than at any time.
        centroids: float32 (c, d), where the words of each category stand; (c, 0) where words are left out.
    """

    weights: Values
    popular: Values
    follows: Values
    centroids: Floats

    def chances(self, deeds: Deeds, at: ArrayLike, means: Floats, last: Floats) -> Values:
        """Probability of each category for each customer, float64 (n, c), rows adding up to 1; see `features`."""
        found: Values = softmax(self.features(deeds, at, means, last) @ self.weights, axis=1)
        return found

    def features(self, deeds: Deeds, at: ArrayLike, means: Floats, last: Floats) -> Values:
        """What speaks for each category.

        Args:
            deeds: Of n customers, all before their moments.
            at: float (n,), seconds since 1970.
            means: float32 (n, d), see `propensity_features.text_features`; not looked at without centroids.
            last: float32 (n, d), the vector of what each touched or typed last, zero for nothing.

        Returns:
            float64 (n, c, len(NAMES)).
        """
        n, width, owner = len(deeds), len(self.popular), deeds.owners
        age = (np.asarray(at, dtype=np.float64)[owner] - deeds.times) / DAY
        told = deeds.categories >= 0
        bought = told & (deeds.kinds == CODE[EventKind.PURCHASE])
        found = np.zeros((n, width, len(NAMES)))

        def summed(where: NDArray[np.bool_], half_life: float) -> Values:
            weight = 0.5 ** (age[where] / half_life)
            place = (owner[where], deeds.categories[where])
            return np.asarray(sp.coo_array((weight, place), shape=(n, width)).toarray())

        own, recent, long = summed(bought, _LONG), summed(told, _SHORT), summed(told, _LONG)
        found[:, :, 0], found[:, :, 1], found[:, :, 2] = np.log1p(own), np.log1p(recent), np.log1p(long)
        found[:, :, 3] = summed(bought & (age < _SHORT), _SHORT) > 0
        found[:, :, 4] = self.popular
        mass = own.sum(axis=1, keepdims=True)
        found[:, :, 5] = own @ self.follows / np.maximum(mass, 1e-9)
        newest = _newest(owner, deeds.categories, bought, n)
        found[newest >= 0, :, 6] = self.follows[newest[newest >= 0]]
        if self.centroids.shape[1]:
            for place, vectors in ((7, means), (8, last)):
                near = vectors @ self.centroids.T
                known = np.abs(vectors).sum(axis=1) > 0
                found[known, :, place] = (near - near.mean(axis=1, keepdims=True))[known]
        return found

    def save(self) -> dict[str, NDArray[Any]]:
        """Arrays that `load` reads back."""
        names = ("weights", "popular", "follows", "centroids")
        return {f"next.{name}": getattr(self, name) for name in names}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]]) -> NextCategory:
        """Read what `save` wrote."""
        return cls(*(arrays[f"next.{name}"] for name in ("weights", "popular", "follows", "centroids")))


def counted(deeds: Deeds, width: int) -> tuple[Values, Values]:
    """Popularity of categories and what follows on what, counted over whole histories; see `NextCategory`."""
    bought = np.flatnonzero((deeds.kinds == CODE[EventKind.PURCHASE]) & (deeds.categories >= 0))
    owner, category, time = deeds.owners[bought], deeds.categories[bought], deeds.times[bought]
    share = (np.bincount(category, minlength=width) + 1.0) / (len(category) + width)
    later = np.flatnonzero((np.diff(owner) == 0) & (np.diff(np.floor(time / DAY)) > 0)) + 1
    pairs = np.zeros((width, width))
    np.add.at(pairs, (category[later - 1], category[later]), 1.0)
    after = (pairs + _SMOOTHING * share) / (pairs.sum(axis=1, keepdims=True) + _SMOOTHING)
    return np.log(share), np.log(after / share)


def last_vectors(deeds: Deeds, items: Floats, queries: Floats) -> Floats:
    """The vector of the item or query that each customer touched or typed last, float32 (n, d); zero for nothing."""
    n = len(deeds)
    typed = (deeds.words >= 0) & (deeds.words < len(queries))
    touched = (deeds.items >= 0) & (deeds.items < len(items)) & ~typed
    newest = _newest(deeds.owners, np.arange(len(deeds.items)), typed | touched, n)
    found = np.zeros((n, items.shape[1]), dtype=np.float32)
    for of, vectors, places in ((typed, queries, deeds.words), (touched, items, deeds.items)):
        mine = (newest >= 0) & of[newest] if len(of) else np.zeros(n, dtype=np.bool_)
        if mine.any():
            found[mine] = vectors[places[newest[mine]]]
    return found


def _newest(owner: Ints, values: Ints, where: NDArray[np.bool_], n: int) -> Ints:
    """The value of each owner's last entry that counts, int64 (n,), -1 for none."""
    found = np.full(n, -1, dtype=np.int64)
    found[owner[where]] = values[where]  # of several the last one stays
    return found

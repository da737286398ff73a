"""How far each customer counts in what a shop learns and shows: everybody fully, until humans have decided otherwise.

Whom a human called a fake counts for nothing. What the model suspects beyond that counts only where humans have decided
about both kinds in this shop: unaided, most of the few whom it suspects may be honest (`bench guard-reviews`). One judgement for all that counts customers: mean stars and sources of recommendation read `Trust.store`, a view of the
store (`store.trusted.Trusted`); what is folded event by event or read from reviews asks `Trust.weight`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from shopkeeper.models.bundle import Bundle
from shopkeeper.ranking.raters.model import RaterModel
from shopkeeper.records import Passage
from shopkeeper.store.protocols import Store
from shopkeeper.store.trusted import Trusted
from shopkeeper.tasks.guard.review_check import decisions, review_check, shop_ratings


class Trust:
    """Trust in the customers of a store, as of the last `refresh`.

    Args:
        store: Reviews, events and decisions.
        bundle: Of `recipes.guard.raters.train_raters`; None trusts everybody.
        seed: Of folds and hashes.

    Attributes:
        store: The store as far as its customers are trusted; the store itself where all are.
    """

    def __init__(self, store: Store, bundle: Bundle | None, seed: int = 0) -> None:
        self.store = store
        self._whole = store
        self._model = None if bundle is None else RaterModel.load(bundle.arrays(), bundle.parameters)
        self._seed = seed
        self._lowered: dict[str, float] = {}
        self._known = (0, 0.0, 0, 0)
        self.refresh()

    def refresh(self) -> None:
        """Judge all raters anew where ratings or decisions have come in since; nothing to do without a bundle."""
        if self._model is None:
            return
        ratings = shop_ratings(self._whole)
        labels = decisions(self._whole, ratings.raters)
        decided = labels[~np.isnan(labels)]
        known = (len(ratings), float(ratings.rating.sum()), len(decided), int(decided.sum()))
        if known == self._known:
            return
        self._known = known
        if len(np.unique(decided)) == 2:
            weights = review_check(ratings, self._model, labels, self._seed).weights
        else:
            weights = {ratings.raters[row]: 1.0 - labels[row] for row in np.flatnonzero(~np.isnan(labels)).tolist()}
        self._lower(weights.items())

    def weight(self, customer: str) -> float:
        """How far what a customer does and rates counts, in [0, 1]; 1 for whoever is not known or has no name."""
        return self._lowered.get(customer, 1.0)

    def stars(self, reviews: Iterable[Passage]) -> float | None:
        """Mean stars of some reviews, each weighed by the trust in who wrote it; None where nothing counts."""
        rated = [(review.rating, self.weight(review.customer)) for review in reviews if review.rating is not None]
        mass = sum(weight for _, weight in rated)
        return sum(rating * weight for rating, weight in rated) / mass if mass > 0 else None

    def forget(self, customer: str) -> None:
        """Let go of a customer's name."""
        if customer in self._lowered:
            self._lower((name, weight) for name, weight in self._lowered.items() if name != customer)

    def _lower(self, weights: Iterable[tuple[str, float]]) -> None:
        self._lowered = {name: weight for name, weight in weights if weight < 1}
        self.store = Trusted(self._whole, trust=self._lowered) if self._lowered else self._whole

"""Who gets seen: popularity taken out of scores or put in on purpose, new items helped, suppliers given their share.

What is popular is shown, what is shown is bought, what is bought is popular. Two places to break this:

- *In training*: examples weigh 1 / propensity, where an item's chance to have been noticed is taken to grow as a power of its
  popularity (`propensities_from_popularity`; Schnabel et al. 2016, "Recommendations as treatments"; Saito et al. 2020,
  "Unbiased recommender learning from missing-not-at-random implicit feedback").
- *In finished scores*, of whatever model: `less_popular`, what would be chosen if all items were equally known (popularity
  causes both being seen and being bought, so it is held fixed: Zhang et al. 2021, "Causal intervention for leveraging
  popularity bias in recommendation"), and `fresher` for what had no time to be bought.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.retrieval.shelf import Rows

log = logging.getLogger(__name__)

Values = NDArray[np.float64]

_BAND: Final = (0.8, 1.25)
_PAGES: Final = 500.0
_NOTED: Final = 0.1
"""A boost is written to the log when it moved by so many deviations."""


def propensities_from_popularity(counts: ArrayLike, *, power: float = 0.5, least: float = 0.01) -> Values:
    """Chance of each item to have been noticed, against the most popular one: (count / highest count)^power.

    Args:
        counts: float (n,), interactions of each item, not negative.
        power: 0 trusts the log as it is, 1 takes popularity for nothing but exposure.
        least: Lower bound, so that no example weighs more than 1 / least.

    Returns:
        float64 (n,), in [least, 1]; all 1 where nothing was counted.

    >>> propensities_from_popularity([100, 25, 0]).tolist()
    [1.0, 0.5, 0.01]
    """
    count = _counts(counts)
    top = float(count.max(initial=0.0))
    if top <= 0:
        return np.ones(len(count))
    return np.asarray(np.clip((count / top) ** power, least, 1.0))


def inverse_weights(propensities: ArrayLike, items: Rows) -> Values:
    """Weights of training examples, 1 / propensity of their item, with mean 1.

    Args:
        propensities: float (n,), in (0, 1], of every item.
        items: int64 (m,), the item of each example.

    >>> inverse_weights([1.0, 0.5], np.array([0, 0, 1])).tolist()
    [0.75, 0.75, 1.5]
    """
    weights = 1 / np.asarray(propensities, dtype=np.float64)[items]
    return np.asarray(weights / (weights.mean() if len(weights) else 1.0))


def less_popular(scores: Floats, popularity: ArrayLike, beta: float) -> Floats:
    """Scores with a share of popularity taken away: scores - beta x log(1 + popularity), both in deviations.

    For scores that are logarithms this divides by (1 + popularity)^beta, as the intervention on popularity of Zhang et al. (2021)
    divides by popularity^gamma; being measured in deviations, one `beta` suits any
    model.

    Args:
        scores: float32 (n,), any scale.
        popularity: float (n,), counts, not negative.
        beta: 0 changes nothing but the scale; below 0, popularity is added.
    """
    popular = np.log1p(_counts(popularity))
    found: Floats = (_deviations(scores) - beta * _deviations(popular)).astype(np.float32)
    return found


def fresher(scores: Floats, ages: ArrayLike, weight: float, half_life: float) -> Floats:
    """Scores with a boost for what is new: scores + weight x 2^(-age / half_life), the boost in deviations of the scores.

    Args:
        scores: float32 (n,), any scale.
        ages: float (n,), days since an item first went on sale; NaN where unknown, which gains nothing; those not yet on sale
            count as 0 days old.
        weight: The boost of an item on its first day; 0 changes nothing.
        half_life: Days in which a boost halves, above 0.

    >>> fresher(np.array([1, 0, 1, 0], np.float32), [np.nan, 14, 28, 0], 2.0, half_life=14).tolist()
    [1.0, 0.5, 1.25, 1.0]
    """
    age = np.asarray(ages, dtype=np.float64)
    boost = np.where(np.isnan(age), 0.0, np.exp2(-np.maximum(np.nan_to_num(age), 0.0) / half_life))
    found: Floats = (scores + weight * _spread(scores) * boost).astype(np.float32)
    return found


class SupplierExposure:
    """Keeps each supplier's share of what is seen near a target, over many pages, by boosts of their items' scores.

    A proportional-integral controller for each supplier: while its share lies within the band, nothing is added to its
    boost; outside, the boost moves by the gap, relative to the target, now and summed up. Shares fade, so that old pages do
    not count for ever. Any thread may call it; each process that serves has its own.

    Args:
        targets: float (suppliers,), share of exposure wanted; NaN where a supplier is left alone.
        band: Least and most of the target that are as good as the target.
        pages: After so many pages a page counts 1/e.
        most: Largest boost either way, in deviations of a page's scores.
    """

    def __init__(
        self, targets: ArrayLike, *, band: tuple[float, float] = _BAND, pages: float = _PAGES, most: float = 3.0
    ) -> None:
        self._targets = np.asarray(targets, dtype=np.float64)
        wanted = self._targets[~np.isnan(self._targets)]
        if (wanted <= 0).any() or wanted.sum() > 1 + 1e-9 or not 0 <= band[0] <= 1 <= band[1]:
            raise InputError(
                "Targets must be above 0 and sum to 1 at most, and the band must hold 1.",
                where="supplier targets",
                cure="Leave out suppliers without a target (NaN).",
            )
        self._band, self._fade, self._most = band, float(np.exp(-1 / pages)), most
        self._seen = np.zeros(len(self._targets))
        self._sum = np.zeros(len(self._targets))
        self._noted = np.zeros(len(self._targets))
        self._boosts = np.zeros(len(self._targets))
        self._lock = threading.Lock()

    @property
    def shares(self) -> Values:
        """Share of exposure of each supplier lately: float64 (suppliers,), summing to 1, or all 0 at the start."""
        with self._lock:
            return self._shares()

    @property
    def boosts(self) -> Values:
        """What is added to each supplier's items now, in deviations: float64 (suppliers,). Log it with the page."""
        with self._lock:
            return self._boosts.copy()

    def boosted(self, scores: Floats, suppliers: Rows) -> Floats:
        """Scores of candidates with their suppliers' boosts.

        Args:
            scores: float32 (n,).
            suppliers: int64 (n,), places in `targets`; -1 for none.
        """
        boosts = np.append(self.boosts, 0.0)[suppliers]
        found: Floats = (scores + boosts * _spread(scores)).astype(np.float32)
        return found

    def note(self, suppliers: Rows, weights: ArrayLike | None = None) -> None:
        """Take in a page that was shown.

        Args:
            suppliers: int64 (k,), of the items on the page, best place first; -1 for none.
            weights: float (k,), how often each place is looked at; 1 / log2(1 + place) when None.
        """
        places = 1 / np.log2(np.arange(2, len(suppliers) + 2)) if weights is None else np.asarray(weights)
        known = suppliers >= 0
        page = np.bincount(suppliers[known], places[known], minlength=len(self._targets))
        with self._lock:
            self._seen = self._fade * self._seen + page
            low, high = self._band
            ratio = self._shares() / self._targets
            gap = np.nan_to_num(np.maximum(low - ratio, 0) - np.maximum(ratio - high, 0))
            gap = np.clip(gap, -1, 1)
            # an integral that stands at its limit would take as long to come back: it stops there
            self._sum = np.clip(self._sum + (1 - self._fade) * 2 * gap, -self._most, self._most)
            self._boosts = np.clip(self._sum + 0.5 * gap, -self._most, self._most)
            moved = np.flatnonzero(np.abs(self._boosts - self._noted) >= _NOTED)
            self._noted[moved] = self._boosts[moved]
            told = [(int(n), round(float(self._boosts[n]), 3), round(float(ratio[n]), 3)) for n in moved]
        for supplier, boost, share in told:
            log.info("supplier boost moved", extra={"supplier": supplier, "boost": boost, "share_of_target": share})

    def _shares(self) -> Values:
        return np.asarray(self._seen / max(float(self._seen.sum()), 1e-12))


def _counts(values: ArrayLike) -> Values:
    counts = np.asarray(values, dtype=np.float64)
    if not (counts >= 0).all():
        raise InputError("Popularity must not be negative or NaN.", where="popularity", cure="Give counts or shares.")
    return counts


def _deviations(values: NDArray[np.floating]) -> Values:
    return np.asarray((values - (values.mean() if len(values) else 0.0)) / _spread(values), dtype=np.float64)


def _spread(values: NDArray[np.floating]) -> float:
    return max(float(values.std()) if len(values) else 0.0, 1e-6)

"""Who gets seen: popularity taken out of scores or put in on purpose, new items helped, suppliers given their share.

What is popular is shown, what is shown is bought, what is bought is popular. Three places to break this:

- *In training*: examples weigh 1 / propensity, where an item's chance to have been noticed is taken to grow as a power of its
  popularity (`propensities_from_popularity`; Schnabel et al. 2016, "Recommendations as treatments"; Saito et al. 2020,
  "Unbiased recommender learning from missing-not-at-random implicit feedback").
- *In a model of two terms* (Zhang et al. 2021, "Causal intervention for leveraging popularity bias in recommendation"):
  learnt as match x popularity^gamma, the match is free of popularity; when serving, popularity comes back only as it is
  foreseen for the time of serving, if at all (`popularity_ahead`, `with_popularity`).
- *In finished scores*, of whatever model: `less_popular`.
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


def popularity_ahead(before: ArrayLike, latest: ArrayLike, *, trend: float = 1.0) -> Values:
    """Popularity foreseen for the next period: the latest plus `trend` times how much it rose, never below 0.

    Args:
        before: float (n,), share of all interactions in the period before the latest.
        latest: float (n,), share in the latest period.
        trend: How far the trend is followed; 0 takes the latest period as it is.
    """
    now = _counts(latest)
    return np.asarray(np.maximum(now + trend * (now - _counts(before)), 0.0))


def with_popularity(match: ArrayLike, popularity: ArrayLike, gamma: float) -> Floats:
    """The two-term score: elu'(match) x popularity^gamma.

    elu'(x) is x + 1 above 0 and e^x below: positive, and in the order of the match. The same form is learnt with, there with
    the popularity of the time of each example.

    Args:
        match: float (n,), how well an item fits, any sign.
        popularity: float (n,), not negative; its highest counts as 1.
        gamma: 0 leaves popularity out.

    Returns:
        float32 (n,), positive where the popularity is, or `gamma` is 0.
    """
    fit = np.asarray(match, dtype=np.float64)
    popular = _counts(popularity)
    top = float(popular.max(initial=0.0))
    positive = np.where(fit > 0, fit + 1, np.exp(np.minimum(fit, 0)))
    return np.asarray(positive * (popular / (top or 1.0)) ** gamma, dtype=np.float32)


def less_popular(scores: Floats, popularity: ArrayLike, beta: float) -> Floats:
    """Scores with a share of popularity taken away: scores - beta x log(1 + popularity), both in deviations.

    For scores that are logarithms this divides by (1 + popularity)^beta; being measured in deviations, one `beta` suits any
    model.

    Args:
        scores: float32 (n,), any scale.
        popularity: float (n,), counts, not negative.
        beta: 0 changes nothing but the scale; below 0, popularity is added.
    """
    popular = np.log1p(_counts(popularity))
    found: Floats = (_deviations(scores) - beta * _deviations(popular)).astype(np.float32)
    return found


def freshness(ages: ArrayLike, *, half_life: float, weight: float = 1.0) -> Floats:
    """A boost for what is new, halved every `half_life` days.

    Args:
        ages: float (n,), days since an item first went on sale; NaN where unknown; those not yet on sale count as 0 days old.
        half_life: In days, positive.
        weight: The boost of an item on its first day.

    Returns:
        float32 (n,), in [0, weight]; 0 where the age is unknown.

    >>> freshness([0, 14, np.nan], half_life=14).tolist()
    [1.0, 0.5, 0.0]
    """
    if not half_life > 0:
        raise InputError(
            f"{half_life} days is no half-life.", where="half_life", cure="Give a positive number of days."
        )
    age = np.asarray(ages, dtype=np.float64)
    boost = weight * np.exp2(-np.maximum(np.nan_to_num(age, nan=0.0), 0.0) / half_life)
    return np.where(np.isnan(age), 0, boost).astype(np.float32)


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
        found: Floats = (scores + boosts * max(float(scores.std()), 1e-6)).astype(np.float32) if len(scores) else scores
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
    spread = float(values.std()) if len(values) else 0.0
    return np.asarray((values - (values.mean() if len(values) else 0.0)) / max(spread, 1e-6), dtype=np.float64)

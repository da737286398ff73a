"""Which places of a page are looked at, learnt from clicks: what a click low on the page is worth against one on top.

A click needs two things: the place is examined, and what stands there pleases (the position-based model)

    P(click on item d for query q at place k) = examined_k x attraction_qd

Where several rankers, or one that explores, showed the same item for the same query at several places, the ratio of its
click rates is the ratio of the examinations, whatever the item is worth: `harvested` (Agarwal et al. 2019, "Estimating
position bias without intrusive interventions"). Where that never happened both factors are found together by expectation
maximisation: `expected` (Wang et al. 2018, "Position bias estimation for unbiased learning to rank in personal search").
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.ranking.shown import Ints, Shown

Floats = NDArray[np.float64]

PLACES: Final = 60
"""Places told apart; all lower ones count as the last."""
_LOWEST: Final = 0.01
"""No place is examined less: a click there would be worth more than a hundred on top."""
_ENOUGH: Final = 400
"""Clicks on items seen at several places from which on they alone decide."""
_TIE: Final = 0.5
"""Clicks assumed on either side of each two neighbouring places, so that places never compared are alike."""
_ITEM_PRIOR, _PAIR_PRIOR = 10.0, 4.0
"""Showings that what is known of all items weighs against an item, and what is known of the item against a pair."""
_RIDGE: Final = 1.0


def examination(shown: Shown, features: NDArray[np.floating] | None = None) -> Floats:
    """How often each place is examined, against the first.

    Args:
        shown: Showings of a log.
        features: See `expected`.

    Returns:
        float64 (places,), in [0.01, 1], the largest 1; of length 1 when nothing was shown.
    """
    if comparable_clicks(shown) >= _ENOUGH:
        return harvested(shown)
    return expected(shown, features)


def comparable_clicks(shown: Shown) -> int:
    """Clicks on items that were seen at several places for the same query: what `harvested` lives on."""
    _, clicks = _at_several_places(shown)
    return int(clicks.sum())


def harvested(shown: Shown) -> Floats:
    """Examination from items seen at several places for the same query. Returns as `examination`.

    Each pair of places is compared on the items seen at both, an item's rates weighted as Mantel and Haenszel do: clicks at
    k weigh n_k' / (n_k + n_k'), so an item seen once at k and a thousand times at k' does not decide. All comparisons
    together are one Bradley-Terry model, solved by Hunter's (2004) minorisation-maximisation.
    """
    places = max(1, min(shown.places, PLACES))
    seen, clicks = _at_several_places(shown)
    won = np.zeros((places, places))
    for place in range(places):
        here = seen[:, [place]]
        share = np.divide(seen, here + seen, out=np.zeros_like(seen), where=(here > 0) & (seen > 0))
        won[place] = (clicks[:, [place]] * share).sum(axis=0)
    np.fill_diagonal(won, 0.0)
    near = np.arange(places - 1)
    won[near, near + 1] += _TIE
    won[near + 1, near] += _TIE
    met = won + won.T
    strength = np.ones(places)
    for _ in range(2_000):
        before = strength
        rivals = met / (strength[:, None] + strength[None, :])
        strength = won.sum(axis=1) / np.maximum(rivals.sum(axis=1), 1e-12) if places > 1 else strength
        strength = strength / strength.max()
        if np.abs(strength - before).max() < 1e-7:
            break
    return _bounded(strength)


def expected(shown: Shown, features: NDArray[np.floating] | None = None, *, rounds: int = 100) -> Floats:
    """Examination by regression-EM. Returns as `examination`.

    Args:
        shown: Showings of a log.
        features: float (n, f), what a ranker knows of each showing; attraction is then a logistic regression on them.
            None: attraction is a rate of each (query, item), drawn to the item's, drawn to everybody's.
        rounds: Most rounds of EM.
    """
    if not len(shown):
        return np.ones(1)
    place = np.minimum(shown.place, PLACES) - 1
    width = int(place.max()) + 1
    count = np.bincount(place, minlength=width)
    clicked = shown.clicked.astype(np.float64)
    attraction = _Regression(features) if features is not None else _Rates(shown.pair, shown.item)
    examined = np.full(width, 0.5)
    attracted = np.full(len(shown), min(max(2 * clicked.mean(), 0.01), 0.99))
    for _ in range(rounds):
        at = examined[place]
        missed = np.maximum(1 - at * attracted, 1e-12)
        looked = clicked + (1 - clicked) * at * (1 - attracted) / missed
        pleased = clicked + (1 - clicked) * attracted * (1 - at) / missed
        before = examined
        # half a look and half a glance past, so that a place seen once is not certain
        examined = (np.bincount(place, looked, minlength=width) + 0.5) / (count + 1)
        attracted = attraction.fit(pleased)
        if np.abs(examined - before).max() < 1e-5:
            break
    return _bounded(examined / examined.max())


class _Rates:
    """Attraction of each showing as the rate of its (query, item), with two levels of prior."""

    def __init__(self, pair: Ints, item: Ints) -> None:
        self._pair, self._item = pair, item
        self._pairs, self._items = np.bincount(pair), np.bincount(item)

    def fit(self, pleased: Floats) -> Floats:
        """float64 (n,) from the expected attraction of each showing, float64 (n,)."""
        overall = pleased.mean()
        item = (np.bincount(self._item, pleased) + _ITEM_PRIOR * overall) / (self._items + _ITEM_PRIOR)
        first = np.zeros(len(self._pairs), dtype=np.int64)
        first[self._pair] = self._item
        pair = (np.bincount(self._pair, pleased) + _PAIR_PRIOR * item[first]) / (self._pairs + _PAIR_PRIOR)
        return np.asarray(np.clip(pair[self._pair], 1e-4, 1 - 1e-4))


class _Regression:
    """Attraction of each showing as a logistic regression, a Newton step each round."""

    def __init__(self, features: NDArray[np.floating]) -> None:
        values = np.asarray(features, dtype=np.float64)
        spread = values.std(axis=0)
        scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        self._x = np.column_stack([np.ones(len(values)), scaled])
        self._theta = np.zeros(self._x.shape[1])

    def fit(self, pleased: Floats) -> Floats:
        """float64 (n,) from the expected attraction of each showing, float64 (n,)."""
        chance = self._chance()
        penalty = np.full(len(self._theta), _RIDGE)
        penalty[0] = 1e-6
        gradient = self._x.T @ (pleased - chance) - penalty * self._theta
        curvature = (self._x * (chance * (1 - chance))[:, None]).T @ self._x + np.diag(penalty)
        self._theta = self._theta + np.clip(np.linalg.solve(curvature, gradient), -2.0, 2.0)
        return self._chance()

    def _chance(self) -> Floats:
        return np.asarray(np.clip(1 / (1 + np.exp(-np.clip(self._x @ self._theta, -30, 30))), 1e-4, 1 - 1e-4))


def _at_several_places(shown: Shown) -> tuple[Floats, Floats]:
    """Showings and clicks by place of the (query, item) seen at two places or more, each float64 (pairs, places)."""
    places = max(1, min(shown.places, PLACES))
    place = np.minimum(shown.place, PLACES) - 1
    pair = shown.pair
    cells = np.unique(pair * places + place)
    several = np.bincount(cells // places, minlength=int(pair.max(initial=-1)) + 1) > 1
    kept = several[pair] if len(pair) else np.zeros(0, dtype=np.bool_)
    row = (np.cumsum(several) - 1)[pair[kept]] if len(pair) else np.zeros(0, dtype=np.int64)
    flat, total = row * places + place[kept], int(several.sum())
    seen = np.bincount(flat, minlength=total * places).reshape(total, places).astype(np.float64)
    clicked = shown.clicked[kept].astype(np.float64)
    clicks = np.asarray(np.bincount(flat, clicked, minlength=total * places), dtype=np.float64)
    return seen, clicks.reshape(total, places)


def _bounded(examined: Floats) -> Floats:
    return np.asarray(np.clip(examined, _LOWEST, 1.0))

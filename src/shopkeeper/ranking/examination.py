"""Which places of a page are looked at, learnt from clicks: what a click low on the page is worth against one on top.

A click needs two things: the place is examined, and what stands there pleases (the position-based model)

    P(click on item d for query q at place k) = examined_k x attraction_qd

Where several rankers, or one that explores, showed the same item for the same query at several places, the ratio of its
click rates is the ratio of the examinations, whatever the item is worth: `harvested` (Agarwal et al. 2019, "Estimating
position bias without intrusive interventions"). Only showings of the same week are compared: a ranker that learns moves
up what was lucky below, and over time luck would look like examination. Where the log hardly moves its items, both factors
can be told apart by what a ranker knows of them, by expectation maximisation: `expected` (Wang et al. 2018, "Position bias
estimation for unbiased learning to rank in personal search"). What no log can tell is taken to fall like the discount of
DCG, 1 / log2(1 + k).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.ranking.shown import Shown

Floats = NDArray[np.float64]

PLACES: Final = 60
"""Places told apart; all lower ones count as the last."""
_LOWEST: Final = 0.01
"""No place is examined less: a click there would be worth more than a hundred on top."""
_ENOUGH: Final = 400
"""Clicks on items seen at several places from which on they alone decide."""
_GUESS: Final = 20.0
"""Clicks that the guess weighs in the comparison of two neighbouring places."""
_RIDGE: Final = 1.0


def examination(shown: Shown, features: NDArray[np.floating] | None = None) -> Floats:
    """How often each place is examined, against the first.

    Args:
        shown: Showings of a log.
        features: See `expected`; None leaves what comparisons cannot tell to the guess.

    Returns:
        float64 (places,), in [0.01, 1], the largest 1; of length 1 when nothing was shown.
    """
    if features is None or comparable_clicks(shown) >= _ENOUGH:
        return harvested(shown)
    return expected(shown, features)


def comparable_clicks(shown: Shown) -> int:
    """Clicks on items that were seen at several places for the same query in one week: what `harvested` lives on."""
    _, clicks = _at_several_places(shown)
    return int(clicks.sum())


def harvested(shown: Shown) -> Floats:
    """Examination from items seen at several places for the same query in one week. Returns as `examination`.

    Each pair of places is compared on the items seen at both, an item's rates weighted as Mantel and Haenszel do: clicks at
    k weigh n_k' / (n_k + n_k'), so an item seen once at k and a thousand times at k' does not decide. All comparisons
    together are one Bradley-Terry model, solved by Hunter's (2004) minorisation-maximisation. The guess has 20 clicks.
    """
    places = max(1, min(shown.places, PLACES))
    seen, clicks = _at_several_places(shown)
    won = np.zeros((places, places))
    for place in range(places):
        here = seen[:, [place]]
        share = np.divide(seen, here + seen, out=np.zeros_like(seen), where=(here > 0) & (seen > 0))
        won[place] = (clicks[:, [place]] * share).sum(axis=0)
    np.fill_diagonal(won, 0.0)
    guess = 1 / np.log2(np.arange(2, places + 2))
    near = np.arange(places - 1)
    share = guess[:-1] / (guess[:-1] + guess[1:])
    won[near, near + 1] += _GUESS * share
    won[near + 1, near] += _GUESS * (1 - share)
    met = won + won.T
    strength = guess
    for _ in range(2_000):
        before = strength
        rivals = met / (strength[:, None] + strength[None, :])
        strength = won.sum(axis=1) / np.maximum(rivals.sum(axis=1), 1e-12) if places > 1 else strength
        strength = strength / strength.max()
        if np.abs(strength - before).max() < 1e-7:
            break
    return _bounded(strength)


def expected(shown: Shown, features: NDArray[np.floating], *, rounds: int = 100) -> Floats:
    """Examination by regression-EM. Returns as `examination`.

    Args:
        shown: Showings of a log.
        features: float (n, f), what a ranker knows of each showing, its place excepted; attraction is a logistic regression
            on them.
        rounds: Most rounds of EM.
    """
    if not len(shown):
        return np.ones(1)
    place = np.minimum(shown.place, PLACES) - 1
    width = int(place.max()) + 1
    count = np.bincount(place, minlength=width)
    clicked = shown.clicked.astype(np.float64)
    attraction = _Regression(features)
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
    """Showings and clicks by place of each (query, item, week) with two places or more, each float64 (cases, places)."""
    places = max(1, min(shown.places, PLACES))
    place = np.minimum(shown.place, PLACES) - 1
    week = shown.week - shown.week.min(initial=0)
    case = np.unique(shown.pair * (int(week.max(initial=0)) + 1) + week, return_inverse=True)[1].reshape(-1)
    cells = np.unique(case * places + place)
    several = np.bincount(cells // places, minlength=int(case.max(initial=-1)) + 1) > 1
    kept = several[case]
    row = (np.cumsum(several) - 1)[case[kept]]
    flat, total = row * places + place[kept], int(several.sum())
    seen = np.bincount(flat, minlength=total * places).reshape(total, places).astype(np.float64)
    clicked = shown.clicked[kept].astype(np.float64)
    clicks = np.asarray(np.bincount(flat, clicked, minlength=total * places), dtype=np.float64)
    return seen, clicks.reshape(total, places)


def _bounded(examined: Floats) -> Floats:
    return np.asarray(np.clip(examined, _LOWEST, 1.0))

"""Bandits: which of several arms (ads, banners, items) to show, learning from what was clicked, with the chance of each.

`ThompsonSampling` draws every arm's click rate from what its clicks leave possible and shows the highest (Thompson 1933;
Chapelle and Li 2011). `LinUCB` predicts the reward of each arm from the context and adds what it may still be wrong by (Li et
al. 2010, "A contextual-bandit approach to personalized news article recommendation", algorithm 1). Both tell the exact chance
of each arm, so that what they log can judge other policies, see `evaluation.offpolicy`.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.ranking.pages.drawing import PRIOR, Thompson, Trials

Values = NDArray[np.float64]
Ints = NDArray[np.int64]

_PLACE_PRIOR: Final = 500.0
"""Showings that the click rate expected of a place weighs against what it had."""
_TINY: Final = 1e-9


class Bandit(Protocol):
    """Something that shows arms and learns from what comes back. It is not changed by being asked."""

    def chances(self, context: Floats, place: Ints) -> Values:
        """Probability of each arm for n requests: float64 (n, arms), rows sum to 1.

        Args:
            context: float32 (n, d), what is known of each request.
            place: int64 (n,), where the arm will stand, from 0.
        """
        ...

    def learn(self, arm: Ints, reward: Values, context: Floats, place: Ints) -> None:
        """Take in what n shown arms earned: int64, float64, float32 (n, d), int64."""
        ...


def draw(
    clicks: ArrayLike,
    shown: ArrayLike,
    prior: ArrayLike,
    rng: np.random.Generator,
    *,
    strength: float = PRIOR,
    times: int = 1,
) -> Values:
    """Draw click rates of n arms: Beta(prior x strength + clicks, (1 - prior) x strength + shown - clicks).

    Args:
        clicks: float (n,), so far.
        shown: float (n,), how often each was shown, or better looked at.
        prior: float (n,) or one number, the click rate a model expects, in (0, 1).
        rng: Source of randomness.
        strength: Showings that the prior weighs.
        times: How many independent draws.

    Returns:
        float64 (times, n), in [0, 1].

    Raises:
        InputError: Numbers of clicks, showings and priors differ or are negative, or a prior is outside (0, 1).
    """
    hits, seen, expected = (np.asarray(values, dtype=np.float64) for values in (clicks, shown, prior))
    if hits.shape != seen.shape or expected.shape not in ((), hits.shape):
        raise InputError(
            f"{hits.size} clicks, {seen.size} showings and {expected.size} priors do not belong together.",
            where="arms",
            cure="Give one number of each for every arm, or one prior for all.",
        )
    if not ((hits >= 0).all() and (seen >= 0).all() and (expected > 0).all() and (expected < 1).all()):
        raise InputError(
            "Clicks and showings must not be negative, and a prior must lie between 0 and 1.",
            where="arms",
            cure="Count events from 0, and take the prior from a click model.",
        )
    misses = np.maximum(seen - hits, 0)  # clicks may be logged before their showing is
    shape = (times, len(hits))
    found: Values = rng.beta(expected * strength + hits, (1 - expected) * strength + misses, shape)
    return found


class ThompsonSampling:
    """Bernoulli Thompson sampling: one Beta distribution an arm, the context is not looked at.

    A showing counts as much as its place is clicked against the best place (a position-based model, Richardson et al.
    2007), so arms are not blamed for where they stood.

    Args:
        arms: How many there are.
        places: How many places there are.
        rate: Click rate expected of an arm before anything is known.
    """

    def __init__(self, arms: int, *, places: int = 1, rate: float = 0.05) -> None:
        if arms < 1 or places < 1 or not 0 < rate < 1:
            raise InputError(
                f"{arms} arms, {places} places and a rate of {rate} make no bandit.",
                where="bandit",
                cure="Give at least one arm and one place, and a rate between 0 and 1.",
            )
        self._clicks, self._shown, self._rate = np.zeros((places, arms)), np.zeros((places, arms)), rate

    @property
    def trials(self) -> Trials:
        """Clicks and looks of each arm, over all places."""
        rates = self._rates()
        return Trials(self._clicks.sum(axis=0), (rates / rates.max()) @ self._shown)

    def chances(self, context: Floats, place: Ints) -> Values:  # noqa: ARG002 - see `Bandit`
        """See `Bandit`; the same for all requests, within 1e-4 of the truth."""
        best = float(self._rates().max())
        one = Thompson(rate=best).chances(self.trials, 1)[:, 0]
        return np.broadcast_to(one, (len(place), len(one)))

    def learn(self, arm: Ints, reward: Values, context: Floats, place: Ints) -> None:  # noqa: ARG002 - see `Bandit`
        """See `Bandit`; a reward of 1 is a click, one of 0 none."""
        np.add.at(self._clicks, (place, arm), reward)
        np.add.at(self._shown, (place, arm), 1.0)

    def _rates(self) -> Values:
        hits, shown = self._clicks.sum(axis=1), self._shown.sum(axis=1)
        return np.asarray((hits + _PLACE_PRIOR * self._rate) / (shown + _PLACE_PRIOR))


class LinUCB:
    """A ridge regression of the reward for each arm, and the arm that may be best shown; sometimes any other.

    The first arms are not favoured: arms that are equally good share the chance.

    Args:
        arms: How many there are.
        width: Length d of the context; a constant is added.
        alpha: Deviations above the prediction at which an arm is judged.
        noise: Deviation of a reward; about the root of the click rate for clicks.
        ridge: Weight of "all coefficients are 0".
        explore: Share of requests that show any arm, each with the same chance, so that no chance is ever 0.
    """

    def __init__(
        self,
        arms: int,
        width: int,
        *,
        alpha: float = 1.0,
        noise: float = 0.1,
        ridge: float = 1.0,
        explore: float = 0.05,
    ) -> None:
        if arms < 1 or width < 0 or not (alpha >= 0 and noise > 0 and ridge > 0 and 0 <= explore <= 1):
            raise InputError(
                f"{arms} arms, alpha {alpha}, noise {noise}, ridge {ridge} and explore {explore} make no bandit.",
                where="bandit",
                cure="Give an arm, positive noise and ridge, alpha from 0, and explore between 0 and 1.",
            )
        self._scale, self._explore = alpha * noise, explore
        self._gram = np.tile(ridge * np.eye(width + 1), (arms, 1, 1))
        self._earned = np.zeros((arms, width + 1))
        self._inverse = np.linalg.inv(self._gram)

    def chances(self, context: Floats, place: Ints) -> Values:  # noqa: ARG002 - see `Bandit`
        """See `Bandit`: (1 - explore) shared by the arms with the highest bound, and explore by all."""
        bounds = self.bounds(context)
        best = bounds >= bounds.max(axis=1, keepdims=True) - _TINY
        arms = bounds.shape[1]
        return np.asarray((1 - self._explore) * best / best.sum(axis=1, keepdims=True) + self._explore / arms)

    def bounds(self, context: Floats) -> Values:
        """Upper confidence bounds x' theta + alpha noise sqrt(x' A^-1 x): float64 (n, arms)."""
        x = _with_constant(context)
        theta = np.einsum("aij,aj->ai", self._inverse, self._earned)
        spread = np.stack([np.einsum("ni,ij,nj->n", x, inverse, x) for inverse in self._inverse], axis=1)
        return np.asarray(x @ theta.T + self._scale * np.sqrt(np.maximum(spread, 0)))

    def learn(self, arm: Ints, reward: Values, context: Floats, place: Ints) -> None:  # noqa: ARG002 - see `Bandit`
        """See `Bandit`."""
        x = _with_constant(context)
        for one in np.unique(arm).tolist():
            own = x[arm == one]
            self._gram[one] += own.T @ own
            self._earned[one] += own.T @ reward[arm == one]
            self._inverse[one] = np.linalg.inv(self._gram[one])


def _with_constant(context: Floats) -> Values:
    return np.concatenate([np.ones((len(context), 1)), np.asarray(context, dtype=np.float64)], axis=1)

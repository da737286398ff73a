"""What a bandit would have earned, from the log of a policy that showed arms evenly at random.

`replay` is the method of Li et al. 2011, "Unbiased offline evaluation of contextual-bandit-based news article recommendation
algorithms": the bandit chooses for every logged request; where it chose what was shown, the reward counts and the bandit
learns, all else is thrown away. It is unbiased, and wasteful: of n requests with a arms, about n / a remain.

`followed` throws nothing away: the bandit learns from everything before a period, whoever showed it, and its chances in the
period are judged by the estimators of `evaluation.offpolicy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.evaluation.offpolicy import Logged
from shopkeeper.models.text import Floats
from shopkeeper.ranking.ads.bandits import Bandit, Ints, Values

_BATCH: Final = 200
_PRIOR: Final = 400.0
"""Showings that the mean reward weighs in the model of the doubly robust estimators."""


@dataclass(frozen=True, slots=True)
class RandomLog:
    """Requests in the order of time, each with one arm shown evenly at random.

    Attributes:
        arm: int64 (n,), in [0, arms).
        reward: float64 (n,).
        context: float32 (n, d).
        place: int64 (n,), from 0.
        arms: How many there are.
    """

    arm: Ints
    reward: Values
    context: Floats
    place: Ints
    arms: int

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together."""
        if not len(self.arm) == len(self.reward) == len(self.context) == len(self.place):
            raise InputError("Columns of a log have different lengths.", where="log", cure="Give one row a request.")
        if len(self.arm) and not 0 <= self.arm.min() <= self.arm.max() < self.arms:
            raise InputError(
                f"An arm is outside the {self.arms}.", where="log", cure="Number arms from 0, and raise the count."
            )

    def take(self, rows: NDArray[np.int64] | slice) -> RandomLog:
        """Some requests, in the order given."""
        return RandomLog(self.arm[rows], self.reward[rows], self.context[rows], self.place[rows], self.arms)


def replay(log: RandomLog, bandit: Bandit, rng: np.random.Generator, *, batch: int = _BATCH) -> Values:
    """Rewards of the requests at which the bandit chose what had been shown; it learns from these alone.

    Args:
        log: See `RandomLog`.
        bandit: It is taught.
        rng: Draws its choices.
        batch: Requests between two lessons, as a shop would teach it now and then.

    Returns:
        float64 (kept,), in the order of time; their mean is what the bandit earns a request while it learns.
    """
    kept = []
    for start in range(0, len(log.arm), batch):
        part = log.take(slice(start, start + batch))
        chances = bandit.chances(part.context, part.place)
        same = _drawn(chances, rng) == part.arm
        bandit.learn(part.arm[same], part.reward[same], part.context[same], part.place[same])
        kept.append(part.reward[same])
    return np.concatenate(kept) if kept else np.zeros(0)


def followed(log: RandomLog, bandit: Bandit, periods: Ints) -> Logged:
    """A log for `evaluation.offpolicy` whose new policy is the bandit, taught between periods with all that was logged.

    Args:
        log: See `RandomLog`.
        bandit: It is taught; in the first period it knows nothing.
        periods: int64 (n,), not falling, e.g. the day of each request.

    Raises:
        InputError: Periods fall, or are not one a request.
    """
    if len(periods) != len(log.arm) or (np.diff(periods) < 0).any():
        raise InputError(
            "Periods must be one a request and must not fall.", where="periods", cure="Sort the log by time first."
        )
    n = len(log.arm)
    new, modelled, expected = np.zeros(n), np.zeros(n), np.zeros(n)
    clicks, shown = np.zeros(log.arms), np.zeros(log.arms)
    for period in np.unique(periods).tolist():
        rows = np.flatnonzero(periods == period)
        part = log.take(rows)
        chances = bandit.chances(part.context, part.place)
        mean = clicks.sum() / max(shown.sum(), 1.0)
        model = (clicks + _PRIOR * mean) / (shown + _PRIOR)
        new[rows], modelled[rows] = chances[np.arange(len(rows)), part.arm], model[part.arm]
        expected[rows] = chances @ model
        bandit.learn(part.arm, part.reward, part.context, part.place)
        clicks += np.bincount(part.arm, part.reward, minlength=log.arms)
        shown += np.bincount(part.arm, minlength=log.arms)
    return Logged(np.arange(n), log.place + 1, log.reward, np.full(n, 1 / log.arms), new, modelled, expected, n)


def _drawn(chances: Values, rng: np.random.Generator) -> Ints:
    steps = np.cumsum(chances, axis=1)
    drawn: Ints = (steps < rng.random((len(chances), 1)) * steps[:, -1:]).sum(axis=1)
    return drawn

"""Makes a day's budget last for the day: a factor for bids that follows from what is spent, what is left and the hour.

An advertiser who values a click at v and must not spend more than B over a day does best to bid v / (1 + mu), mu the price
of a unit of budget, which a controller finds while the day goes on (Balseiro and Gur 2019, "Learning in repeated auctions
with budgets"). Their mu moves after each auction by what was spent less what should have been. With steps that multiply
(mirror descent on entropy; Balseiro, Lu and Mirrokni 2020, "Dual mirror descent for online allocation problems") the steps
of a whole day sum up, so mu needs no memory of its own: it is a function of the log. Here, with the remaining budget
planned anew at every moment,

    mu = mu_0 x (share of the day's traffic still to come / share of the budget still there) ^ gain

Who spends ahead of the traffic pays with lower bids, who falls behind bids as he said, never more. Time runs as customers
come, not as clocks go: `Traffic` is learnt from the log. Nothing is kept between calls, so processes that restart, several
of them, a clock set back and a budget changed at noon need no care.

A budget that is spent gives 0. Whoever charges clicks one by one, before the next page, passes a budget by less than one
click; and by none if the last click costs only what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import InputError

Floats = NDArray[np.float64]

HOURS: Final = 24
GAIN: Final = 40.0
"""Being 5 % ahead makes budget about seven times as dear."""
USUAL: Final = 0.9
"""Factor of a campaign that is exactly on its plan, as long as its past days do not tell."""
_PRIOR: Final = 24.0
"""Showings, spread evenly over the day, that the log is weighed against."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """How a day's showings are spread over it.

    Attributes:
        shares: float64 (24,), share of the showings in each hour; positive, sum 1.
    """

    shares: Floats

    @classmethod
    def even(cls) -> Traffic:
        """Every hour the same."""
        return cls(np.full(HOURS, 1 / HOURS))

    @classmethod
    def learnt(cls, hours: ArrayLike) -> Traffic:
        """From the hours of day of past showings, drawn a little to an even day.

        Args:
            hours: float64 (n,), each in [0, 24), in the time zone in which budgets start anew.

        Raises:
            InputError: An hour is none.
        """
        counts = np.bincount(_hours(hours).ravel().astype(np.int64), minlength=HOURS) + _PRIOR / HOURS
        return cls(counts / counts.sum())

    def passed(self, hour: float) -> float:
        """Share of the day's traffic that has come by an hour in [0, 24), in [0, 1); even within an hour.

        Raises:
            InputError: It is no hour of the day.
        """
        moment = float(_hours(hour))
        whole = int(moment)
        return float(min(self.shares[:whole].sum() + (moment - whole) * self.shares[whole], np.nextafter(1.0, 0.0)))


def multipliers(
    budgets: ArrayLike,
    spent: ArrayLike,
    hour: float,
    traffic: Traffic,
    *,
    usual: ArrayLike = USUAL,
    gain: float = GAIN,
) -> Floats:
    """What to multiply the bids of n campaigns with now.

    May also serve as the chance to take part in an auction at the full bid, where bids must not be touched.

    Args:
        budgets: float64 (n,), money of today, 0 or more; infinity for none. With a total budget as well, the smaller of the
            day's and what was left of the total this morning.
        spent: float64 (n,), money charged today so far.
        hour: Hour of the day in [0, 24), with fractions.
        traffic: How the day's showings are spread.
        usual: float64 (n,) or one, in (0, 1): the factor on plan. The mean factor of past days makes a better start.
        gain: How sharply to answer.

    Returns:
        float64 (n,), in [0, 1]: 0 where the budget is spent, 1 where there is none to keep.

    Raises:
        InputError: A number is missing, negative or out of range, or lengths differ.

    >>> multipliers([10.0, 10.0, 10.0], [5.0, 9.0, 2.0], 12.0, Traffic.even()).round(2).tolist()
    [0.9, 0.0, 1.0]
    """
    budgets, spent, usual = (np.asarray(each, dtype=np.float64) for each in (budgets, spent, usual))
    if budgets.ndim != 1 or budgets.shape != spent.shape or usual.shape not in ((), budgets.shape):
        what = f"Shapes {budgets.shape}, {spent.shape} and {usual.shape} do not fit together."
        raise InputError(what, where="budgets, spent, usual", cure="Give one number for each campaign.")
    if not (budgets >= 0).all():
        raise InputError("A budget is negative or no number.", where="budgets", cure="Give money of at least 0.")
    if not (np.isfinite(spent) & (spent >= 0)).all():
        raise InputError("What was spent is negative or no number.", where="spent", cure="Give money of at least 0.")
    if not ((usual > 0) & (usual < 1)).all():
        raise InputError("A usual factor is not between 0 and 1.", where="usual", cure=f"Leave it out for {USUAL}.")
    if not (np.isfinite(gain) and gain > 0):
        raise InputError(f"{gain} is no gain.", where="gain", cure=f"Leave it out for {GAIN:g}.")
    open_ = spent < budgets
    left = 1 - np.divide(spent, budgets, out=np.zeros(budgets.shape), where=open_)
    to_come = 1 - traffic.passed(hour)
    log_price = np.log(1 / usual - 1) + gain * (np.log(to_come) - np.log(np.maximum(left, np.finfo(np.float64).tiny)))
    kept = 1 / (1 + np.exp(np.clip(log_price, -700.0, 700.0)))
    return np.asarray(np.where(np.isposinf(budgets), 1.0, np.where(open_, kept, 0.0)))


def _hours(hours: ArrayLike) -> Floats:
    found = np.asarray(hours, dtype=np.float64)
    if not ((found >= 0) & (found < HOURS)).all():
        wrong = found[~((found >= 0) & (found < HOURS))].ravel()[0]
        raise InputError(f"{wrong} is no hour of the day.", where="hour", cure="Give numbers from 0 to below 24.")
    return found

"""How often a customer will buy again, and for how much, from three numbers each: BG/NBD and gamma-gamma.

BG/NBD (Fader, Hardie, Lee 2005, "Counting your customers the easy way: an alternative to the Pareto/NBD model"): while
alive, a customer buys at a rate of their own, drawn from a gamma distribution (r, alpha); after each purchase they are gone
for good with a chance of their own, drawn from a beta distribution (a, b).

Gamma-gamma (Fader, Hardie 2013, "The gamma-gamma model of monetary value"): what a customer pays at a time varies around a
mean of their own; a mean seen once is drawn far towards everybody's, one seen often hardly at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, gammaln, hyp2f1

from shopkeeper.errors import TrainingError

Values = NDArray[np.float64]

_LEAST: Final = 20
"""Customers below which nothing is fitted."""
_PENALTY: Final = 1e-3
"""Pull of the logarithms of the parameters towards 0, which keeps a flat likelihood from running away."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A fitted BG/NBD model. Times are in one unit throughout, for instance days.

    Arguments of all methods, one a customer: `repeats`, purchases after the first one; `last`, time from the first purchase
    to the last; `age`, time from the first purchase to now.

    Attributes:
        r: Shape of the gamma distribution of rates.
        alpha: Its rate.
        a: First parameter of the beta distribution of leaving.
        b: Its second.
    """

    r: float
    alpha: float
    a: float
    b: float

    def expected(self, horizon: float, repeats: ArrayLike, last: ArrayLike, age: ArrayLike) -> Values:
        """Purchases to expect within the next `horizon`, float64 (n,): equation 10 of the paper.

        >>> cdnow = Lifetime(0.2426, 4.4136, 0.7929, 2.4259)
        >>> cdnow.expected(39, [2], [30.43], [38.86]).round(3).tolist()
        [1.226]
        """
        x, t, whole = _columns(repeats, last, age)
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6  # the formula has a removable gap there
        bound = a + self.b + x - 1
        share = horizon / (self.alpha + whole + horizon)
        growth = hyp2f1(self.r + x, self.b + x, bound, share) * (1 - share) ** (self.r + x)
        found: Values = np.maximum(bound / (a - 1) * (1 - growth), 0) * self.alive(x, t, whole)
        return found

    def alive(self, repeats: ArrayLike, last: ArrayLike, age: ArrayLike) -> Values:
        """Probability that a customer has not left, float64 (n,); 1 for whoever bought once, as leaving follows a repeat."""
        x, t, whole = _columns(repeats, last, age)
        once = np.maximum(x, 1)
        odds = np.log(self.a / (self.b + once - 1)) + (self.r + x) * np.log((self.alpha + whole) / (self.alpha + t))
        found: Values = np.where(x > 0, expit(-odds), 1.0)
        return found


@dataclass(frozen=True, slots=True)
class Spending:
    """A fitted gamma-gamma model of what a purchase costs.

    Attributes:
        p: Shape of a customer's single purchases.
        q: Shape of the distribution of means.
        scale: Its scale, in money.
    """

    p: float
    q: float
    scale: float

    def mean(self, purchases: ArrayLike, average: ArrayLike) -> Values:
        """A customer's own mean, given so many purchases of such an average, float64 (n,); everybody's where there are none.

        >>> cdnow = Spending(6.25, 3.74, 15.44)
        >>> cdnow.mean([2, 0], [22.35, 0.0]).round(1).tolist()
        [24.7, 35.2]
        """
        count, money = np.asarray(purchases, dtype=np.float64), np.asarray(average, dtype=np.float64)
        found: Values = self.p * (self.scale + count * money) / (self.p * count + self.q - 1)
        return found


def fit_lifetime(repeats: ArrayLike, last: ArrayLike, age: ArrayLike) -> Lifetime:
    """Fit BG/NBD by maximum likelihood.

    Args:
        repeats: float (n,), see `Lifetime`.
        last: float (n,), in [0, age].
        age: float (n,), above 0.

    Raises:
        TrainingError: There are fewer than 20 customers, nobody ever bought twice, or the numbers cannot be right.
    """
    x, t, whole = _columns(repeats, last, age)
    if len(x) < _LEAST or not (x > 0).any():
        raise TrainingError(
            f"{int((x > 0).sum())} of {len(x)} customers bought more than once.",
            where="lifetime",
            cure=f"Import purchases of {_LEAST} customers or more, some of whom came back.",
        )
    if not (np.isfinite(x + t + whole).all() and (x >= 0).all() and (t >= 0).all() and (t <= whole).all()):
        raise TrainingError(
            "A customer's last purchase lies outside their time with the shop, or a number is not finite.",
            where="lifetime",
            cure="Count repeats from 0, and both times from the first purchase on.",
        )
    unit = float(whole.mean()) or 1.0
    t, whole = t / unit, whole / unit

    def loss(logs: Values) -> float:
        r, alpha, a, b = np.exp(logs)
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        common += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        stays = -(r + x) * np.log(alpha + whole)
        left = np.log(a / (b + np.maximum(x, 1) - 1)) - (r + x) * np.log(alpha + t)
        likelihood = common + np.where(x > 0, np.logaddexp(stays, left), stays)
        return float(-likelihood.mean() + _PENALTY * (logs**2).mean())

    r, alpha, a, b = np.exp(_least(loss, np.zeros(4)))
    return Lifetime(float(r), float(alpha * unit), float(a), float(b))


def fit_spending(purchases: ArrayLike, average: ArrayLike) -> Spending:
    """Fit gamma-gamma by maximum likelihood to customers who paid something.

    Args:
        purchases: float (n,), how often each bought; those with 0, or who paid nothing, are left out.
        average: float (n,), what they paid at a time, not negative.

    Raises:
        TrainingError: Fewer than 20 customers paid anything.
    """
    count, money = np.asarray(purchases, dtype=np.float64), np.asarray(average, dtype=np.float64)
    paid = (count > 0) & (money > 0) & np.isfinite(money)
    x, m = count[paid], money[paid]
    if len(x) < _LEAST:
        raise TrainingError(
            f"{len(x)} customers paid anything.", where="spending", cure="Import purchases with their values."
        )
    unit = float(m.mean())
    m = m / unit

    def loss(logs: Values) -> float:
        p, rest, scale = np.exp(logs)
        q = 1 + rest  # everybody's mean is finite
        likelihood = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(scale)
        likelihood += (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(scale + x * m)
        return float(-likelihood.mean() + _PENALTY * (logs**2).mean())

    p, rest, scale = np.exp(_least(loss, np.array([1.0, 1.0, 0.0])))
    return Spending(float(p), float(1 + rest), float(scale * unit))


def _least(loss: Callable[[Values], float], start: Values) -> Values:
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(-8.0, 8.0)] * len(start))
    return np.asarray(found.x, dtype=np.float64)


def _columns(*columns: ArrayLike) -> tuple[Values, ...]:
    return tuple(np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in columns)

"""How good a guess is of who is persuaded: measured where treatment was left to chance.

Customers are sorted by predicted gain. Among the best share s of them let T and C be how many were treated and not, Y_T
and Y_C the sum of their outcomes; N_T is all treated. (All are sums of weights where the chance of treatment differed.)

    Qini curve     Q(s) = (Y_T - Y_C T / C) / N_T      outcomes gained for each treated customer (Radcliffe 2007)
    uplift curve   U(s) = (Y_T / T - Y_C / C) s        outcomes gained for each customer, when the best s are treated

Both end at what treating everybody gains. Customers of equal score are in random order, so a curve is a straight line over
them, and a constant score draws the diagonal from 0 to that end: what a random choice gains.

**Normalisation.** `qini` is Radcliffe's coefficient: the area between curve and diagonal over the same area of the best
possible order, in which treated customers with an outcome come first and untreated ones with an outcome last (effects may
be negative). 0 is random, 1 is out of reach. `qini_area` is the area itself. `auuc` is the area under the uplift curve (see
Devriendt et al. 2020, "Learning to rank for uplift modeling", for how many other areas go by that name).

Sources: Radcliffe 2007, "Using control groups to target on predicted lift"; Radcliffe and Surry 2011.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import InputError

Values = NDArray[np.float64]
Measure = Callable[[ArrayLike, "Trial"], float]

_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Trial:
    """Customers of whom some were treated.

    Attributes:
        treated: bool (n,).
        outcome: float64 (n,), finite: 1 where the customer bought, else 0; or money.
        weight: float64 (n,), 1 / probability of the treatment that the customer got; ones where it was the same for all.
    """

    treated: NDArray[np.bool_]
    outcome: Values
    weight: Values

    @classmethod
    def of(cls, treated: ArrayLike, outcome: ArrayLike, propensity: ArrayLike | None = None) -> Trial:
        """Check the columns.

        Args:
            treated: bool or 0/1 (n,).
            outcome: float (n,).
            propensity: float (n,) or one number, the probability of being treated; None where it was the same for all.

        Raises:
            InputError: Lengths differ, a value is missing, only one side of the trial is there, or a probability is not
                between 0 and 1.
        """
        raw = np.asarray(treated)
        if not np.isin(raw, (0, 1)).all():
            raise InputError(
                "Treated must be 0 or 1 for everybody.", where="treated", cure="Write 1 for those treated."
            )
        chosen, earned = raw.astype(np.bool_), np.asarray(outcome, dtype=np.float64)
        if chosen.ndim != 1 or chosen.shape != earned.shape or not np.isfinite(earned).all():
            raise InputError(
                f"{chosen.size} treatments and {earned.size} outcomes do not belong together, or an outcome is missing.",
                where="outcome",
                cure="Give both for every customer; 0 where nothing was bought.",
            )
        if chosen.all() or not chosen.any():
            raise InputError(
                "The trial needs customers that were treated and customers that were not.",
                where="treated",
                cure="Keep a random part of the customers untreated.",
            )
        if propensity is None:
            return cls(chosen, earned, np.ones(len(chosen)))
        chance = np.broadcast_to(np.asarray(propensity, dtype=np.float64), chosen.shape)
        if not ((chance > 0) & (chance < 1)).all():
            raise InputError(
                "A probability of being treated is not between 0 and 1.",
                where="propensity",
                cure="Leave out customers whose treatment was certain: nothing can be learnt from them.",
            )
        return cls(chosen, earned, np.where(chosen, 1 / chance, 1 / (1 - chance)))

    def __len__(self) -> int:
        """How many customers there are."""
        return len(self.treated)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Trial:
        """Some customers; the same one may be taken twice."""
        return Trial(self.treated[rows], self.outcome[rows], self.weight[rows])


def effect(trial: Trial) -> float:
    """What treating everybody gains for each customer: the difference of the two means."""
    sums = _sums(np.zeros(len(trial)), trial)
    return float(_lift(sums[-1]))


def qini_curve(scores: ArrayLike, trial: Trial) -> tuple[Values, Values]:
    """Shares of the customers, float64 (m,) rising from 0 to 1, and Q at each."""
    sums = _sums(scores, trial)
    _, treated, control, gained, without = sums.T
    scaled = np.divide(without * treated, control, out=np.zeros_like(control), where=control > 0)
    return sums[:, 0], (gained - scaled) / treated[-1]


def uplift_curve(scores: ArrayLike, trial: Trial) -> tuple[Values, Values]:
    """Shares of the customers, float64 (m,) rising from 0 to 1, and U at each."""
    sums = _sums(scores, trial)
    return sums[:, 0], _lift(sums) * sums[:, 0]


def qini_area(scores: ArrayLike, trial: Trial) -> float:
    """Area between Qini curve and diagonal, in outcomes for each treated customer.

    >>> trial = Trial.of([1, 0, 1, 0], [1, 0, 0, 0])
    >>> qini_area([4, 3, 2, 1], trial), qini_area([1, 1, 1, 1], trial)
    (0.1875, 0.0)
    """
    share, gain = qini_curve(scores, trial)
    return float(np.trapezoid(gain - share * gain[-1], share))


def qini(scores: ArrayLike, trial: Trial) -> float:
    """Qini coefficient, see above; NaN where no order is better than another."""
    best = qini_area(np.where(trial.treated, trial.outcome, -trial.outcome), trial)
    return qini_area(scores, trial) / best if best > 0 else float("nan")


def auuc(scores: ArrayLike, trial: Trial) -> float:
    """Area under the uplift curve, in outcomes for each customer; a random order has half of `effect`."""
    share, gain = uplift_curve(scores, trial)
    return float(np.trapezoid(gain, share))


def uplift_at(scores: ArrayLike, trial: Trial, share: float = _SHARE) -> float:
    """Mean outcome of the treated less that of the others, among the best share of all customers.

    Customers of equal score at the border are taken in part. NaN where one side is empty.
    """
    if not 0 < share <= 1:
        raise InputError(f"{share} is no share of the customers.", where="share", cure="Give a number in (0, 1].")
    sums = _sums(scores, trial)
    at = np.array([np.interp(share, sums[:, 0], column) for column in sums.T])
    return float(_lift(at)) if at[1] > 0 and at[2] > 0 else float("nan")


def interval(
    measure: Measure, scores: ArrayLike, trial: Trial, *, level: float = 0.95, resamples: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a measure over customers, treated and others drawn apart.

    Args:
        measure: `qini`, `auuc`, `uplift_at` ...
        scores: float (n,).
        trial: n customers.
        level: Share of resamples inside the interval.
        resamples: How many.
        seed: Same seed, same interval.
    """
    values, rng = np.asarray(scores, dtype=np.float64), np.random.default_rng(seed)
    sides = [np.flatnonzero(trial.treated), np.flatnonzero(~trial.treated)]
    found = []
    for _ in range(resamples):
        rows = np.concatenate([rng.choice(side, len(side)) for side in sides])
        found.append(measure(values[rows], trial.take(rows)))
    low, high = np.nanquantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _sums(scores: ArrayLike, trial: Trial) -> Values:
    """Share, T, C, Y_T, Y_C above each border between distinct scores: float64 (m, 5), the first row 0."""
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != trial.treated.shape or np.isnan(values).any():
        raise InputError(
            f"{values.size} scores for {len(trial)} customers, or a score is missing.",
            where="scores",
            cure="Give one number for every customer.",
        )
    order = np.argsort(-values, kind="stable")
    treated, weight, outcome = trial.treated[order], trial.weight[order], trial.outcome[order]
    columns = np.stack(
        [
            np.full(len(values), 1 / len(values)),
            treated * weight,
            ~treated * weight,
            treated * weight * outcome,
            ~treated * weight * outcome,
        ],
        axis=1,
    )
    last = np.append(np.diff(values[order]) != 0, True)
    sums: Values = np.concatenate([np.zeros((1, 5)), np.cumsum(columns, axis=0)[last]])
    sums[-1, 0] = 1.0
    return sums


def _lift(sums: Values) -> Values:
    """Y_T / T - Y_C / C, an empty side counting as 0."""
    _, treated, control, gained, without = np.moveaxis(sums, -1, 0)
    first = np.divide(gained, treated, out=np.zeros_like(gained), where=treated > 0)
    second = np.divide(without, control, out=np.zeros_like(gained), where=control > 0)
    return np.asarray(first - second)

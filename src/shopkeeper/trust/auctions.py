"""Auctions of the sponsored places of a page: first price, generalised second price and Vickrey-Clarke-Groves.

Click rates are separable: an ad of quality q (its chance of a click when looked at) at place j gets q x_j clicks, x_j the
share of customers who look at the place. Ads stand by score = bid x quality, which is what a showing earns if the bid is
true. An advertiser whose rivals' scores are s_1 >= s_2 >= ... holds place j or a better one with every bid of at least

    t_j = max(reserve, s_j / q)          s_j = 0 where there are fewer rivals

and all three mechanisms follow from these steps. At place j a click costs

    first price                  the bid
    generalised second price     t_j
    VCG                          sum over l >= j of (x_l - x_{l+1}) t_l / x_j,       x = 0 below the last place

(Edelman, Ostrovsky and Schwarz 2007, "Internet advertising and the generalized second-price auction"; Varian 2007,
"Position auctions"). The last one is what rivals lose by an advertiser's presence, and with a reserve it is the payment of
Myerson (1981, "Optimal auction design") for this order of ads: to bid one's value per click is a dominant strategy.

The reserve is money per click and is asked of the bid, not of the score: nobody with a lower bid is shown, nobody pays less.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sale:
    """Who got the places of a page.

    Attributes:
        rows: int64 (m,), winners, best place first; m is at most the number of places.
        prices: float64 (m,), money per click, between the reserve and the winner's bid.
        scores: float64 (m,), bid x quality, falling.
    """

    rows: Ints
    prices: Floats
    scores: Floats


class Offers(NamedTuple):
    """What n advertisers would get for g other bids each, their rivals' bids unchanged.

    Attributes:
        places: int64 (n, g), from 0; the number of places where the bid wins none.
        prices: float64 (n, g), money per click; 0 where there is no place.
    """

    places: Ints
    prices: Floats


class Mechanism(StrEnum):
    """A rule that says what winners pay."""

    FIRST_PRICE = "first_price"
    SECOND_PRICE = "gsp"
    VICKREY = "vcg"

    def hold(
        self, bids: ArrayLike, quality: ArrayLike, examination: ArrayLike, reserve: float = 0.0, *, seed: int = 0
    ) -> Sale:
        """Sell k places to the best of n ads.

        Args:
            bids: float64 (n,), money per click.
            quality: float64 (n,), predicted chance of a click at a place that is looked at, in [0, 1].
            examination: float64 (k,), share of customers who look at each place, in (0, 1], never rising.
            reserve: Least money per click.
            seed: Decides between equal scores; give another one for every page. The order of rows never decides.

        Returns:
            Ads with a score above 0 and a bid of at least `reserve`.

        Raises:
            InputError: A number is missing, negative or too large, or lengths differ.
        """
        bids, quality, examination = _checked(bids, quality, examination, reserve)
        scores, rows = _ranked(bids, quality, reserve, seed)
        won = rows[: len(examination)]
        if not len(won):
            return Sale(won, np.empty(0), np.empty(0))
        place = np.arange(len(won))
        steps = _steps(scores[rows], quality[won], place, len(examination), reserve)
        prices = self._charged(bids[won, None], place[:, None], steps, examination)[:, 0]
        return Sale(won, prices, scores[won])

    def offers(
        self,
        bids: ArrayLike,
        quality: ArrayLike,
        examination: ArrayLike,
        alternatives: ArrayLike,
        reserve: float = 0.0,
        *,
        seed: int = 0,
    ) -> Offers:
        """What each advertiser would get for other bids, one advertiser at a time.

        Args:
            bids: float64 (n,), as in `hold`, like `quality`, `examination`, `reserve` and `seed`.
            quality: float64 (n,).
            examination: float64 (k,).
            alternatives: float64 (n, g), other bids of each advertiser. One that equals a rival's score counts as above it.
            reserve: Least money per click.
            seed: Decides between equal scores.

        Raises:
            InputError: As `hold`, or `alternatives` has not n rows of money.
        """
        bids, quality, examination = _checked(bids, quality, examination, reserve)
        others = np.asarray(alternatives, dtype=np.float64)
        if others.ndim != 2 or len(others) != len(bids) or not (np.isfinite(others).all() and (others >= 0).all()):
            raise InputError(
                f"{others.shape} is not a row of bids for each of {len(bids)} advertisers, or one is not money.",
                where="alternatives",
                cure="Give finite bids of at least 0, float (n, g).",
            )
        scores, rows = _ranked(bids, quality, reserve, seed)
        standing = np.full(len(bids), len(bids))
        standing[rows] = np.arange(len(rows))
        places = len(examination)
        if not places:
            return Offers(np.zeros(others.shape, dtype=np.int64), np.zeros(others.shape))
        steps = _steps(scores[rows], quality, standing, places, reserve)
        place = (steps[:, None, :] > others[:, :, None]).sum(axis=2)
        place[others * quality[:, None] <= 0] = places
        prices = self._charged(others, np.minimum(place, places - 1), steps, examination)
        return Offers(place, np.where(place < places, prices, 0.0))

    def _charged(self, bids: Floats, place: Ints, steps: Floats, examination: Floats) -> Floats:
        """Price of a click for bids, (c, g), at places, (c, g), where the places cost `steps`, (c, k)."""
        if self is Mechanism.FIRST_PRICE:
            return bids
        menu = steps
        if self is Mechanism.VICKREY:
            falls = examination - np.append(examination[1:], 0.0)
            with np.errstate(invalid="ignore", over="ignore"):  # places that no bid wins cost infinity
                menu = np.cumsum((falls * steps)[:, ::-1], axis=1)[:, ::-1] / examination
            menu = np.maximum(menu, steps[:, -1:])
        return np.minimum(np.take_along_axis(menu, place, axis=1), bids)


def first_price(
    bids: ArrayLike, quality: ArrayLike, examination: ArrayLike, reserve: float = 0.0, *, seed: int = 0
) -> Sale:
    """Everybody pays the bid. See `Mechanism.hold`."""
    return Mechanism.FIRST_PRICE.hold(bids, quality, examination, reserve, seed=seed)


def second_price(
    bids: ArrayLike, quality: ArrayLike, examination: ArrayLike, reserve: float = 0.0, *, seed: int = 0
) -> Sale:
    """Everybody pays the least bid that keeps the place (GSP). See `Mechanism.hold`.

    >>> second_price([4.0, 3.0, 1.0], [0.1, 0.1, 0.1], [1.0, 0.5]).prices.round(6).tolist()
    [3.0, 1.0]
    """
    return Mechanism.SECOND_PRICE.hold(bids, quality, examination, reserve, seed=seed)


def vickrey(
    bids: ArrayLike, quality: ArrayLike, examination: ArrayLike, reserve: float = 0.0, *, seed: int = 0
) -> Sale:
    """Everybody pays what the others lose (VCG). See `Mechanism.hold`.

    >>> vickrey([4.0, 3.0, 1.0], [0.1, 0.1, 0.1], [1.0, 0.5]).prices.round(6).tolist()
    [2.0, 1.0]
    """
    return Mechanism.VICKREY.hold(bids, quality, examination, reserve, seed=seed)


def clicks(sale: Sale, quality: ArrayLike, examination: ArrayLike) -> Floats:
    """Expected clicks of each winner a page, float64 (m,): quality x examination.

    Args:
        sale: Who stands where.
        quality: float64 (n,); give the true chances to learn what truly happens.
        examination: float64 (k,).
    """
    return np.asarray(np.asarray(quality)[sale.rows] * np.asarray(examination)[: len(sale.rows)], dtype=np.float64)


def revenue(sale: Sale, quality: ArrayLike, examination: ArrayLike) -> float:
    """Expected money that a page earns; arguments as in `clicks`."""
    return float(clicks(sale, quality, examination) @ sale.prices)


def welfare(values: ArrayLike, sale: Sale, quality: ArrayLike, examination: ArrayLike) -> float:
    """Expected worth of a page's clicks to advertisers, whoever pockets it.

    Args:
        values: float64 (n,), worth of a click to each advertiser.
        sale: As in `clicks`, like the rest.
        quality: float64 (n,).
        examination: float64 (k,).
    """
    return float(clicks(sale, quality, examination) @ np.asarray(values, dtype=np.float64)[sale.rows])


def utilities(values: ArrayLike, sale: Sale, quality: ArrayLike, examination: ArrayLike) -> Floats:
    """Expected gain of each advertiser from a page: clicks x (value - price), float64 (n,); arguments as in `welfare`."""
    worth = np.asarray(values, dtype=np.float64)
    gains = np.zeros(len(worth))
    gains[sale.rows] = clicks(sale, quality, examination) * (worth[sale.rows] - sale.prices)
    return gains


def envy_free_bids(values: ArrayLike, quality: ArrayLike, examination: ArrayLike) -> Floats:
    """Bids of the lowest locally envy-free equilibrium of `second_price` without a reserve.

    Each but the first bids so that the place above, at the price it would then have, is worth as much as the own one:

        score_i x_{i-1} = w_i (x_{i-1} - x_i) + score_{i+1} x_i,        w = value x quality, falling

    Payments are those of VCG, and nobody would swap with anybody (Edelman, Ostrovsky and Schwarz 2007, theorem 2; with
    quality Varian 2007). Who has no place, and who has the first one, bids the value.

    Args:
        values: float64 (n,), worth of a click to each advertiser.
        quality: float64 (n,), as in `Mechanism.hold`.
        examination: float64 (k,), strictly falling: at equal places there is nothing to tell apart.

    Returns:
        float64 (n,).

    Raises:
        InputError: As `Mechanism.hold`, or `examination` does not fall.
    """
    values, quality, examination = _checked(values, quality, examination, 0.0)
    if (np.diff(examination) == 0).any():
        raise InputError("Two places are looked at equally.", where="examination", cure="Give falling numbers.")
    worth, rows = _ranked(values, quality, 0.0, 0)
    bids = values.copy()
    looked = np.append(examination, 0.0)
    score = float(worth[rows[len(examination)]]) if len(rows) > len(examination) else 0.0
    for place in range(min(len(rows), len(examination)) - 1, 0, -1):
        row = rows[place]
        share = looked[place] / looked[place - 1]
        score = float(worth[row] * (1 - share) + score * share)
        bids[row] = score / quality[row]
    return bids


def _ranked(bids: Floats, quality: Floats, reserve: float, seed: int) -> tuple[Floats, Ints]:
    """Scores of all, float64 (n,), and the rows that may be sold to, best first, equals in an order drawn by lot."""
    scores = bids * quality
    rows = np.flatnonzero((bids >= reserve) & (scores > 0))
    lot = np.random.default_rng(seed).random(len(rows))
    return scores, rows[np.lexsort((lot, -scores[rows]))]


def _steps(ranked: Floats, quality: Floats, standing: Ints, places: int, reserve: float) -> Floats:
    """Least bid for each place or a better one, float64 (c, places), never rising with the place.

    Args:
        ranked: Scores of all that may be sold to, falling.
        quality: float64 (c,), of those who ask.
        standing: int64 (c,), where each of them stands in `ranked`, its length or more for who is not in it.
        places: How many.
        reserve: Least money per click.
    """
    padded = np.zeros(places + 1)
    padded[: min(len(ranked), places + 1)] = ranked[: places + 1]
    place = np.arange(places)
    rivals = padded[place + (place >= standing[:, None])]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        steps = np.where(rivals > 0, rivals / quality[:, None], 0.0)
    return np.maximum(steps, reserve)


def _checked(
    bids: ArrayLike, quality: ArrayLike, examination: ArrayLike, reserve: float
) -> tuple[Floats, Floats, Floats]:
    bids, quality, looked = (np.asarray(each, dtype=np.float64) for each in (bids, quality, examination))
    if not (bids.ndim == quality.ndim == looked.ndim == 1 and len(bids) == len(quality)):
        what = f"Shapes {bids.shape}, {quality.shape} and {looked.shape} do not fit together."
        raise InputError(what, where="bids, quality, examination", cure="Give (n,), (n,) and (k,).")
    for name, array, most in (("bids", bids, np.inf), ("quality", quality, 1.0)):
        wrong = np.flatnonzero(~(np.isfinite(array) & (array >= 0) & (array <= most)))
        if len(wrong):
            cure = "Give money of at least 0." if name == "bids" else "Give chances between 0 and 1."
            raise InputError(f"{array[wrong[0]]} is not acceptable.", where=f"{name}[{wrong[0]}]", cure=cure)
    if not ((looked > 0).all() and (looked <= 1).all() and (np.diff(looked) <= 0).all()):
        cure = "Give shares in (0, 1], the best place first."
        raise InputError(f"{looked.tolist()} does not fall.", where="examination", cure=cure)
    if not (np.isfinite(reserve) and reserve >= 0):
        raise InputError(f"{reserve} is no price.", where="reserve", cure="Give money of at least 0.")
    return bids, quality, looked

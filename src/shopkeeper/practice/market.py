"""A market of advertisers on the practice shop: they bid, learn from what bids would have earned, and run out of money.

`trade` holds one auction a page and tells, in expectation over clicks, what the shop earns, what advertisers gain and what
customers see. `live` spends budgets click by click over one day, with pacing or without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from shopkeeper.practice.ad_pages import AD_PLACES, AdPage, purchases
from shopkeeper.practice.behaviour import examination
from shopkeeper.practice.goods import Floats
from shopkeeper.ranking.ads.pacing import Traffic, multipliers
from shopkeeper.trust.auctions import Mechanism, clicks, envy_free_bids, revenue, utilities, welfare

LOOKED: Final = examination(AD_PLACES)
"""Share of customers who look at each sponsored place, float64 (3,)."""
FRACTIONS: Final = np.linspace(0.0, 1.2, 25)
"""Shares of a click's value that a bid may be."""


class Bidding(Protocol):
    """How all advertisers of a market bid: each advertiser one share of whatever a click is worth to it."""

    def bids(self, page: AdPage) -> Floats:
        """Money per click of each ad of a page, float64 (n,)."""
        ...

    def learn(self, page: AdPage, gains: Floats) -> None:
        """Hear what each of `FRACTIONS` would have gained: float64 (n, fractions)."""
        ...


class Honest:
    """Everybody bids the value."""

    def bids(self, page: AdPage) -> Floats:
        """See `Bidding`."""
        return page.values

    def learn(self, page: AdPage, gains: Floats) -> None:
        """Nothing to learn."""


class EnvyFree:
    """The lowest locally envy-free equilibrium of every page, as if all knew one another."""

    def bids(self, page: AdPage) -> Floats:
        """See `Bidding`."""
        return envy_free_bids(page.values, page.quality, LOOKED)

    def learn(self, page: AdPage, gains: Floats) -> None:
        """Nothing to learn."""


class RegretMatching:
    """Each plays every fraction as often as it is sorry not to have played it.

    Regret falls to 0 whatever the others do, without a learning rate (Hart and Mas-Colell 2000, "A simple adaptive procedure
    leading to correlated equilibrium", here for regret against fixed bids; negative sums are forgotten as by Tammelin 2014).

    Args:
        advertisers: How many.
        rng: Its state decides what is played.
    """

    def __init__(self, advertisers: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._sorry = np.zeros((advertisers, len(FRACTIONS)))
        self._played = np.zeros(advertisers, dtype=np.int64)

    def bids(self, page: AdPage) -> Floats:
        """See `Bidding`."""
        sorry = self._sorry[page.advertisers]
        total = sorry.sum(axis=1, keepdims=True)
        even = np.full_like(sorry, 1 / len(FRACTIONS))
        chances = np.divide(sorry, total, out=even, where=total > 0)
        drawn = (np.cumsum(chances, axis=1) < self._rng.random((len(chances), 1))).sum(axis=1)
        self._played[page.advertisers] = np.minimum(drawn, len(FRACTIONS) - 1)
        return np.asarray(FRACTIONS[self._played[page.advertisers]] * page.values)

    def learn(self, page: AdPage, gains: Floats) -> None:
        """See `Bidding`."""
        who = page.advertisers
        own = np.take_along_axis(gains, self._played[who, None], axis=1)
        self._sorry[who] = np.maximum(self._sorry[who] + gains - own, 0.0)


@dataclass(frozen=True, slots=True)
class Trade:
    """What a market came to, a page in the mean; money in average prices.

    Attributes:
        revenue: What the shop earns.
        welfare: What the clicks are worth to advertisers.
        possible: The most that they could be worth, were every click chance known.
        regret: What advertisers would have gained more, each with its best fixed fraction in hindsight.
        gain: What they did gain.
        ndcg: Of the whole page, ads included.
        purchases: Expected of the whole page.
        ads: Sponsored places filled.
        fitting: Share of those whose ad answers the query (grade 2 or 3).
    """

    revenue: float
    welfare: float
    possible: float
    regret: float
    gain: float
    ndcg: float
    purchases: float
    ads: float
    fitting: float


def trade(
    pages: Sequence[AdPage],
    mechanism: Mechanism,
    bidding: Bidding,
    *,
    reserve: float = 0.0,
    warm: int = 0,
    seed: int = 0,
) -> Trade:
    """Sell the sponsored places of pages, one after the other.

    Args:
        pages: As `AdPage.above` gives them.
        mechanism: What winners pay.
        bidding: How advertisers bid; it learns in place.
        reserve: Least money per click.
        warm: Pages at the start that are learnt from and not counted.
        seed: Of ties; the page's number is added.
    """
    count = 1 + max((int(page.advertisers.max(initial=-1)) for page in pages), default=-1)
    hindsight, gained = np.zeros((count, len(FRACTIONS))), np.zeros(count)
    sums = np.zeros(6)
    fitting = 0
    for number, page in enumerate(pages):
        truth, bids = page.ads.clicks, bidding.bids(page)
        sale = mechanism.hold(bids, page.quality, LOOKED, reserve, seed=seed + number)
        others = FRACTIONS * page.values[:, None]
        offers = mechanism.offers(bids, page.quality, LOOKED, others, reserve, seed=seed + number)
        chance = np.append(LOOKED, 0.0)[offers.places] * truth[:, None]
        gains = chance * (page.values[:, None] - offers.prices)
        bidding.learn(page, gains)
        if number < warm:
            continue
        hindsight[page.advertisers] += gains
        gained[page.advertisers] += utilities(page.values, sale, truth, LOOKED)
        shown = page.shown(sale.rows)
        most = np.sort(page.values * truth)[::-1][: len(LOOKED)]
        sums += (
            revenue(sale, truth, LOOKED),
            welfare(page.values, sale, truth, LOOKED),
            float(most @ LOOKED[: len(most)]),
            page.ndcg(shown),
            purchases(shown),
            len(sale.rows),
        )
        fitting += int((page.ads.grades[sale.rows] >= 2).sum())
    counted = max(len(pages) - warm, 1)
    earned, worth, possible, ndcg, bought, ads = (sums / counted).tolist()
    regret = float(np.maximum(hindsight.max(axis=1) - gained, 0.0).sum()) / counted
    share = fitting / max(float(sums[5]), 1.0)
    return Trade(earned, worth, possible, regret, float(gained.sum()) / counted, ndcg, bought, ads, share)


@dataclass(frozen=True, slots=True)
class Spending:
    """What budgets came to over a day, each float64 (advertisers,) but the last two.

    Attributes:
        spent: Money.
        gain: Value of the clicks less the money.
        lasted: Share of the day's pages at which the advertiser still had budget.
        uneven: Largest distance between the share of the own spending and the share of the pages so far.
        revenue: All money.
        welfare: Value of all clicks.
    """

    spent: Floats
    gain: Floats
    lasted: Floats
    uneven: Floats
    revenue: float
    welfare: float


def live(
    pages: Sequence[AdPage],
    mechanism: Mechanism,
    budgets: Floats,
    *,
    traffic: Traffic | None,
    seed: int = 0,
) -> Spending:
    """One day of honest advertisers with budgets, click by click.

    Args:
        pages: In the order of the day, as `AdPage.above` gives them.
        mechanism: What winners pay.
        budgets: float64 (advertisers,), infinity for none.
        traffic: What pacing expects of the day; None bids in full until the budget is gone.
        seed: Of clicks. The same seed clicks the same ads at the same places.
    """
    rng = np.random.default_rng([seed, 22])
    spent, worth = np.zeros(len(budgets)), np.zeros(len(budgets))
    path = np.zeros((len(pages), len(budgets)))
    for number, page in enumerate(pages):
        who = page.advertisers
        if traffic is None:
            factors = (spent < budgets).astype(np.float64)
        else:
            factors = multipliers(budgets, spent, page.hour, traffic)
        sale = mechanism.hold(page.values * factors[who], page.quality, LOOKED, seed=seed + number)
        clicked = rng.random(len(LOOKED))[: len(sale.rows)] < clicks(sale, page.ads.clicks, LOOKED)
        buyers = who[sale.rows[clicked]]
        spent[buyers] += sale.prices[clicked]
        worth[buyers] += page.values[sale.rows[clicked]]
        path[number] = spent
    plan = np.arange(1, len(pages) + 1)[:, None] / max(len(pages), 1)
    share = path / np.where(spent > 0, spent, 1.0)
    return Spending(
        spent=spent,
        gain=worth - spent,
        lasted=(path < budgets).mean(axis=0) if len(pages) else np.ones(len(budgets)),
        uneven=np.abs(share - plan).max(axis=0, initial=0.0),
        revenue=float(spent.sum()),
        welfare=float(worth.sum()),
    )

"""Pages of the practice shop with room for sponsored places: who searches for what, what is found, and which ads fit.

Customers, moments and needs come from the simulation's own truth, so that grades, clicks and purchases are known; what the
shop believes (`quality`, `match`) is kept apart from it. Its own results stand by the same beliefs as its ads, so that only
money can set them apart. Money is in average prices of the page's language, so
that dollars and yuan add up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.practice.behaviour import GRADE_PULL, Behaviour, examination, sigmoid
from shopkeeper.practice.goods import Bools, Floats, Goods, Ints
from shopkeeper.practice.queries import Grader, phrase
from shopkeeper.practice.shop import Practice
from shopkeeper.practice.shopfront import best
from shopkeeper.practice.vocabulary import vocabulary
from shopkeeper.records import EventKind

AD_PLACES: Final = (1, 6, 11)
"""Places of a page of fifteen that may be sold: one ad to four others."""
ORGANIC: Final = 12
CUT: Final = 10
"""Places that nDCG counts."""
_DOUBT: Final = 0.7
"""Standard deviation of the shop's error about a click chance, in log-odds."""
_BLUR: Final = 0.6
"""Standard deviation of the shop's error about a grade."""


@dataclass(frozen=True, slots=True)
class Cards:
    """n items that a page may show, as columns.

    Attributes:
        items: int64 (n,), rows of the goods.
        grades: int64 (n,), 0 to 3, how well each answers the query.
        clicks: float64 (n,), true chance of a click when looked at.
        sales: float64 (n,), true chance of a purchase once clicked.
        match: float64 (n,), how well the shop believes that each answers, in grades.
    """

    items: Ints
    grades: Ints
    clicks: Floats
    sales: Floats
    match: Floats

    def take(self, rows: Ints | Bools) -> Cards:
        """Some of them."""
        return Cards(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class AdPage:
    """A search by one customer.

    Attributes:
        hour: Hour of day, [0, 24).
        organic: The shop's own results, best first.
        ads: n items that campaigns want to show here.
        advertisers: int64 (n,), whose they are.
        values: float64 (n,), what a click is worth to its advertiser: margin x price x chance of a purchase.
        quality: float64 (n,), click chance that the shop predicts.
        ideal: DCG at `CUT` of the best page that the catalogue allows.
    """

    hour: float
    organic: Cards
    ads: Cards
    advertisers: Ints
    values: Floats
    quality: Floats
    ideal: float

    def above(self, rank: int | None) -> AdPage:
        """The page with the ads that may compete for it: one for each advertiser, in the order of advertisers.

        Args:
            rank: The relevance floor: an ad must match at least as well as the organic result whose match is the rank-th
                best (6 is their median). None lets every ad in.

        Returns:
            Each advertiser's ad is that with the highest value x predicted click chance.
        """
        least = -np.inf if rank is None else np.sort(self.organic.match)[-rank]
        kept = np.flatnonzero(self.ads.match >= least)
        order = kept[np.argsort(-(self.values * self.quality)[kept])]
        own = order[np.unique(self.advertisers[order], return_index=True)[1]]
        return AdPage(
            self.hour,
            self.organic,
            self.ads.take(own),
            self.advertisers[own],
            self.values[own],
            self.quality[own],
            self.ideal,
        )

    def shown(self, won: Ints) -> Cards:
        """What the customer sees: ads, best place first, in `AD_PLACES`, the other results around them, no item twice."""
        ads = self.ads.take(won)
        others = self.organic.take(~np.isin(self.organic.items, ads.items))
        slots = np.array(AD_PLACES[: len(won)], dtype=np.int64) - 1
        sold = np.zeros(len(ads.items) + len(others.items), dtype=np.bool_)
        sold[np.minimum(slots, len(sold) - 1 - np.arange(len(slots))[::-1])] = True
        merged = {}
        for field in fields(Cards):
            column = np.empty(len(sold), dtype=getattr(ads, field.name).dtype)
            column[sold], column[~sold] = getattr(ads, field.name), getattr(others, field.name)
            merged[field.name] = column
        return Cards(**merged)

    def ndcg(self, page: Cards) -> float:
        """How well a page answers this search: nDCG at `CUT`, gains 2^grade - 1 over the whole catalogue."""
        return _dcg(page.grades) / self.ideal


def purchases(page: Cards) -> float:
    """Expected purchases from a page."""
    return float(examination(np.arange(1, len(page.items) + 1)) @ (page.clicks * page.sales))


def draw_pages(practice: Practice, count: int, advertisers: int, seed: int) -> list[AdPage]:
    """Searches after the practice shop's cut, ordered by hour as the traffic of one day.

    Brands are dealt out evenly to advertisers, each with a margin between 15 and 45 % of the price. An ad competes where it
    is on sale, in the customer's language, and of the department that the customer has in mind: campaigns aim broadly, and
    most ads answer the query badly.

    Args:
        practice: The shop.
        count: Searches.
        advertisers: How many.
        seed: Everything random follows from it.

    Returns:
        Pages on which at least one ad competes.
    """
    return _Draw(practice, advertisers, np.random.default_rng([seed, 21])).pages(count)


class _Draw:
    def __init__(self, practice: Practice, advertisers: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._words = vocabulary()
        self._behaviour: Behaviour = practice.truth.behaviour
        self._goods: Goods = self._behaviour.goods
        self._grader = Grader(self._goods, self._behaviour.world.near)
        ranges = [kind.range.key for kind in self._words.types]
        self._department = np.array([sorted(set(ranges)).index(key) for key in ranges])
        self._visits: list[tuple[str, datetime]] = [
            (event.customer or "", event.time)
            for event in practice.events
            if event.kind is EventKind.SEARCH and event.time >= practice.cut
        ]
        self._row = {key: row for row, key in enumerate(self._behaviour.tastes.ids)}
        brands = len(self._words.brands)
        owner = rng.permutation(np.arange(brands) % advertisers)
        margin = rng.uniform(0.15, 0.45, advertisers)
        self._owner = owner[self._goods.brand]
        mean = np.array([self._goods.price[self._goods.language == code].mean() for code in range(2)])
        self._worth = margin[self._owner] * self._goods.price / mean[self._goods.language]

    def pages(self, count: int) -> list[AdPage]:
        drawn = [self._page(*self._visits[n]) for n in self._rng.integers(len(self._visits), size=count)]
        return sorted((page for page in drawn if page is not None), key=lambda page: page.hour)

    def _page(self, customer: str, time: datetime) -> AdPage | None:
        rng, goods, model = self._rng, self._goods, self._behaviour
        who, day = self._row[customer], model.day(time)
        language = model.tastes.language[who]
        needs = model.needs(who, day)
        need = int(rng.choice(len(needs), p=needs))
        wanted = np.flatnonzero((goods.type == need) & (goods.language == language))
        pleasure = np.exp(model.liking(who, wanted, day))
        query = phrase(self._words, goods, int(rng.choice(wanted, p=pleasure / pleasure.sum())), rng)
        grades = self._grader.grades(query.intent)
        everything = np.arange(len(grades))
        pull = GRADE_PULL[grades]
        known = Cards(
            everything,
            grades,
            model.attraction(who, everything, day, pull),
            model.conversion(who, everything, day, pull),
            grades + rng.normal(0.0, _BLUR, len(grades)),
        )
        appeal = np.log(known.clicks / (1 - known.clicks)) + rng.normal(0.0, _DOUBT, len(grades))
        on_sale = goods.on_sale(day)
        spoken = on_sale & (goods.language == language)
        rivals = rng.permutation(np.flatnonzero(spoken & (self._department[goods.type] == self._department[need])))
        ideal = _dcg(np.sort(grades[on_sale])[::-1])
        if not len(rivals) or not ideal:
            return None
        ads = known.take(rivals)
        return AdPage(
            hour=min(max(time.hour + time.minute / 60 + rng.uniform(-0.5, 0.5), 0.0), 23.99),
            organic=known.take(best(np.where(on_sale, appeal, -np.inf), ORGANIC)),
            ads=ads,
            advertisers=self._owner[rivals],
            values=self._worth[rivals] * ads.sales,
            quality=sigmoid(appeal[rivals]),
            ideal=ideal,
        )


def _dcg(grades: NDArray[np.int64]) -> float:
    top = grades[:CUT]
    return float(((2.0**top - 1.0) / np.log2(np.arange(2, len(top) + 2))).sum())

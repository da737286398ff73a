"""The chance of each ad at its place as it is logged: how often the auction puts it there, and good for judging other policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import chisquare
from toyshop import toy_items

from shopkeeper.evaluation.offpolicy import importance, self_normalised, trustworthy
from shopkeeper.evaluation.offpolicy_log import logged, read_pages
from shopkeeper.records import Event, EventKind, Hit, Request, now
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.database import open_store
from shopkeeper.tasks.advertise.answers import AdAnswer, Placed
from shopkeeper.tasks.advertise.auction import WORLDS, Bidders, sold
from shopkeeper.tasks.advertise.chances import Chances
from shopkeeper.tasks.advertise.spend import AdSpend, looked_at
from shopkeeper.trust.auctions import Mechanism

PAGES = 2500
PLACES = 2
RATES = {"garden-00": 0.5, "garden-01": 0.3, "garden-02": 0.45, "garden-03": 0.6}
"""True chances of a click at a place that is looked at."""
OFFERS = (
    ("garden-00", "a", 1.0),
    ("garden-01", "a", 1.3),
    ("garden-01", "b", 1.4),
    ("garden-02", "c", 0.9),
    ("garden-03", "d", 0.8),
    ("garden-03", "b", 0.8),
    ("garden-04", "e", 0.05),
)
"""Item, advertiser and bid: items that two want, advertisers of two items, equal bids, and one below the reserve."""


@dataclass
class Market:
    shelf: Shelf
    spend: AdSpend
    bidders: Bidders

    def page(self, number: int, *, mechanism: Mechanism = Mechanism.VICKREY) -> list[Placed]:
        return sold(
            self.bidders,
            lambda rows: Chances(np.linspace(0.2, 0.3, len(rows)), np.full(len(rows), 0.1)),
            self.spend,
            self.shelf,
            mechanism=mechanism,
            places=PLACES,
            reserve=0.1,
            page=f"page-{number}",
        )


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('market') / 'shop.db'}")
    shelf = Shelf(toy_items())
    owners = [
        Campaign(id=f"{who}-{item}", name=who, advertiser=who, items=(item,), bid=bid, currency="EUR")
        for item, who, bid in OFFERS
    ]
    rows = shelf.rows([item for item, _, _ in OFFERS])
    bidders = Bidders(rows, owners, np.array([bid for _, _, bid in OFFERS]))
    yield Market(shelf, AdSpend(store.events, lambda _: None), bidders)
    store.close()


@pytest.fixture(scope="module")
def pages(market: Market) -> list[list[Placed]]:
    return [market.page(number) for number in range(PAGES)]


def drawn(count: int) -> np.ndarray:
    """Which item of `RATES` stands where by a plain replay of the rules, as shares: float64 (items, places)."""
    rng, names = np.random.default_rng(3), sorted(RATES)
    prior = np.linspace(0.2, 0.3, len(names))
    found = np.zeros((len(names), PLACES))
    for _ in range(count):
        quality = dict(zip(names, rng.beta(20 * prior, 20 * (1 - prior)), strict=True))
        offers = [(bid * quality[item], rng.random(), item, who) for item, who, bid in OFFERS if bid >= 0.1]
        items: list[str] = []
        advertisers: set[str] = set()
        for _, _, item, who in sorted(offers, reverse=True):
            if item not in items and who not in advertisers and len(items) < PLACES:
                items.append(item)
                advertisers.add(who)
        for place, item in enumerate(items):
            found[names.index(item), place] += 1
    return found / count


def test_logged_chances_agree_with_how_often_ads_stand_there(pages: list[list[Placed]]) -> None:
    names, truth = sorted(RATES), drawn(20_000)
    assert all(len(page) == PLACES for page in pages)
    for place in range(PLACES):
        shown = [page[place] for page in pages]
        counts = np.array([sum(ad.item == name for ad in shown) for name in names])
        assert counts.min() > 30
        assert chisquare(counts, truth[:, place] * PAGES).pvalue > 0.001
        for name, share in zip(names, truth[:, place].tolist(), strict=True):
            told = [ad.propensity for ad in shown if ad.item == name]
            assert np.mean(told) == pytest.approx(share + (1 - share) / WORLDS, abs=0.01)
            # what was shown, weighed by 1 / chance, is one for each page
            error = np.sqrt((1 / share - 1) / PAGES)
            assert sum(1 / chance for chance in told) / PAGES == pytest.approx(1.0, abs=4 * error)
    assert all(1 / WORLDS <= ad.propensity <= 1 for page in pages for ad in page)


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_what_a_click_costs_does_not_change_who_stands_where(market: Market, mechanism: Mechanism) -> None:
    for number in range(20):
        own, other = market.page(number, mechanism=mechanism), market.page(number)
        assert [(ad.item, ad.campaign, ad.propensity) for ad in own] == [
            (ad.item, ad.campaign, ad.propensity) for ad in other
        ]


def test_the_same_page_is_sold_the_same_way_and_certainty_is_one(market: Market) -> None:
    assert market.page(5) == market.page(5)
    alone = Market(market.shelf, market.spend, market.bidders.at(np.array([3])))
    assert [ad.propensity for ad in alone.page(1)] == [1.0]
    low = Market(market.shelf, market.spend, market.bidders.at(np.array([6])))
    assert low.page(1) == []


def test_another_policy_is_judged_without_bias_from_the_log_of_ads(pages: list[list[Placed]]) -> None:
    events = list(as_log(pages, np.random.default_rng(5)))
    places: tuple[Mapping[str, float], ...] = (
        {"garden-03": 0.5, "garden-02": 0.5},
        {"garden-00": 0.7, "garden-01": 0.3},
    )
    worth = sum(
        looked_at(place) * sum(chance * RATES[item] for item, chance in at.items())
        for place, at in enumerate(places, 1)
    )
    log = logged(read_pages(events, "search", ads=True), lambda _: places)
    assert log.pages == PAGES
    assert trustworthy(log).ok
    for values in (importance(log), self_normalised(log)):
        error = values.std() / np.sqrt(PAGES)
        assert values.mean() == pytest.approx(worth, abs=3.5 * error)
        assert error < 0.1 * worth
    assert not read_pages(events)  # sponsored places are no pages of the shop's own


def as_log(pages: list[list[Placed]], rng: np.random.Generator) -> Iterator[Event]:
    for number, placed in enumerate(pages):
        request = Request(query="garden", surface="search", session=f"s{number}", id=f"page-{number}", time=now())
        hits = tuple(Hit(item=ad.item, score=1.0, propensity=ad.propensity) for ad in placed)
        answer = AdAnswer(request=request, hits=hits, total=len(hits), placed=tuple(placed), currency="EUR")
        yield answer.event()
        for place, ad in enumerate(placed, 1):
            if rng.random() < looked_at(place) * RATES[ad.item]:
                yield Event(
                    id=f"click-{number}-{place}",
                    time=now(),
                    kind=EventKind.AD_CLICK,
                    item=ad.item,
                    request=request.id,
                    session=request.session,
                )

"""Sponsored places on a toy shop: who may stand there, who pays what, and that the page is never the worse for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from toyshop import toy_store

from shopkeeper import settings as settings_module
from shopkeeper.records import Answer, Availability, Customer, Event, EventKind, Filters, Hit, Request, now
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.merchandising import When
from shopkeeper.tasks.advertise.answers import AdAnswer
from shopkeeper.tasks.advertise.auction import Bidders, sold
from shopkeeper.tasks.advertise.chances import Chances
from shopkeeper.tasks.advertise.spend import priced_ads
from shopkeeper.tasks.advertise.targeting import common_category
from shopkeeper.tasks.shop import Shop, open_shop
from shopkeeper.trust.auctions import Mechanism

GARDEN = [f"garden-{n:02d}" for n in range(18)]


def campaign(name: str, *items: str, **fields: object) -> Campaign:
    values = {"name": name, "advertiser": name, "items": items, "bid": 1.0, "currency": "EUR", **fields}
    return Campaign(id=name, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("ads")
    toy_store(home).close()
    overrides = {"models.encoder": "use-multilingual", "ads.floor": 0.0}
    shop = open_shop(settings_module.load(home, environ={}, overrides=overrides))
    yield shop
    shop.close()


@pytest.fixture
def run(opened: Shop) -> Iterator[Callable[..., Shop]]:
    """The shop with just these campaigns."""

    def put(*campaigns: Campaign) -> Shop:
        opened.store.campaigns.remove([one.id for one in opened.store.campaigns.scan()])
        opened.store.campaigns.put(campaigns)
        opened.refresh()
        return opened

    yield put
    put()


def page(count: int = 8, taste: str = "garden") -> tuple[str, ...]:
    return tuple(f"{taste}-{n:02d}" for n in range(count))


def ask(shop: Shop, shown: tuple[str, ...] = page(), **fields: object) -> AdAnswer:
    request = Request(**{"query": "garden", "surface": "search", "session": "s", **fields})  # type: ignore[arg-type]
    hits = tuple(Hit(item=item, score=1.0) for item in shown)
    return shop.advertise(request, Answer(request=request, hits=hits, total=len(hits)))


def items(answer: AdAnswer) -> list[str]:
    return [hit.item for hit in answer.hits]


def test_one_ad_for_four_items_and_none_twice(run: Callable[..., Shop]) -> None:
    shop = run(campaign("x", "garden-00", "garden-10"), campaign("y", "garden-11"), campaign("z", "garden-12"))
    assert len(ask(shop).hits) == 2
    assert len(ask(shop, page(7)).hits) == 1
    assert ask(shop, page(3)).hits == ()
    found = [item for _ in range(20) for item in items(ask(shop))]
    assert set(found) <= {"garden-10", "garden-11", "garden-12"}
    assert items(ask(shop, items=("garden-10",), query="")) != ["garden-10"]


def test_the_page_is_on_record_before_it_is_shown_and_says_nothing_of_money(run: Callable[..., Shop]) -> None:
    shop = run(campaign("x", "garden-10", bid=2.0), campaign("y", "garden-11", bid=1.0))
    before = shop.store.events.position
    answer = ask(shop, customer="c-1")
    [(_, event)] = shop.store.events.scan(before, kinds=[EventKind.AD_IMPRESSION])
    assert (event.request, event.customer, event.query) == (answer.request.id, "c-1", "garden")
    assert priced_ads(event) == {ad.item: (ad.campaign, ad.price) for ad in answer.placed}
    assert all(0 <= ad.price <= {"x": 2.0, "y": 1.0}[ad.campaign] for ad in answer.placed)
    assert [hit.reasons[0].text["en"] for hit in answer.hits] == [
        f"Sponsored by {ad.advertiser}" for ad in answer.placed
    ]
    assert [hit.contributions for hit in answer.hits] == [{}, {}]
    assert event.impression is not None
    assert event.impression.propensities == tuple(ad.propensity for ad in answer.placed)
    assert all(0 < chance < 1 for chance in event.impression.propensities)  # the first click rates are nearly unknown


def test_clicks_are_charged_until_the_budget_ends(run: Callable[..., Shop]) -> None:
    shop = run(campaign("x", "garden-10", total_budget=1.0, bid=0.8), campaign("y", "garden-10", bid=0.6))
    spent: list[float] = []
    for number in range(4):
        answer = ask(shop)
        [ad] = answer.placed
        click = Event(
            id=f"budget-{number}", time=now(), kind=EventKind.AD_CLICK, item="garden-10", request=answer.request.id,
            session="s",
        )  # fmt: skip
        shop.record([click, replace(click, id=f"again-{number}")])
        spent.append(shop.ad_spend.spent("x"))
        if ad.campaign == "y":
            assert answer.lost["budget"] == ("x",)
    assert spent == pytest.approx([0.6, 1.0, 1.0, 1.0])  # the item's second bidder makes the price
    assert shop.ad_spend.spent("y") == pytest.approx(0.0)  # alone there is nobody to outbid


@pytest.mark.parametrize(
    ("fields", "asked", "shown"),
    [
        ({"when": When(contains=("garden",))}, {}, True),
        ({"when": When(contains=("kettle",))}, {}, False),
        ({"when": When(exact=("Garden",))}, {}, True),
        ({"when": When(categories=(("Garden",),))}, {}, True),
        ({"when": When(categories=(("Kitchen",),))}, {}, False),
        ({"when": When(languages=("zh",))}, {"language": "zh-CN"}, True),
        ({"when": When(languages=("zh",))}, {"language": "en"}, False),
        ({"when": When(segments={"tier": ("gold",)})}, {"customer": "golden"}, True),
        ({"when": When(segments={"tier": ("gold",)})}, {"customer": "c"}, False),
        ({"when": When(start=now() + timedelta(days=1))}, {}, False),
        ({"when": When(end=now() - timedelta(days=1))}, {}, False),
        ({"surfaces": ("search",)}, {}, True),
        ({"surfaces": ("product",)}, {}, False),
        ({"paused": True}, {}, False),
        ({}, {"filters": Filters(price_max=1.0)}, False),
        ({}, {"filters": Filters(price_max=100.0)}, True),
    ],
)
def test_targeting(run: Callable[..., Shop], fields: dict[str, object], asked: dict[str, object], shown: bool) -> None:
    shop = run(campaign("x", "garden-10", **fields))
    shop.store.customers.put([Customer(id="golden", attributes={"tier": "gold"})])
    assert bool(ask(shop, **asked).hits) is shown


def test_what_may_not_be_shown_is_not_advertised(run: Callable[..., Shop]) -> None:
    shop = run(campaign("x", "garden-18", "garden-19", "garden-10"))  # sold out, hidden, fine
    assert items(ask(shop)) == ["garden-10"]
    shop.record([Event(id="away", time=now(), kind=EventKind.DISMISS, item="garden-10", session="picky")])
    assert ask(shop, session="picky").hits == ()
    known = shop.store.catalogue.get(["garden-10"])["garden-10"]
    shop.put([replace(known, availability=Availability.OUT_OF_STOCK)])
    assert ask(shop).hits == ()
    shop.put([known])


def test_a_customer_is_not_shown_a_campaign_too_often(run: Callable[..., Shop]) -> None:
    shop = run(campaign("x", "garden-10", daily_cap=2))
    assert [len(ask(shop, session="capped").hits) for _ in range(4)] == [1, 1, 0, 0]
    assert len(ask(shop, session="other").hits) == 1


def test_ads_are_as_relevant_as_the_page(tmp_path: Path) -> None:
    toy_store(tmp_path).close()
    overrides = {"models.encoder": "use-multilingual", "ads.floor": 0.5}
    shop = open_shop(settings_module.load(tmp_path, environ={}, overrides=overrides))
    everything = [item.id for item in shop.store.catalogue.scan() if item.showable]
    shop.store.campaigns.put([campaign(f"c-{item}", item, bid=9.0) for item in everything])
    shop.refresh()
    organic = shop.search(Request(query="garden", limit=8, surface="search", session="s"))
    assert len(organic.hits) == 8
    answer = shop.advertise(organic.request, organic)
    assert answer.lost["floor"]
    named = {hit.item.partition("-")[0] for hit in answer.hits}
    assert named <= {organic.hits[0].item.partition("-")[0]}
    assert shop.search(replace(organic.request)).hits == organic.hits
    shop.close()


def test_auctions_are_held_in_one_currency(run: Callable[..., Shop]) -> None:
    shop = run()
    known = shop.store.catalogue.get(["garden-10"])["garden-10"]
    shop.put([replace(known, currency="USD")])
    shop.store.campaigns.put([campaign("x", "garden-10", currency="USD", bid=99.0), campaign("y", "garden-11")])
    shop.refresh()
    assert items(ask(shop)) == ["garden-11"]
    shop.put([known])


def test_nothing_is_noted_where_nothing_is_advertised(run: Callable[..., Shop]) -> None:
    shop = run()
    before = shop.store.events.position
    assert ask(shop).hits == ()
    assert shop.store.events.position == before


def test_losers_are_named_with_the_reason(run: Callable[..., Shop]) -> None:
    shop = run(*(campaign(f"n{n}", f"garden-{10 + n}") for n in range(4)))
    before = shop.store.events.position
    answer = ask(shop)
    [(_, event)] = shop.store.events.scan(before, kinds=[EventKind.AD_IMPRESSION])
    lost = json.loads(str(event.properties["lost.rank"]))
    assert set(lost) | {ad.campaign for ad in answer.placed} == {"n0", "n1", "n2", "n3"}
    assert len(lost) == 2


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_one_place_for_an_advertiser_and_an_item_never_above_the_bid(opened: Shop, mechanism: Mechanism) -> None:
    rng = np.random.default_rng(1)
    rows = opened.shelf.rows(GARDEN)
    for round_ in range(30):
        owners = [campaign(f"c{n}", "garden-00", advertiser=f"a{n % 5}") for n in range(12)]
        bidders = Bidders(rng.choice(rows[:6], 12), owners, rng.uniform(0.1, 2, 12))
        placed = sold(
            bidders,
            lambda asked: Chances(np.linspace(0.02, 0.2, len(asked)), np.full(len(asked), 0.1)),
            opened.ad_spend,
            opened.shelf,
            mechanism=mechanism,
            places=4,
            reserve=0.2,
            page=str(round_),
        )
        bids = {(opened.shelf.item(row).id, owner.id): bid for row, owner, bid in zip(bidders.rows.tolist(), owners, bidders.bids.tolist(), strict=True)}  # fmt: skip
        assert len({ad.item for ad in placed}) == len({ad.advertiser for ad in placed}) == len(placed) <= 4
        for ad in placed:
            bid = bids[ad.item, ad.campaign]
            assert 0.2 - 1e-6 <= ad.price <= bid + 1e-6


def test_an_item_that_two_want_costs_what_the_second_one_bids(opened: Shop) -> None:
    [row] = opened.shelf.rows(["garden-00"])
    owners = [campaign("low", "garden-00"), campaign("high", "garden-00"), campaign("mid", "garden-00")]
    bidders = Bidders(np.full(3, row), owners, np.array([0.3, 0.9, 0.5]))
    [ad] = sold(
        bidders,
        lambda asked: Chances(np.full(len(asked), 0.1), np.full(len(asked), 0.1)),
        opened.ad_spend,
        opened.shelf,
        mechanism=Mechanism.VICKREY,
        places=2,
        reserve=0.0,
        page="p",
    )
    assert (ad.campaign, ad.price) == ("high", 0.5)


def test_a_category_is_common_when_half_of_the_page_has_it(opened: Shop) -> None:
    found = opened.store.catalogue.get(["garden-00", "garden-01", "garden-12"])
    assert common_category(list(found.values())) == ("Garden", "Tools")
    assert common_category([]) == ()

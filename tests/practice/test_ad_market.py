"""A market on the practice shop: what theory promises must come out of it."""

from dataclasses import replace

import numpy as np
import pytest

from shopkeeper.practice.ad_pages import AD_PLACES, ORGANIC, draw_pages, purchases
from shopkeeper.practice.market import FRACTIONS, EnvyFree, Honest, RegretMatching, live, trade
from shopkeeper.ranking.ads.pacing import Traffic
from shopkeeper.trust.auctions import Mechanism

ADVERTISERS = 6


@pytest.fixture(scope="module")
def pages(small):
    return draw_pages(small, 200, ADVERTISERS, 5)


@pytest.fixture(scope="module")
def ready(pages):
    return [page.above(6) for page in pages]


def test_pages_are_of_a_day_and_the_same_for_the_same_seed(small, pages):
    hours = [page.hour for page in pages]
    assert hours == sorted(hours)
    assert 0 <= hours[0] <= hours[-1] < 24
    again = draw_pages(small, 200, ADVERTISERS, 5)
    assert all((a.values == b.values).all() and a.ideal == b.ideal for a, b in zip(pages, again, strict=True))
    for page in pages[:40]:
        assert len(page.organic.items) == ORGANIC
        assert ((page.values > 0) & (page.quality > 0) & (page.quality < 1)).all()


def test_one_ad_for_an_advertiser_and_none_below_the_floor(pages):
    for page in pages[:60]:
        free, floored, high = page.above(None), page.above(6), page.above(1)
        assert len(set(free.advertisers.tolist())) == len(free.advertisers)
        assert (floored.ads.match >= np.sort(page.organic.match)[-6]).all()
        assert len(high.values) <= len(floored.values) <= len(free.values)


def test_a_page_shows_ads_at_their_places_and_nothing_twice(pages):
    for page in pages[:60]:
        ready = page.above(None)
        won = np.arange(min(3, len(ready.values)))
        shown = ready.shown(won)
        assert len(set(shown.items.tolist())) == len(shown.items)
        assert [shown.items[place - 1] for place in AD_PLACES[: len(won)]] == ready.ads.items[won].tolist()
        plain = ready.shown(won[:0])
        assert plain.items.tolist() == page.organic.items.tolist()
        assert 0 <= ready.ndcg(plain) <= 1
        assert purchases(plain) > 0


def test_honest_advertisers_regret_nothing_under_vcg_and_earn_nothing_at_first_price(ready):
    vcg = trade(ready, Mechanism.VICKREY, Honest())
    assert vcg.regret == pytest.approx(0.0, abs=1e-12)
    assert vcg.revenue + vcg.gain == pytest.approx(vcg.welfare)
    first = trade(ready, Mechanism.FIRST_PRICE, Honest())
    assert first.gain == pytest.approx(0.0, abs=1e-12)
    assert first.welfare == pytest.approx(vcg.welfare)
    assert first.regret > 0.1 * first.welfare
    gsp = trade(ready, Mechanism.SECOND_PRICE, Honest())
    assert vcg.revenue <= gsp.revenue <= first.revenue
    assert vcg.welfare <= vcg.possible


def test_the_envy_free_market_is_the_vcg_market(ready):
    vcg, envy_free = trade(ready, Mechanism.VICKREY, Honest()), trade(ready, Mechanism.SECOND_PRICE, EnvyFree())
    assert envy_free.revenue == pytest.approx(vcg.revenue)
    assert envy_free.welfare == pytest.approx(vcg.welfare)


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_learning_leaves_little_to_regret(ready, mechanism):
    learnt = trade(ready, mechanism, RegretMatching(ADVERTISERS, np.random.default_rng(0)), warm=60)
    assert learnt.regret < 0.08 * learnt.possible
    assert learnt.welfare > 0.9 * learnt.possible


def test_who_has_no_rival_learns_to_bid_as_little_as_wins(ready):
    first = np.zeros(1, dtype=np.int64)
    lonely = [
        replace(page, ads=page.ads.take(first), advertisers=first, values=page.values[:1], quality=page.quality[:1])
        for page in ready
        if len(page.values)
    ]
    bidding = RegretMatching(1, np.random.default_rng(0))
    trade(lonely, Mechanism.FIRST_PRICE, bidding)
    last = [float(bidding.bids(page)[0] / page.values[0]) for page in lonely[-20:]]
    assert np.median(last) == pytest.approx(FRACTIONS[1])


def test_a_reserve_is_asked_of_every_click(ready):
    values = np.concatenate([page.values for page in ready])
    free = trade(ready, Mechanism.VICKREY, Honest())
    some = trade(ready, Mechanism.VICKREY, Honest(), reserve=float(np.median(values)))
    assert some.ads < free.ads
    assert some.welfare < free.welfare
    none = trade(ready, Mechanism.VICKREY, Honest(), reserve=float(values.max()) + 1)
    assert (none.ads, none.revenue, none.welfare) == (0.0, 0.0, 0.0)


def test_budgets_are_passed_by_less_than_a_click_and_last_longer_when_paced(ready):
    free = live(ready, Mechanism.VICKREY, np.full(ADVERTISERS, np.inf), traffic=None)
    dearest = max(float(page.values.max(initial=0.0)) for page in ready)
    budgets = 0.3 * free.spent + 1e-9
    hours = [page.hour for page in ready]
    naive = live(ready, Mechanism.VICKREY, budgets, traffic=None)
    paced = live(ready, Mechanism.VICKREY, budgets, traffic=Traffic.learnt(hours))
    for day in (naive, paced):
        assert (day.spent < budgets + dearest).all()
        assert day.revenue == pytest.approx(day.spent.sum())
        assert day.welfare == pytest.approx((day.spent + day.gain).sum())
    assert paced.lasted.mean() > naive.lasted.mean()
    assert free.lasted.tolist() == [1.0] * ADVERTISERS


def test_no_pages_are_no_market():
    assert trade([], Mechanism.VICKREY, Honest()).revenue == 0.0
    assert live([], Mechanism.VICKREY, np.ones(2), traffic=None).spent.tolist() == [0.0, 0.0]

"""Auctions as games: truth-telling, freedom of envy, prices between reserve and bid; brute force at toy size."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.trust.auctions import (
    Mechanism,
    envy_free_bids,
    first_price,
    revenue,
    second_price,
    utilities,
    vickrey,
    welfare,
)

EVERY = pytest.mark.parametrize("mechanism", list(Mechanism))


@st.composite
def markets(draw, most=5, even=False):
    """(values, quality, examination, reserve); small round numbers, so that ties and equal places happen."""
    n, k = draw(st.integers(0, most)), draw(st.integers(0, 4))
    money, chance = st.integers(0, 12).map(lambda v: v / 4), st.integers(0, 8).map(lambda v: v / 8)
    if draw(st.booleans()):
        money, chance = st.floats(0, 10), st.floats(0.001, 1)
    values = draw(st.lists(money, min_size=n, max_size=n))
    quality = draw(st.lists(chance, min_size=n, max_size=n))
    looked = draw(st.lists(st.integers(1, 20).map(lambda v: v / 20), min_size=k, max_size=k, unique=even))
    reserve = draw(st.sampled_from([0.0, 0.25, 1.0, 2.5]))
    return np.array(values), np.array(quality), np.array(sorted(looked, reverse=True)), reserve


def best_welfare(worth, looked):
    """Most that an assignment of ads, one a place, is worth: tries all of them."""
    m = min(len(worth), len(looked))
    return max((float(worth[list(p)] @ looked[:m]) for p in itertools.permutations(range(len(worth)), m)), default=0.0)


def test_the_example_of_edelman_ostrovsky_and_schwarz():
    # three advertisers worth 10, 4 and 2; places with 200 and 100 clicks an hour
    gsp = second_price([10.0, 4.0, 2.0], [1.0, 1.0, 1.0], [1.0, 0.5])
    vcg = vickrey([10.0, 4.0, 2.0], [1.0, 1.0, 1.0], [1.0, 0.5])
    assert gsp.rows.tolist() == vcg.rows.tolist() == [0, 1]
    assert gsp.prices.tolist() == [4.0, 2.0]
    assert (vcg.prices * [200, 100]).tolist() == [600.0, 200.0]
    assert first_price([10.0, 4.0, 2.0], [1.0, 1.0, 1.0], [1.0, 0.5]).prices.tolist() == [10.0, 4.0]


def test_quality_decides_with_the_bid_and_lowers_the_price():
    sale = second_price([2.0, 5.0, 1.0], [0.5, 0.1, 0.2], [1.0, 0.5])
    assert sale.rows.tolist() == [0, 1]
    assert sale.prices == pytest.approx([1.0, 2.0])
    assert sale.scores == pytest.approx([1.0, 0.5])
    assert revenue(sale, [0.5, 0.1, 0.2], [1.0, 0.5]) == pytest.approx(0.5 * 1.0 + 0.05 * 2.0)
    assert welfare([2.0, 5.0, 1.0], sale, [0.5, 0.1, 0.2], [1.0, 0.5]) == pytest.approx(1.0 + 0.25)


@EVERY
def test_a_lonely_advertiser_pays_the_reserve_or_the_bid_and_too_low_a_bid_nothing(mechanism):
    sale = mechanism.hold([3.0, 0.9], [0.2, 0.9], [1.0, 0.5, 0.2], 1.0)
    assert sale.rows.tolist() == [0]
    assert sale.prices == pytest.approx([3.0 if mechanism is Mechanism.FIRST_PRICE else 1.0])


@EVERY
@settings(max_examples=50, deadline=None)
@given(market=markets(), seed=st.integers(0, 5))
def test_prices_lie_between_reserve_and_bid_and_the_best_scores_win(mechanism, market, seed):
    bids, quality, looked, reserve = market
    sale = mechanism.hold(bids, quality, looked, reserve, seed=seed)
    assert (sale.prices <= bids[sale.rows]).all()
    assert (sale.prices >= reserve).all()
    scores = np.where(bids >= reserve, bids * quality, 0.0)
    assert sale.scores.tolist() == sorted(scores[scores > 0], reverse=True)[: len(looked)]
    assert (utilities(bids, sale, quality, looked) >= 0).all()
    assert welfare(bids, sale, quality, looked) == pytest.approx(best_welfare(scores, looked))
    assert revenue(sale, quality, looked) <= welfare(bids, sale, quality, looked) + 1e-9


@settings(max_examples=25, deadline=None)
@given(market=markets(), bids=st.lists(st.floats(0, 12), min_size=6, max_size=6), seed=st.integers(0, 5))
def test_truth_is_dominant_under_vcg_whatever_the_others_bid(market, bids, seed):
    values, quality, looked, reserve = market
    for who in range(len(values)):
        played = np.array(bids[: len(values)])
        played[who] = values[who]
        honest = utilities(values, vickrey(played, quality, looked, reserve, seed=seed), quality, looked)[who]
        rivals = np.delete(played * quality, who)
        thresholds = rivals / quality[who] if quality[who] > 0 else rivals
        for other in {0.0, reserve, values[who] / 2, values[who] * 2, bids[who], *(thresholds * 1.01)}:
            played[who] = other
            lying = utilities(values, vickrey(played, quality, looked, reserve, seed=seed), quality, looked)[who]
            assert lying <= honest + 1e-9


@settings(max_examples=50, deadline=None)
@given(market=markets())
def test_vcg_charges_what_the_others_lose(market):
    bids, quality, looked, _ = market
    sale, worth = vickrey(bids, quality, looked), bids * quality
    for place, row in enumerate(sale.rows):
        without = best_welfare(np.delete(worth, row), looked)
        others = best_welfare(worth, looked) - worth[row] * looked[place]
        assert sale.prices[place] * quality[row] * looked[place] == pytest.approx(without - others, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(market=markets(even=True))
def test_the_lowest_envy_free_equilibrium_of_gsp_pays_as_vcg_and_nobody_envies(market):
    values, quality, looked, _ = market
    bids = envy_free_bids(values, quality, looked)
    assert (bids <= values + 1e-12).all()
    sale, vcg = second_price(bids, quality, looked), vickrey(values, quality, looked)
    assert welfare(values, sale, quality, looked) == pytest.approx(welfare(values, vcg, quality, looked))
    paid = [s.prices * quality[s.rows] * looked[: len(s.rows)] for s in (sale, vcg)]
    assert paid[0] == pytest.approx(paid[1], abs=1e-9)
    price = sale.prices * quality[sale.rows]  # of a showing that is looked at, the same for whoever stands there
    gains = utilities(values, sale, quality, looked)
    for who, place in itertools.product(range(len(values)), range(len(sale.rows))):
        assert looked[place] * (values[who] * quality[who] - price[place]) <= gains[who] + 1e-9


@settings(max_examples=50, deadline=None)
@given(market=markets(even=True), share=st.floats(0, 1.5))
def test_nobody_gains_by_leaving_that_equilibrium(market, share):
    values, quality, looked, _ = market
    bids = envy_free_bids(values, quality, looked)
    gains = utilities(values, second_price(bids, quality, looked), quality, looked)
    for who in range(len(values)):
        other = np.where(np.arange(len(values)) == who, values * share, bids)
        assert utilities(values, second_price(other, quality, looked), quality, looked)[who] <= gains[who] + 1e-9


@EVERY
@settings(max_examples=50, deadline=None)
@given(market=markets(), more=st.floats(0, 5), seed=st.integers(0, 5))
def test_who_bids_more_never_stands_lower(mechanism, market, more, seed):
    bids, quality, looked, reserve = market
    for who in range(len(bids)):
        places = []
        for raised in (0.0, more):
            own = np.where(np.arange(len(bids)) == who, bids + raised, bids)
            won = mechanism.hold(own, quality, looked, reserve, seed=seed).rows.tolist()
            places.append(won.index(who) if who in won else len(looked))
        ties = (np.delete(bids * quality, who) == bids[who] * quality[who]).any()
        assert places[1] <= places[0] or (ties and more == 0) or (bids[who] + more == bids[who])


@EVERY
@settings(max_examples=50, deadline=None)
@given(
    market=markets(),
    others=st.lists(st.floats(0, 10), min_size=6, max_size=6),
    seed=st.integers(0, 5),
)
def test_offers_are_what_an_auction_with_the_other_bid_gives(mechanism, market, others, seed):
    bids, quality, looked, reserve = market
    others = np.array(others[: len(bids)])
    offers = mechanism.offers(bids, quality, looked, others[:, None], reserve, seed=seed)
    for who, other in enumerate(others):
        own = np.where(np.arange(len(bids)) == who, other, bids)
        rivals = np.delete(bids * quality, who)
        if np.isclose(rivals, other * quality[who], rtol=1e-9, atol=0).any():
            continue  # a tie
        sale = mechanism.hold(own, quality, looked, reserve, seed=seed)
        won = sale.rows.tolist()
        place = won.index(who) if who in won else len(looked)
        assert offers.places[who, 0] == place
        assert offers.prices[who, 0] == pytest.approx(sale.prices[place] if who in won else 0.0)


@EVERY
def test_equal_scores_are_decided_by_lot_and_not_by_row(mechanism):
    firsts = [mechanism.hold([1.0] * 5, [0.1] * 5, [1.0], seed=seed).rows[0] for seed in range(200)]
    assert np.bincount(firsts, minlength=5).min() > 20
    again = [mechanism.hold([1.0] * 5, [0.1] * 5, [1.0], seed=seed).rows[0] for seed in range(200)]
    assert firsts == again


@EVERY
def test_extreme_numbers_stay_numbers(mechanism):
    sale = mechanism.hold([1e300, 1e-300, 5e-324], [5e-324, 1.0, 1.0], [1.0, 1e-12, 1e-12])
    assert np.isfinite(sale.prices).all()
    offers = mechanism.offers([1e300, 1.0], [0.0, 1e-310], [1.0, 0.5], [[1.0, 1e300], [1.0, 1e300]])
    assert np.isfinite(offers.prices).all()
    assert offers.places[0].tolist() == [2, 2]


@EVERY
@pytest.mark.parametrize(
    ("bids", "quality", "looked", "reserve", "where"),
    [
        ([1.0, float("nan")], [0.1, 0.1], [1.0], 0.0, r"bids\[1\]"),
        ([-1.0], [0.1], [1.0], 0.0, r"bids\[0\]"),
        ([float("inf")], [0.1], [1.0], 0.0, "bids"),
        ([1.0], [1.5], [1.0], 0.0, "quality"),
        ([1.0], [float("nan")], [1.0], 0.0, "quality"),
        ([1.0, 2.0], [0.5], [1.0], 0.0, "bids, quality"),
        ([[1.0]], [[0.5]], [1.0], 0.0, "bids, quality"),
        ([1.0], [0.5], [0.5, 1.0], 0.0, "examination"),
        ([1.0], [0.5], [1.0, 0.0], 0.0, "examination"),
        ([1.0], [0.5], [1.0], -1.0, "reserve"),
        ([1.0], [0.5], [1.0], float("nan"), "reserve"),
    ],
)
def test_bad_numbers_are_refused_by_name(mechanism, bids, quality, looked, reserve, where):
    with pytest.raises(InputError, match=where):
        mechanism.hold(bids, quality, looked, reserve)


def test_bad_alternatives_and_level_places_are_refused():
    for others in ([1.0], [[1.0], [2.0]], [[-1.0]], [[float("nan")]]):
        with pytest.raises(InputError, match="alternatives"):
            Mechanism.VICKREY.offers([1.0], [0.5], [1.0], others)
    with pytest.raises(InputError, match="equally"):
        envy_free_bids([1.0, 2.0], [0.5, 0.5], [0.5, 0.5])

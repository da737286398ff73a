"""A day of simulated clicks: budgets last, are used, and are not passed, whatever happens to clock, traffic and budget."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.ranking.ads.pacing import USUAL, Traffic, multipliers

EVENING = Traffic.learnt(np.repeat(np.arange(24.0), [1] * 8 + [4] * 10 + [12] * 5 + [3]) + 0.5)


def day(budget, *, auctions=4000, traffic=EVENING, actual=None, clock=lambda hour: hour, seed=0):
    """Live through a day of auctions for one campaign; who bids twice as much wins twice as often and pays per click.

    Returns:
        hour and money of each click, and the factors; at full bids the day would cost about `auctions` x 0.1 x 0.5.
    """
    rng = np.random.default_rng(seed)
    shares = (actual or traffic).shares
    hours = np.sort(rng.choice(24, auctions, p=shares) + rng.random(auctions))
    spent, times, money, factors = 0.0, [], [], []
    for hour in hours:
        today = budget(hour) if callable(budget) else budget
        factor = float(multipliers([today], [spent], clock(hour), traffic)[0])
        factors.append(factor)
        rival = rng.random()
        if factor > rival and rng.random() < 0.1:
            times.append(hour)
            money.append(rival)  # second price
            spent += rival
    return np.array(times), np.array(money), np.array(factors)


def passed(times, money, hour):
    return money[times < hour].sum()


def test_a_tight_budget_is_spent_as_customers_come_and_passed_by_less_than_a_click():
    # at full bids a day costs 200
    for budget in (20.0, 60.0, 120.0):
        times, money, _ = day(budget)
        assert 0.97 * budget < money.sum() < budget + 1.0
        assert money[:-1].sum() < budget
        for hour in (9, 12, 15, 18, 21):
            assert passed(times, money, hour) / budget == pytest.approx(EVENING.passed(hour), abs=0.13)


def test_a_budget_larger_than_the_day_does_not_hold_bids_back():
    _, money, factors = day(1000.0)
    _, free, _ = day(np.inf)
    assert factors.min() >= USUAL
    assert factors.mean() > 0.97
    assert money.sum() > 0.96 * free.sum()


def test_a_burst_is_met_with_lower_bids():
    shares = EVENING.shares.copy()
    shares[10] = 1.0  # as many customers between ten and eleven as in the rest of the day
    times, money, factors = day(60.0, actual=Traffic(shares / shares.sum()))
    in_burst = passed(times, money, 11) - passed(times, money, 10)
    assert in_burst < 0.15 * 60  # a naive campaign would spend half of it here
    assert money.sum() > 0.95 * 60
    assert factors.max() <= 1


def test_a_clock_that_goes_back_only_makes_it_wait():
    def clock(hour):
        return hour - 3 if 15 <= hour < 18 else hour

    times, money, _ = day(60.0, clock=clock)
    assert passed(times, money, 18) < passed(times, money, 15) + 0.05 * 60
    assert 0.95 * 60 < money.sum() < 61


def test_a_budget_doubled_or_cut_at_noon():
    times, money, _ = day(lambda hour: 60.0 if hour < 12 else 120.0)
    assert 0.95 * 120 < money.sum() < 121
    times, money, _ = day(lambda hour: 60.0 if hour < 18 else 10.0)
    assert passed(times, money, 18) > 10
    assert money[times > 18.01].sum() == 0


def test_the_wrong_profile_still_uses_the_budget():
    _, money, _ = day(60.0, traffic=Traffic.even(), actual=EVENING)
    assert 0.9 * 60 < money.sum() < 61


def test_a_budget_of_two_clicks_is_not_gone_by_breakfast():
    times, money, _ = day(1.0, seed=3)
    assert 0 < money[:-1].sum() < 1.0
    assert times[0] < 24


@settings(deadline=None)
@given(
    budgets=st.lists(st.floats(0, 1e9), min_size=1, max_size=8),
    share=st.floats(0, 1.2),
    hour=st.floats(0, 24, exclude_max=True),
    usual=st.floats(0.01, 0.99),
)
def test_factors_are_shares_and_fall_with_spending(budgets, share, hour, usual):
    budgets = np.array(budgets)
    low = multipliers(budgets, budgets * share, hour, EVENING, usual=usual)
    high = multipliers(budgets, budgets * share + 1.0, hour, EVENING, usual=usual)
    assert ((low >= 0) & (low <= 1) & (high <= low)).all()
    assert (low[budgets * share >= budgets] == 0).all()
    earlier = multipliers(budgets, budgets * share, hour / 2, EVENING, usual=usual)
    assert (earlier <= low).all()


@settings(deadline=None)
@given(hours=st.lists(st.floats(0, 24, exclude_max=True), max_size=50))
def test_traffic_passes_from_nought_to_one(hours):
    traffic = Traffic.learnt(hours)
    assert traffic.shares.sum() == pytest.approx(1.0)
    assert (traffic.shares > 0).all()
    assert traffic.passed(0.0) == 0.0
    at = [traffic.passed(hour) for hour in np.linspace(0, 23.999, 60)]
    assert (np.diff(at) > 0).all()
    assert at[-1] < 1


def test_known_answers():
    assert Traffic.even().passed(6.0) == pytest.approx(0.25)
    assert Traffic.learnt([]).shares == pytest.approx(Traffic.even().shares)
    assert EVENING.passed(8.0) < 0.15 < EVENING.passed(12.0)
    found = multipliers([np.inf, 0.0, 10.0], [1e6, 0.0, 10.0], 3.0, EVENING)
    assert found.tolist() == [1.0, 0.0, 0.0]
    assert multipliers([], [], 3.0, EVENING).shape == (0,)
    assert multipliers([8.0, 8.0], [4.0, 4.0], 12.0, Traffic.even(), usual=[0.3, 0.6]) == pytest.approx([0.3, 0.6])


@pytest.mark.parametrize(
    ("budgets", "spent", "hour", "options", "where"),
    [
        ([-1.0], [0.0], 1.0, {}, "budgets"),
        ([float("nan")], [0.0], 1.0, {}, "budgets"),
        ([1.0], [-0.1], 1.0, {}, "spent"),
        ([1.0], [float("inf")], 1.0, {}, "spent"),
        ([1.0, 2.0], [0.0], 1.0, {}, "budgets, spent"),
        ([1.0], [0.0], 24.0, {}, "hour"),
        ([1.0], [0.0], float("nan"), {}, "hour"),
        ([1.0], [0.0], 1.0, {"usual": 1.0}, "usual"),
        ([1.0], [0.0], 1.0, {"usual": [0.5, 0.5]}, "usual"),
        ([1.0], [0.0], 1.0, {"gain": 0.0}, "gain"),
    ],
)
def test_bad_numbers_are_refused_by_name(budgets, spent, hour, options, where):
    with pytest.raises(InputError, match=where):
        multipliers(budgets, spent, hour, EVENING, **options)


def test_bad_hours_are_refused():
    with pytest.raises(InputError, match="hour"):
        Traffic.learnt([3.0, 25.0])

"""Bandits that must find the best arm, and the chances they tell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.ranking.ads.bandits import LinUCB, ThompsonSampling, draw

RATES = np.array([0.05, 0.3, 0.1, 0.02])
NOTHING = np.zeros((1, 0), dtype=np.float32)


def test_draws_follow_the_beta_distribution():
    rng = np.random.default_rng(0)
    drawn = draw([3, 0], [50, 0], [0.1, 0.3], rng, times=20_000)
    a, b = np.array([2 + 3, 6.0]), np.array([18 + 47, 14.0])
    assert drawn.mean(axis=0) == pytest.approx(a / (a + b), abs=0.003)
    assert drawn.var(axis=0) == pytest.approx(a * b / (a + b) ** 2 / (a + b + 1), rel=0.05)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=9),
    st.floats(0.001, 0.9),
    st.integers(0, 99),
)
def test_draws_are_rates_even_where_clicks_come_before_showings(counts, prior, seed):
    clicks, shown = np.array(counts).T
    drawn = draw(clicks, shown, prior, np.random.default_rng(seed))
    assert drawn.shape == (1, len(counts))
    assert ((drawn >= 0) & (drawn <= 1)).all()
    assert (drawn == draw(clicks, shown, prior, np.random.default_rng(seed))).all()


def test_bad_draws_are_refused():
    rng = np.random.default_rng(0)
    for clicks, shown, prior in (([1], [1, 2], 0.1), ([-1], [1], 0.1), ([1], [1], 0.0), ([1], [1], [0.1, 0.2])):
        with pytest.raises(InputError, match="arms"):
            draw(clicks, shown, prior, rng)


def taught(bandit, rounds, seed=0, places=1):
    """Let a bandit show, 50 at a time; how often it showed each arm in the last fifth."""
    rng, shown = np.random.default_rng(seed), np.zeros(len(RATES))
    for number in range(rounds):
        place = rng.integers(0, places, 50)
        context = np.zeros((50, 0), dtype=np.float32)
        chances = bandit.chances(context, place)
        assert chances.sum(axis=1) == pytest.approx(1)
        arm = np.array([rng.choice(len(RATES), p=row / row.sum()) for row in chances])
        reward = (rng.random(50) < RATES[arm] * 0.5**place).astype(float)
        bandit.learn(arm, reward, context, place)
        if number >= 0.8 * rounds:
            shown += np.bincount(arm, minlength=len(RATES))
    return shown / shown.sum()


def test_both_find_the_best_arm():
    assert taught(ThompsonSampling(4), 60)[1] > 0.9
    assert taught(LinUCB(4, 0, noise=0.3, explore=0.0), 60)[1] > 0.9


def test_arms_are_not_blamed_for_their_place():
    bandit = ThompsonSampling(2, places=2, rate=0.2)
    n = 4000
    rng = np.random.default_rng(1)
    arm = np.repeat([0, 1], n // 2)
    place = arm.copy()  # the second arm always stood where half as many look
    place[:200], place[-200:] = 1, 0
    bandit.learn(arm, (rng.random(n) < 0.2 * 0.5**place).astype(float), np.zeros((n, 0), np.float32), place)
    clicks, looks = bandit.trials
    assert (clicks / looks)[0] == pytest.approx((clicks / looks)[1], rel=0.25)
    assert clicks[0] > 1.5 * clicks[1]


def test_chances_of_thompson_sampling_are_how_often_it_draws():
    bandit = ThompsonSampling(3, rate=0.1)
    arm = np.repeat([0, 1, 2], [40, 60, 5])
    reward = np.zeros(105)
    reward[[0, 1, 41, 42, 43]] = 1
    bandit.learn(arm, reward, np.zeros((105, 0), np.float32), np.zeros(105, np.int64))
    chances = bandit.chances(NOTHING, np.zeros(1, np.int64))[0]
    rng = np.random.default_rng(0)
    rate = float(5 + 500 * 0.1) / 605
    drawn = draw(*bandit.trials, rate, rng, times=20_000).argmax(axis=1)
    assert chances == pytest.approx(np.bincount(drawn, minlength=3) / 20_000, abs=0.012)


def test_linucb_agrees_with_the_paper():
    rng = np.random.default_rng(4)
    bandit = LinUCB(2, 3, alpha=1.5, noise=0.2, ridge=2.0, explore=0.1)
    x, arm, reward = rng.normal(size=(30, 3)), rng.integers(0, 2, 30), rng.random(30)
    for part in (slice(0, 10), slice(10, 30)):
        bandit.learn(arm[part], reward[part], x[part].astype(np.float32), np.zeros(20, np.int64))
    asked = rng.normal(size=(5, 3)).astype(np.float32)
    whole = np.hstack([np.ones((30, 1)), x.astype(np.float32)])
    for one in range(2):
        own = whole[arm == one]
        inverse = np.linalg.inv(2 * np.eye(4) + own.T @ own)
        theta = inverse @ own.T @ reward[arm == one]
        for row, bound in zip(asked, bandit.bounds(asked)[:, one], strict=True):
            z = np.append(1.0, row)
            assert bound == pytest.approx(z @ theta + 0.3 * np.sqrt(z @ inverse @ z), abs=1e-9)
    chances = bandit.chances(asked, np.zeros(5, np.int64))
    assert sorted(np.unique(chances.round(6))) == [0.05, 0.95]


def test_equal_arms_share_the_chance():
    chances = LinUCB(4, 0).chances(NOTHING, np.zeros(1, np.int64))
    assert chances[0] == pytest.approx(np.full(4, 0.25))


def test_impossible_bandits_are_refused():
    for make in (
        lambda: ThompsonSampling(0),
        lambda: ThompsonSampling(2, rate=1.0),
        lambda: LinUCB(0, 2),
        lambda: LinUCB(2, 2, explore=2.0),
        lambda: LinUCB(2, 2, ridge=0.0),
    ):
        with pytest.raises(InputError, match="bandit"):
            make()

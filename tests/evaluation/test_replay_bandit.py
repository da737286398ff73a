"""Bandits judged by the log of an even choice: what they would earn is known here."""

import numpy as np
import pytest

from shopkeeper.errors import InputError
from shopkeeper.evaluation import offpolicy
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.evaluation.replay_bandit import RandomLog, followed, replay
from shopkeeper.ranking.ads.bandits import LinUCB, ThompsonSampling

RATES = np.array([0.1, 0.5, 0.2])


class Fixed:
    """Shows the arms with fixed chances and learns nothing."""

    def __init__(self, chances):
        self.fixed = np.asarray(chances, dtype=float)
        self.lessons = []

    def chances(self, context, place):
        return np.tile(self.fixed, (len(context), 1))

    def learn(self, arm, reward, context, place):
        self.lessons.append(arm)


def log_of(n=6000, seed=0):
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 3, n)
    taste = rng.integers(0, 2, n)
    rate = np.where(taste == 1, RATES[::-1][arm], RATES[arm])
    return RandomLog(
        arm, (rng.random(n) < rate).astype(float), taste[:, None].astype(np.float32), np.zeros(n, np.int64), 3
    )


def test_a_fixed_policy_is_judged_without_bias():
    log, wanted = log_of(), np.array([0.2, 0.7, 0.1])
    both = 0.5 * (RATES + RATES[::-1])
    rng = np.random.default_rng(1)
    kept = [replay(log, Fixed(wanted), rng) for _ in range(20)]
    assert np.mean([values.mean() for values in kept]) == pytest.approx(both @ wanted, abs=0.02)
    assert np.mean([len(values) for values in kept]) == pytest.approx(2000, rel=0.05)
    values = offpolicy.doubly_robust(followed(log, Fixed(wanted), np.arange(6000) // 1000))
    low, high = bootstrap_interval(values)
    assert low < both @ wanted < high


def test_it_learns_only_from_what_it_chose():
    bandit = Fixed([0, 1, 0])
    kept = replay(log_of(500), bandit, np.random.default_rng(0), batch=100)
    taught = np.concatenate(bandit.lessons)
    assert len(bandit.lessons) == 5
    assert len(taught) == len(kept)
    assert (taught == 1).all()


def test_bandits_gain_over_an_even_choice():
    log = log_of()
    rng = np.random.default_rng(3)
    even = log.reward.mean()
    assert replay(log, ThompsonSampling(3, rate=0.3), rng)[500:].mean() > even + 0.05
    assert replay(log, LinUCB(3, 1, noise=0.4), rng)[500:].mean() > even + 0.12  # the context says who likes what


def test_what_is_followed_knows_only_earlier_periods():
    log = log_of(600)
    found = followed(log, ThompsonSampling(3, rate=0.3), np.arange(600) // 200)
    assert found.logging == pytest.approx(np.full(600, 1 / 3))
    assert found.new[:200] == pytest.approx(np.full(200, 1 / 3), abs=1e-3)
    assert found.modelled[:200].tolist() == [0] * 200
    changed = log.take(np.arange(600))
    changed.reward[400:] = 1 - changed.reward[400:]
    again = followed(changed, ThompsonSampling(3, rate=0.3), np.arange(600) // 200)
    assert (again.new == found.new).all()


def test_bad_logs_are_refused():
    log = log_of(10)
    with pytest.raises(InputError, match="must not fall"):
        followed(log, Fixed([1, 0, 0]), np.arange(10)[::-1])
    with pytest.raises(InputError, match="outside"):
        RandomLog(log.arm, log.reward, log.context, log.place, 1)
    with pytest.raises(InputError, match="lengths"):
        RandomLog(log.arm[:3], log.reward, log.context, log.place, 3)
    assert len(replay(log.take(slice(0, 0)), Fixed([1, 0, 0]), np.random.default_rng(0))) == 0

"""Estimates of another policy's clicks on bandits whose truth is known, and refusals where a log cannot tell."""

import doctest
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.evaluation import offpolicy
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.evaluation.offpolicy import (
    Logged,
    clipped,
    direct,
    doubly_robust,
    earned,
    effective_sample,
    importance,
    self_normalised,
    switch,
    trustworthy,
)

PLACES, ITEMS = 3, 6
RATES = np.linspace(0.05, 0.4, ITEMS)[:, None] * np.array([1.0, 0.7, 0.5])
"""Click rate of each item at each place."""
OLD = np.linspace(2, 1, ITEMS)[:, None] ** np.array([1.0, 0.5, 0.2])
OLD = OLD / OLD.sum(axis=0)
NEW = np.linspace(1, 3, ITEMS)[:, None] ** np.array([1.0, 2.0, 1.0])
NEW = NEW / NEW.sum(axis=0)
TRUTH = float((NEW * RATES).sum())

UNBIASED = [importance, self_normalised, doubly_robust]
ALL = [*UNBIASED, clipped, direct, switch]


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(offpolicy).failed == 0


def bandit(pages, seed=0, model=RATES):
    """A log of OLD, each place drawn by itself, with a click model."""
    rng = np.random.default_rng(seed)
    items = np.stack([rng.choice(ITEMS, pages, p=OLD[:, place]) for place in range(PLACES)], axis=1).ravel()
    place = np.tile(np.arange(PLACES), pages)
    return Logged(
        page=np.repeat(np.arange(pages), PLACES),
        place=place + 1,
        reward=(rng.random(len(items)) < RATES[items, place]).astype(float),
        logging=OLD[items, place],
        new=NEW[items, place],
        modelled=model[items, place],
        expected=(NEW * model).sum(axis=0)[place],
        pages=pages,
    )


@pytest.mark.parametrize("estimator", ALL)
def test_the_truth_is_found_with_a_true_model(estimator):
    assert estimator(bandit(40_000)).mean() == pytest.approx(TRUTH, rel=0.03)
    assert earned(bandit(40_000)).mean() == pytest.approx(float((OLD * RATES).sum()), rel=0.03)


@pytest.mark.parametrize("estimator", UNBIASED)
def test_unbiased_ones_find_it_with_a_false_model(estimator):
    false = RATES[::-1] * 2
    assert estimator(bandit(40_000, model=false)).mean() == pytest.approx(TRUTH, rel=0.04)
    assert direct(bandit(40_000, model=false)).mean() < 1.9 * TRUTH
    assert abs(direct(bandit(40_000, model=false)).mean() / TRUTH - 1) > 0.1


@pytest.mark.parametrize("estimator", UNBIASED)
def test_intervals_hold_the_truth_as_often_as_they_say(estimator):
    held = 0
    for seed in range(150):
        low, high = bootstrap_interval(estimator(bandit(400, seed)), resamples=200, seed=seed)
        held += low <= TRUTH <= high
    assert 0.88 <= held / 150 <= 0.99


def test_the_model_makes_the_doubly_robust_estimate_surer():
    spread = {
        e: np.std([e(bandit(300, seed)).mean() for seed in range(150)])
        for e in (importance, self_normalised, doubly_robust)
    }
    assert spread[doubly_robust] < spread[importance]
    assert spread[self_normalised] < spread[importance] * 1.02


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_identities(seed, pages):
    log = bandit(pages, seed)
    nothing = replace(log, modelled=0 * log.reward, expected=0 * log.reward)
    assert doubly_robust(nothing) == pytest.approx(importance(log))
    assert switch(log, most=np.inf) == pytest.approx(doubly_robust(log))
    assert switch(log, most=0.0) == pytest.approx(direct(log))
    assert clipped(log, most=np.inf) == pytest.approx(importance(log))
    assert (clipped(log, most=1.0) <= importance(log) + 1e-12).all()
    same = replace(log, new=log.logging)
    assert importance(same) == pytest.approx(earned(log))
    assert self_normalised(same).mean() == pytest.approx(earned(log).mean())
    wanted = sum(
        (log.weights * log.reward)[log.place == place].sum() / log.weights[log.place == place].sum()
        for place in (1, 2, 3)
    )
    assert self_normalised(log).mean() == pytest.approx(wanted)
    assert 0 <= self_normalised(log).mean() <= PLACES
    assert 1 <= effective_sample(log.weights) <= len(log.weights) + 1e-6


def test_estimates_are_the_formulas_of_the_papers_written_out():
    rng = np.random.default_rng(3)
    arms, n, most = 4, 30, 1.5
    old, new, model = (rng.dirichlet(np.ones(arms), n) for _ in range(3))
    arm = np.array([rng.choice(arms, p=row) for row in old])
    reward = rng.integers(0, 2, n).astype(float)
    total = dict.fromkeys(("ips", "clipped", "weights", "direct", "dr", "switch"), 0.0)
    for t in range(n):
        weight = new[t, arm[t]] / old[t, arm[t]]
        known = sum(new[t, a] * model[t, a] for a in range(arms))
        total["ips"] += weight * reward[t]
        total["clipped"] += min(weight, most) * reward[t]
        total["weights"] += weight
        total["direct"] += known
        total["dr"] += known + weight * (reward[t] - model[t, arm[t]])
        total["switch"] += known + (weight * (reward[t] - model[t, arm[t]]) if weight <= most else 0.0)
    at = np.arange(n), arm
    log = Logged(np.arange(n), np.ones(n, np.int64), reward, old[at], new[at], model[at], (new * model).sum(axis=1), n)
    assert importance(log).mean() == pytest.approx(total["ips"] / n, abs=1e-12)
    assert clipped(log, most).mean() == pytest.approx(total["clipped"] / n, abs=1e-12)
    assert self_normalised(log).mean() == pytest.approx(total["ips"] / total["weights"], abs=1e-12)
    assert direct(log).mean() == pytest.approx(total["direct"] / n, abs=1e-12)
    assert doubly_robust(log).mean() == pytest.approx(total["dr"] / n, abs=1e-12)
    assert switch(log, most).mean() == pytest.approx(total["switch"] / n, abs=1e-12)


def test_pages_of_different_lengths_are_fairly_counted():
    log = bandit(4000)
    long = (log.page % 2 == 0) | (log.place == 1)
    kept = Logged(*(getattr(log, name)[long] for name in ("page", "place", "reward", "logging", "new", "modelled", "expected")), log.pages)  # fmt: skip
    wanted = (NEW * RATES).sum(axis=0) @ [1, 0.5, 0.5]
    for estimator in ALL:
        assert estimator(kept).mean() == pytest.approx(wanted, rel=0.08)


def test_a_log_that_can_tell_is_trusted():
    found = trustworthy(bandit(5000))
    assert found.ok
    assert found.effective > 2000
    assert found.effective_clicks > 500
    assert set(found.text) == {"en", "zh"}


def test_refusals_name_their_reason():
    log = bandit(5000)
    ones = np.ones(len(log.reward))

    def reason(**changes):
        found = trustworthy(replace(log, **changes))
        assert not found.ok
        assert found.text["zh"]
        return found.text["en"]

    assert "no propensity" in reason(logging=np.where(log.page == 3, np.nan, log.logging))
    assert "no propensity" in reason(logging=np.where(log.page == 3, 0.0, log.logging))
    assert "nothing was left to chance" in reason(logging=ones)
    assert "never shown" in reason(new=np.where(log.place == 2, 0.5, 1.0) * log.new)
    assert "instead of 1" in reason(logging=log.logging / 2)
    few = bandit(120)
    assert "are needed" in trustworthy(few).text["en"]
    assert "clicks" in reason(reward=(np.arange(len(ones)) == 7).astype(float))
    empty = Logged(*(np.zeros(0, dtype=kind) for kind in (int, int, float, float, float, float, float)), 0)
    assert "no impressions" in trustworthy(empty).text["en"]
    for estimator in ALL:
        assert len(estimator(empty)) == 0


def test_what_was_never_shown_at_one_place_is_noticed_though_the_others_are_well_known():
    log = bandit(5000)
    unknown = log.place == 3
    certain = replace(log, logging=np.where(unknown, 1.0, log.logging), new=np.where(unknown, 0.0, log.new))
    found = trustworthy(certain)
    assert not found.ok
    assert found.unseen == pytest.approx(1)


def test_columns_must_fit():
    log = bandit(10)
    with pytest.raises(ValueError, match="same length"):
        replace(log, reward=log.reward[:-1])

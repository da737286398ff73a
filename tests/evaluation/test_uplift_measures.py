"""Uplift measures: a brute-force reference, known answers, and what must hold for any scores."""

import doctest
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.evaluation import uplift
from shopkeeper.evaluation.uplift import (
    Trial,
    auuc,
    effect,
    interval,
    qini,
    qini_area,
    qini_curve,
    uplift_at,
    uplift_curve,
)


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(uplift).failed == 0


def trial_of(seed, n, *, levels=1000):
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.5
    treated[:2] = [True, False]
    scores = rng.integers(0, levels, n) / levels
    outcome = (rng.random(n) < 0.2 + 0.5 * treated * scores).astype(float)
    return scores, Trial.of(treated, outcome)


def brute(scores, trial, kind):
    """The curve at every count of customers, by looking at each prefix anew; scores must be distinct."""
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    found = [0.0]
    for count in range(1, len(order) + 1):
        own = order[:count]
        t = [trial.outcome[n] for n in own if trial.treated[n]]
        c = [trial.outcome[n] for n in own if not trial.treated[n]]
        if kind == "qini":
            found.append((sum(t) - (sum(c) * len(t) / len(c) if c else 0)) / trial.treated.sum())
        else:
            mean = (sum(t) / len(t) if t else 0) - (sum(c) / len(c) if c else 0)
            found.append(mean * count / len(order))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_curves_agree_with_a_count_of_every_prefix(seed):
    _, trial = trial_of(seed, 60)
    scores = np.random.default_rng(seed).permutation(60)
    share, gain = qini_curve(scores, trial)
    assert share.tolist() == pytest.approx(np.arange(61) / 60)
    assert gain.tolist() == pytest.approx(brute(scores, trial, "qini"))
    assert uplift_curve(scores, trial)[1].tolist() == pytest.approx(brute(scores, trial, "uplift"))
    wanted = brute(scores, trial, "uplift")
    assert auuc(scores, trial) == pytest.approx(sum(a + b for a, b in pairwise(wanted)) / 120)
    best = [n for n in range(60) if scores[n] >= 42]
    t = [trial.outcome[n] for n in best if trial.treated[n]]
    c = [trial.outcome[n] for n in best if not trial.treated[n]]
    assert uplift_at(scores, trial, 0.3) == pytest.approx(np.mean(t) - np.mean(c))


def test_the_best_order_has_a_coefficient_of_one_and_the_worst_is_below_zero():
    _, trial = trial_of(3, 500)
    best = np.where(trial.treated, trial.outcome, -trial.outcome)
    assert qini(best, trial) == pytest.approx(1)
    assert qini(-best, trial) < -0.5


def test_customers_of_one_score_are_in_random_order():
    scores, trial = trial_of(5, 80, levels=4)
    rng = np.random.default_rng(0)
    drawn = [qini_area(scores + rng.random(80) * 0.2, trial) for _ in range(4000)]
    assert qini_area(scores, trial) == pytest.approx(np.mean(drawn), abs=0.004)


def test_a_good_guess_is_told_from_a_bad_one():
    scores, trial = trial_of(1, 6000)
    assert qini(scores, trial) > 0.1
    assert uplift_at(scores, trial, 0.3) == pytest.approx(0.5 * 0.85, abs=0.06)
    assert uplift_at(scores, trial, 1.0) == pytest.approx(effect(trial))
    low, high = interval(qini, scores, trial, resamples=60)
    assert 0 < low < qini(scores, trial) < high


def test_unequal_chances_are_weighed_out():
    rng = np.random.default_rng(0)
    n = 60_000
    rich = rng.random(n) < 0.5
    chance = np.where(rich, 0.8, 0.2)
    treated = rng.random(n) < chance
    outcome = (rng.random(n) < np.where(rich, 0.5, 0.1) + 0.1 * treated).astype(float)
    assert effect(Trial.of(treated, outcome, chance)) == pytest.approx(0.1, abs=0.015)
    assert effect(Trial.of(treated, outcome)) > 0.3
    assert abs(qini(rich, Trial.of(treated, outcome, chance))) < 0.02


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 60), st.floats(0.1, 10), st.floats(-5, 5))
def test_whatever_the_scores(seed, n, scale, shift):
    scores, trial = trial_of(seed, n, levels=7)
    share, gain = qini_curve(scores, trial)
    assert share[0] == gain[0] == 0
    assert share[-1] == 1
    assert (np.diff(share) > 0).all()
    assert gain[-1] == pytest.approx(effect(trial))
    assert uplift_curve(scores, trial)[1][-1] == pytest.approx(effect(trial))
    assert qini_area(np.ones(n), trial) == pytest.approx(0)
    assert auuc(np.ones(n), trial) == pytest.approx(effect(trial) / 2)
    rank = np.unique(scores, return_inverse=True)[1]
    assert qini_area(scale * rank + shift, trial) == pytest.approx(qini_area(scores, trial))
    value = qini(scores, trial)
    assert np.isnan(value) or value <= 1 + 1e-9 or qini_area(scores, trial) > 0
    half = Trial.of(trial.treated, trial.outcome, 0.5)
    assert qini_area(scores, half) == pytest.approx(qini_area(scores, trial))


def test_bad_trials_are_refused():
    with pytest.raises(InputError, match="0 or 1"):
        Trial.of([0, 2], [0, 1])
    with pytest.raises(InputError, match="belong together"):
        Trial.of([0, 1], [0, 1, 1])
    with pytest.raises(InputError, match="missing"):
        Trial.of([0, 1], [0, np.nan])
    with pytest.raises(InputError, match="were not"):
        Trial.of([1, 1], [0, 1])
    with pytest.raises(InputError, match="between 0 and 1"):
        Trial.of([0, 1], [0, 1], [0.5, 1.0])
    trial = Trial.of([0, 1], [0, 1])
    with pytest.raises(InputError, match="scores"):
        qini([1.0], trial)
    with pytest.raises(InputError, match="missing"):
        qini([1.0, np.nan], trial)
    with pytest.raises(InputError, match="share"):
        uplift_at([1.0, 2.0], trial, 0.0)
    assert np.isnan(uplift_at([1.0, 2.0], trial, 0.4))

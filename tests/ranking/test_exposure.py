"""Popularity taken out and put in, the new helped, suppliers given their share."""

import doctest
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shopkeeper.errors import InputError
from shopkeeper.ranking.pages import exposure
from shopkeeper.ranking.pages.exposure import (
    SupplierExposure,
    fresher,
    inverse_weights,
    less_popular,
    propensities_from_popularity,
)

COUNTS = arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1e6))


def test_examples_in_the_documentation_hold():
    result = doctest.testmod(exposure)
    assert result.attempted > 0
    assert result.failed == 0


@given(COUNTS, st.floats(0, 1), st.floats(0.001, 0.5))
def test_propensities_rise_with_popularity_within_bounds(counts, power, least):
    found = propensities_from_popularity(counts, power=power, least=least)
    assert ((found >= least) & (found <= 1)).all()
    order = np.argsort(counts)
    assert (np.diff(found[order]) >= -1e-12).all()
    weights = inverse_weights(found, np.arange(len(counts)))
    assert weights.mean() == pytest.approx(1)
    assert weights.max() / weights.min() <= 1 / least * (1 + 1e-9)


def test_weights_take_exposure_out_of_a_biased_log():
    rng = np.random.default_rng(0)
    liked = np.array([0.1, 0.3, 0.3, 0.3])  # true preference
    noticed = np.array([1.0, 0.2, 0.1, 0.05])
    log = rng.choice(4, 20_000, p=liked * noticed / (liked * noticed).sum())
    weights = inverse_weights(noticed, log)
    assert np.bincount(log, minlength=4).argmax() == 0, "the log believes in the item that was shown"
    assert np.bincount(log, weights) / len(log) == pytest.approx(liked, abs=0.03)


@given(st.integers(0, 100))
def test_a_share_of_popularity_is_taken_away(seed):
    rng = np.random.default_rng(seed)
    popular = rng.pareto(1.0, 200)
    scores = (np.log1p(popular) + rng.standard_normal(200)).astype(np.float32)
    ties = [np.corrcoef(less_popular(scores, popular, beta), np.log1p(popular))[0, 1] for beta in (0.0, 0.3, 0.6)]
    assert ties[0] > ties[1] > ties[2]
    assert np.argsort(less_popular(scores, popular, 0.0)).tolist() == np.argsort(scores).tolist()
    assert less_popular(scores, np.ones(200), 0.5) == pytest.approx(less_popular(scores, np.ones(200), 0.0))


def test_what_is_new_is_helped_for_a_while():
    scores = np.array([4.0, 0.0, 4.0, 0.0, 0.0], dtype=np.float32)
    spread = float(scores.std())
    gained = (fresher(scores, [0, 7, 14, -3, np.nan], 0.5, half_life=7) - scores) / spread
    assert gained == pytest.approx([0.5, 0.25, 0.125, 0.5, 0.0], abs=1e-6)
    assert fresher(scores, [0, 7, 14, -3, np.nan], 0.0, half_life=7).tolist() == scores.tolist()
    assert len(fresher(scores[:0], [], 1.0, half_life=7)) == 0


def browse(control, pages, rng, strength=(1.5, 0.0, 0.0, -1.0), k=10):
    """Pages of the ten best of forty candidates; the first supplier's items score higher. Shares of the last half."""
    seen = np.zeros(4)
    owner = np.repeat(np.arange(4), 10)
    for n in range(pages):
        scores = (rng.standard_normal(40) + np.array(strength)[owner]).astype(np.float32)
        page = np.argsort(-control.boosted(scores, owner))[:k]
        control.note(owner[page])
        if n >= pages // 2:
            seen += np.bincount(owner[page], 1 / np.log2(np.arange(2, k + 2)), minlength=4)
    return seen / seen.sum()


def test_every_supplier_ends_within_the_band():
    targets = np.array([0.3, 0.25, 0.25, 0.2])
    idle = browse(SupplierExposure(targets, most=0.0), 1000, np.random.default_rng(1))
    assert idle[0] > 1.9 * targets[0]
    assert idle[3] < 0.2 * targets[3]
    control = SupplierExposure(targets, pages=200)
    shares = browse(control, 4000, np.random.default_rng(1))
    assert (shares / targets > 0.75).all()
    assert (shares / targets < 1.3).all()
    assert control.boosts[0] < 0 < control.boosts[3]
    assert control.shares.sum() == pytest.approx(1)


def test_a_supplier_within_its_band_or_without_a_target_is_left_alone(caplog):
    control = SupplierExposure([0.5, np.nan, 0.3])
    page = np.array([0, 2, 1, 0, -1])
    for _ in range(100):
        control.note(page, weights=[0.5, 0.3, 0.2, 0.0, 0.4])
    assert control.boosts.tolist() == [0, 0, 0]
    scores = np.arange(3, dtype=np.float32)
    assert control.boosted(scores, np.array([0, -1, 1])).tolist() == scores.tolist()
    with caplog.at_level(logging.INFO):
        control.note(np.array([1] * 5), weights=[1000.0] * 5)
    assert control.boosts[0] > 0
    assert control.boosts[1] == 0
    assert [record.supplier for record in caplog.records] == [0, 2]


def test_boosts_come_back_when_the_cause_is_gone_and_never_pass_the_limit():
    control = SupplierExposure([0.5, 0.5], pages=50, most=1.0)
    for _ in range(2000):
        control.note(np.array([0]))
        assert np.abs(control.boosts).max() <= 1.0
    assert control.boosts.tolist() == [-1.0, 1.0]
    for _ in range(300):
        control.note(np.array([1]))
    assert control.boosts[0] > 0 > control.boosts[1]


def test_bad_targets_and_counts_are_refused():
    for targets in ([0.7, 0.7], [0.0, 0.5], [-0.1]):
        with pytest.raises(InputError):
            SupplierExposure(targets)
    with pytest.raises(InputError):
        SupplierExposure([0.5], band=(1.1, 2.0))
    for bad in ([-1.0], [np.nan]):
        with pytest.raises(InputError):
            propensities_from_popularity(bad)
    assert propensities_from_popularity([0, 0]).tolist() == [1, 1]
    assert len(less_popular(np.zeros(0, np.float32), [], 0.5)) == 0

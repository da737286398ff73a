from __future__ import annotations

import math

import numpy as np
import pytest

from shopkeeper.evaluation.intervals import bootstrap_interval, paired_difference


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        low, high = bootstrap_interval(rng.exponential(1.0, 100), resamples=400, seed=trial)
        covered += low <= 1.0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval_whatever_the_block_size():
    values = np.random.default_rng(1).random(50)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


def test_no_values_and_one_value():
    assert all(math.isnan(end) for end in bootstrap_interval([]))
    assert bootstrap_interval([0.25]) == (0.25, 0.25)


def test_pairing_sees_a_small_steady_gain_that_the_two_intervals_hide():
    rng = np.random.default_rng(2)
    first = rng.random(120)
    second = first + rng.normal(0.02, 0.02, 120)
    assert bootstrap_interval(first)[1] > bootstrap_interval(second)[0]
    gain = paired_difference(first, second)
    assert gain.clear
    assert gain.low < 0.02 < gain.high
    assert gain.chance < 0.01


def test_no_difference_is_not_clear():
    values = np.random.default_rng(3).random(40)
    same = paired_difference(values, values)
    assert not same.clear
    assert same.chance == 1.0


def test_unpaired_lengths_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        paired_difference([1.0], [1.0, 2.0])

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shopkeeper.evaluation import continual
from shopkeeper.evaluation.continual import (
    average_accuracy,
    backward_transfer,
    forgetting,
    incremental_accuracy,
    plasticity,
)

TABLES = st.integers(1, 6).flatmap(lambda size: arrays(np.float64, (size, size), elements=st.floats(0, 1)))


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(continual).failed == 0


@given(TABLES)
def test_transfer_and_forgetting_are_two_sides_of_the_same_change(table):
    assert len(average_accuracy(table)) == len(plasticity(table)) == len(table)
    assert len(backward_transfer(table)) == len(forgetting(table)) == len(table) - 1
    assert (forgetting(table) >= -backward_transfer(table) - 1e-12).all()
    assert (np.abs(forgetting(table)) <= 1).all()
    change = average_accuracy(table)[:-1] - plasticity(table)[:-1]
    np.testing.assert_allclose(backward_transfer(table), change)


@given(TABLES, st.floats(0, 1))
def test_what_stands_above_the_diagonal_does_not_matter(table, value):
    other = np.where(np.triu(np.ones_like(table), 1) > 0, value, table)
    for metric in (average_accuracy, backward_transfer, forgetting, incremental_accuracy, plasticity):
        np.testing.assert_array_equal(metric(table), metric(other))


@given(TABLES)
def test_a_model_that_stands_still_neither_forgets_nor_gains(table):
    still = np.tile(table[-1], (len(table), 1))
    assert not forgetting(still).any()
    assert not backward_transfer(still).any()
    assert incremental_accuracy(still)[-1] == pytest.approx(average_accuracy(still).mean())


@given(TABLES)
def test_learning_the_last_period_better_changes_no_earlier_one(table):
    better = table.copy()
    better[-1, -1] = 1.0
    np.testing.assert_array_equal(forgetting(better), forgetting(table))
    assert plasticity(better).mean() >= plasticity(table).mean()


def test_a_missing_test_or_a_table_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="on or below the diagonal"):
        forgetting([[0.5, 0.5], [np.nan, 0.5]])
    with pytest.raises(ValueError, match=r"\(periods, periods\)"):
        plasticity([[0.5, 0.5]])

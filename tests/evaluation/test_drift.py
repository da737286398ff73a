"""Drift: nothing where the world stands still, what moved where it does, and no false alarm from few rows."""

import numpy as np
import pytest

from shopkeeper.errors import InputError
from shopkeeper.evaluation.drift import MOVED, Reference, stability


@pytest.fixture
def columns():
    table = np.random.default_rng(1).normal(size=(4_000, 3))
    table[::5, 2] = np.nan
    return table


def test_the_index_agrees_with_its_definition():
    then, now = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    expected = 0.1 * np.log(0.3 / 0.2) - 0.1 * np.log(0.4 / 0.5)
    assert stability(then, now) == pytest.approx(expected)
    assert np.isfinite(stability(np.array([0.0, 1.0]), np.array([1.0, 0.0])))


def test_what_moved_is_named_first_and_the_rest_stands(columns):
    reference = Reference.fit(columns)
    later = np.random.default_rng(2).normal(size=(2_000, 3))
    later[:, 1] += 1.5
    later[::5, 2] = np.nan
    found = reference.compare(later, ["a", "b", "c"])
    assert [drift.name for drift in found if drift.moved] == ["b"]
    assert found[0].name == "b"
    assert found[0].after - found[0].before == pytest.approx(1.5, abs=0.1)
    assert found[0].limit == MOVED


def test_missing_values_are_a_bin_of_their_own(columns):
    later = columns.copy()
    later[:2_000, 0] = np.nan
    found = Reference.fit(columns).compare(later, ["a", "b", "c"])
    assert [drift.name for drift in found if drift.moved] == ["a"]


def test_few_rows_raise_no_false_alarm(columns):
    reference = Reference.load(Reference.fit(columns).save())
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(50):
        few = rng.normal(size=(30, 3))
        few[::5, 2] = np.nan
        alarms += sum(drift.moved for drift in reference.compare(few, ["a", "b", "c"]))
    assert alarms <= 8


def test_constant_and_absent_columns_are_no_trouble():
    table = np.column_stack([np.zeros(50), np.full(50, np.nan)])
    found = Reference.fit(table).compare(table, ["zero", "none"])
    assert not any(drift.moved for drift in found)
    assert np.isnan(next(drift for drift in found if drift.name == "none").before)


def test_other_columns_are_refused(columns):
    with pytest.raises(InputError, match="cannot be compared"):
        Reference.fit(columns).compare(columns[:, :2], ["a", "b"])
    with pytest.raises(InputError, match="cannot be compared"):
        Reference.fit(columns).compare(columns[:0], ["a", "b", "c"])

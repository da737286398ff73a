from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, ndcg_score

from shopkeeper.evaluation import intervals, metrics

TABLES = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(2, 12)),
    elements=st.sampled_from([0.0, 1.0, 2.0, 3.0]),
)


@pytest.mark.parametrize("module", [metrics, intervals])
def test_examples_in_the_documentation_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@given(TABLES, st.integers(1, 12))
def test_ndcg_agrees_with_sklearn(grades, k):
    places = np.tile(-np.arange(grades.shape[1], dtype=float), (len(grades), 1))
    ours = metrics.ndcg_at(k, grades)
    reference = [ndcg_score([2**row - 1], [order], k=k) for row, order in zip(grades, places, strict=True)]
    assert ours == pytest.approx(reference)


@given(TABLES)
def test_average_precision_agrees_with_sklearn(grades):
    order = -np.arange(grades.shape[1], dtype=float)
    reference = [average_precision_score(row > 0, order) if row.any() else 0.0 for row in grades]
    assert metrics.average_precision(grades) == pytest.approx(reference)


@given(TABLES, st.integers(1, 12))
def test_every_metric_stays_between_zero_and_one_and_gives_one_value_a_query(grades, k):
    everything = [
        metrics.ndcg_at(k, grades),
        metrics.recall_at(k, grades),
        metrics.precision_at(k, grades),
        metrics.mrr_at(k, grades),
        metrics.average_precision(grades),
        metrics.judged_at(k, grades > 0),
    ]
    for values in everything:
        assert values.shape == (len(grades),)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@given(TABLES, st.integers(1, 12))
def test_swapping_a_better_item_upwards_never_hurts(grades, k):
    before = metrics.ndcg_at(k, grades)
    better = -np.sort(-grades, axis=1)
    assert (metrics.ndcg_at(k, better) >= before - 1e-12).all()


def test_relevant_items_not_shown_cost_recall_and_ndcg():
    assert metrics.recall_at(10, [[1, 1]], relevant=[8]) == pytest.approx([0.25])
    assert metrics.ndcg_at(2, [[3, 0]], ideal=[[3, 3, 1]])[0] < 1
    assert metrics.average_precision([[1, 0]], relevant=[2]) == pytest.approx([0.5])


def test_rankings_of_ids_become_a_table():
    table = metrics.graded([["a", "x"], [], ["b", "a", "c"]], [{"a": 3.0}, {"a": 1.0}, {"c": 2.0}])
    assert table.tolist() == [[3, 0, 0], [0, 0, 0], [0, 0, 2]]


def test_no_queries_and_empty_rankings_are_fine():
    assert metrics.ndcg_at(10, np.zeros((0, 0))).shape == (0,)
    assert metrics.mrr_at(10, np.zeros((2, 0))).tolist() == [0, 0]
    assert metrics.ndcg_at(10, np.zeros((2, 0)), ideal=[[1], [0]]).tolist() == [0, 0]


def test_a_flat_list_is_refused():
    with pytest.raises(ValueError, match="one row per query"):
        metrics.ndcg_at(10, [1, 0, 2])

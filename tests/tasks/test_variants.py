from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.records import Item
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.tasks.search.variants import Groups, products

GROUPS = ["shirt", "", "shirt", "杯子", "", "shirt", "杯子"]


def items_of(groups):
    return [Item(id=str(n), title="x", group=group) for n, group in enumerate(groups)]


def folded(groups, order):
    found = products(np.array(order, dtype=np.int64), Groups(items_of(groups)))
    return [(int(row), found.others(place).tolist()) for place, row in enumerate(found.rows)]


def plain(groups, order):
    """The same, slowly."""
    found = {}
    for row in order:
        found.setdefault(groups[row] or row, []).append(row)
    return [(rows[0], rows[1:]) for rows in found.values()]


def test_one_hit_a_product_the_best_one_with_the_others_in_order():
    assert folded(GROUPS, [5, 1, 6, 0, 4, 2, 3]) == [(5, [0, 2]), (1, []), (6, [3]), (4, [])]


def test_what_is_not_in_the_ranking_is_no_variant():
    assert folded(GROUPS, [3, 0]) == [(3, []), (0, [])]
    assert folded(GROUPS, []) == []


@given(st.lists(st.sampled_from(["", "a", "b", "丙"]), max_size=30).flatmap(
    lambda groups: st.tuples(st.just(groups), st.lists(st.sampled_from(range(len(groups))), unique=True) if groups else st.just([]))
))  # fmt: skip
def test_folding_is_what_a_loop_would_do_and_loses_nothing(drawn):
    groups, order = drawn
    found = folded(groups, order)
    assert found == plain(groups, order)
    assert sorted([row for row, _ in found] + [row for _, others in found for row in others]) == sorted(order)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_of_products_never_repeat_one(size):
    rng = np.random.default_rng(3)
    groups = Groups(items_of([f"g{n % 40}" if n % 3 else "" for n in range(300)]))
    ranking = rng.permutation(300)
    whole = products(ranking, groups)
    pages = [products(ranking, groups).rows[start : start + size] for start in range(0, len(whole), size)]
    seen = np.concatenate(pages)
    assert seen.tolist() == whole.rows.tolist()
    assert len(set(groups.keys(seen).tolist())) == len(seen)


def test_a_changed_group_counts_at_once_and_unknown_rows_stand_alone():
    items = items_of(GROUPS)
    groups = Groups(Shelf(items).items)
    groups.put(1, Item(id="1", title="x", group="杯子"))
    groups.put(0, Item(id="0", title="x"))
    groups.put(900, Item(id="900", title="x", group="shirt"))
    assert products(np.array([0, 1, 2, 3, 900, 5_000, 5_001]), groups).rows.tolist() == [0, 1, 2, 5_000, 5_001]


def test_twenty_thousand_rows_fold_in_milliseconds():
    groups = Groups(items_of([f"g{n % 5_000}" for n in range(20_000)]))
    ranking = np.random.default_rng(1).permutation(20_000)
    seconds = []
    for _ in range(7):
        began = time.thread_time()
        assert len(products(ranking, groups)) == 5_000
        seconds.append(time.thread_time() - began)
    assert min(seconds) < 0.05

"""Dense blocks, partners, and labels that spread without coming back."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.ranking.raters.graph import GRAPH_NAMES, SPREAD_NAMES, blocks, graph_signs, spread
from shopkeeper.ranking.raters.ratings import Ratings


def rated(rows):
    return Ratings.of([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def crew(rng, honest=60, items=80):
    """Six fakes who rate the same five items, among honest people who each rate five at random."""
    rows = [(f"fake{n}", f"pushed{m}", 5) for n in range(6) for m in range(5)]
    for n in range(honest):
        rows += [(f"honest{n}", f"item{m}", int(rng.integers(1, 6))) for m in rng.choice(items, 5, replace=False)]
    return rated([rows[place] for place in rng.permutation(len(rows))])


def is_fake(ratings):
    return np.array([name.startswith("fake") for name in ratings.raters])


def test_the_densest_block_is_the_crew():
    ratings = crew(np.random.default_rng(1))
    density, of_items = blocks(ratings)
    assert set(np.flatnonzero(density == density.max())) == set(np.flatnonzero(is_fake(ratings)))
    assert {ratings.items[row] for row in np.flatnonzero(of_items == of_items.max())} == {
        f"pushed{m}" for m in range(5)
    }


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), min_size=1, max_size=12, unique=True))
@settings(max_examples=40, deadline=None)
def test_the_block_is_nearly_half_as_dense_as_the_best_or_better(pairs):
    ratings = rated([(a, b, 3) for a, b in pairs])
    tie = 1 / np.log(ratings.raised[ratings.item] + 5)
    nodes = [("u", n) for n in range(len(ratings.raters))] + [("i", n) for n in range(len(ratings.items))]
    best = 0.0
    for size in range(1, len(nodes) + 1):
        for chosen in combinations(nodes, size):
            kept = set(chosen)
            inside = [("u", a) in kept and ("i", b) in kept for a, b in zip(ratings.rater, ratings.item, strict=True)]
            best = max(best, tie[inside].sum() / size)
    found = max(part.max() for part in blocks(ratings))
    assert best / 2.1 - 1e-9 <= found <= best + 1e-9


def test_partners_and_shares():
    ratings = rated([("a", "u", 5), ("a", "v", 5), ("b", "u", 5), ("b", "v", 1), ("c", "w", 3)])
    table = {name: graph_signs(ratings)[:, n] for n, name in enumerate(GRAPH_NAMES)}
    assert table["partners"].tolist() == pytest.approx([np.log(2), np.log(2), 0.0])
    assert table["shared"].tolist() == [1.0, 1.0, 0.0]
    assert table["agreeing"].tolist() == [0.5, 0.5, 0.0]


def test_labels_reach_the_rest_of_the_crew():
    rng = np.random.default_rng(2)
    ratings = crew(rng)
    fake = is_fake(ratings)
    labels = np.where(rng.random(len(fake)) < 0.6, fake.astype(float), np.nan)
    labels[np.flatnonzero(fake)[:3]] = 1.0
    labels[np.flatnonzero(fake)[3:]] = np.nan
    found = spread(ratings, labels, rng.permutation(len(fake)) % 3)
    open_to = np.isnan(labels)
    for name in ("near", "near_agreeing", "far", "worst"):
        column = found[:, SPREAD_NAMES.index(name)]
        assert column[open_to & fake].min() > column[open_to & ~fake].max(), name


@pytest.mark.parametrize("turned", range(5))
def test_nobodys_own_label_reaches_them(turned):
    rng = np.random.default_rng(3)
    ratings = crew(rng, honest=20, items=12)
    count = len(ratings.raters)
    labels = (rng.random(count) < 0.5).astype(float)
    folds = rng.permutation(count) % 4
    other = np.where(folds == folds[turned], 1 - labels, labels)
    before, after = spread(ratings, labels, folds), spread(ratings, other, folds)
    np.testing.assert_array_equal(before[turned], after[turned])
    assert (before != after).any()


def test_without_labels_or_ratings_nothing_spreads():
    ratings = crew(np.random.default_rng(4), honest=5)
    count = len(ratings.raters)
    assert not spread(ratings, np.full(count, np.nan), np.zeros(count, dtype=np.int64)).any()
    empty = Ratings.of([], [], [], also=["ann"])
    assert spread(empty, [1.0], np.zeros(1, dtype=np.int64)).shape == (1, len(SPREAD_NAMES))
    assert graph_signs(empty).tolist() == [[0.0] * len(GRAPH_NAMES)]

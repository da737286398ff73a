"""Variety, reach, surprise and balance of pages: known answers and brute force."""

import doctest
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.evaluation import beyond
from shopkeeper.ranking.pages.calibration import divergence, memberships


def test_examples_in_the_documentation_hold():
    result = doctest.testmod(beyond)
    assert result.attempted > 0
    assert result.failed == 0


def some_pages(seed, users=6, k=5, items=12):
    rng = np.random.default_rng(seed)
    pages = np.array([rng.permutation(items)[:k] for _ in range(users)])
    pages[rng.random(pages.shape) < 0.2] = -1
    return pages


@given(st.integers(0, 300))
def test_diversity_is_the_mean_over_pairs(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((12, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pages = some_pages(seed)
    for page, found in zip(pages, beyond.intra_list_diversity(pages, vectors), strict=True):
        pairs = [1 - float(vectors[a] @ vectors[b]) for a, b in itertools.combinations(page[page >= 0], 2)]
        assert found == pytest.approx(np.mean(pairs) if pairs else 0.0, abs=1e-5)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_gini_is_the_mean_difference(values):
    x = np.array(values)
    wanted = np.abs(x[:, None] - x).sum() / (2 * len(x) ** 2 * x.mean()) if x.sum() > 0 else 0.0
    assert beyond.gini(values) == pytest.approx(wanted, abs=1e-9)
    assert beyond.gini(np.zeros(3)) == 0


def test_exposure_counts_places():
    found = beyond.exposure([[0, 2], [2, -1]], 4)
    assert found == pytest.approx([1, 0, 1 + 1 / np.log2(3), 0])
    assert beyond.coverage([[0, 2], [2, -1]], 4) == 0.5
    assert beyond.coverage(np.zeros((0, 3)), 0) == 0


def test_novelty_is_information():
    assert beyond.novelty([[0, 1], [2, -1]], [4, 1, 0], users=4).tolist() == [1.0, 3.0]
    assert beyond.novelty([[-1, -1]], [4], users=4).tolist() == [0.0]


@given(st.integers(0, 300))
def test_serendipity_by_hand(seed):
    pages, plain = some_pages(seed), some_pages(seed + 1, k=3)
    relevant = np.random.default_rng(seed).random(pages.shape) < 0.5
    for n, found in enumerate(beyond.serendipity(pages, relevant, plain)):
        good = [
            item
            for item, wanted in zip(pages[n], relevant[n], strict=True)
            if item >= 0 and wanted and item not in plain[n]
        ]
        assert found == pytest.approx(len(good) / max((pages[n] >= 0).sum(), 1))


def test_miscalibration_is_the_divergence_of_the_pages_mix():
    belongs = memberships([[0], [0], [1], [0, 1]], 2)
    pages = [[0, 1], [0, 2], [2, 3], [-1, -1]]
    assert beyond.mixes(pages, belongs).tolist() == [[1, 0], [0.5, 0.5], [0.25, 0.75], [0, 0]]
    wanted = np.tile([0.5, 0.5], (4, 1))
    found = beyond.miscalibration(pages, belongs, wanted)
    assert found[1] == pytest.approx(0)
    assert found[0] == pytest.approx(divergence([0.5, 0.5], [1.0, 0.0]))
    assert found[0] > found[2] > 0


def test_the_new_and_the_suppliers_are_counted():
    pages = [[0, 1, 2, -1], [2, 2, -1, -1]]
    assert beyond.fresh_share(pages, [1, 40, np.nan], days=30).tolist() == pytest.approx([1 / 3, 0])
    shares = beyond.supplier_shares(pages, [0, 1, 0], 3)
    assert shares.sum() == pytest.approx(1)
    assert shares[2] == 0
    assert beyond.supplier_shares([[0, 1]], [-1, 0], 1) == pytest.approx([1 / np.log2(3) / (1 + 1 / np.log2(3))])
    assert beyond.supplier_shares(np.zeros((0, 2)), [0], 1).tolist() == [0]


def test_bad_pages_are_refused():
    with pytest.raises(ValueError, match="one row a user"):
        beyond.coverage([1, 2], 4)
    with pytest.raises(ValueError, match="one row a user"):
        beyond.exposure([[-2]], 4)
    with pytest.raises(ValueError, match="same users"):
        beyond.serendipity([[0]], [[True]], [[0], [1]])

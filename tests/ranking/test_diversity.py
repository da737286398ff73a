"""Pages whose items add something to one another: known answers, brute force at toy size, speed-free."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.ranking.pages.diversity import determinantal, kernel, marginal_relevance, relevance

WAYS = [marginal_relevance, determinantal]


def pool(seed, n=12, d=5):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, d)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return rng.random(n).astype(np.float32), vectors, rng.integers(0, 3, n)


@pytest.mark.parametrize("way", WAYS)
@given(seed=st.integers(0, 500), n=st.integers(0, 14), k=st.integers(0, 16), theta=st.floats(0, 1))
def test_a_page_is_k_different_candidates_and_best_first_without_diversity(way, seed, n, k, theta):
    scores, vectors, categories = pool(seed, n)
    page = way(scores, vectors, k, theta, categories=categories)
    assert len(page) == len(set(page.tolist())) == min(k, n)
    assert way(scores, vectors, k, 0.0).tolist() == np.argsort(-scores)[:k].tolist()
    assert page.tolist() == way(scores * 3 - 5, vectors, k, theta, categories=categories).tolist() or theta > 0


@pytest.mark.parametrize("seed", range(5))
def test_marginal_relevance_agrees_with_its_formula(seed):
    scores, vectors, categories = pool(seed)
    alike, worth, theta = kernel(vectors, categories), relevance(scores), 0.6
    wanted = [int(worth.argmax())]
    while len(wanted) < 6:
        gains = {n: (1 - theta) * worth[n] - theta * alike[n, wanted].max() for n in range(12) if n not in wanted}
        wanted.append(max(gains, key=gains.get))
    assert marginal_relevance(scores, vectors, 6, theta, categories=categories).tolist() == wanted


@pytest.mark.parametrize("seed", range(5))
def test_the_determinantal_page_agrees_with_explicit_determinants(seed):
    scores, vectors, categories = pool(seed)
    alike, worth, theta = kernel(vectors, categories).astype(np.float64), relevance(scores), 0.5
    wanted: list[int] = []
    while len(wanted) < 7:
        gains = {
            n: (1 - theta) * worth[[*wanted, n]].sum()
            + theta * np.linalg.slogdet(alike[np.ix_([*wanted, n], [*wanted, n])])[1]
            for n in range(12)
            if n not in wanted
        }
        wanted.append(max(gains, key=gains.get))
    assert determinantal(scores, vectors, 7, theta, categories=categories).tolist() == wanted


def test_the_greedy_page_is_near_the_best_of_all_pages():
    scores, vectors, _ = pool(3, n=10)
    alike, worth = kernel(vectors).astype(np.float64), relevance(scores)

    def quality(page):
        page = list(page)
        return 0.5 * worth[page].sum() + 0.5 * np.linalg.slogdet(alike[np.ix_(page, page)])[1]

    best = max(quality(page) for page in itertools.combinations(range(10), 4))
    worst = min(quality(page) for page in itertools.combinations(range(10), 4))
    assert quality(determinantal(scores, vectors, 4, 0.5)) > best - 0.1 * (best - worst)


@pytest.mark.parametrize("way", WAYS)
def test_copies_of_the_best_item_give_way(way):
    vectors = np.eye(8, dtype=np.float32)[[0, 0, 0, 0, 1, 2, 3]]
    scores = np.array([1.0, 0.99, 0.98, 0.97, 0.9, 0.85, 0.8], dtype=np.float32)
    assert way(scores, vectors, 4, 0.0).tolist() == [0, 1, 2, 3]
    assert way(scores, vectors, 4, 0.8).tolist() == [0, 4, 5, 6]
    assert set(way(scores, vectors, 7, 1.0).tolist()) == set(range(7)), "copies still fill a page"


def test_a_mixture_of_the_page_adds_nothing_to_the_determinant():
    half = np.sqrt(0.5)
    vectors = np.array([[1, 0, 0], [0, 1, 0], [half, half, 0], [0.75, 0, 0.6614378]], dtype=np.float32)
    scores = np.array([1.0, 0.999, 0.5, 0.5], dtype=np.float32)
    assert determinantal(scores, vectors, 3, 0.3).tolist() == [0, 1, 3], "outside the plane of the page"
    assert marginal_relevance(scores, vectors, 3, 0.3).tolist() == [0, 1, 2], "no nearer to either than 3 is to 0"


@pytest.mark.parametrize("way", WAYS)
def test_a_common_category_counts_as_likeness(way):
    vectors = np.eye(4, dtype=np.float32)
    scores = np.array([1.0, 0.9, 0.89, 0.0], dtype=np.float32)
    assert way(scores, vectors, 2, 0.5).tolist() == [0, 1]
    assert way(scores, vectors, 2, 0.5, categories=np.array([5, 5, 6, 7])).tolist() == [0, 2]


@pytest.mark.parametrize("way", WAYS)
def test_equal_candidates_are_shuffled_by_the_seed(way):
    vectors, scores = np.eye(30, dtype=np.float32), np.ones(30, dtype=np.float32)
    pages = [way(scores, vectors, 5, 0.5, seed=seed).tolist() for seed in range(4)]
    assert len({tuple(page) for page in pages}) == 4
    assert all(page != sorted(page) for page in pages)
    assert pages[0] == way(scores, vectors, 5, 0.5, seed=0).tolist()


@pytest.mark.parametrize("way", WAYS)
def test_bad_input_is_refused(way):
    scores, vectors, categories = pool(0)
    for arguments in [
        (scores[:-1], vectors, 3, 0.5),
        (scores, vectors, 3, 1.5),
        (scores, vectors, 3, float("nan")),
        (np.where(scores == scores.max(), np.nan, scores), vectors, 3, 0.5),
        (scores, vectors * np.inf, 3, 0.5),
    ]:
        with pytest.raises(InputError), np.errstate(invalid="ignore"):
            way(*arguments)
    with pytest.raises(InputError):
        way(scores, vectors, 3, 0.5, categories=categories[:-2])

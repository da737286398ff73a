from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.retrieval.vectors import VectorIndex

DIMENSION = 32


def clustered(count, rng, clusters=40):
    centres = np.random.default_rng(9).standard_normal((clusters, DIMENSION))
    vectors = centres[rng.integers(0, clusters, count)] + 0.5 * rng.standard_normal((count, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def brute_force(vectors, query, k, alive):
    scores = np.where(alive, vectors @ query, -np.inf)
    return np.argsort(-scores, kind="stable")[: min(k, int(alive.sum()))]


@pytest.fixture(scope="module", params=["exact", "graph"])
def index(request):
    rng = np.random.default_rng(0)
    vectors = clustered(6_000, rng)
    index = VectorIndex(DIMENSION, 50_000 if request.param == "exact" else 2_000)
    for start in range(0, 6_000, 1_500):
        index.upsert(np.arange(start, start + 1_500), vectors[start : start + 1_500])
    assert index.approximate == (request.param == "graph")
    return index, vectors


def recall(index, vectors, allowed=None, k=10):
    alive = np.ones(len(vectors), bool) if allowed is None else allowed
    found = []
    for query in clustered(60, np.random.default_rng(1)):
        rows, scores = index.search(query, k, allowed)
        assert len(rows) == min(k, int(alive.sum()))
        assert alive[rows].all()
        assert (np.diff(scores) <= 0).all()
        assert scores == pytest.approx(vectors[rows] @ query, abs=2e-3)
        found.append(len(set(rows) & set(brute_force(vectors, query, k, alive))) / max(len(rows), 1))
    return np.mean(found)


@pytest.mark.parametrize("share", [None, 0.9, 0.5, 0.1, 0.002])
def test_agreement_with_brute_force(index, share):
    index, vectors = index
    allowed = None if share is None else np.random.default_rng(2).random(len(vectors)) < share
    found = recall(index, vectors, allowed)
    assert found >= (0.95 if index.approximate else 0.9999)


def test_the_graph_is_used_with_wide_filters_of_large_shops(monkeypatch):
    monkeypatch.setattr("shopkeeper.retrieval.vectors._NARROW", 100)
    vectors = clustered(5_000, np.random.default_rng(3))
    index = VectorIndex(DIMENSION, 0)
    index.upsert(np.arange(5_000), vectors)
    for share in (0.95, 0.3, 0.05):
        assert recall(index, vectors, np.random.default_rng(4).random(5_000) < share) >= 0.95
    allowed = vectors @ clustered(60, np.random.default_rng(1))[0] < -0.2  # far from the first query
    assert recall(index, vectors, allowed) >= 0.9


@given(st.lists(st.tuples(st.integers(0, 19), st.booleans()), max_size=30), st.sampled_from([0, 8, 1000]))
@settings(max_examples=40, deadline=None)
def test_any_course_of_changes_ends_like_a_fresh_index(changes, exact_below):
    vectors = clustered(20, np.random.default_rng(5))
    index = VectorIndex(DIMENSION, exact_below)
    alive = np.zeros(20, bool)
    for row, add in changes:
        index.upsert(np.array([row]), vectors[[row]]) if add else index.remove(np.array([row]))
        alive[row] = add
    rows, _ = index.search(vectors[0], 20)
    assert set(rows) == set(np.flatnonzero(alive))
    assert len(index) == alive.sum()


def test_a_changed_vector_is_found_at_its_new_place(index):
    index, vectors = index
    new = -vectors[7]
    index.upsert(np.array([7]), new[None])
    try:
        assert index.search(new, 1)[0].tolist() == [7]
        assert 7 not in index.search(vectors[7], 5)[0]
    finally:
        index.upsert(np.array([7]), vectors[[7]])


def test_scores_and_vectors_of_unknown_rows_are_zero():
    index = VectorIndex(DIMENSION)
    vectors = clustered(3, np.random.default_rng(6))
    index.upsert(np.array([0, 4]), vectors[:2])
    index.remove(np.array([0, 99]))
    assert index.scores(vectors[1], np.array([0, 2, 4, 1_000])) == pytest.approx([0, 0, 1, 0], abs=1e-6)
    assert not index.vectors(np.array([0, 2, 1_000])).any()


def test_an_empty_index_and_k_zero():
    index = VectorIndex(DIMENSION)
    query = clustered(1, np.random.default_rng(7))[0]
    assert len(index.search(query, 5)[0]) == 0
    index.upsert(np.zeros(0, np.int64), np.zeros((0, DIMENSION), np.float32))
    index.upsert(np.array([0]), query[None])
    assert len(index.search(query, 0)[0]) == 0
    assert index.search(query, 5, np.zeros(0, bool))[0].tolist() == []


def test_either_may_be_imported_first():
    import subprocess
    import sys

    for first, second in (("retrieval.vectors", "models.onnx"), ("models.onnx", "retrieval.vectors")):
        command = f"import shopkeeper.{first}, shopkeeper.{second}"
        subprocess.run([sys.executable, "-c", command], check=True)


@pytest.mark.parametrize("k", [0, 7])
def test_rows_asked_for_besides_come_with_their_scores(index, k):
    index, _ = index
    query = clustered(1, np.random.default_rng(8))[0]
    allowed = np.arange(6_000) % 2 == 0
    also = np.array([1, 3, 5_999, 8_000])
    rows, scores = index.search(query, k, allowed, also)
    near, _ = index.search(query, k, allowed)
    assert rows.tolist() == sorted({*near.tolist(), *also.tolist()})
    np.testing.assert_allclose(scores, index.scores(query, rows), atol=1e-5)

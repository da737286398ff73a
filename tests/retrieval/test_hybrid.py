from __future__ import annotations

import json

import numpy as np
import pytest
from hash_encoder import HashEncoder
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toyshop import toy_items

from shopkeeper.retrieval.hybrid import Fusion, HybridIndex, fuse


@pytest.fixture(scope="module")
def index():
    index = HybridIndex(HashEncoder(), candidates=10)
    index.upsert(np.arange(40), toy_items())
    return index


def test_candidates_of_both_sides_are_scored_by_both(index):
    found = index.search("garden hose")
    assert set(index.vectors.search(index.encode("garden hose"), 10)[0]) <= set(found.rows)
    assert set(index.lexical.search("garden hose", 50)[0]) == set(found.rows[found.words > 0])
    assert found.cosine == pytest.approx(index.vectors.scores(index.encode("garden hose"), found.rows))
    assert found.scores == pytest.approx(found.words + found.meaning)
    assert (np.diff(found.scores) <= 0).all()
    assert found.rows[0] == 14


def test_only_allowed_rows(index):
    allowed = np.arange(40) % 3 == 0
    assert allowed[index.search("garden 厨房", allowed=allowed).rows].all()
    assert len(index.search("garden", allowed=np.zeros(40, bool))) == 0


def test_words_alone_and_meaning_alone(index):
    query, vector = "garden hose", index.encode("garden hose")
    rows = np.arange(40)
    bm25, cosine = index.lexical.scores(query, rows), index.vectors.scores(vector, rows)
    assert fuse(rows, bm25, cosine, 1.0).rows.tolist() == np.lexsort((rows, -bm25)).tolist()
    assert fuse(rows, bm25, cosine, 0.0).rows.tolist() == np.lexsort((rows, -cosine)).tolist()


@given(
    arrays(np.float32, 12, elements=st.floats(0, 40, width=32)),
    arrays(np.float32, 12, elements=st.floats(-1, 1, width=32)),
    st.floats(0, 1),
)
def test_fused_scores_are_finite_bounded_and_monotone(bm25, cosine, words):
    found = fuse(np.arange(12), bm25, cosine, words)
    assert sorted(found.rows) == list(range(12))
    assert ((found.scores >= -1e-5) & (found.scores <= 1 + 1e-5)).all()
    better = found.rows[(bm25[found.rows] >= bm25.max()) & (cosine[found.rows] >= cosine.max())]
    if len(better):
        assert found.scores[np.isin(found.rows, better)].max() == found.scores[0]


def test_vectors_given_are_not_encoded_again():
    index = HybridIndex(HashEncoder())
    items = toy_items()[:4]
    vectors = index.upsert(np.arange(4), items)
    other = HybridIndex(HashEncoder())
    other.upsert(np.arange(4), items, vectors)
    assert other.encoder.encoded == 0
    assert other.search("steel rake").rows.tolist() == index.search("steel rake").rows.tolist()


def test_parameters_survive_json():
    fusion = Fusion(0.35, {"text": 1.0, "details": 0.1})
    assert Fusion.from_json(json.loads(json.dumps(fusion.to_json()))) == fusion

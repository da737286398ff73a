"""Which items are alike, by their vectors and by their words, for everything that is checked against its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime  # noqa: F401 - before usearch: loaded after it, its library crashes on some processors
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from usearch.index import Index

from shopkeeper.models.text import Floats
from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.text_neighbours import VectorNeighbours

_WORDS, _SHADOW = 2**17, 128
_WIDTH = 24
_BLOCK = 512
_EXACT_BELOW = 50_000


@dataclass(frozen=True, slots=True)
class Likeness:
    """The nearest other items of each of n items, nearest first.

    Attributes:
        rows: int64 (n, k); -1 where there are fewer than k others.
        meaning: float32 (n, k), cosine of their centred vectors.
        words: float32 (n, k), cosine of their TF-IDF words.
    """

    rows: NDArray[np.int64]
    meaning: Floats
    words: Floats

    @property
    def both(self) -> Floats:
        """Mean of the two cosines, at least 0; 0 where there is no neighbour: float32 (n, k)."""
        return np.where(self.rows >= 0, np.maximum((self.meaning + self.words) / 2, 0), 0).astype(np.float32)


def bare(item: Item) -> str:
    """What an item says of itself, without the shelf that somebody put it on: what is best encoded for this check."""
    return ". ".join(part for part in (item.title, item.description) if part)


def likeness(items: Sequence[Item], vectors: Floats, *, seed: int = 7, exact_below: int = _EXACT_BELOW) -> Likeness:
    """Find the 24 nearest of each item among some more that short shadows of vectors and words propose.

    Linear in memory. All shadows are compared block by block, or from `exact_below` items on through a graph (HNSW).

    Args:
        items: n items.
        vectors: float32 (n, d), encoder vectors of their texts.
        seed: Of the projection of words.
        exact_below: See above.
    """
    count = len(items)
    if count < 2:
        return Likeness(np.full((count, 1), -1), np.zeros((count, 1), np.float32), np.zeros((count, 1), np.float32))
    meaning = VectorNeighbours(vectors).vectors(np.arange(count))
    words = word_vectors([f"{item.title} {bare(item)}" for item in items])
    used = np.unique(words.indices)
    signs = np.random.default_rng(seed).integers(0, 2, (len(used), _SHADOW), dtype=np.int8)
    spread = (2 * signs.astype(np.float32) - 1) / np.float32(np.sqrt(_SHADOW))
    shadows = np.concatenate([meaning, np.asarray(words[:, used] @ spread, dtype=np.float32)], axis=1)
    near = _nearest(shadows, min(_WIDTH, count - 1), exact=count < exact_below)
    mine = np.repeat(np.arange(count), near.shape[1])
    by_meaning, by_words = np.zeros(len(mine), dtype=np.float32), np.zeros(len(mine), dtype=np.float32)
    others = np.maximum(near.ravel(), 0)
    for start in range(0, len(mine), 200_000):
        part = slice(start, start + 200_000)
        by_meaning[part] = np.einsum("nd,nd->n", meaning[mine[part]], meaning[others[part]])
        by_words[part] = np.asarray(words[mine[part]].multiply(words[others[part]]).sum(axis=1)).ravel()
    found = Likeness(near, by_meaning.reshape(near.shape), by_words.reshape(near.shape))
    order = np.argsort(np.where(near >= 0, -found.both, 1), axis=1, kind="stable")
    near = np.take_along_axis(near, order, axis=1)
    return Likeness(
        near, np.take_along_axis(found.meaning, order, axis=1), np.take_along_axis(found.words, order, axis=1)
    )


def word_vectors(texts: Sequence[str]) -> sp.csr_array:
    """TF-IDF of hashed terms, sublinear, rows of length 1: float32 (n, 131072), sparse."""
    hashed = HashingVectorizer(analyzer=terms, n_features=_WORDS, alternate_sign=False, norm=None, dtype=np.float32)
    return sp.csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(hashed.transform(texts)), dtype=np.float32)


def _nearest(vectors: Floats, count: int, *, exact: bool) -> NDArray[np.int64]:
    """The `count` rows of greatest dot product, itself left out, -1 for none: int64 (n, count), in any order."""
    if exact:
        out = np.empty((len(vectors), count), dtype=np.int64)
        for start in range(0, len(vectors), _BLOCK):
            block = vectors[start : start + _BLOCK] @ vectors.T
            here = np.arange(len(block))
            block[here, start + here] = -np.inf
            out[start : start + _BLOCK] = np.argpartition(block, -count, axis=1)[:, -count:]
        return out
    graph = Index(ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=16, expansion_add=64)
    graph.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=1)
    out = np.full((len(vectors), count), -1, dtype=np.int64)
    for start in range(0, len(vectors), 8 * _BLOCK):
        part = vectors[start : start + 8 * _BLOCK]
        keys = np.asarray(graph.search(part, count + 1, threads=1).keys).astype(np.int64).reshape(len(part), -1)
        keys[keys == (start + np.arange(len(part)))[:, None]] = -1
        order = np.argsort(keys < 0, axis=1, kind="stable")
        found = np.take_along_axis(keys, order, axis=1)[:, :count]
        out[start : start + 8 * _BLOCK, : found.shape[1]] = np.where(found < len(vectors), found, -1)
    return out

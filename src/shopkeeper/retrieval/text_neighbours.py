"""Item to item from words: new items are found before anybody has touched them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

from shopkeeper.retrieval.histories import Floats, Matrix, widen
from shopkeeper.retrieval.shelf import Rows

Analyser = Callable[[str], list[str]]

_MERGE = 1_000
"""Changed rows that stand aside at most before they are merged into the big matrix."""


class WordNeighbours:
    """TF-IDF of words and pairs of neighbouring words, sublinear, compared by cosine.

    Args:
        texts: One text a row; empty ones are similar to nothing.
        analyser: Splits a text into normalised words.
        decay: Weight of an item one step further back.
        common: Words in more than this share of the items are left out: they cost most and say least.
    """

    name = "words"

    def __init__(self, texts: Sequence[str], analyser: Analyser, decay: float = 0.6, common: float = 0.5) -> None:
        self.decay = decay
        self._analyser = analyser
        self._vectoriser = TfidfVectorizer(
            analyzer=self._grams, sublinear_tf=True, dtype=np.float32, max_df=common if len(texts) > 100 else 1.0
        )
        try:
            self._set(sp.csr_array(self._vectoriser.fit_transform(texts)))
        except ValueError:  # no words at all
            self._vectoriser = TfidfVectorizer(analyzer=self._grams, dtype=np.float32).fit(["\N{SYMBOL FOR NULL}"])
            self._set(sp.csr_array((len(texts), len(self._vectoriser.vocabulary_)), dtype=np.float32))

    def put(self, rows: Rows, texts: Sequence[str]) -> None:
        """Set the texts of `rows`, known or new; findable at once."""
        if not len(rows):
            return
        fresh = sp.csr_array(self._vectoriser.transform(texts))
        for place, row in enumerate(rows):
            self._aside[int(row)] = fresh[[place]]
        if len(self._aside) > _MERGE:
            self._set(self._merged())
        else:
            self._stack()

    def scores(self, weights: Matrix) -> Floats:
        """Cosine of every item with the weighted words of the history, itself left out: float32 (users, rows)."""
        width = weights.shape[1]
        profile = self._profile(weights)
        dense = widen((profile @ self._columns).toarray(), width)
        changed = self._changed[self._changed < width]
        if len(changed):
            dense[:, changed] = (profile @ self._extra.T).toarray()[:, : len(changed)]
        own = weights.tocoo()
        lengths = self._squares(own.col)
        np.subtract.at(dense, (own.row, own.col), own.data * lengths)
        return dense

    def between(self, history: Rows, items: Rows) -> Floats:
        """Cosine of each pair, 0 where both are the same row: float32 (h, k)."""
        out: Floats = (self._vectors(history) @ self._vectors(items).T).toarray()
        out[np.equal.outer(history, items)] = 0
        return out

    def shared(self, left: int, right: int, count: int = 3) -> tuple[str, ...]:
        """The words that make two rows similar, heaviest first; single words before pairs of them."""
        product = self._vectors(np.array([left])).multiply(self._vectors(np.array([right]))).tocsr()
        names = self._names
        heaviest = product.indices[np.argsort(-product.data, kind="stable")]
        words = [names[column] for column in heaviest if " " not in names[column]]
        return tuple(words[:count])

    def _grams(self, text: str) -> list[str]:
        words = self._analyser(text)
        return words + [f"{first} {second}" for first, second in zip(words, words[1:], strict=False)]

    def _set(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._columns = matrix.T.tocsr()
        self._aside: dict[int, Matrix] = {}
        self._names = self._vectoriser.get_feature_names_out()
        self._stack()

    def _stack(self) -> None:
        changed = np.array(sorted(self._aside), dtype=np.int64)
        empty = sp.csr_array((0, self._matrix.shape[1]), dtype=np.float32)
        self._extra = sp.vstack([self._aside[int(row)] for row in changed], format="csr") if len(changed) else empty
        self._changed = changed

    def _merged(self) -> Matrix:
        height = max(self._matrix.shape[0], int(self._changed.max(initial=-1)) + 1, max(self._aside) + 1)
        return self._vectors(np.arange(height, dtype=np.int64))

    def _vectors(self, rows: Rows) -> Matrix:
        base = self._matrix.shape[0]
        known = np.where(rows < base, rows, 0)
        keep = (rows < base).astype(np.float32)
        vectors = sp.csr_array(sp.diags_array(keep) @ self._matrix[known])
        aside = [place for place, row in enumerate(rows) if int(row) in self._aside]
        if not aside:
            return vectors
        keep[aside] = 0
        fresh = sp.vstack([self._aside[int(rows[place])] for place in aside], format="csr")
        placed = sp.csr_array((np.ones(len(aside), np.float32), (aside, np.arange(len(aside)))), shape=(len(rows), len(aside)))
        return sp.csr_array(sp.diags_array(keep) @ vectors + placed @ fresh)

    def _profile(self, weights: Matrix) -> Matrix:
        used = np.unique(weights.indices).astype(np.int64)
        return sp.csr_array(weights[:, used] @ self._vectors(used))

    def _squares(self, rows: Rows) -> Floats:
        unique, inverse = np.unique(rows, return_inverse=True)
        vectors = self._vectors(unique.astype(np.int64))
        squares = np.asarray(vectors.multiply(vectors).sum(axis=1), dtype=np.float32).ravel()
        return squares[inverse]


class VectorNeighbours:
    """Encoder vectors of the items, centred, compared by dot product.

    Args:
        vectors: float32 (rows, d), unit length; zero rows are similar to nothing.
        decay: Weight of an item one step further back.
        dimensions: Keep this many principal directions when d is larger: a request then reads less memory.
    """

    name = "meaning"

    def __init__(self, vectors: Floats, decay: float = 0.6, dimensions: int = 384) -> None:
        self.decay = decay
        alive = vectors[np.any(vectors != 0, axis=1)]
        self._centre = alive.mean(axis=0) if len(alive) else np.zeros(vectors.shape[1], dtype=np.float32)
        self._basis = _principal(alive - self._centre, dimensions)
        self._count = 0
        self._store = np.zeros((0, self._basis.shape[1]), dtype=np.float32)
        self.put(np.arange(len(vectors), dtype=np.int64), vectors)

    def put(self, rows: Rows, vectors: Floats) -> None:
        """Set the vectors of `rows`, known or new; findable at once."""
        if not len(rows):
            return
        height = int(rows.max()) + 1
        if height > len(self._store):
            grown = np.zeros((max(height, int(len(self._store) * 1.3)), self._basis.shape[1]), dtype=np.float32)
            grown[: len(self._store)] = self._store
            self._store = grown
        self._count = max(self._count, height)
        self._store[rows] = self._project(vectors)

    def scores(self, weights: Matrix) -> Floats:
        """Similarity of every item with the weighted history, itself left out: float32 (users, rows)."""
        width = weights.shape[1]
        base = min(width, self._count)
        items = self._store[:base]
        profile = weights[:, :base] @ items
        dense = widen(profile @ items.T, width)
        own = weights[:, :base].tocoo()
        np.subtract.at(dense, (own.row, own.col), own.data * np.square(items[own.col]).sum(axis=1))
        return dense

    def between(self, history: Rows, items: Rows) -> Floats:
        """Similarity of each pair, 0 where both are the same row: float32 (h, k)."""
        out: Floats = self._rows(history) @ self._rows(items).T
        out[np.equal.outer(history, items)] = 0
        return out

    def _rows(self, rows: Rows) -> Floats:
        found = self._store[np.minimum(rows, max(len(self._store) - 1, 0))].copy()
        found[rows >= self._count] = 0
        return found

    def _project(self, vectors: Floats) -> Floats:
        projected: Floats = (vectors - self._centre) @ self._basis
        lengths = np.linalg.norm(projected, axis=1, keepdims=True)
        projected /= np.maximum(lengths, 1e-6)
        projected[~np.any(vectors != 0, axis=1)] = 0
        return projected


def _principal(centred: Floats, dimensions: int) -> Floats:
    width = centred.shape[1]
    if dimensions >= width or not len(centred):
        return np.eye(width, dtype=np.float32)
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return np.ascontiguousarray(vectors[:, ::-1][:, :dimensions], dtype=np.float32)

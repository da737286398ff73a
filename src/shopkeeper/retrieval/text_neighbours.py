"""Item to item from words: new items are found before anybody has touched them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

from shopkeeper.retrieval.histories import Floats, Matrix, empty, product, widen
from shopkeeper.retrieval.shelf import Rows

Analyser = Callable[[str], list[str]]

_MERGE = 1_000
"""Changed rows that stand aside at most before they are merged into the big matrix."""
_MANY = 50_000
"""Above this many rows vectors are kept shorter."""
_FEW = 100
"""Below this many texts no word counts as too common."""


@dataclass(frozen=True, slots=True)
class _Words:
    """One state of the word vectors, replaced whole: most rows in `matrix`, changed ones in `extra`."""

    matrix: Matrix
    columns: Matrix
    changed: Rows
    extra: Matrix

    @classmethod
    def of(cls, matrix: Matrix) -> _Words:
        return cls(matrix, sp.csr_array(matrix.T), np.zeros(0, dtype=np.int64), empty(0, matrix.shape[1]))

    def put(self, rows: Rows, vectors: Matrix) -> _Words:
        """The state in which `rows` have `vectors`; the last one counts where a row is named twice."""
        stacked = np.concatenate([self.changed, rows])
        unique, place = np.unique(stacked[::-1], return_index=True)
        extra = sp.vstack([self.extra, vectors], format="csr")[len(stacked) - 1 - place]
        state = _Words(self.matrix, self.columns, unique, extra)
        if len(unique) <= _MERGE:
            return state
        height = max(self.matrix.shape[0], int(unique[-1]) + 1)
        return _Words.of(state.rows(np.arange(height, dtype=np.int64)))

    def rows(self, rows: Rows) -> Matrix:
        """float32 (len(rows), terms); rows without a text are empty."""
        base, place = self.matrix.shape[0], np.searchsorted(self.changed, rows)
        place = np.minimum(place, max(len(self.changed) - 1, 0))
        changed = self.changed[place] == rows if len(self.changed) else np.zeros(len(rows), dtype=np.bool_)
        both = sp.vstack([self.matrix, self.extra], format="csr") if changed.any() else self.matrix
        found = both[np.where(changed, base + place, np.where(rows < base, rows, 0))]
        blank = np.flatnonzero(~changed & (rows >= base))
        if len(blank):
            alive = np.ones(len(rows), dtype=np.float32)
            alive[blank] = 0
            found = sp.csr_array(sp.diags_array(alive) @ found)
        return found


class WordNeighbours:
    """TF-IDF of words and pairs of neighbouring words, sublinear, compared by cosine.

    Args:
        texts: One text a row; empty ones are similar to nothing.
        analyser: Splits a text into normalised words.
        decay: Weight of an item one step further back.
        common: Words in more items than this, or in more than half of them, are left out: they cost most, say least.
    """

    name = "words"

    def __init__(self, texts: Sequence[str], analyser: Analyser, decay: float = 0.6, common: int = 6_000) -> None:
        self.decay = decay
        self._analyser = analyser
        settings = {"analyzer": self._grams, "sublinear_tf": True, "dtype": np.float32}
        self._vectoriser = TfidfVectorizer(
            **settings, max_df=min(common, len(texts) // 2) if len(texts) > _FEW else 1.0
        )
        try:
            matrix = sp.csr_array(self._vectoriser.fit_transform(texts))
        except ValueError:  # there is not a single word
            self._vectoriser = TfidfVectorizer(**settings, vocabulary=[""]).fit([""])
            matrix = empty(len(texts), 1)
        self._names = self._vectoriser.get_feature_names_out()
        self._words = _Words.of(matrix)

    def put(self, rows: Rows, texts: Sequence[str]) -> None:
        """Set the texts of `rows`, known or new; findable at once. Words never seen in fitting are not learnt."""
        if len(rows):
            self._words = self._words.put(rows, sp.csr_array(self._vectoriser.transform(texts)))

    def scores(self, weights: Matrix) -> Floats:
        """Cosine of every item with the weighted words of the history, itself left out: float32 (users, rows)."""
        words, width = self._words, weights.shape[1]
        used, place = np.unique(weights.indices, return_inverse=True)
        vectors = words.rows(used.astype(np.int64))
        of_used = sp.csr_array((weights.data, place, weights.indptr), shape=(weights.shape[0], len(used)))
        profile = sp.csr_array(of_used @ vectors)
        dense = widen(product(profile, words.columns), width)
        inside = words.changed < width
        if inside.any():
            dense[:, words.changed[inside]] = (profile @ words.extra[inside].T).toarray()
        squares = np.bincount(_lines(vectors), np.square(vectors.data), minlength=len(used)).astype(np.float32)
        np.subtract.at(dense, (_lines(weights), weights.indices), weights.data * squares[place])
        return dense

    def between(self, history: Rows, items: Rows) -> Floats:
        """Cosine of each pair, 0 where both are the same row: float32 (h, k)."""
        words = self._words
        left, right = words.rows(history), words.rows(items)
        terms, place = np.unique(left.indices, return_inverse=True)
        if not len(terms):
            return np.zeros((len(history), len(items)), dtype=np.float32)
        known = np.zeros((len(history), len(terms)), dtype=np.float32)
        known[_lines(left), place] = left.data
        at = np.minimum(np.searchsorted(terms, right.indices), len(terms) - 1)
        shared = terms[at] == right.indices
        ends = np.concatenate([[0], np.cumsum(shared)])[right.indptr]
        narrow = sp.csr_array((right.data[shared], at[shared], ends), shape=(len(items), len(terms)))
        out: Floats = np.ascontiguousarray((narrow @ known.T).T)
        out[np.equal.outer(history, items)] = 0
        return out

    def shared(self, left: int, right: int, count: int = 3) -> tuple[str, ...]:
        """The single words that make two rows similar, heaviest first."""
        words = self._words
        both = words.rows(np.array([left])).multiply(words.rows(np.array([right]))).tocsr()
        heaviest = both.indices[np.argsort(-both.data, kind="stable")]
        names = (str(self._names[column]) for column in heaviest)
        return tuple(name for name in names if " " not in name)[:count]

    def _grams(self, text: str) -> list[str]:
        words = self._analyser(text)
        return words + [f"{first} {second}" for first, second in pairwise(words)]


class VectorNeighbours:
    """Encoder vectors of the items, centred, compared by dot product.

    Args:
        vectors: float32 (rows, d), unit length; zero rows are similar to nothing.
        decay: Weight of an item one step further back.
        dimensions: Keep this many principal directions when d is larger, so that a request reads less memory; None
            decides by the number of rows.
    """

    name = "meaning"

    def __init__(self, vectors: Floats, decay: float = 0.6, dimensions: int | None = None) -> None:
        self.decay = decay
        alive = vectors[np.any(vectors != 0, axis=1)]
        self._centre = alive.mean(axis=0) if len(alive) else np.zeros(vectors.shape[1], dtype=np.float32)
        self._basis = _principal(alive - self._centre, dimensions or (128 if len(vectors) <= _MANY else 64))
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
        known = weights if base == width else weights[:, :base]
        dense = widen((known @ items) @ items.T, width)
        own = np.square(items[known.indices]).sum(axis=1)
        np.subtract.at(dense, (_lines(known), known.indices), known.data * own)
        return dense

    def between(self, history: Rows, items: Rows) -> Floats:
        """Similarity of each pair, 0 where both are the same row: float32 (h, k)."""
        out: Floats = self.vectors(history) @ self.vectors(items).T
        out[np.equal.outer(history, items)] = 0
        return out

    def vectors(self, rows: Rows) -> Floats:
        """The centred vectors of `rows`: float32 (n, d), unit length, zero where there is none."""
        found = self._store[np.minimum(rows, max(len(self._store) - 1, 0))].copy()
        found[rows >= self._count] = 0
        return found

    def _project(self, vectors: Floats) -> Floats:
        projected: Floats = (vectors - self._centre) @ self._basis
        lengths = np.linalg.norm(projected, axis=1, keepdims=True)
        projected /= np.maximum(lengths, 1e-6)
        projected[~np.any(vectors != 0, axis=1)] = 0
        return projected


def _lines(matrix: Matrix) -> Rows:
    """The line of every entry, int64 (entries,)."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _principal(centred: Floats, dimensions: int) -> Floats:
    width = centred.shape[1]
    if dimensions >= width or not len(centred):
        return np.eye(width, dtype=np.float32)
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return np.ascontiguousarray(vectors[:, ::-1][:, :dimensions], dtype=np.float32)

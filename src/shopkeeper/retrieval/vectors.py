"""Search by meaning: unit vectors by row, all of them compared in small shops, through a graph (HNSW) in large ones."""

from __future__ import annotations

import threading

import numpy as np
import onnxruntime  # noqa: F401 - before usearch: loaded after it, its library crashes on some processors
from numpy.typing import NDArray
from usearch.index import Index

from shopkeeper.models.text import Floats
from shopkeeper.retrieval.shelf import Mask, Rows, Scores

_FEW, _NARROW = 2_000, 8_000
"""Up to this many allowed rows, their stored vectors are compared at once; more of them where the graph is the other way."""
_CONNECTIVITY, _BUILD, _SEARCH = 16, 96, 256
_LOOSE = 2
"""Connectivity and effort of a graph that is never walked, as all its entries are compared."""
_WIDE = 4.0
"""Deviations of a coordinate that int8 must be able to hold at least."""
_FETCH = 2
"""Times k that the graph is asked for, before exact scores decide."""
_SPARE = 1.3


class VectorIndex:
    """Rows found by dot product. Searching is safe beside one writer.

    Their int8 shadows, a quarter of the bytes, say which rows are near: all shadows are compared, or beyond `exact_below`
    those that the graph leads to. Twice as many as are wanted are then compared by the stored vectors, float32 or beyond
    `exact_below` float16, which all scores are taken from.

    Args:
        dimension: Length d of the vectors.
        exact_below: From this many rows on, search goes through the graph.
    """

    def __init__(self, dimension: int, exact_below: int = 50_000) -> None:
        self.dimension = dimension
        self._exact_below = exact_below
        self._store: NDArray[np.floating] = np.zeros((0, dimension), dtype=np.float32)
        self._alive = np.zeros(0, dtype=np.bool_)
        self._count = 0
        self._graph = self._new_graph(approximate=False)
        self._walked = False
        self._scale = 0.0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        """Number of rows that can be found."""
        return int(np.count_nonzero(self._alive))

    @property
    def approximate(self) -> bool:
        """True once search goes through the graph."""
        return self._walked

    def upsert(self, rows: Rows, vectors: Floats) -> None:
        """Set the vectors, float32 (n, d), of distinct rows; they are found when this returns."""
        if not len(rows):
            return
        with self._writing:
            self._reserve(int(rows.max()) + 1)
            stale = rows[self._alive[rows]]
            self._store[rows] = vectors
            self._alive[rows] = True
            self._count = max(self._count, int(rows.max()) + 1)
            if not self._scale or (not self._walked and len(self) >= self._exact_below):
                self._build_graph()
                return
            if len(stale):
                self._graph.remove(stale.astype(np.uint64))
            self._graph.add(rows.astype(np.uint64), self._shadow(vectors))

    def remove(self, rows: Rows) -> None:
        """Take rows out; unknown ones are ignored."""
        with self._writing:
            known = rows[rows < self._count]
            known = known[self._alive[known]]
            self._alive[known] = False
            if len(known):
                self._graph.remove(known.astype(np.uint64))

    def search(
        self, vector: Floats, k: int, allowed: Mask | None = None, also: Rows | None = None
    ) -> tuple[Rows, Scores]:
        """The k nearest rows.

        Args:
            vector: float32 (d,).
            k: How many at most.
            allowed: bool (rows,), which rows may be found; rows beyond its end may not.
            also: int64 (m,), rows that are returned besides, however near; unknown ones have 0.

        Returns:
            Rows int64 (n,), distinct, and dot products float32 (n,): best first, or with `also` in order of row.
        """
        count = self._count
        mask = self._alive[:count]
        if allowed is not None:
            mask = mask.copy()
            known = min(count, len(allowed))
            mask[:known] &= allowed[:known]
            mask[known:] = False
        survivors = int(np.count_nonzero(mask))
        if k < 1 or not survivors:
            near, scores = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        elif survivors <= (_NARROW if self._walked else _FEW):
            rows = np.flatnonzero(mask)
            near, scores = _best(rows, self.scores(vector, rows), k)
        else:
            near, scores = self._by_shadows(vector, k, mask, survivors)
        if also is None:
            return near, scores
        rows = np.union1d(near, also)
        return rows, self.scores(vector, rows)

    def scores(self, vector: Floats, rows: Rows) -> Scores:
        """Dot products of any rows, 0 for unknown and removed ones: float32 (n,)."""
        out = np.zeros(len(rows), dtype=np.float32)
        known = rows < self._count
        known[known] = self._alive[rows[known]]
        out[known] = self._store[rows[known]].astype(np.float32, copy=False) @ vector
        return out

    def vectors(self, rows: Rows) -> Floats:
        """The stored vectors, zero for unknown and removed rows: float32 (n, d)."""
        out = np.zeros((len(rows), self.dimension), dtype=np.float32)
        known = rows < self._count
        known[known] = self._alive[rows[known]]
        out[known] = self._store[rows[known]]
        return out

    def _by_shadows(self, vector: Floats, k: int, mask: Mask, survivors: int) -> tuple[Rows, Scores]:
        walked, graph = self._walked, self._graph  # in this order: a writer sets them in the other one
        share = survivors / len(mask)
        fetch = int(_FETCH * k / share)
        shadow = self._shadow(vector)
        while True:
            found = graph.search(shadow, min(fetch, len(graph)), threads=1, exact=not walked)
            rows = np.asarray(found.keys).astype(np.int64)
            rows = rows[rows < len(mask)]
            rows = rows[mask[rows]]
            if len(rows) >= k or fetch >= len(graph):
                break
            fetch *= 4
            if fetch > len(mask) // 4:  # the graph is no shorter way any more
                rows = np.flatnonzero(mask)
                break
        return _best(rows, self.scores(vector, rows), k)

    def _build_graph(self) -> None:
        rows = np.flatnonzero(self._alive)
        sample = self._store[rows[:: max(1, len(rows) // 2_000)]]
        widest = float(np.quantile(np.abs(sample), 0.9999)) if len(sample) else 0.0
        self._scale = 127.0 / max(widest, _WIDE / np.sqrt(self.dimension))
        walked = len(rows) >= self._exact_below
        graph = self._new_graph(approximate=walked)
        if len(rows):
            graph.add(rows.astype(np.uint64), self._shadow(self._store[rows]))
        if walked:
            self._store = self._store.astype(np.float16)
        self._graph, self._walked = graph, walked

    def _new_graph(self, *, approximate: bool) -> Index:
        return Index(
            ndim=self.dimension,
            metric="ip",
            dtype="i8",
            connectivity=_CONNECTIVITY if approximate else _LOOSE,
            expansion_add=_BUILD if approximate else _LOOSE,
            expansion_search=_SEARCH,
        )

    def _shadow(self, vectors: NDArray[np.floating]) -> NDArray[np.int8]:
        shadow: NDArray[np.int8] = np.clip(np.rint(vectors * np.float32(self._scale)), -127, 127).astype(np.int8)
        return shadow

    def _reserve(self, size: int) -> None:
        if size <= len(self._store):
            return
        grown = np.zeros((max(size, int(len(self._store) * _SPARE)), self.dimension), dtype=self._store.dtype)
        grown[: len(self._store)] = self._store
        alive = np.zeros(len(grown), dtype=np.bool_)
        alive[: len(self._alive)] = self._alive
        self._store, self._alive = grown, alive


def _best(rows: Rows, scores: Scores, k: int) -> tuple[Rows, Scores]:
    if k < len(rows):
        top = np.argpartition(scores, len(scores) - k)[-k:]
        rows, scores = rows[top], scores[top]
    order = np.lexsort((rows, -scores))
    return rows[order].astype(np.int64, copy=False), scores[order]

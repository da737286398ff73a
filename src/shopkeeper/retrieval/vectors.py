"""Search by meaning: unit vectors by row, compared all and exactly in small shops, through a graph (HNSW) in large ones."""

from __future__ import annotations

import threading

import numpy as np
import onnxruntime  # noqa: F401 - before usearch: loaded after it, its library crashes on some processors
from numpy.typing import NDArray
from usearch.index import Index

from shopkeeper.models.text import Floats
from shopkeeper.retrieval.shelf import Mask, Rows, Scores

_NARROW = 8_000
"""Up to this many allowed rows, a large shop compares them all as well."""
_CONNECTIVITY, _BUILD, _SEARCH = 16, 96, 256
_FETCH = 2
"""Times k that the graph is asked for, before exact scores decide."""
_SPARE = 1.3


class VectorIndex:
    """Rows found by dot product. Searching is safe beside one writer.

    Vectors stand as float32 while all are compared; beyond `exact_below` as float16, with their int8 shadows in the
    graph. Scores are always taken from the stored vectors.

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
        self._graph: Index | None = None
        self._scale = 127.0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        """Number of rows that can be found."""
        return int(np.count_nonzero(self._alive))

    @property
    def approximate(self) -> bool:
        """True once search goes through the graph."""
        return self._graph is not None

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
            if self._graph is not None:
                if len(stale):
                    self._graph.remove(stale.astype(np.uint64))
                self._graph.add(rows.astype(np.uint64), self._shadow(vectors))
            elif len(self) >= self._exact_below > 0 or self._exact_below == 0:
                self._build_graph()

    def remove(self, rows: Rows) -> None:
        """Take rows out; unknown ones are ignored."""
        with self._writing:
            known = rows[rows < self._count]
            known = known[self._alive[known]]
            self._alive[known] = False
            if self._graph is not None and len(known):
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
        if k >= 1 and self._graph is None and survivors > count // 4:
            every = self._store[:count] @ vector
            near, scores = _best(np.arange(count), np.where(mask, every, np.float32(-np.inf)), min(k, survivors))
            if also is None:
                return near, scores
            rows = np.union1d(near, also)
            inside = rows < count
            inside[inside] = self._alive[rows[inside]]
            return rows, np.where(inside, every[np.where(inside, rows, 0)], np.float32(0))
        if k < 1 or not survivors:
            near, scores = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        elif self._graph is None or survivors <= _NARROW:
            rows = np.flatnonzero(mask)
            near, scores = _best(rows, self.scores(vector, rows), k)
        else:
            near, scores = self._through_graph(self._graph, vector, k, mask, survivors)
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

    def _through_graph(self, graph: Index, vector: Floats, k: int, mask: Mask, survivors: int) -> tuple[Rows, Scores]:
        share = survivors / len(mask)
        fetch = int(_FETCH * k / share)
        shadow = self._shadow(vector)
        while True:
            found = graph.search(shadow, min(fetch, len(graph)), threads=1)
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
        self._scale = 127.0 / max(float(np.quantile(np.abs(sample), 0.9999)), 1e-6) if len(sample) else 127.0
        graph = Index(
            ndim=self.dimension,
            metric="ip",
            dtype="i8",
            connectivity=_CONNECTIVITY,
            expansion_add=_BUILD,
            expansion_search=_SEARCH,
        )
        if len(rows):
            graph.add(rows.astype(np.uint64), self._shadow(self._store[rows]))
        self._store = self._store.astype(np.float16)
        self._graph = graph

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

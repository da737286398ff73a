"""Item to item through the graph: new items are found by what they share before anybody has touched them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.graph.ways import Way, ways
from shopkeeper.retrieval.histories import Floats, Matrix, empty, product, widen
from shopkeeper.retrieval.shelf import Rows

_WAY_SHIFT: Final = 32


@dataclass(frozen=True, slots=True)
class _State:
    """What the graph says of all rows, replaced whole.

    Attributes:
        features: float32 (rows, ends), unweighted; unit length within each way.
        weighted: The same times the roots of the ways' weights.
        columns: The same with rows and columns in each other's place.
        direct: float32 (rows, rows), weighted: history row -> candidate.
    """

    features: Matrix
    weighted: Matrix
    columns: Matrix
    direct: Matrix


class GraphNeighbours:
    """Items that share brand, category, attributes and whatever else the graph knows, or are joined by it directly.

        score(i, j) = sum over ways p of  weight_p x cos(ends_p(i), ends_p(j))  +  sum over direct ways of  weight_p x join_p(i, j)

    An end e counts as idf: log((1 + items) / items that come to e), so what a thousand items share says little; a direct join
    between items of degrees a and b counts 1 / sqrt(a b). Weights are not negative. `paths` is the exact sum of `between`.

    Args:
        graph: Of the same shelf.
        weights: `Way.name` to weight; ways that are absent count 0. None counts all alike. See `learn_way_weights`.
        decay: Weight of an item one step further back.
    """

    name = "graph"

    def __init__(self, graph: Graph, weights: Mapping[str, float] | None = None, decay: float = 0.8) -> None:
        self.decay = decay
        self.graph = graph
        self.ways = ways(graph)
        given = dict.fromkeys((way.name for way in self.ways), 1.0) if weights is None else weights
        self.weights = {way.name: max(float(given.get(way.name, 0.0)), 0.0) for way in self.ways}
        self._rare = np.float32(np.log(1 + max(len(graph.items()), 1)))
        self._ends = np.zeros(0, dtype=np.int64)
        self._idf = np.zeros(0, dtype=np.float32)
        everything = np.arange(len(graph.shelf), dtype=np.int64)
        _, keys = self._come_to(everything)
        self._ends, counts = np.unique(keys, return_counts=True)
        self._idf = np.log((1 + len(graph.items())) / counts).astype(np.float32)
        self._state = self._built(empty(0, len(self._ends)), everything)

    def put(self, rows: Rows) -> None:
        """Read `rows` anew from the graph, which has them already; findable at once. Dropped ones become silent."""
        if len(rows):
            self._state = self._built(self._state.features, np.unique(rows))

    def scores(self, weights: Matrix) -> Floats:
        """What the weighted history leads to, itself left out: float32 (users, rows)."""
        state, width = self._state, weights.shape[1]
        base = min(width, state.weighted.shape[0])
        known = weights[:, :base] if base < width else weights
        profile = sp.csr_array(known @ state.weighted[:base])
        dense = product(profile, state.columns)[:, :base] + product(known, state.direct[:base])[:, :base]
        squares = np.asarray(state.weighted.multiply(state.weighted).sum(axis=1), dtype=np.float32).ravel()
        own = known.tocoo()
        np.subtract.at(dense, (own.row, own.col), own.data * squares[own.col])
        return widen(dense, width)

    def between(self, history: Rows, items: Rows) -> Floats:
        """What each pair shares, 0 where both are the same row: float32 (h, k)."""
        state = self._state
        base = state.weighted.shape[0]
        out = np.zeros((len(history), len(items)), dtype=np.float32)
        old, known = np.flatnonzero(history < base), np.flatnonzero(items < base)
        left, right = history[old], items[known]
        found = (state.weighted[left] @ state.weighted[right].T).toarray() + state.direct[left][:, right].toarray()
        found[np.equal.outer(left, right)] = 0
        out[np.ix_(old, known)] = found
        return out

    def shares(self, left: int, right: int) -> list[tuple[Way, int, float]]:
        """The parts of ``between([left], [right])``, heaviest first: way, the node both come to, amount.

        For a direct way the node is the history's item.
        """
        state = self._state
        if left == right or max(left, right) >= state.weighted.shape[0]:
            return []
        both = state.weighted[[left]].multiply(state.weighted[[right]]).tocoo()
        parts = [
            (self.ways[key >> _WAY_SHIFT], key & ((1 << _WAY_SHIFT) - 1), amount)
            for key, amount in zip(self._ends[both.col].tolist(), both.data.tolist(), strict=True)
        ]
        node = int(self.graph.nodes_of(np.array([left]))[0])
        direct = [way for way in self.ways if way.direct]
        parts += [(way, node, float(self._join(way)[left, right])) for way in direct]
        return sorted((part for part in parts if part[2]), key=lambda part: (-part[2], part[0].name))

    def evidence(self, profile: Matrix, rows: Rows, users: NDArray[np.int64]) -> Floats:
        """Unweighted score along every way, of candidate ``rows[n]`` for the history of ``users[n]``: float32 (n, ways)."""
        state = self._state
        count = state.features.shape[1]
        ones = np.ones(count, dtype=np.float32), (np.arange(count), self._ends[:count] >> _WAY_SHIFT)
        summed = sp.csr_array(ones, shape=(count, len(self.ways)))
        tastes = sp.csr_array(profile @ state.features)
        out: Floats = (tastes[users].multiply(state.features[rows]).tocsr() @ summed).toarray()
        for place, way in enumerate(self.ways):
            if way.direct:
                led = sp.csr_array(profile @ self._join(way, 1.0))
                out[:, place] = np.asarray(led[users, rows]).ravel()
        return out

    def _built(self, features: Matrix, rows: Rows) -> _State:
        """The state in which `rows` are as the graph has them now, and all others as in `features`."""
        fresh = self._read(rows)
        height, width = max(features.shape[0], int(rows.max(initial=-1)) + 1), len(self._ends)
        source = np.full(height, -1, dtype=np.int64)
        source[: features.shape[0]] = np.arange(features.shape[0])
        source[rows] = features.shape[0] + np.arange(len(rows))
        old = sp.csr_array((features.data, features.indices, features.indptr), shape=(features.shape[0], width))
        both = sp.csr_array(sp.vstack([old, fresh, empty(1, width)], format="csr")[source])
        by_way = np.array([self.weights[way.name] for way in self.ways] or [0.0], dtype=np.float32)
        roots = np.sqrt(by_way)[self._ends >> _WAY_SHIFT]
        weighted = both.copy()
        weighted.data *= roots[both.indices]
        weighted.eliminate_zeros()
        direct = empty(height, height)
        for way in self.ways:
            if way.direct and self.weights[way.name]:
                direct = sp.csr_array(direct + self._join(way, height=height))
        return _State(both, weighted, sp.csr_array(weighted.T), direct)

    def _read(self, rows: Rows) -> Matrix:
        """Features of `rows`: float32 (len(rows), ends); unit length within each way."""
        places, keys = self._come_to(rows)
        order = np.argsort(self._ends)
        new = np.setdiff1d(keys, self._ends)
        if len(new):
            self._ends = np.concatenate([self._ends, new])
            self._idf = np.concatenate([self._idf, np.full(len(new), self._rare)])
            order = np.argsort(self._ends)
        columns = order[np.searchsorted(self._ends[order], keys)]
        value = self._idf[columns]
        _, block = np.unique(np.stack([places, keys >> _WAY_SHIFT]), axis=1, return_inverse=True)
        length = np.sqrt(np.bincount(block.ravel(), weights=np.square(value)))
        value = (value / np.maximum(length[block.ravel()], 1e-9)).astype(np.float32)
        return sp.csr_array((value, (places, columns)), shape=(len(rows), len(self._ends)))

    def _come_to(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in `rows` and (way, end) of every end of every way of the living ones: int64 (m,) each."""
        alive = np.flatnonzero(self.graph.rows_of(self.graph.nodes_of(rows)) >= 0)
        places, keys = [alive[:0]], [alive[:0]]
        for number, way in enumerate(self.ways):
            if not way.direct:
                place, nodes = way.ends(self.graph, rows[alive])
                places.append(alive[place])
                keys.append((number << _WAY_SHIFT) | nodes)
        return np.concatenate(places), np.concatenate(keys)

    def _join(self, way: Way, weight: float | None = None, height: int | None = None) -> Matrix:
        """Direct joins, history row -> candidate, float32 (rows, rows): the candidate is where the way begins."""
        size = height if height is not None else self._state.features.shape[0]
        ((relation, back),) = way.steps
        heads, _, tails = self.graph.edges(relation)
        candidate, past = self.graph.rows_of(tails if back else heads), self.graph.rows_of(heads if back else tails)
        alive = (candidate >= 0) & (past >= 0) & (candidate != past) & (candidate < size) & (past < size)
        candidate, past = candidate[alive], past[alive]
        degrees = np.bincount(candidate, minlength=size)[candidate] * np.bincount(past, minlength=size)[past]
        value = (self.weights[way.name] if weight is None else weight) / np.sqrt(degrees)
        return sp.csr_array((value.astype(np.float32), (past, candidate)), shape=(size, size))

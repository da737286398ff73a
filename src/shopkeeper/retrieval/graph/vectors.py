"""Vectors of the graph's nodes, from its shape alone: a sparse factorisation, then a smoothing along the edges."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.histories import Floats, Matrix
from shopkeeper.retrieval.shelf import Rows

_ORDER: Final = 10
_CENTRE, _WIDTH = 0.2, 0.5
_POWER: Final = 0.75


class NodeVectors:
    """Vectors by node, and of items that came later by what they are joined to.

    Args:
        graph: The graph they were made of.
        vectors: float32 (nodes, d), unit length, or zero for nodes without an edge.
    """

    def __init__(self, graph: Graph, vectors: Floats) -> None:
        self.graph = graph
        self.vectors = vectors

    def of(self, rows: Rows) -> Floats:
        """Vectors of shelf rows: float32 (len(rows), d), unit length, zero where nothing is known.

        An item that was not there when the vectors were made gets the mean of its neighbours.
        """
        nodes = self.graph.nodes_of(rows)
        found = np.zeros((len(rows), self.vectors.shape[1]), dtype=np.float32)
        old = (nodes > 0) & (nodes < len(self.vectors))
        found[old] = self.vectors[nodes[old]]
        late = np.flatnonzero((nodes > 0) & ~np.any(found != 0, axis=1))
        if len(late):
            found[late] = self._joined(nodes[late])
        return found

    def _joined(self, nodes: NDArray[np.int64]) -> Floats:
        total = np.zeros((len(nodes), self.vectors.shape[1]), dtype=np.float32)
        for relation in self.graph.relations.values[1:]:
            for back in (False, True):
                place, reached = self.graph.step(nodes, relation, back=back)
                known = reached < len(self.vectors)
                np.add.at(total, place[known], self.vectors[reached[known]])
        return _unit(total)


def embed(graph: Graph, dimensions: int = 64, seed: int = 7) -> NodeVectors:
    """Vectors by ProNE (Zhang et al. 2019, "ProNE: Fast and Scalable Network Representation Learning").

    First a truncated SVD of log(p_ij) - log(q_j) over the edges, p the random walk, q the nodes' share of it to the power
    0.75; then a band-pass filter of the graph's spectrum, exp(-((l - 0.2)^2 - 1) / 4) over the eigenvalues l of the
    Laplacian, as a Chebyshev polynomial. Time and memory grow with the edges: a million take about a minute and 1 GB.

    Args:
        graph: Relations and directions are not told apart.
        dimensions: d; at most the number of nodes.
        seed: Of the SVD.
    """
    heads, _, tails = graph.edges()
    count = len(graph.nodes.values)
    apart = heads != tails
    heads, tails = heads[apart], tails[apart]
    size = min(dimensions, max(count - 1, 1))
    if not len(heads):
        return NodeVectors(graph, np.zeros((count, size), dtype=np.float32))
    ends = np.concatenate([heads, tails]), np.concatenate([tails, heads])
    joined = sp.csr_array((np.ones(2 * len(heads), dtype=np.float32), ends), shape=(count, count))
    joined.data[:] = 1
    first = _factorised(_walk(joined), size, seed)
    smooth = _filtered(sp.csr_array(joined + sp.eye_array(count, dtype=np.float32)), first)
    return NodeVectors(graph, _unit(_balanced(smooth)) * (np.diff(joined.indptr) > 0)[:, None].astype(np.float32))


def _walk(joined: Matrix) -> Matrix:
    """Rows scaled to sum to 1."""
    sums = np.asarray(joined.sum(axis=1)).ravel()
    return sp.csr_array(sp.diags_array((1 / np.maximum(sums, 1e-9)).astype(np.float32)) @ joined)


def _factorised(walk: Matrix, size: int, seed: int) -> Floats:
    share = np.asarray(walk.sum(axis=0)).ravel() ** _POWER
    share /= share.sum()
    gain = np.log(walk.data) - np.log(share[walk.indices])
    weighted = sp.csr_array((np.maximum(gain, 0).astype(np.float32), walk.indices, walk.indptr), shape=walk.shape)
    left, values, _ = randomized_svd(weighted, size, n_iter=4, random_state=seed)
    return _unit((left * np.sqrt(values)).astype(np.float32))


def _filtered(joined: Matrix, vectors: Floats) -> Floats:
    """``P (v - g(L) v)``, the filter g as a polynomial in L - 1 = -P, whose spectrum lies in [-1, 1]."""
    walk = _walk(joined)
    grid = chebyshev.chebpts1(_ORDER + 1)
    wanted = np.exp(-((grid + 1 - _CENTRE) ** 2 - 1) * _WIDTH / 2)
    weights = chebyshev.chebfit(grid, wanted, _ORDER).astype(np.float32)
    before, now = vectors, -(walk @ vectors)
    passed = weights[0] * before + weights[1] * now
    for weight in weights[2:]:
        before, now = now, -2 * (walk @ now) - before
        passed = passed + weight * now
    smooth: Floats = (walk @ (vectors - passed)).astype(np.float32)
    return smooth


def _balanced(vectors: Floats) -> Floats:
    """The same space along its principal directions, each scaled by the root of its singular value."""
    values, directions = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors.astype(np.float64))
    scale = np.maximum(values, 1e-12) ** -0.25  # u sqrt(s) = v w / sqrt(s), and s^2 are the eigenvalues
    balanced: Floats = (vectors @ (directions * scale)).astype(np.float32)
    return balanced


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > 1e-9, vectors / np.maximum(lengths, 1e-9), np.float32(0)).astype(np.float32)

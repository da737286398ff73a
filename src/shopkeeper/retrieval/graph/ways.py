"""Ways through the graph from an item to what it shares with others: which there are, and which matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.graph.taxonomy import GOOGLE
from shopkeeper.retrieval.graph.triples import CATEGORY, PARENT, Graph, Nodes
from shopkeeper.retrieval.shelf import Rows

_MOST: Final = 64
"""Ways that are kept at most: those with the most ends."""


@dataclass(frozen=True, slots=True)
class Way:
    """A meta-path, written as SPARQL writes property paths: ``brand``, ``^film.director.film``, ``made_by/owned_by``.

    Two items are related along a way where both come to the same node (the path out and the same path back; Sun et al.
    2011, "PathSim"), or, along a `direct` one, where the way leads from the candidate to the item of the history.

    Attributes:
        steps: (relation, against its direction) one after the other.
        direct: The way ends at an item that is itself the relative.
    """

    steps: tuple[tuple[str, bool], ...]
    direct: bool = False

    @property
    def name(self) -> str:
        """The way in one word; direct ones begin with ``=``."""
        return "=" * self.direct + "/".join("^" * back + relation for relation, back in self.steps)

    def ends(self, graph: Graph, rows: Rows) -> tuple[NDArray[np.int64], Nodes]:
        """Where the way leads from rows: places in `rows` and nodes, int64 (m,) each, every pair once."""
        nodes = graph.nodes_of(rows)
        origin = np.arange(len(rows), dtype=np.int64)
        for relation, back in self.steps:
            place, nodes = graph.step(nodes, relation, back=back)
            origin = origin[place]
        pairs = np.unique(np.stack([origin, nodes], axis=1), axis=0)
        pairs = pairs[pairs[:, 1] > 0]
        return pairs[:, 0], pairs[:, 1]


def ways(graph: Graph) -> tuple[Way, ...]:
    """Every way of one or two steps on which two items can meet, by name; of more than 64 those with the most ends.

    The second step goes from entity to entity and not back along the first. Categories and Google's taxonomy need
    none: items point to all that is above their own.
    """
    heads, codes, tails = graph.edges()
    from_item, to_item = graph.rows_of(heads) >= 0, graph.rows_of(tails) >= 0
    names = graph.relations.values
    first = [(names[code], False) for code in np.unique(codes[from_item]).tolist()]
    first += [(names[code], True) for code in np.unique(codes[to_item]).tolist()]
    second = [
        (names[code], back) for code in np.unique(codes[~from_item & ~to_item]).tolist() for back in (False, True)
    ]
    found = [Way((step,)) for step in first if step[0] != PARENT]
    found += [
        Way((step, further))
        for step in first
        for further in second
        if further[0] != PARENT and further != (step[0], not step[1]) and step[0] not in (CATEGORY, GOOGLE)
    ]
    items = graph.items()
    met = [(way, _meetings(graph, way, items)) for way in found]
    kept = sorted((way for way in met if way[1]), key=lambda pair: (-pair[1], pair[0].name))[:_MOST]
    both = np.unique(codes[from_item & to_item]).tolist()
    direct = [Way(((names[code], back),), direct=True) for code in both for back in (False, True)]
    return tuple(sorted([way for way, _ in kept] + direct, key=lambda way: way.name))


def _meetings(graph: Graph, way: Way, items: Rows) -> int:
    """Ends of a way that at least two items come to, with repeats."""
    _, nodes = way.ends(graph, items)
    if len(way.steps) > 1:
        nodes = nodes[graph.rows_of(nodes) < 0]
    _, counts = np.unique(nodes, return_counts=True)
    return int(counts[counts > 1].sum())

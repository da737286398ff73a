"""The shop as a graph: triples (head, relation, tail) of items and entities, found by bisection.

A triple is one whole number, its three codes side by side, kept in two sorted arrays: by head and by tail. The neighbours
of many nodes at once are slices between two bisections, an update is an insertion, and no order is ever computed anew.
(Weiss, Karras and Bernstein 2008, "Hexastore", keep all six orders; joins from bound nodes need these two.)

Where triples come from: the catalogue (`described`) and the store's `Triples`. A name that is an item's id is that item;
all others are entities. What the catalogue says of an item is called ``brand=Sonoro``, ``category=Audio > Radios``,
``colour=red``, ``group=G7``, and imported triples may speak of it under that name. Where Google's product taxonomy was
imported, items point to their node in it as well, see `graph_taxonomy`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.records import Item
from shopkeeper.retrieval.graph.taxonomy import GOOGLE, Taxonomy
from shopkeeper.retrieval.shelf import Codes, Rows, Shelf
from shopkeeper.store.knowledge import Triple

Nodes = NDArray[np.int64]
Keys = NDArray[np.int64]

BRAND: Final = "brand"
CATEGORY: Final = "category"
GROUP: Final = "group"
PARENT: Final = "parent"
"""From a category to the one above it; items point to their category and to all above it."""
LABELS: Final = {"label": "en", "label@en": "en", "label@zh": "zh"}
"""Relations that name their head for readers; they are no edges."""

_NODE_BITS, _RELATION_BITS = 26, 11
_NODES, _RELATIONS = 1 << _NODE_BITS, 1 << _RELATION_BITS
_HEAD_SHIFT = _NODE_BITS + _RELATION_BITS
_LONGEST = 80
"""Attribute values with more characters are prose, not entities."""


def described(item: Item) -> Iterator[tuple[str, str]]:
    """What the catalogue says of an item, as (relation, entity)."""
    if item.brand:
        yield BRAND, f"{BRAND}={item.brand}"
    for depth in range(len(item.category)):
        yield CATEGORY, category(item.category[: depth + 1])
    for name, value in item.attributes.items():
        if value and len(value) <= _LONGEST:
            yield name, f"{name}={value}"
    if item.group:
        yield GROUP, f"{GROUP}={item.group}"


def category(path: Iterable[str]) -> str:
    """The entity of a category path."""
    return f"{CATEGORY}={' > '.join(path)}"


class Graph:
    """Items and entities, joined by relations. One thread writes at a time, any number may read beside it.

    A triple costs 24 bytes and a node about 200: a million imported triples over 300,000 nodes take about 140 MB and four
    seconds to build (one core). `put` costs one pass over the arrays, so give it many items at once. Cycles, self
    loops and repeated triples are fine; a name of no item is an entity, and becomes the item once it is put.

    Args:
        shelf: The items; rows of this graph are its rows.
        triples: Imported ones.

    Raises:
        InputError: There are more than 67 million nodes or 2,047 relations.
    """

    def __init__(self, shelf: Shelf, triples: Iterable[Triple] = ()) -> None:
        self.shelf = shelf
        self.nodes = Codes()
        self.relations = Codes()
        self.taxonomy = Taxonomy()
        self.version = 0
        self._labels: dict[tuple[int, str], str] = {}
        self._called: dict[str, set[int]] = {}
        self._row_of = np.full(1, -1, dtype=np.int64)
        self._node_of = np.zeros(0, dtype=np.int64)
        self._own = np.zeros(0, dtype=np.int64)
        self._by_head = self._by_tail = np.zeros(0, dtype=np.int64)
        self._given = self._coded(triples)
        self.put(np.flatnonzero([item is not None for item in shelf.items]))

    def __len__(self) -> int:
        """Number of triples, each once."""
        return len(self._by_head)

    def put(self, rows: Rows) -> None:
        """Read what the shelf says of `rows`, new or changed, and forget what it said before."""
        edges: list[tuple[int, int, int]] = []
        parents: list[tuple[int, int, int]] = []
        nodes = np.zeros(len(rows), dtype=np.int64)
        for place, row in enumerate(rows.tolist()):
            item = self.shelf.item(row)
            nodes[place] = node = self.nodes.code(item.id)
            standing = ((GOOGLE, entity) for entity in self.taxonomy.standing(item))
            for relation, entity in chain(described(item), standing):
                edges.append((node, self.relations.code(relation), self.nodes.code(entity)))
            path = [self.nodes.code(category(item.category[: depth + 1])) for depth in range(len(item.category))]
            for name, code in zip(item.category, path, strict=True):
                self._called.setdefault(name, set()).add(code)
            parents += [(below, self.relations.code(PARENT), above) for above, below in pairwise(path)]
        self._check_size()
        self._seat(rows, nodes)
        self._replace(nodes, np.unique(_keys(edges)), np.unique(_keys(parents)))

    def drop(self, rows: Rows) -> None:
        """Forget items: what the catalogue said of them goes, imported triples stay and name them as entities."""
        nodes = self.nodes_of(rows)
        nodes = nodes[nodes > 0]
        seats = self._row_of.copy()
        seats[nodes] = -1
        self._row_of = seats
        nothing = np.zeros(0, dtype=np.int64)
        self._replace(nodes, nothing, nothing)

    def step(self, nodes: Nodes, relation: str, *, back: bool = False) -> tuple[NDArray[np.int64], Nodes]:
        """Follow a relation from many nodes at once.

        Args:
            nodes: int64 (n,), repeats allowed.
            relation: Its name; an unknown one leads nowhere.
            back: From tails to heads.

        Returns:
            Places in `nodes`, int64 (m,), rising, and the node reached from each, int64 (m,), rising within a place.
        """
        keys = self._by_tail if back else self._by_head
        code = self._relation(relation)
        if code < 0 or not len(nodes):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        low = (nodes << _HEAD_SHIFT) | (code << _NODE_BITS)
        start, stop = np.searchsorted(keys, low), np.searchsorted(keys, low + _NODES)
        return _sliced(keys, start, stop)

    def holds(self, heads: Nodes, relation: str, tails: Nodes) -> NDArray[np.bool_]:
        """Which of the triples (heads, relation, tails) are there: bool (n,)."""
        code = self._relation(relation)
        if code < 0:
            return np.zeros(len(heads), dtype=np.bool_)
        wanted = (heads << _HEAD_SHIFT) | (code << _NODE_BITS) | tails
        return _among(wanted, self._by_head)

    def edges(self, relation: str | None = None) -> tuple[Nodes, NDArray[np.int64], Nodes]:
        """Heads, relation codes and tails of all triples, or of one relation: int64 (m,) each, sorted by head."""
        heads, codes, tails = _parts(self._by_head)
        if relation is None:
            return heads, codes, tails
        chosen = codes == self._relation(relation)
        return heads[chosen], codes[chosen], tails[chosen]

    def node(self, name: str) -> int:
        """The node of a name, 0 when unknown."""
        return next(iter(self.nodes.known([name])), 0)

    def meant(self, relation: str, name: str) -> Nodes:
        """The nodes a name can mean beside a relation: itself or ``relation=name``; int64 (n,), rising.

        A category is meant by its whole path or by its last name: ``Printers`` is ``category=Office > Printers``.
        """
        found = {node for node in self.nodes.known([name, f"{relation}={name}"]) if node}
        if relation == CATEGORY and not found:
            found = self._called.get(name, set())
        return np.array(sorted(found), dtype=np.int64)

    def rows_of(self, nodes: Nodes) -> Rows:
        """Shelf rows of nodes, -1 for entities and for items that are gone: int64 (n,)."""
        seats = self._row_of
        return np.where(nodes < len(seats), seats[np.minimum(nodes, len(seats) - 1)], -1)

    def nodes_of(self, rows: Rows) -> Nodes:
        """Nodes of shelf rows, 0 for rows that were never put: int64 (n,)."""
        found = np.zeros(len(rows), dtype=np.int64)
        known = (rows >= 0) & (rows < len(self._node_of))
        found[known] = self._node_of[rows[known]]
        return found

    def items(self) -> Rows:
        """Rows of all living items, rising: int64 (n,)."""
        return np.sort(self._row_of[self._row_of >= 0])

    def text(self, node: int, language: str = "en") -> str:
        """What readers call a node: an item's title, a label, the value behind ``=``, or its name."""
        row = int(self.rows_of(np.array([node]))[0])
        item = self.shelf.items[row] if row >= 0 else None
        if item is not None:
            return item.title
        label = self._labels.get((node, language)) or self._labels.get((node, "en"))
        name = self.nodes.values[node]
        return label or name.partition("=")[2].rpartition(" > ")[2] or name

    def _relation(self, name: str) -> int:
        return next(iter(self.relations.known([name])), -1)

    def _coded(self, triples: Iterable[Triple]) -> Keys:
        edges: list[tuple[int, int, int]] = []
        for triple in triples:
            head = self.nodes.code(triple.head)
            if language := LABELS.get(triple.relation):
                self._labels[head, language] = triple.tail
            else:
                if triple.relation == GOOGLE:
                    self.taxonomy.tie(triple.head, triple.tail)
                elif triple.relation == PARENT:
                    self.taxonomy.lift(triple.head, triple.tail)
                edges.append((head, self.relations.code(triple.relation), self.nodes.code(triple.tail)))
        self._check_size()
        keys = np.unique(_keys(edges))
        self._by_head, self._by_tail = keys, np.sort(_turned(keys))
        return keys

    def _seat(self, rows: Rows, nodes: Nodes) -> None:
        seats = np.full(len(self.nodes.values), -1, dtype=np.int64)
        seats[: len(self._row_of)] = self._row_of
        seats[nodes] = rows
        places = np.zeros(max(len(self._node_of), int(rows.max(initial=-1)) + 1), dtype=np.int64)
        places[: len(self._node_of)] = self._node_of
        places[rows] = nodes
        self._row_of, self._node_of = seats, places

    def _replace(self, heads: Nodes, fresh: Keys, parents: Keys) -> None:
        """Let the catalogue say `fresh` of `heads` and nothing else, and add `parents`, which stay."""
        low = np.unique(heads) << _HEAD_SHIFT
        start, stop = np.searchsorted(self._own, low), np.searchsorted(self._own, low + (1 << _HEAD_SHIFT))
        old = self._own[_ranges(start, stop)]
        self._own = _changed(self._own, old, fresh)
        self._given = _changed(self._given, parents[:0], parents[~_among(parents, self._given)])
        said = np.union1d(parents, fresh)
        gone = np.setdiff1d(old, np.union1d(said, old[_among(old, self._given)]), assume_unique=True)
        new = said[~_among(said, self._by_head)]
        self._by_head = _changed(self._by_head, gone, new)
        self._by_tail = _changed(self._by_tail, np.sort(_turned(gone)), np.sort(_turned(new)))
        self.version += 1

    def _check_size(self) -> None:
        for what, count, most in (
            ("nodes", len(self.nodes.values), _NODES),
            ("relations", len(self.relations.values), _RELATIONS),
        ):
            if count > most:
                raise InputError(
                    f"The graph has more than {most:,} {what}.",
                    where="knowledge graph",
                    cure="Import fewer triples, or give items fewer kinds of attributes.",
                )


def _keys(edges: list[tuple[int, int, int]]) -> Keys:
    if not edges:
        return np.zeros(0, dtype=np.int64)
    heads, relations, tails = np.array(edges, dtype=np.int64).T
    return np.asarray((heads << _HEAD_SHIFT) | (relations << _NODE_BITS) | tails)


def _parts(keys: Keys) -> tuple[Nodes, NDArray[np.int64], Nodes]:
    return keys >> _HEAD_SHIFT, (keys >> _NODE_BITS) & (_RELATIONS - 1), keys & (_NODES - 1)


def _turned(keys: Keys) -> Keys:
    """The same triples with head and tail in each other's place."""
    heads, relations, tails = _parts(keys)
    return np.asarray((tails << _HEAD_SHIFT) | (relations << _NODE_BITS) | heads)


def _ranges(start: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.int64]:
    """``start[0]..stop[0]``, ``start[1]..stop[1]`` ... one after the other."""
    counts = stop - start
    first = np.cumsum(counts) - counts
    return np.asarray(np.repeat(start - first, counts) + np.arange(counts.sum()))


def _sliced(keys: Keys, start: NDArray[np.int64], stop: NDArray[np.int64]) -> tuple[NDArray[np.int64], Nodes]:
    origin = np.repeat(np.arange(len(start), dtype=np.int64), stop - start)
    return origin, keys[_ranges(start, stop)] & (_NODES - 1)


def _among(wanted: Keys, keys: Keys) -> NDArray[np.bool_]:
    """Which of `wanted` are in the sorted `keys`: bool (n,)."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=np.bool_)
    return np.asarray(keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted)


def _changed(keys: Keys, gone: Keys, new: Keys) -> Keys:
    """Sorted `keys` without `gone`, which are all there, and with `new`, which are not."""
    left = np.delete(keys, np.searchsorted(keys, gone))
    return np.insert(left, np.searchsorted(left, new), new)

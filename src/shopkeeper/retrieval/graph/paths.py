"""Why the graph joins two items, in words: paths that carry the score, readable in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.graph.taxonomy import GOOGLE
from shopkeeper.retrieval.graph.triples import BRAND, CATEGORY, GROUP, Graph
from shopkeeper.retrieval.graph.ways import Way

_TITLE: Final = 48
_SHARED: Final = {
    BRAND: ("both by {0}", "同为{0}品牌"),
    CATEGORY: ("both in {0}", "同属“{0}”"),
    GOOGLE: ("both in {0}", "同属“{0}”"),
    GROUP: ("variants of one product", "同一商品的不同款式"),
}
_JOINED: Final = {
    ("fits", False): ("fits {0}", "适用于{0}"),
    ("fits", True): ("{0} fits this", "{0}适用于它"),
    ("accessory_of", False): ("accessory of {0}", "{0}的配件"),
    ("accessory_of", True): ("{0} is an accessory of this", "{0}是它的配件"),
    ("compatible_with", False): ("works with {0}", "与{0}兼容"),
    ("compatible_with", True): ("works with {0}", "与{0}兼容"),
    ("part_of", False): ("part of {0}", "{0}的组成部分"),
    ("part_of", True): ("{0} is part of this", "{0}是它的组成部分"),
}


@dataclass(frozen=True, slots=True)
class Path:
    """One way on which two items meet.

    Attributes:
        way: `Way.name`, e.g. ``brand`` or ``=fits``.
        evidence: Name of the node where both meet; for a direct way the id of the history's item.
        amount: What the path adds to ``GraphNeighbours.between``.
        text: A readable phrase per language tag, about the candidate.
    """

    way: str
    evidence: str
    amount: float
    text: Mapping[str, str]


def paths(source: GraphNeighbours, from_row: int, to_row: int, most: int = 3) -> list[Path]:
    """The heaviest paths from an item of the history to a candidate.

    A category tells nothing beside one below it, so only the deepest shared one is named, with the amounts of both.

    Args:
        source: The scorer; all paths of a pair sum to its `between`.
        from_row: Row of the history's item.
        to_row: Row of the candidate.
        most: How many at most.
    """
    graph = source.graph
    found: dict[tuple[str, int], float] = {}
    ways: dict[str, Way] = {}
    for way, node, amount in source.shares(from_row, to_row):
        ways[way.name] = way
        found[way.name, node] = found.get((way.name, node), 0.0) + amount
    names = graph.nodes.values
    depths = {
        CATEGORY: lambda node: names[node].count(" > "),
        GOOGLE: lambda node: len(graph.taxonomy.line(names[node])),
    }
    for tree, depth in depths.items():
        shared = [node for name, node in found if name == tree]
        deepest = max(shared, key=depth, default=0)
        for node in shared:
            if node != deepest:
                found[tree, deepest] += found.pop((tree, node))
    best = sorted(found.items(), key=lambda part: (-part[1], part[0][0]))[:most]
    return [
        Path(name, names[node], amount, {tag: say(graph, ways[name], node, tag) for tag in ("en", "zh")})
        for (name, node), amount in best
    ]


def say(graph: Graph, way: Way, node: int, language: str) -> str:
    """A phrase about a candidate that meets another item at `node` along `way`, or is joined to the item `node`.

    Args:
        graph: Knows titles and labels.
        way: How both come there.
        node: Where.
        language: ``en`` or ``zh``.
    """
    chinese = language == "zh"
    thing = graph.text(node, language)
    thing = thing if len(thing) <= _TITLE else thing[: _TITLE - 1].rstrip() + "…"
    relation, back = way.steps[0]
    known = _JOINED.get((relation, back)) if way.direct else _SHARED.get(relation) if len(way.steps) == 1 else None
    if known:
        return known[chinese].format(thing)
    words = " / ".join(relation_words(graph, step, language) for step, _ in way.steps)
    if way.direct:
        return f"{words}：{thing}" if chinese else f"{thing} {words} this" if back else f"{words} {thing}"
    return f"{words}同为{thing}" if chinese else f"both: {words} {thing}"


def relation_words(graph: Graph, relation: str, language: str) -> str:
    """A relation as words: its label where an imported triple gives one, else its name's last part.

    Args:
        graph: Knows the labels.
        relation: Its name, e.g. ``film.film.directed_by``.
        language: ``en`` or ``zh``.
    """
    node = graph.node(relation)
    said = graph.text(node, language) if node else relation
    return said if said != relation else relation.rpartition(".")[2].replace("_", " ")

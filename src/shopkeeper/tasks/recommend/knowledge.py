"""The knowledge graph of an open shop: a source of candidates, and the rules that speak about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shopkeeper.errors import InputError
from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.trust.logic import Logic
from shopkeeper.trust.logic_rules import LogicRules
from shopkeeper.trust.logic_syntax import parse

RULES = "logic.txt"
"""Where a shop's logic rules are, in its folder."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the shop knows beyond its catalogue's own words.

    Attributes:
        neighbours: Items through the graph; None without imported triples, or where the settings leave them out.
        logic: Rules over the same graph; None without a file of rules.
    """

    neighbours: GraphNeighbours | None = None
    logic: Logic | None = None

    def put(self, rows: Rows) -> None:
        """Take up items that came or changed; the shelf has them already."""
        if (graph := self._graph) is not None:
            graph.put(rows)
            if self.neighbours is not None:
                self.neighbours.put(rows)

    def drop(self, rows: Rows) -> None:
        """Let go of items that went."""
        if (graph := self._graph) is not None:
            graph.drop(rows)
            if self.neighbours is not None:
                self.neighbours.put(rows)

    @property
    def _graph(self) -> Graph | None:
        one = self.neighbours or self.logic
        return None if one is None else one.graph


def knowledge_from(
    settings: Settings, store: Store, shelf: Shelf, ways: Mapping[str, float] | None = None
) -> Knowledge:
    """Read triples and rules; no graph is built where there is neither.

    Args:
        settings: Names the shop's folder.
        store: Holds the triples.
        shelf: The items; rows of the graph are its rows.
        ways: Learnt weights of the ways through the graph; None or empty counts all alike.

    Raises:
        InputError: The rules cannot be read: a shop with rules does not open without them.
    """
    path = settings.home / RULES
    wanted = settings.recommend.graph and store.triples.count() > 0
    if not wanted and not path.exists():
        return Knowledge()
    graph = Graph(shelf, store.triples.scan())
    return Knowledge(
        GraphNeighbours(graph, ways or None) if wanted else None,
        Logic(read_rules(path), graph) if path.exists() else None,
    )


def read_rules(path: Path) -> LogicRules:
    """The rules of a file.

    Raises:
        InputError: It cannot be opened, is not UTF-8, or a rule is not well formed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The rules cannot be read: {error.strerror}.", where=str(path), cure="Write them there, or name a file."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            "The rules are not UTF-8.", where=f"{path}, byte {error.start}", cure="Save as UTF-8."
        ) from None
    return parse(text, path.name)

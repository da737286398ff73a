"""Google's product taxonomy in the graph: where an item stands in it, whatever the shop calls its own departments.

Its nodes are ``google_taxonomy=784``, by Google's own numbers, which are the same in every language. Imported triples say what
is above a node (``parent``) and who stands at it (``google_taxonomy``): a path in some language, a department of the
shop, or an item.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from shopkeeper.records import Item

GOOGLE: Final = "google_taxonomy"
"""From an item to its node and to all above it, and from what was tied to a node by hand or by Google's file."""

_PROPERTY: Final = "google product category"
_NUMBER: Final = re.compile(r"(\d+)(?:\s+-\s.*)?")
_ABOVE: Final = re.compile(r"\s*[>»›＞]\s*")


def google_category(item: Item) -> str:
    """What the shop gave as an item's ``google_product_category``: a number or a path, empty where it gave none."""
    for name, value in item.attributes.items():
        if name.removeprefix("g:").replace("_", " ").casefold() == _PROPERTY:
            return value.strip()
    return ""


class Taxonomy:
    """The tree of imported triples, by the names of their entities."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}
        self._tied: dict[str, str] = {}
        self._nodes: set[str] = set()

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self._nodes)

    def tie(self, entity: str, node: str) -> None:
        """Let whatever stands at `entity` stand at `node`, e.g. ``category=Garden > Tools`` at ``google_taxonomy=3173``."""
        if _is_node(node):
            self._tied[entity] = node
            self._nodes.add(node)

    def lift(self, node: str, above: str) -> None:
        """Put `above` over `node`; of several the last one counts."""
        if _is_node(node) and _is_node(above):
            self._above[node] = above
            self._nodes |= {node, above}

    def line(self, node: str) -> tuple[str, ...]:
        """A node and all above it, nearest first; a circle, which no file of Google's has, is walked once."""
        found: dict[str, None] = {}
        while node and node not in found:
            found[node] = None
            node = self._above.get(node, "")
        return tuple(found)

    def standing(self, item: Item) -> tuple[str, ...]:
        """The node of an item and all above it, nearest first; empty where none is known.

        Looked for in this order: the item's own tie, its ``google_product_category``, its category. Of a path the longest part
        from the top that is known counts.
        """
        if not self._nodes:
            return ()
        return self._first([item.id]) or self.meant(google_category(item)) or self._first(_named(item.category))

    def meant(self, value: str) -> tuple[str, ...]:
        """The same for a number, a path, or both (``784 - Media > Books``)."""
        number = _NUMBER.fullmatch(value)
        return self._first(_named([number[1]] if number else _ABOVE.split(value)))

    def _first(self, names: Iterable[str]) -> tuple[str, ...]:
        for name in names:
            node = self._tied.get(name, name)
            if node in self._nodes:
                return self.line(node)
        return ()


def _named(path: Sequence[str]) -> Iterator[str]:
    """Entities that a path can be known as, longest first."""
    if len(path) == 1 and path[0].isdecimal():
        yield f"{GOOGLE}={path[0]}"
    for depth in range(len(path), 0, -1):
        yield f"category={' > '.join(path[:depth])}"


def _is_node(name: str) -> bool:
    return name.startswith(f"{GOOGLE}=")

"""A small office shop whose graph can be drawn on paper: two printers, their inks, a wine, two radios."""

from __future__ import annotations

import numpy as np

from shopkeeper.records import Item
from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.knowledge import Triple

ITEMS = [
    Item(id="p1", title="Canon PIXMA G3000", brand="Canon", category=("Office", "Printers"), price=150.0),
    Item(id="p2", title="Epson L3250", brand="Epson", category=("Office", "Printers"), price=180.0),
    Item(id="i1", title="Canon ink black", brand="Canon", category=("Office", "Ink"), price=12.0),
    Item(id="i2", title="Epson ink black", brand="Epson", category=("Office", "Ink"), price=9.0),
    Item(id="i3", title="Refill ink", category=("Office", "Ink"), price=5.0),
    Item(id="w1", title="Red wine", category=("Food", "Wine"), price=8.0, attributes={"contains": "alcohol"}),
    Item(
        id="r1",
        title="Kitchen radio",
        brand="Sonoro",
        category=("Audio",),
        attributes={"material": "cotton"},
        group="R",
    ),
    Item(
        id="r2", title="Bath radio", brand="Sonoro", category=("Audio",), attributes={"material": "cotton"}, group="R"
    ),
]
TRIPLES = [
    Triple("i1", "fits", "p1"),
    Triple("i2", "fits", "p2"),
    Triple("i3", "fits", "p1"),
    Triple("i3", "fits", "p2"),
    Triple("brand=Canon", "owned_by", "Keiretsu"),
    Triple("brand=Epson", "owned_by", "Keiretsu"),
    Triple("Keiretsu", "label@zh", "企业集团"),
]


def graph_shop() -> tuple[Shelf, Graph]:
    """The shelf and its graph."""
    shelf = Shelf(ITEMS)
    return shelf, Graph(shelf, TRIPLES)


def rows(shelf: Shelf, *ids: str) -> np.ndarray:
    """Rows of ids."""
    return shelf.rows(ids)


def names(shelf: Shelf, found: np.ndarray) -> list[str]:
    """Ids of rows."""
    return sorted(shelf.item(int(row)).id for row in found)

"""Items of differently named departments meet in Google's taxonomy."""

from dataclasses import replace

import numpy as np
import pytest
from graphshop import rows

from shopkeeper.records import Item
from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.graph.paths import paths
from shopkeeper.retrieval.graph.taxonomy import GOOGLE, Taxonomy, google_category
from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.graph.ways import ways
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.knowledge import Triple

TREE = {"536": ("Home & Garden", ""), "689": ("Lawn", "536"), "3173": ("Tools", "689"), "638": ("Kitchen", "536")}
TRIPLES = [
    *(Triple(f"google_taxonomy={number}", "label", name) for number, (name, _) in TREE.items()),
    *(Triple(f"google_taxonomy={n}", "parent", f"google_taxonomy={above}") for n, (_, above) in TREE.items() if above),
    Triple("google_taxonomy=3173", "label@zh", "园艺工具"),
    Triple("category=Home & Garden", GOOGLE, "google_taxonomy=536"),
    Triple("category=Home & Garden > Lawn > Tools", GOOGLE, "google_taxonomy=3173"),
    Triple("category=家居 > 工具", GOOGLE, "google_taxonomy=3173"),
    Triple("category=Outside", GOOGLE, "google_taxonomy=3173"),
    Triple("gift", GOOGLE, "google_taxonomy=638"),
]
LINE = tuple(f"google_taxonomy={number}" for number in ("3173", "689", "536"))


def item(name, category=(), **attributes):
    return Item(id=name, title=name, category=category, attributes=attributes)


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (item("a", google_product_category="3173"), LINE),
        (item("a", **{"Google Product Category": "3173 - Home & Garden > Lawn > Tools"}), LINE),
        (item("a", **{"g:google_product_category": "Home & Garden>Lawn ＞ Tools"}), LINE),
        (item("a", ("3173",)), LINE),
        (item("a", ("Outside", "Rakes")), LINE),
        (item("a", ("家居", "工具")), LINE),
        (item("a", ("Home & Garden", "Lawn", "Else")), LINE[2:]),
        (item("a", ("Outside",), google_product_category="536"), LINE[2:]),
        (item("a", ("Outside",), google_product_category="999"), LINE),
        (item("gift", ("Outside",), google_product_category="536"), ("google_taxonomy=638", "google_taxonomy=536")),
        (item("a", ("outside",), google_product_category="999"), ()),
        (item("a"), ()),
    ],
)
def test_where_an_item_stands(one, wanted):
    graph = Graph(Shelf([one]), TRIPLES)
    assert graph.taxonomy.standing(one) == wanted
    _, found = graph.step(graph.nodes_of(np.array([0])), GOOGLE)
    assert {graph.nodes.values[node] for node in found} == set(wanted)
    assert Graph(Shelf([one])).taxonomy.standing(one) == ()


def test_differently_named_departments_become_neighbours_and_say_why():
    shelf = Shelf(
        [item("rake", ("Outside", "Rakes")), item("hoe", ("家居", "工具")), item("pan", ("638",)), item("tea")]
    )
    graph = Graph(shelf, TRIPLES)
    assert [way.name for way in ways(graph)] == [GOOGLE]
    source = GraphNeighbours(graph)
    rake, hoe, pan, tea = rows(shelf, "rake", "hoe", "pan", "tea").tolist()
    near = source.between(np.array([rake]), np.array([hoe, pan, tea]))[0]
    assert near[0] > near[1] > near[2] == 0
    (path,) = paths(source, rake, hoe)
    assert (path.evidence, path.text["en"], path.text["zh"]) == (LINE[0], "both in Tools", "同属“园艺工具”")
    assert path.amount == pytest.approx(near[0])


def test_an_item_that_moves_says_only_where_it_stands_now():
    shelf = Shelf([item("gift"), item("rake", ("Outside",))])
    graph = Graph(shelf, TRIPLES)
    graph.put(np.array([shelf.put(replace(shelf.item(1), category=("638",)))]))
    assert np.array_equal(np.sort(graph.edges(GOOGLE)[0]), np.sort(Graph(shelf, TRIPLES).edges(GOOGLE)[0]))
    _, found = graph.step(graph.nodes_of(np.array([1])), GOOGLE)
    assert {graph.nodes.values[node] for node in found} == {"google_taxonomy=638", "google_taxonomy=536"}


def test_a_circle_made_by_hand_is_walked_once():
    taxonomy = Taxonomy()
    for below, above in (("1", "2"), ("2", "3"), ("3", "1")):
        taxonomy.lift(f"google_taxonomy={below}", f"google_taxonomy={above}")
    taxonomy.lift("category=A > B", "category=A")
    taxonomy.tie("category=A", "somewhere")
    assert len(taxonomy) == 3
    assert taxonomy.meant("2") == ("google_taxonomy=2", "google_taxonomy=3", "google_taxonomy=1")
    assert taxonomy.meant("A") == ()
    assert google_category(item("a", colour="red")) == ""

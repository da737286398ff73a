"""Triples found by bisection, against sets of triples in plain Python; catalogue, imports, changes."""

from dataclasses import replace

import numpy as np
import pytest
from graphshop import ITEMS, TRIPLES, graph_shop, names, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.records import Item
from shopkeeper.retrieval.graph import triples as module
from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.knowledge import Triple

NAMES = st.sampled_from([f"n{k}" for k in range(6)])
FACTS = st.lists(st.tuples(NAMES, st.sampled_from(["a", "b", "c"]), NAMES), max_size=40)


def told(graph):
    heads, codes, tails = graph.edges()
    values, relations = graph.nodes.values, graph.relations.values
    return {(values[h], relations[r], values[t]) for h, r, t in zip(heads, codes, tails, strict=True)}


@given(FACTS, FACTS)
@settings(max_examples=60, deadline=None)
def test_steps_and_edges_agree_with_a_set_of_triples(facts, asked):
    graph = Graph(Shelf(), [Triple(*fact) for fact in facts])
    assert told(graph) == set(facts)
    assert len(graph) == len(set(facts))
    for head, relation, tail in asked:
        nodes = np.array([graph.node(head), graph.node(tail)])
        for back in (False, True):
            places, found = graph.step(nodes, relation, back=back)
            reached = {(int(p), graph.nodes.values[n]) for p, n in zip(places, found, strict=True)}
            ends = [(t, r, h) for h, r, t in facts] if back else facts
            assert reached == {
                (p, t) for h, r, t in ends if r == relation for p, n in enumerate((head, tail)) if n == h
            }
        held = graph.holds(nodes[:1], relation, nodes[1:])
        assert held.tolist() == [(head, relation, tail) in set(facts)]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3)), max_size=25), FACTS)
@settings(max_examples=60, deadline=None)
def test_any_order_of_changes_ends_in_the_graph_built_at_once(changes, facts):
    shelf, triples = Shelf(), [Triple(*fact) for fact in facts]
    graph = Graph(shelf, triples)
    for number, kind in changes:
        item = Item(
            id=f"n{number}", title="T", brand=f"B{kind}", attributes={"a": f"v{kind}"}, category=("X", f"Y{kind}")
        )
        if kind >= 0:
            graph.put(np.array([shelf.put(item)]))
        elif (row := shelf.remove(item.id)) is not None:
            graph.drop(np.array([row]))
    fresh = Graph(shelf, triples)
    taxonomy = {fact for fact in told(graph) if fact[1] == "parent"}  # stays, as an empty category does
    assert told(graph) - taxonomy == told(fresh) - {fact for fact in told(fresh) if fact[1] == "parent"}
    assert graph.items().tolist() == fresh.items().tolist()
    assert np.array_equal(np.sort(graph._by_tail), np.sort(module._turned(graph._by_head)))
    assert np.all(np.diff(graph._by_tail) > 0)


def test_the_catalogue_speaks():
    shelf, graph = graph_shop()
    facts = told(graph)
    assert ("p1", "category", "category=Office > Printers") in facts
    assert ("p1", "category", "category=Office") in facts
    assert ("category=Office > Printers", "parent", "category=Office") in facts
    assert ("r1", "material", "material=cotton") in facts
    assert ("r1", "group", "group=R") in facts
    assert ("i1", "fits", "p1") in facts
    assert not any(relation.startswith("label") for _, relation, _ in facts)
    assert graph.text(graph.node("Keiretsu"), "zh") == "企业集团"
    assert graph.text(graph.node("p1")) == "Canon PIXMA G3000"
    assert graph.text(graph.node("category=Office > Ink")) == "Ink"
    _, found = graph.step(graph.nodes_of(rows(shelf, "p1")), "fits", back=True)
    assert names(shelf, graph.rows_of(found)) == ["i1", "i3"]


def test_a_changed_item_says_only_what_it_says_now_and_imports_stay():
    shelf, graph = graph_shop()
    changed = replace(ITEMS[2], brand="Epson", category=("Office", "Toner"))
    before = graph.version
    graph.put(np.array([shelf.put(changed)]))
    facts = told(graph)
    assert ("i1", "brand", "brand=Epson") in facts
    assert ("i1", "brand", "brand=Canon") not in facts
    assert ("i1", "fits", "p1") in facts
    assert graph.version > before


def test_an_imported_name_becomes_the_item_once_it_is_put():
    shelf = Shelf()
    graph = Graph(shelf, [Triple("late", "fits", "p1")])
    assert graph.items().tolist() == []
    graph.put(np.array([shelf.put(Item(id="late", title="Late"))]))
    assert graph.text(graph.node("late")) == "Late"
    assert graph.items().tolist() == [0]


def test_cycles_loops_and_unknown_names_are_fine():
    graph = Graph(Shelf(), [Triple("a", "r", "a"), Triple("a", "r", "b"), Triple("b", "r", "a")])
    assert len(graph) == 3
    assert graph.node("nobody") == 0
    assert graph.step(np.array([0, 99_999]), "r")[0].tolist() == []
    assert graph.step(np.array([1]), "none")[0].tolist() == []
    assert graph.rows_of(np.array([0, 1, 99_999])).tolist() == [-1, -1, -1]
    assert len(Graph(Shelf())) == 0


def test_too_many_relations_are_refused():
    with pytest.raises(InputError, match="more than 2,048 relations"):
        Graph(Shelf(), [Triple("a", f"r{n}", "b") for n in range(2_048)])


def test_triples_of_the_shop_are_what_was_given():
    assert {(t.head, t.relation, t.tail) for t in TRIPLES if t.relation != "label@zh"} <= told(graph_shop()[1])

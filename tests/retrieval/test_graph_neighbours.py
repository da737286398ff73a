"""Neighbours, paths, weights and vectors of the graph against their own definition and known answers."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from graphshop import ITEMS, graph_shop, rows

from shopkeeper.records import Item
from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.graph.paths import paths
from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.graph.vectors import embed
from shopkeeper.retrieval.graph.ways import ways
from shopkeeper.retrieval.graph.weights import learn_relation_weights
from shopkeeper.retrieval.histories import fold
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.knowledge import Triple


def weights_of(shelf, **given):
    matrix = np.zeros((1, len(shelf)), dtype=np.float32)
    for item, weight in given.items():
        matrix[0, shelf.row(item)] = weight
    return sp.csr_array(matrix)


def test_the_ways_of_the_shop():
    _, graph = graph_shop()
    assert {way.name for way in ways(graph)} == {
        "brand", "category", "contains", "material", "group", "fits", "^fits", "brand/owned_by", "=fits", "=^fits",
    } - {"contains"}  # fmt: skip


def test_one_way_is_the_cosine_of_what_is_shared():
    shelf, graph = graph_shop()
    source = GraphNeighbours(graph, {"category": 1.0})
    idf = {count: np.log(9 / count) for count in (1, 2, 3, 5)}
    office, printers, ink = idf[5], idf[2], idf[3]
    expected = office**2 / np.hypot(office, printers) / np.hypot(office, ink)
    p1, p2, i1 = rows(shelf, "p1", "p2", "i1")
    assert source.between(np.array([p1]), np.array([i1, p2])) == pytest.approx(np.array([[expected, 1.0]]), abs=1e-6)


def test_a_direct_way_leads_from_the_candidate_to_the_history():
    shelf, graph = graph_shop()
    source = GraphNeighbours(graph, {"=fits": 2.0})
    p1, i1, i3 = rows(shelf, "p1", "i1", "i3")
    assert source.between(np.array([p1]), np.array([i1, i3]))[0] == pytest.approx([2 / np.sqrt(2), 2 / 2])
    assert source.between(np.array([i1]), np.array([p1]))[0, 0] == 0


def test_scores_are_the_weighted_sum_of_between_and_paths_its_parts():
    shelf, graph = graph_shop()
    source = GraphNeighbours(graph, {way.name: 0.3 + k for k, way in enumerate(ways(graph))})
    everything = np.arange(len(shelf))
    between = source.between(everything, everything)
    history = weights_of(shelf, p1=1.0, r1=0.5, w1=-0.4)
    assert source.scores(history) == pytest.approx(history.toarray() @ between, abs=1e-5)
    many = sp.csr_array(np.random.default_rng(0).normal(size=(5, len(shelf))).astype(np.float32))
    assert source.scores(many) == pytest.approx(many.toarray() @ between, abs=1e-4)
    for left in everything:
        for right in everything:
            parts = sum(amount for *_, amount in source.shares(int(left), int(right)))
            assert parts == pytest.approx(between[left, right], abs=1e-5)
            assert sum(path.amount for path in paths(source, int(left), int(right), 99)) == pytest.approx(
                parts, abs=1e-5
            )


def test_nobody_counts_for_ways_that_nobody_weighs():
    shelf, graph = graph_shop()
    source = GraphNeighbours(graph, {"brand": -3.0, "no such way": 1.0})
    assert not source.scores(weights_of(shelf, p1=1.0)).any()


def test_paths_read_in_both_languages():
    shelf, graph = graph_shop()
    source = GraphNeighbours(graph)

    def told(left, right, language):
        return {path.text[language] for path in paths(source, *rows(shelf, left, right).tolist(), most=9)}

    assert {"both by Sonoro", "both: material cotton", "both in Audio", "variants of one product"} == told(
        "r1", "r2", "en"
    )
    assert {"同为Sonoro品牌", "material同为cotton", "同属“Audio”", "同一商品的不同款式"} == told("r1", "r2", "zh")
    assert "fits Canon PIXMA G3000" in told("p1", "i1", "en")
    assert "适用于Canon PIXMA G3000" in told("p1", "i1", "zh")
    assert "Canon ink black fits this" in told("i1", "p1", "en")
    assert "brand / owned by同为企业集团" in told("p1", "p2", "zh")
    assert paths(source, 0, 0) == []
    (first, *_) = paths(source, *rows(shelf, "p1", "i1").tolist())
    assert first.evidence in {"p1", "brand=Canon"}


def test_what_is_put_is_found_as_if_it_had_been_there():
    shelf, graph = graph_shop()
    source = GraphNeighbours(graph, {"brand": 1.0, "material": 1.0})
    row = shelf.put(Item(id="r3", title="New radio", brand="Sonoro", attributes={"material": "steel"}))
    changed = shelf.put(replace(ITEMS[6], attributes={"material": "steel"}))
    graph.put(np.array([row, changed]))
    source.put(np.array([row, changed]))
    r1, r2 = rows(shelf, "r1", "r2")
    found = source.between(np.array([row]), np.array([r1, r2]))[0]
    assert found[0] == pytest.approx(2.0, abs=1e-5)  # brand and the new material
    assert found[1] == pytest.approx(1.0, abs=1e-5)
    assert source.scores(weights_of(shelf, r3=1.0))[0, r1] == pytest.approx(2.0, abs=1e-5)
    shelf.remove("r1")
    graph.drop(np.array([r1]))
    source.put(np.array([r1]))
    assert source.between(np.array([row]), np.array([r1]))[0, 0] == 0


def test_rows_that_came_after_fitting_score_nothing():
    shelf, graph = graph_shop()
    source = GraphNeighbours(graph)
    width = len(shelf) + 3
    history = sp.csr_array(np.eye(width, dtype=np.float32)[[0, width - 1]])
    assert source.scores(history).shape == (2, width)
    assert not source.scores(history)[1].any()
    assert not source.between(np.array([0]), np.array([width - 1])).any()


def test_an_empty_graph_is_silent():
    source = GraphNeighbours(Graph(Shelf()))
    assert source.scores(sp.csr_array((2, 0), dtype=np.float32)).shape == (2, 0)
    shelf = Shelf([Item(id="a", title="A"), Item(id="b", title="B")])
    source = GraphNeighbours(Graph(shelf))
    assert not source.scores(weights_of(shelf, a=1.0)).any()
    assert embed(Graph(shelf)).of(np.array([0, 1])).shape == (2, 2)


def tasteful(seed=0):
    """Sixty items with a maker who matters and a colour that does not; users stay with one maker."""
    rng = np.random.default_rng(seed)
    items = [
        Item(id=f"x{n}", title="X", brand=f"maker{n % 6}", attributes={"colour": f"c{rng.integers(6)}"})
        for n in range(60)
    ]
    shelf = Shelf(items[k] for k in rng.permutation(60))
    made = [shelf.rows(f"x{n}" for n in range(m, 60, 6)) for m in range(6)]
    picks = [rng.permutation(made[u % 6])[:4] for u in range(120)]
    users = np.repeat(np.arange(120), 3)
    past = fold(users, np.concatenate([p[:3] for p in picks]), np.ones(360), np.arange(360), 120)
    return shelf, past, np.array([p[3] for p in picks])


def test_weights_find_the_way_that_matters():
    shelf, past, targets = tasteful()
    source = GraphNeighbours(Graph(shelf))
    weights = learn_relation_weights(source, past, np.arange(120), targets)
    assert weights["brand"] == 1.0
    assert weights["colour"] < 0.1
    assert weights == learn_relation_weights(source, past, np.arange(120), targets)
    better = GraphNeighbours(source.graph, weights)
    best = better.scores(past.weights(better.decay, 60)).argmax(axis=1)
    assert (
        np.mean([shelf.item(int(b)).brand == shelf.item(int(t)).brand for b, t in zip(best, targets, strict=True)]) == 1
    )


def test_weights_of_nothing_are_equal():
    shelf, past, targets = tasteful()
    source = GraphNeighbours(Graph(shelf))
    nobody = past.take(np.zeros(0, dtype=np.int64))
    none = np.zeros(0, dtype=np.int64)
    assert learn_relation_weights(source, nobody, none, none) == {"brand": 1.0, "colour": 1.0}
    mass = np.ones(len(shelf), dtype=np.float32)
    assert learn_relation_weights(source, past, np.arange(120), targets, popularity=mass)["brand"] == 1.0


def test_vectors_keep_two_worlds_apart_and_take_in_newcomers():
    rng = np.random.default_rng(1)
    items = [
        Item(id=f"x{n}", title="X", attributes={f"a{k}": f"{n % 2}-{rng.integers(4)}" for k in range(4)})
        for n in range(80)
    ]
    shelf = Shelf(items)
    graph = Graph(shelf, [Triple("x0", "near", "x1"), Triple("x0", "near", "x0")])
    made = embed(graph, 16)
    found = made.of(np.arange(80))
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(80), abs=1e-4)
    alike = found @ found.T
    same = np.equal.outer(np.arange(80) % 2, np.arange(80) % 2)
    assert alike[same].mean() > alike[~same].mean() + 0.3
    assert np.array_equal(found, embed(graph, 16).of(np.arange(80)))
    row = shelf.put(Item(id="late", title="L", attributes={"a0": "1-0", "a1": "1-1"}))
    graph.put(np.array([row]))
    late = made.of(np.array([row]))[0] @ found.T
    assert late[1::2].mean() > late[::2].mean() + 0.1
    assert made.of(np.array([500])).any() == np.False_

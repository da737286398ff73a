"""Features of a query's candidates: known answers, finite whatever comes, the same however candidates are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hash_encoder import HashEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from toyshop import toy_items

from shopkeeper.ranking.features import NAMES, Asked, Known, features
from shopkeeper.records import Item
from shopkeeper.retrieval.hybrid import HybridIndex
from shopkeeper.retrieval.shelf import Shelf

ITEMS = [
    Item(id="head", title="HP L1950g LCD monitor", brand="HP", price=100.0, category=("Screens",)),
    Item(id="part", title="Monitor stand", brand="Acme", price=20.0, category=("Stands",)),
    Item(id="far", title="Garden rake", brand="Leaf", price=9.0),
    Item(id="long", title="Black desk lamp", description="Stands beside every monitor.", price=None),
]


def table(items, query, **asked):
    shelf, index = Shelf(items), HybridIndex(HashEncoder())
    index.upsert(np.arange(len(items)), items)
    vector = index.encode(query)
    found = index.search(query, vector, shelf.showable())
    got = features(index, shelf, Asked(query=query, vector=vector, **asked), found)
    ids = [shelf.item(row).id for row in found.rows.tolist()]
    assert got.shape == (len(ids), len(NAMES))
    assert got.dtype == np.float32
    assert np.isfinite(got).all()
    return {item: dict(zip(NAMES, row.tolist(), strict=True)) for item, row in zip(ids, got, strict=True)}


def test_a_thing_is_told_from_its_parts():
    got = table(ITEMS, "monitor")
    assert got["head"]["named"] == 1
    assert got["part"]["named"] == 0
    assert got["part"]["first_place"] > got["head"]["first_place"] > 0
    assert got["head"]["title_coverage"] == got["part"]["title_coverage"] == 1
    assert got["long"]["title_coverage"] == 0 < got["long"]["text_coverage"]


def test_order_brand_numbers_and_shares():
    got = table(ITEMS, "hp lcd monitor l1950g")
    assert got["head"]["brand_asked"] == 1
    assert got["part"]["brand_asked"] == 0
    assert got["head"]["number"] == 1
    assert got["head"]["all_in_title"] == 1
    assert got["head"]["title_share"] == pytest.approx(1.0)
    assert got["head"]["in_order"] == pytest.approx(1 / 3)  # lcd monitor stand so in the title, of three neighbours
    assert got["head"]["price_place"] == 1
    assert got["far"]["price_place"] == 0 if "far" in got else True
    assert got["long"]["price_place"] == 0.5


def test_preferences_and_age():
    new = Item(id="new", title="monitor", created=None)
    got = table([*ITEMS, new], "monitor", preferences=[("brand", "HP", 0.75), ("category", "Stands", 0.25)], time=1e9)
    assert got["head"]["preferred"] == pytest.approx(0.75)
    assert got["part"]["preferred"] == pytest.approx(0.25)
    assert got["new"]["youth"] == 0


def test_what_behaviour_says_is_by_row():
    shelf = Shelf(ITEMS)
    known = Known(popularity=np.array([0.5, 0.25], dtype=np.float32))
    found = known.of("monitor", np.array([3, 1, 0]), shelf)
    assert found["popularity"].tolist() == [0, 0.25, 0.5]
    assert Known().of("monitor", np.array([0]), shelf) == {}


def test_nothing_found_gives_no_rows():
    shelf, index = Shelf(ITEMS), HybridIndex(HashEncoder())
    index.upsert(np.arange(len(ITEMS)), ITEMS)
    vector = index.encode("x")
    found = index.search("x", vector, np.zeros(len(ITEMS), dtype=np.bool_))
    assert features(index, shelf, Asked(query="x", vector=vector), found).shape == (0, len(NAMES))


_TOY = toy_items()
_SHELF, _INDEX = Shelf(_TOY), HybridIndex(HashEncoder())
_INDEX.upsert(np.arange(len(_TOY)), _TOY)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.integers(1, 40))
def test_finite_and_of_the_candidate_alone_where_it_is_no_comparison(query: str, depth: int):
    vector = _INDEX.encode(query)
    found = _INDEX.search(query, vector, _SHELF.showable())
    whole = features(_INDEX, _SHELF, Asked(query=query, vector=vector), found)
    assert np.isfinite(whole).all()
    if len(found) > depth:
        part = features(_INDEX, _SHELF, Asked(query=query, vector=vector), found.at(np.arange(depth)))
        alone = [
            NAMES.index(n) for n in ("title_coverage", "coverage", "text_bm25", "in_order", "named", "cosine", "number")
        ]
        np.testing.assert_allclose(part[:, alone], whole[:depth, alone], atol=1e-5)

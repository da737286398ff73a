from datetime import timedelta

import numpy as np
import pytest
from hash_encoder import HashEncoder
from toyshop import START, item_id, toy_items

from shopkeeper.errors import InputError
from shopkeeper.ranking.ads.features import Moment
from shopkeeper.records import Event, EventKind, Impression, Item
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.vectors import VectorIndex
from shopkeeper.tasks.advertise.chances import AdChances

ENCODER = HashEncoder()
RAKE, PAN = item_id("garden", 0), item_id("kitchen", 0)


@pytest.fixture
def shelf():
    return Shelf(toy_items())


@pytest.fixture
def vectors(shelf):
    index = VectorIndex(ENCODER.dimension)
    index.upsert(np.arange(len(shelf)), ENCODER.encode([item.passage for item in shelf.items]))
    return index


@pytest.fixture
def chances(shelf, vectors):
    return AdChances.prior(shelf, vectors)


def asked(query):
    return Moment(query, ENCODER.encode([query])[0], surface="search")


def test_without_a_bundle_what_is_near_is_likelier_and_rates_are_learnt(chances, shelf):
    rows = shelf.rows([RAKE, PAN])
    garden = chances.chances(rows, asked("garden lawn plants"))
    assert garden.click[0] > garden.click[1]
    kitchen = chances.chances(rows, asked("kitchen cooking baking"))
    assert kitchen.click[1] > kitchen.click[0]
    before = chances.chances(rows, Moment())
    assert before.click[0] == pytest.approx(before.click[1])
    shown = Impression(items=(RAKE,), positions=(1,), propensities=(1.0,), surface="home")
    for n in range(30):
        about = {"time": START + timedelta(minutes=n), "request": f"r{n}", "customer": "ann"}
        chances.fold([Event(id=f"i{n}", kind=EventKind.AD_IMPRESSION, impression=shown, **about)])
        chances.fold([Event(id=f"c{n}", kind=EventKind.AD_CLICK, item=RAKE, **about)])
    after = chances.chances(rows, Moment())
    assert after.click[0] > after.click[1] > before.click[1]
    for found in (before, after, garden):
        assert all(((part > 0) & (part < 1)).all() and part.dtype == np.float64 for part in found)


def test_an_item_that_just_came_has_a_chance(chances, shelf, vectors):
    item = Item(id="new", title="Garden fork", description="For the garden, lawn, plants.", category=("New",))
    row = shelf.put(item)
    vectors.upsert(np.array([row]), ENCODER.encode([item.passage]))
    near, far = (chances.chances(np.array([row]), asked(query)).click for query in ("garden lawn", "kitchen baking"))
    assert near > far > 0


def test_bad_input_is_refused_with_advice(chances):
    assert len(chances.chances(np.zeros(0, dtype=np.int64), Moment()).click) == 0
    for row in (-1, 4_000):
        with pytest.raises(InputError, match="rows of this shelf"):
            chances.chances(np.array([row]), Moment())
    with pytest.raises(InputError, match="encoder of the items"):
        chances.chances(np.array([0]), Moment(words=np.ones(3, dtype=np.float32)))

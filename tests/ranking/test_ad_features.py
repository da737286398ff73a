from datetime import timedelta

import numpy as np
import pytest
from hash_encoder import HashEncoder
from toyshop import START, item_id, toy_items

from shopkeeper.ranking.ads.features import NAMES, Moment, ad_features, ad_vectors, taste_of
from shopkeeper.ranking.item_record import ItemRecord
from shopkeeper.records import Event, EventKind
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.vectors import VectorIndex

ENCODER = HashEncoder()


@pytest.fixture
def shelf():
    return Shelf(toy_items())


@pytest.fixture
def vectors(shelf):
    index = VectorIndex(ENCODER.dimension)
    index.upsert(np.arange(len(shelf)), ENCODER.encode([item.passage for item in shelf.items]))
    return index


def table(shelf, vectors, rows, moment, record=None):
    found = ad_features(shelf, vectors, np.asarray(rows), moment, record or ItemRecord(shelf))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    return {name: found[:, place] for place, name in enumerate(NAMES)}


def deeds(*items, kind=EventKind.VIEW):
    return [
        Event(id=f"e{n}", time=START + timedelta(minutes=n), kind=kind, item=item, customer="ann")
        for n, item in enumerate(items)
    ]


def test_a_query_is_near_what_it_names(shelf, vectors):
    rake, pan = shelf.rows([item_id("garden", 0), item_id("kitchen", 0)])
    found = table(shelf, vectors, [rake, pan], Moment("Garden RAKE", ENCODER.encode(["garden rake"], "query")[0]))
    assert found["query_words"].tolist() == [1, 0]
    assert found["query_all"].tolist() == [1, 0]
    assert found["query_cosine"][0] > found["query_cosine"][1]
    assert found["query_cosine x query_words"][0] == pytest.approx(found["query_cosine"][0])


def test_a_customer_is_what_they_looked_at(shelf, vectors):
    taste, past = taste_of(deeds(*(item_id("garden", n) for n in (0, 2, 4))), shelf, vectors)
    rows = shelf.rows([item_id("garden", 0), item_id("garden", 6), item_id("kitchen", 0)])
    found = table(shelf, vectors, rows, Moment(taste=taste, past=past, language="en"))
    assert np.linalg.norm(taste) == pytest.approx(1, abs=1e-5)
    assert found["seen"].tolist() == [1, 0, 0]
    assert found["brand_share"].tolist() == [1, 1, 0]
    assert found["category_share"].tolist() == [1, 1, 0]
    assert found["taste_cosine"][0] > found["taste_cosine"][2]
    assert found["dearer"][1] > 0 > found["dearer"][0]


def test_what_speaks_against_an_item_or_is_unknown_is_no_taste(shelf, vectors):
    taste, past = taste_of([*deeds(item_id("garden", 0), kind=EventKind.DISMISS), *deeds("gone")], shelf, vectors)
    assert taste is None
    assert not len(past)


def test_languages_match_differ_or_are_unknown(shelf, vectors):
    rows = shelf.rows([item_id("garden", 0), item_id("garden", 1)])
    assert table(shelf, vectors, rows, Moment(language="zh"))["language"].tolist() == [-1, 1]
    assert table(shelf, vectors, rows, Moment())["language"].tolist() == [0, 0]


def test_neither_the_other_candidates_nor_their_order_matter(shelf, vectors):
    taste, past = taste_of(deeds(item_id("garden", 0), item_id("kitchen", 4)), shelf, vectors)
    moment = Moment("steel pan", ENCODER.encode(["steel pan"])[0], taste, taste, "search", 3, 6, "en", past)
    record, rows = ItemRecord(shelf), np.arange(len(shelf))
    whole = ad_features(shelf, vectors, rows, moment, record)
    mixed = np.random.default_rng(0).permutation(rows)[:7]
    assert np.allclose(ad_features(shelf, vectors, mixed, moment, record), whole[mixed], atol=1e-6)
    assert ad_features(shelf, vectors, rows[:0], moment, record).shape == (0, len(NAMES))


def test_neither_ids_nor_the_order_of_the_catalogue_matter(shelf, vectors):
    other = Shelf(reversed(toy_items()))
    index = VectorIndex(ENCODER.dimension)
    index.upsert(np.arange(len(other)), ENCODER.encode([item.passage for item in other.items]))
    moment = Moment("steel pan", ENCODER.encode(["steel pan"])[0], surface="home", language="zh")
    ids = [item.id for item in toy_items()]
    first = ad_features(shelf, vectors, shelf.rows(ids), moment, ItemRecord(shelf))
    second = ad_features(other, index, other.rows(ids), moment, ItemRecord(other))
    assert np.allclose(first, second, atol=1e-6)


def test_vectors_of_what_is_unknown_are_zero(shelf, vectors):
    words = ENCODER.encode(["pan"])[0]
    items, around = ad_vectors(vectors, np.array([3, 5]), Moment("pan", words))
    assert np.allclose(items, vectors.vectors(np.array([3, 5])))
    assert np.allclose(around[0], words)
    assert not around[1:].any()

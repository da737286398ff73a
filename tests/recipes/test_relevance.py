from dataclasses import replace

import numpy as np
import pytest
from toybackbone import toy_backbone
from toyshop import TASTES, taste_of_item, toy_events, toy_items, toy_judgements, toy_store

from shopkeeper.errors import TrainingError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.recipes.search.pairs import Answers, Pair, merged, pairs_from_events, pairs_from_judgements
from shopkeeper.recipes.search.relevance import RelevanceOptions, gather_lessons, train_relevance
from shopkeeper.records import EventKind, Item
from shopkeeper.settings import load
from shopkeeper.store.database import open_store

OPTIONS = RelevanceOptions(open_share=1.0, rate=3e-3, item_tokens=64)


@pytest.fixture
def store(tmp_path):
    store = toy_store(tmp_path)
    yield store
    store.close()


def settings(tmp_path, epochs=5):
    return load(tmp_path, environ={}, overrides={"train.epochs": epochs, "train.batch": 32, "compute.threads": 1})


def catalogue_only(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'words.db'}")
    store.catalogue.put(toy_items())
    return store


def own_taste_first(encoder):
    """Share of the ten best items of each taste's query that are of that taste."""
    items = toy_items()
    vectors = encoder.encode([item.text for item in items])
    shares = []
    for taste, query in zip(TASTES, ("garden tools", "frying pan"), strict=True):
        top = np.argsort(-(vectors @ encoder.encode([query], side="query")[0]))[:10]
        shares.append(np.mean([taste_of_item(items[place].id) == taste for place in top]))
    return float(np.mean(shares))


def test_the_two_tastes_are_learnt_from_behaviour(store, tmp_path):
    before = toy_backbone()
    untrained = own_taste_first(TorchEncoder(before))
    bundle = train_relevance(store, settings(tmp_path), tmp_path / "out", base=before, options=OPTIONS, onnx=False)
    assert own_taste_first(bundle.encoder()) >= max(0.95, untrained)
    card = Bundle.open(tmp_path / "out").card
    assert card.after["validation"]["mrr"]["value"] > card.before["validation"]["mrr"]["value"]
    assert card.data["pairs"]["events"] > 50
    assert card.data["pairs"]["judgements"] == 18
    assert card.task == "relevance"
    assert card.base == "toy"


def test_the_catalogue_alone_teaches_as_well_and_a_seed_repeats_it(tmp_path):
    store = catalogue_only(tmp_path)
    options = replace(OPTIONS, per_item=4)
    first, second = (
        train_relevance(
            store, settings(tmp_path), tmp_path / name, base=toy_backbone(), options=options, seed=3, onnx=False
        )
        for name in ("one", "two")
    )
    card = first.card
    assert card.data["pairs"]["events"] == card.data["pairs"]["judgements"] == 0
    assert card.after["validation"]["mrr"]["value"] > card.before["validation"]["mrr"]["value"]
    texts = [item.text for item in toy_items()]
    np.testing.assert_array_equal(first.encoder().encode(texts), second.encoder().encode(texts))
    store.close()


def test_training_that_does_not_help_keeps_the_base_and_says_so(store, tmp_path):
    texts = [item.text for item in toy_items()]
    expected = TorchEncoder(toy_backbone()).encode(texts)
    bundle = train_relevance(
        store,
        settings(tmp_path, 1),
        tmp_path / "out",
        base=toy_backbone(),
        options=replace(OPTIONS, rate=1e-12),
        onnx=False,
    )
    card = bundle.card
    if "did not improve" in card.notes:
        assert card.before == card.after
    np.testing.assert_allclose(bundle.encoder().encode(texts), expected, atol=1e-4)


@pytest.mark.parametrize("negatives", ["near", "mined", "none"])
def test_every_kind_of_negatives_trains(store, tmp_path, negatives):
    options = replace(OPTIONS, negatives=negatives, debias=True)
    bundle = train_relevance(
        store, settings(tmp_path, 2), tmp_path / "out", base=toy_backbone(), options=options, onnx=False
    )
    assert "steps" in bundle.card.notes


@pytest.mark.slow
def test_the_served_graph_agrees_with_torch(tmp_path):
    store = catalogue_only(tmp_path)
    bundle = train_relevance(store, settings(tmp_path, 1), tmp_path / "out", base=toy_backbone(), options=OPTIONS)
    texts = [item.text for item in toy_items()]
    cosine = (bundle.encoder("onnx").encode(texts) * bundle.encoder("torch").encode(texts)).sum(axis=1)
    assert cosine.min() > 0.95
    store.close()


def test_validation_is_later_than_training(store):
    events = pairs_from_events(store)
    lessons = gather_lessons(store, OPTIONS, np.random.default_rng(0))
    last = max(pair.time for pair in lessons.train)
    assert 0 < last < min(pair.time for pair in lessons.valid)
    assert max(pair.time for pair in events) == max(pair.time for pair in lessons.valid)


@pytest.mark.parametrize("count", [3, 7, 20])
def test_a_small_shop_is_validated_on_items_it_has_not_learnt(tmp_path, count):
    store = open_store(f"sqlite:///{tmp_path / 'small.db'}")
    store.catalogue.put([Item(id=f"i{n}", title=f"red thing number {n}", brand="acme") for n in range(count)])
    lessons = gather_lessons(store, OPTIONS, np.random.default_rng(0))
    assert lessons.valid
    assert not {pair.item for pair in lessons.train} & {pair.item for pair in lessons.valid}
    store.close()


def test_pairs_are_tied_by_their_own_query_or_their_request(store):
    pairs = pairs_from_events(store)
    events = toy_events()
    reacting = [event for event in events if event.kind in (EventKind.CLICK, EventKind.CART, EventKind.PURCHASE)]
    assert len(pairs) == len(reacting)
    asked = {event.request: event.query for event in events if event.kind is EventKind.SEARCH}
    expected = {(asked[event.request], event.item) for event in reacting}
    assert {(pair.query, pair.item) for pair in pairs} == expected
    assert {pair.weight for pair in pairs} == {1.0, 2.0, 3.0}


def test_debiasing_never_makes_a_reaction_weigh_less(store):
    plain, debiased = pairs_from_events(store), pairs_from_events(store, debias=True)
    assert all(right.weight >= left.weight for left, right in zip(plain, debiased, strict=True))


def test_judgements_below_the_first_grade_are_no_answers(store):
    pairs = pairs_from_judgements(store)
    good = {(judgement.query, judgement.item) for judgement in toy_judgements() if judgement.grade >= 1}
    assert {(pair.query, pair.item) for pair in pairs} == good


def test_merging_adds_up_and_keeps_the_latest_time():
    pair = Pair("rake", "a", 1.0, "events", 5.0)
    (one,) = merged([pair, replace(pair, weight=2.0, time=9.0), replace(pair, query="")])
    assert one == replace(pair, weight=float(np.log1p(3.0)), time=9.0)


def test_an_item_with_all_the_words_answers():
    items = {"a": Item(id="a", title="Steel garden rake"), "b": Item(id="b", title="Steel pan")}
    answers = Answers(items, [Pair("cooking", "b", 1.0, "events")])
    assert answers.table(["garden rakes", "steel", "cooking", "..."], ["a", "b"]).tolist() == [
        [True, False],
        [True, True],
        [False, True],
        [False, False],
    ]


def test_an_empty_shop_and_one_item_say_what_is_missing(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    for items in ([], [Item(id="a", title="Rake")]):
        store.catalogue.put(items)
        with pytest.raises(TrainingError, match=r"at least two.*Import products"):
            train_relevance(store, settings(tmp_path), tmp_path / "out", base=toy_backbone())
    store.close()

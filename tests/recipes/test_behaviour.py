"""The behaviour recipe learns the toy shop, keeps to its splits and saves what it found."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from toyshop import START, toy_items, toy_store

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.metrics import ndcg_at, recall_at
from shopkeeper.evaluation.next_items import measures, ranks, split_last, split_time
from shopkeeper.models.bundle import Bundle
from shopkeeper.recipes.recommend.behaviour import train_behaviour
from shopkeeper.recipes.recommend.moments import splits
from shopkeeper.recipes.recommend.next_learning import NextOptions
from shopkeeper.records import Event, EventKind
from shopkeeper.retrieval.histories import fold
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import read_trails
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.tasks.recommend.behaviour import Parameters, fit, learnt_from


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    store = toy_store(folder)
    yield store, Shelf(store.catalogue.scan()), folder
    store.close()


def test_the_blend_beats_popularity_and_the_bundle_holds_its_parameters(shop):
    store, shelf, folder = shop
    bundle = train_behaviour(store, None, shelf, Settings(home=folder), folder / "a")
    before, after = bundle.card.before["popularity"]["ndcg@10"], bundle.card.after["blend"]["ndcg@10"]
    assert after["value"] > before["value"]
    assert after["low"] <= after["value"] <= after["high"]
    assert bundle.card.task == "recommend"
    parameters = Parameters.from_json(Bundle.open(folder / "a").parameters)
    behaviour = fit(split_time(store.events.frame(), shelf, 1e12, 2e12).learn, shelf, None, parameters, 0.0)
    assert set(behaviour.sources) >= {"after", "together", "words", "popular"}


def test_the_same_seed_gives_the_same_parameters(shop):
    store, shelf, folder = shop
    first = train_behaviour(store, None, shelf, Settings(home=folder), folder / "b", protocol="last")
    second = train_behaviour(store, None, shelf, Settings(home=folder), folder / "c", protocol="last")
    assert first.parameters == second.parameters


def test_a_shop_without_events_is_told_so(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    store.catalogue.put(toy_items())
    with pytest.raises(TrainingError, match="default weights"):
        train_behaviour(store, None, Shelf(store.catalogue.scan()), Settings(home=tmp_path), tmp_path / "bundle")
    store.close()


def test_a_shop_of_onlookers_learns_from_what_they_look_at(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    store.catalogue.put(toy_items())
    store.events.append(
        [
            Event(
                id=f"{customer}-{place}",
                time=START + timedelta(days=place, minutes=customer),
                kind=EventKind.VIEW,
                customer=f"c{customer}",
                item=f"{'garden' if customer % 2 else 'kitchen'}-{(customer + 3 * place) % 18:02d}",
            )
            for customer in range(30)
            for place in range(6)
        ]
    )
    validation, test = splits(store.events.frame(), Shelf(store.catalogue.scan()), "time")
    assert len(validation.targets)
    assert len(test.targets)
    store.close()


def test_time_split_knows_nothing_of_the_future_and_asks_for_what_is_new(shop):
    store, shelf, _ = shop
    moment = (START + timedelta(days=30)).timestamp()
    split = split_time(store.events.frame(), shelf, moment, moment + 40 * 86_400)
    assert split.learn.times.max() < moment
    assert split.past.times.max() < moment
    owned = split.owned.toarray()
    assert not owned[split.users, split.targets].any()
    assert (split.wanted > 0).all()
    late = {e.item for _, e in store.events.scan(start=datetime.fromtimestamp(moment, UTC)) if e.kind == "purchase"}
    assert {shelf.item(int(row)).id for row in split.targets} <= late


def test_leave_one_out_keeps_the_last_two_items_from_learning():
    histories = fold([0] * 5 + [1] * 2, [0, 1, 2, 3, 4, 0, 1], [1] * 7, range(7))
    validation, test = split_last(histories, 5, 2), split_last(histories, 5, 1)
    assert validation.targets.tolist() == [3]
    assert test.targets.tolist() == [4]
    assert validation.past.rows.tolist() == [0, 1, 2]
    assert test.past.rows.tolist() == [0, 1, 2, 3]
    for split in (validation, test):
        assert split.learn.rows.tolist() == [0, 1, 2, 0, 1]
        assert np.flatnonzero(split.owned.toarray()[0]).tolist() == split.past.rows.tolist()


def test_ranks_leave_out_what_is_owned_and_share_ties():
    histories = fold([0] * 4, [0, 1, 2, 3], [1] * 4, range(4))
    split = split_last(histories, 6, 1)
    scores = np.array([[9, 9, 9, 5, 5, 1]], np.float32)
    assert ranks(lambda _: scores.copy(), split, 6).tolist() == [0.5]


def test_measures_agree_with_the_plain_metrics():
    rng = np.random.default_rng(0)
    histories = fold(np.repeat(np.arange(20), 4), rng.permuted(np.tile(np.arange(30), (20, 1)), axis=1)[:, :4].ravel(),
                     np.ones(80), np.arange(80))  # fmt: skip
    split = split_last(histories, 30, 1)
    scores = rng.random((20, 30), dtype=np.float32)
    places = ranks(lambda past: scores[: len(past)].copy(), split, 30)
    grades = np.zeros((20, 30))
    grades[np.arange(20), places.astype(int)] = 1
    found = measures(places, split)
    assert found["ndcg@10"] == pytest.approx(ndcg_at(10, grades))
    assert found["recall@5"] == pytest.approx(recall_at(5, grades))


def test_a_bundle_with_sequence_model_and_ranker_opens_on_a_shelf_in_another_order(shop, monkeypatch):
    store, shelf, folder = shop
    monkeypatch.setattr("shopkeeper.recipes.recommend.behaviour._STEPS", 10)
    monkeypatch.setattr("shopkeeper.recipes.recommend.behaviour.LEAST", 5)
    vectors = np.random.default_rng(0).standard_normal((len(shelf), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    options = NextOptions(width=8, epochs=2, text=4, negatives=0)
    train_behaviour(store, vectors, shelf, Settings(home=folder), folder / "d", protocol="last", options=options)
    bundle = Bundle.open(folder / "d")
    assert "sequence" in bundle.card.after
    order = np.random.default_rng(1).permutation(len(shelf))
    turned = Shelf(shelf.item(int(row)) for row in order)
    trails, _ = read_trails(store.events.frame(), shelf)
    others, _ = read_trails(store.events.frame(), turned)
    parameters, sequence, ranker = learnt_from(bundle, shelf, vectors)
    _, again, _ = learnt_from(bundle, turned, vectors[order])
    assert parameters.blend.parts["next"].scale > 0
    assert (ranker is not None) == ("kept" in bundle.card.notes and "not kept" not in bundle.card.notes)
    few = np.arange(5)
    np.testing.assert_allclose(
        sequence.scores(trails.take(few), len(shelf))[:, order], again.scores(others.take(few), len(shelf)), atol=1e-4
    )
    assert learnt_from(None, shelf, vectors) == (Parameters(), None, None)

"""The recipe learns an order that popularity cannot see, keeps to its splits, and saves what serves."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import torch
from toyshop import toy_store

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.next_items import measures, ranks
from shopkeeper.models.bundle import Card, save_bundle
from shopkeeper.models.sequence import SequenceModel, SequenceShape
from shopkeeper.recipes.recommend.moments import moments, splits
from shopkeeper.recipes.recommend.next_item import foreseen, refitted, sequence_arrays
from shopkeeper.recipes.recommend.next_learning import NextOptions, fit_next, next_loss, whitening
from shopkeeper.recipes.recommend.next_lessons import Lessons
from shopkeeper.records import EventKind, Item
from shopkeeper.retrieval.next_items import NextItems
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import KINDS, Trails, read_trails, trail_of
from shopkeeper.settings import Settings

SMALL = NextOptions(width=16, layers=1, length=8, dropout=0.1, batch=32, epochs=12, rate=1e-2)
RING = 12
CPU = torch.device("cpu")
ONE = Settings.model_validate({"compute": {"threads": 1}})


def ring(customers=80, steps=7, seed=0):
    """Everybody goes round a ring of items, from a place drawn at random: a frame and a shelf in random order."""
    rng = np.random.default_rng(seed)
    shelf = Shelf(Item(id=f"i{n}", title=f"Item {n}") for n in rng.permutation(RING))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {
            "time": start + timedelta(days=place, minutes=customer),
            "kind": "purchase",
            "customer": f"c{customer}",
            "session": "",
            "item": f"i{(first + place) % RING}",
        }
        for customer, first in enumerate(rng.integers(0, RING, customers).tolist())
        for place in range(steps)
    ]
    return pl.DataFrame(rows).sort("time"), shelf


def plain(rows, kinds=None, times=None):
    count = len(rows)
    return Trails(
        np.array([0, count], dtype=np.int64),
        np.array(rows, dtype=np.int64),
        np.arange(count, dtype=np.float64) if times is None else np.array(times, dtype=np.float64),
        np.array([KINDS.index(kind) for kind in kinds or [EventKind.PURCHASE] * count], dtype=np.int8),
    )


@pytest.fixture(scope="module")
def learnt():
    frame, shelf = ring()
    validation, test = moments(frame, shelf, "last")
    model, report = fit_next(validation.learn, None, ONE, options=SMALL)
    return shelf, model, report, test


def test_it_learns_an_order_that_popularity_cannot_see(learnt):
    shelf, model, report, test = learnt
    found = foreseen(model, test, len(shelf), None)
    assert found["ndcg@10"].mean() > 0.95
    assert report.losses[-1] < report.losses[0]


def test_the_same_seed_gives_the_same_model(learnt):
    _, model, _, test = learnt
    again, _ = fit_next(test.learn, None, ONE, options=SMALL)
    other, _ = fit_next(test.learn, None, ONE, options=SMALL, seed=8)
    assert np.array_equal(model.items, again.items)
    assert not np.array_equal(model.items, other.items)


def test_sampled_negatives_learn_the_order_too():
    frame, shelf = ring()
    validation, test = moments(frame, shelf, "last")
    options = NextOptions(**{**{name: getattr(SMALL, name) for name in SMALL.__slots__}, "negatives": 6})
    model, _ = fit_next(validation.learn, None, ONE, options=options)
    assert foreseen(model, test, len(shelf), None)["ndcg@10"].mean() > 0.9


def test_the_sampled_sum_is_the_full_one_on_average():
    torch.manual_seed(0)
    model = SequenceModel(40, SequenceShape(kinds=len(KINDS), width=8, layers=1, length=8, dropout=0.0))
    lessons = Lessons(plain([3, 30]), np.arange(40), 8, CPU)  # one step to foresee: e^loss is a sum over items
    batch = lessons.batch(np.array([0]))
    with torch.no_grad():
        full = next_loss(model, batch, NextOptions(scale=4.0)).exp()
        drawn = [next_loss(model, batch, NextOptions(scale=4.0, negatives=20)).exp() for _ in range(400)]
    assert float(torch.stack(drawn).mean()) == pytest.approx(float(full), rel=0.03)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    store = toy_store(folder)
    shelf = Shelf(store.catalogue.scan())
    vectors = np.random.default_rng(0).standard_normal((len(shelf), 6)).astype(np.float32)
    taste = np.array([item.startswith("garden") for item in shelf.ids])
    vectors[:, 0] += np.where(taste, 8, -8)
    yield store, shelf, vectors, folder
    store.close()


def test_the_bundle_holds_what_serves_and_foresees_better_than_popularity(shop):
    store, shelf, vectors, folder = shop
    options = NextOptions(width=16, layers=1, length=20, dropout=0.1, batch=16, epochs=8, rate=1e-2)
    validation, test = moments(store.events.frame(), shelf, "time")
    settings, width = ONE.override({"home": folder}), len(shelf)
    model, _ = fit_next(validation.learn, vectors, settings, options=options)
    popular = np.bincount(test.split.learn.rows, minlength=width).astype(np.float32)
    before = measures(ranks(lambda past: np.tile(popular, (len(past), 1)), test.split, width), test.split)
    assert foreseen(model, test, width, vectors)["ndcg@10"].mean() > before["ndcg@10"].mean()
    live = refitted(model, store.events.frame(), shelf, vectors, settings, options)
    arrays, parameters = sequence_arrays(live, shelf)
    bundle = save_bundle(folder / "a", Card(task="recommend"), arrays=arrays, parameters=parameters)
    mixed = Shelf(sorted(store.catalogue.scan(), key=lambda item: item.id[::-1]))
    place = [shelf.row(item) for item in mixed.ids]
    opened, other = NextItems.load(bundle, shelf, vectors), NextItems.load(bundle, mixed, vectors[place])
    trails, _ = read_trails(store.events.frame(), shelf)
    turned, _ = read_trails(store.events.frame(), mixed)
    scores = opened.scores(trails, len(shelf))
    assert np.allclose(scores[:, place], other.scores(turned, len(mixed)), atol=1e-5)
    garden = np.array([item.startswith("garden") for item in shelf.ids])
    fond = trail_of(store.events.of_customer("c00"), shelf)
    liking = opened.scores(fond, len(shelf))[0]
    assert liking[garden].mean() > liking[~garden].mean()
    untouched = shelf.row("garden-19")
    assert liking[untouched] > np.median(liking[~garden])  # nobody touched it: its text speaks


@pytest.mark.parametrize("protocol", ["time", "last"])
def test_who_is_asked_for_what_is_the_same_as_for_the_blend(shop, protocol):
    store, shelf, _, _ = shop
    frame = store.events.frame()
    for moment, split in zip(moments(frame, shelf, protocol), splits(frame, shelf, protocol), strict=True):
        assert moment.split.targets.tolist() == split.targets.tolist()
        assert moment.split.users.tolist() == split.users.tolist()
        assert len(moment.learn) == len(split.learn)
        assert len(moment.past) == len(split.past)
        for user in range(len(split.past)):
            steps = moment.past.rows[moment.past.indptr[user] : moment.past.indptr[user + 1]]
            assert set(steps) == set(split.past.rows[split.past.indptr[user] : split.past.indptr[user + 1]])
        if protocol == "last":
            asked = moment.past.users[
                np.isin(moment.past.users * 99 + moment.past.rows, split.users * 99 + split.targets)
            ]
            assert not len(asked)
        else:
            assert moment.learn.times.max() < split.until
            assert moment.past.times.max() < split.until


def test_a_step_is_foreseen_as_much_as_it_speaks_for_its_item():
    kinds = [EventKind.VIEW, EventKind.VIEW, EventKind.PURCHASE, EventKind.RETURN, EventKind.VIEW, EventKind.CART]
    trail = plain([4, 4, 4, 4, 7, 9], kinds)
    batch = Lessons(trail, np.array([4, 7, 9]), 10, CPU).batch(np.array([0]))
    assert batch.rows.tolist() == [[0, 0, 0, 0, 1]]
    assert batch.wanted.tolist() == [[0, 0, 0, 1, 2]]
    # viewed again: no; bought: yes; sent back: no; another one viewed: a little; put into the basket: yes
    assert batch.worth[0].tolist() == pytest.approx([0, 1.0, 0, 0.25, 0.7])


def test_a_long_trail_teaches_every_step_once_and_a_robot_only_its_newest():
    lessons = Lessons(plain(range(23)), np.arange(23), 5, CPU)
    batch = lessons.batch(np.arange(len(lessons.lengths)))
    assert batch.rows.shape[1] <= 5
    assert sorted(batch.wanted[batch.worth > 0].tolist()) == list(range(1, 23))
    robot = Lessons(plain(list(range(1000)) * 100), np.arange(1000), 50, CPU)
    assert robot.lengths.sum() <= 510


def test_too_little_behaviour_is_told_so():
    for nothing in (plain([]), plain([1]), plain([2, 2, 2])):
        with pytest.raises(TrainingError, match="one after the other"):
            fit_next(nothing, None, ONE)


def test_whitened_texts_vary_equally_and_have_length_one_on_average():
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((500, 8)) @ rng.standard_normal((8, 8)) * 3 + 5).astype(np.float32)
    vectors[3] = 0  # an item without a text
    path = whitening(vectors, 6)
    found = np.delete(vectors, 3, axis=0) @ path.matrix + path.shift
    assert found.shape == (499, 6)
    assert np.allclose(found.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(np.cov(found.T, bias=True), np.eye(6) / 6, atol=1e-2)
    assert whitening(np.ones((5, 4), np.float32), 3).matrix.shape == (4, 0)

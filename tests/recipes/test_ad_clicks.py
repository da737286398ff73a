import itertools

import numpy as np
import pytest
from adshop import BOUGHT, ENCODER, LOOKED, QUERIES, REST, WISH, ad_store, encode, shelf_and_vectors
from toyshop import TASTES, item_id, toy_items

from shopkeeper.errors import InputError, ModelError, TrainingError
from shopkeeper.models.bundle import Bundle
from shopkeeper.ranking.ads.features import Moment, ad_features, taste_of
from shopkeeper.ranking.ads.model import AdModel
from shopkeeper.ranking.item_record import ItemRecord
from shopkeeper.recipes.ads.clicks import train_ad_clicks
from shopkeeper.recipes.ads.cross_learning import CrossOptions
from shopkeeper.recipes.ads.learning import choose, learn
from shopkeeper.recipes.ads.lessons import gather_lessons
from shopkeeper.recipes.ads.periods import examples
from shopkeeper.records import Item
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.vectors import VectorIndex
from shopkeeper.settings import load
from shopkeeper.store.database import open_store
from shopkeeper.tasks.advertise.chances import AdChances

SMALL = CrossOptions(width=4, hidden=(16,), batch=256, epochs=3)


def settings(tmp_path):
    return load(tmp_path, environ={}, overrides={"compute.threads": 1})


def index_of(vectors):
    index = VectorIndex(vectors.shape[1])
    index.upsert(np.arange(len(vectors)), vectors)
    return index


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("ads")
    store = ad_store(home, paid=True)
    shelf, vectors = shelf_and_vectors(store)
    bundle = train_ad_clicks(store, encode, shelf, vectors, settings(home), home / "bundle", minutes=1, options=SMALL)
    yield store, shelf, vectors, bundle
    store.close()


def asked(topic, **rest):
    return Moment(QUERIES[topic], encode([QUERIES[topic]])[0], surface="search", hour=12, **rest)


def test_chances_are_those_of_place_one(shop):
    store, shelf, vectors, bundle = shop
    index = index_of(vectors)
    chances = AdChances.load(Bundle.open(bundle.folder), shelf, index)
    rows = shelf.rows(item_id(taste, number) for taste in TASTES for number in range(18))
    own = np.arange(len(rows)) < 18
    found, paid = [], []
    for customer in store.customers.scan():
        taste, past = taste_of(store.events.of_customer(customer.id), shelf, index)
        moment = asked("garden", taste=taste, past=past, language=customer.language)
        found.append(chances.chances(rows, moment, paid=False))
        paid.append(chances.chances(rows, moment).click)
    click, sale = (np.mean([getattr(one, name) for one in found], axis=0) for name in ("click", "conversion"))
    assert WISH * LOOKED.mean() + 0.05 < click[own].mean() < WISH + 0.1  # above what a look at any place is worth
    assert click[~own].mean() == pytest.approx(REST, abs=0.06)
    assert sale[own].mean() == pytest.approx(BOUGHT["garden"], abs=0.15)
    assert sale[own].mean() > 1.5 * sale[~own].mean()
    assert 0.3 < np.mean(paid, axis=0)[own].mean() / click[own].mean() < 0.75  # half the chance where it is paid for


def test_the_card_shows_what_it_is_better_than(shop):
    card = shop[3].card
    click, item = card.after["click"], card.before["click"]
    assert click["auc"]["value"] > item["auc"]["value"] + 0.1
    for guess in ("click", "click, place rate", "click, mean rate"):
        assert click["log_loss"]["value"] < card.before[guess]["log_loss"]["low"]
    assert click["ece"]["value"] < 0.05
    assert card.data["train"]["paid"] > 0
    assert "kept" in card.notes


def test_a_new_item_has_a_chance_by_its_words(shop):
    bundle = shop[3]
    items = [
        *toy_items(),
        Item(id="new", title="Garden fork", description="For the garden, lawn, plants.", language="en"),
    ]
    wider = Shelf(items)
    index = index_of(ENCODER.encode([item.passage for item in items]))
    chances = AdChances.load(bundle, wider, index)
    row = wider.rows(["new"])
    (own,), (other,) = (chances.chances(row, asked(taste)).click for taste in ("garden", "kitchen"))
    assert own > 2 * other


def test_training_saw_what_serving_sees(tmp_path):
    store = ad_store(tmp_path, pages=300)
    shelf, vectors = shelf_and_vectors(store)
    index = index_of(vectors)
    lessons = gather_lessons(store, shelf, index, encode)
    page = lessons.test.events[7]
    log = [event for _, event in store.events.scan()]
    before = [event for event in log if (event.time, event.id) < (page.time, page.id)]
    record = ItemRecord(shelf, lessons.record.examined)
    record.fold(before)
    taste, past = taste_of([event for event in before if event.customer == page.customer], shelf, index)
    moment = Moment(
        page.query, encode([page.query])[0], taste, None, "search", page.time.hour, page.time.weekday(),
        next(c.language for c in store.customers.scan() if c.id == page.customer), past, page.time.timestamp(),
    )  # fmt: skip
    served = ad_features(shelf, index, shelf.rows(page.impression.items), moment, record)
    assert np.allclose(lessons.test.table[lessons.test.page == 7], served, atol=1e-5)
    store.close()


def test_the_places_are_learnt_and_parts_follow_in_time(tmp_path):
    store = ad_store(tmp_path, pages=800)
    shelf, vectors = shelf_and_vectors(store)
    lessons = gather_lessons(store, shelf, index_of(vectors), encode)
    assert lessons.record.looked("search", range(1, 7)) == pytest.approx(LOOKED, abs=0.2)
    parts = (lessons.train, lessons.valid, lessons.test)
    for earlier, later in itertools.pairwise(parts):
        assert max(event.time for event in earlier.events) < min(event.time for event in later.events)
    assert lessons.position == store.events.position
    assert not (lessons.train.bought & ~lessons.train.clicked).any()
    fewer = gather_lessons(store, shelf, index_of(vectors), encode, most=200)
    assert sum(len(part.events) for part in (fewer.train, fewer.valid, fewer.test)) == 200
    assert fewer.train.clicked.mean() == pytest.approx(lessons.train.clicked.mean(), abs=0.05)
    store.close()


def test_few_sales_are_left_to_the_linear_model(tmp_path):
    store = ad_store(tmp_path, pages=500)
    shelf, vectors = shelf_and_vectors(store)
    lessons = gather_lessons(store, shelf, index_of(vectors), encode)
    learnt = learn(lessons.train, lessons.valid, vectors, minutes=0.05, seed=1, options=SMALL)
    assert set(learnt.alone["click"]) == {"linear", "trees", "cross"}
    assert set(learnt.alone["sale"]) == {"linear"}
    store.close()


def test_the_mean_is_kept_where_it_is_better(shop):
    store, shelf, vectors, _ = shop
    valid = examples(gather_lessons(store, shelf, index_of(vectors), encode, most=300).valid, "click")
    good = np.where(valid.hit > 0, 1.0, -2.0)
    noise = np.random.default_rng(0).normal(0, 3, (2, len(good)))
    assert len(choose({"linear": good + noise[0], "trees": good + noise[1]}, valid).chosen) == 2
    assert choose({"linear": good, "trees": -good}, valid).chosen == ("linear",)


def test_bad_input_is_refused_with_advice(shop, tmp_path):
    _, shelf, vectors, bundle = shop
    chances = AdChances.load(bundle, shelf, index_of(vectors))
    assert len(chances.chances(np.zeros(0, dtype=np.int64), Moment()).click) == 0
    with pytest.raises(InputError, match="rows of this shelf"):
        chances.chances(np.array([4_000]), Moment())
    with pytest.raises(InputError, match="encoder of the items"):
        chances.chances(np.array([0]), Moment(words=np.ones(3, dtype=np.float32)))
    with pytest.raises(ModelError, match="lacks"):
        AdModel.load({}, {"mixes": {}})


def test_a_log_without_clicks_says_what_is_missing(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'none.db'}")
    store.catalogue.put(toy_items())
    shelf, vectors = shelf_and_vectors(store)
    with pytest.raises(TrainingError, match="0 clicks on 0 items"):
        train_ad_clicks(store, encode, shelf, vectors, settings(tmp_path), tmp_path / "out")
    store.close()

import itertools
import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from toybackbone import toy_backbone
from toyshop import START, TASTES, item_id, taste_of_item, toy_items, toy_store

from shopkeeper.errors import TrainingError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.chances import Chances, Rates
from shopkeeper.ranking.customers.words import Deed, customer_words
from shopkeeper.recipes.customers.purchase import PurchaseOptions, straighten, train_purchase
from shopkeeper.recipes.customers.purchase_baselines import item_ids, item_rates, linear_words, straightened, weigh
from shopkeeper.recipes.customers.purchase_moments import find_moments, gather_periods
from shopkeeper.records import Event, EventKind
from shopkeeper.settings import load
from shopkeeper.store.database import open_store

OPTIONS = PurchaseOptions(open_layers=None, rate=3e-3, head_rate=1.0, tokens=64, dropout=0.0)
EAGER = replace(OPTIONS, rate=1e-2, patience=20)


QUERIES = {"garden": "garden tools", "kitchen": "kitchen knife"}


def settings(tmp_path, epochs=6):
    return load(tmp_path, environ={}, overrides={"train.epochs": epochs, "train.batch": 32, "compute.threads": 1})


def two_tastes(path, visits=14, customers=40, seed=0):
    """Every visit searches within the customer's taste, looks at one item of each taste and buys the one of its own."""
    rng = np.random.default_rng(seed)
    store = open_store(f"sqlite:///{path / 'tastes.db'}")
    store.catalogue.put(toy_items())
    events = []
    for number in range(customers):
        own = TASTES[number % 2]
        for visit in range(visits):
            time = START + timedelta(days=float(visit * 4 + rng.random()))
            about = {"customer": f"c{number:02d}", "session": f"c{number:02d}-{visit}"}
            shown = [item_id(taste, int(rng.integers(18))) for taste in rng.permutation(TASTES)]
            steps = [(EventKind.SEARCH, QUERIES[own])] + [(EventKind.VIEW, item) for item in shown]
            steps += [(EventKind.PURCHASE, item) for item in shown if taste_of_item(item) == own]
            for step, (kind, item) in enumerate(steps):
                key = f"{number}-{visit}-{step}"
                what = {"query" if kind is EventKind.SEARCH else "item": item}
                events.append(Event(id=key, time=time + timedelta(minutes=step), kind=kind, **what, **about))
    store.events.append(sorted(events, key=lambda event: event.time))
    return store


@pytest.fixture(scope="module")
def tastes(tmp_path_factory):
    store = two_tastes(tmp_path_factory.mktemp("tastes"))
    yield store
    store.close()


def test_who_buys_what_is_learnt_from_words(tastes, tmp_path):
    bundle = train_purchase(
        tastes, settings(tmp_path, 15), tmp_path / "out", base=toy_backbone(), options=EAGER, seed=1, onnx=False
    )
    card = Bundle.open(tmp_path / "out").card
    before, after = card.before["test"], card.after["test"]
    assert after["auc"]["value"] > 0.9 > before["auc"]["value"]
    assert after["log_loss"]["value"] < before["log_loss"]["value"]
    # whether two texts are of one taste is a question of pairs: neither an item's rate nor a linear model can answer it
    assert after["auc"]["value"] > max(card.after[name]["auc"]["value"] for name in ("popularity", "tf-idf")) + 0.2
    assert {"auc", "log_loss", "accuracy", "ece"} == set(after) == set(card.after["tf-idf"])
    rake, pan = (next(item.text for item in toy_items() if item.id == key) for key in ("garden-00", "kitchen-00"))
    gardener = "searched garden tools; bought Tomato seeds; bought Pruning shears for roses; viewed Wok with lid"
    scores = bundle.scorer().score([gardener, gardener], [rake, pan])
    assert scores[0] > scores[1]


@pytest.mark.slow
def test_the_served_graph_agrees_with_torch(tastes, tmp_path):
    bundle = train_purchase(tastes, settings(tmp_path, 1), tmp_path / "out", base=toy_backbone(), options=OPTIONS)
    pairs = (["bought Tomato seeds"] * 5, [item.text for item in toy_items()[:5]])
    assert np.abs(bundle.scorer("onnx").score(*pairs) - bundle.scorer("torch").score(*pairs)).max() < 0.05


def test_labels_and_words_know_nothing_of_the_future(tastes):
    periods = gather_periods(tastes, np.random.default_rng(0))
    log = [event for _, event in tastes.events.scan()]
    titles = {item.id: item.title for item in toy_items()}
    parts = [periods.train, periods.valid, periods.test]
    for earlier, later in itertools.pairwise(parts):
        last = max(moment.time for moment in earlier.moments)
        assert last + periods.window * 86_400 <= min(moment.time for moment in later.moments)
    for part in parts:
        for moment, words in zip(part.moments, part.customers, strict=True):
            mine = [event for event in log if event.customer == moment.customer]
            past = {titles.get(event.item, event.query) for event in mine if event.time.timestamp() < moment.time}
            named = {piece.split(" ", 1)[1] for piece in words.split("; ") if piece}
            assert named <= past
            assert f"bought {titles[moment.item]}" not in words.split("; ")


def test_the_label_is_a_purchase_of_that_item_after_the_look(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'few.db'}")
    store.catalogue.put(toy_items())

    def event(key, day, kind, item, session):
        time = START + timedelta(days=day)
        return Event(id=key, time=time, kind=kind, item=item, customer="c", session=session)

    buy, look = EventKind.PURCHASE, EventKind.VIEW
    store.events.append(
        [
            event("1", 0.0, look, "garden-00", "a"),
            event("2", 0.1, buy, "garden-00", "a"),  # in the session: 1
            event("3", 0.2, look, "garden-00", "b"),  # already bought: no moment
            event("4", 10.0, look, "garden-01", "c"),
            event("5", 15.0, buy, "garden-01", "d"),  # five days later: 1
            event("6", 20.0, look, "garden-02", "e"),
            event("7", 30.0, buy, "garden-02", "f"),  # ten days later: 0
            event("8", 100.0, look, "garden-03", "g"),  # never: 0
            event("9", 100.1, look, "garden-03", "g"),  # the same moment
        ]
    )
    moments, _, window = find_moments(store, 7.0)
    assert window == 7.0
    assert [(moment.item, moment.bought) for moment in moments] == [
        ("garden-00", True),
        ("garden-01", True),
        ("garden-02", False),
        ("garden-03", False),
    ]
    store.close()


def test_baselines_give_honest_probabilities(tastes):
    periods = gather_periods(tastes, np.random.default_rng(0))
    for given in (item_rates(periods).of(item_ids(periods.test)), linear_words(periods)):
        assert given.shape == periods.test.labels.shape
        assert ((given > 0) & (given < 1)).all()


def test_what_says_more_weighs_more_and_survives_saving():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4_000)
    labels = (rng.random(4_000) < 1 / (1 + np.exp(-truth))).astype(int)
    telling, silent = 1 / (1 + np.exp(-truth)), rng.random(4_000)
    words, rates, _ = weigh(labels, telling, silent)
    assert words == pytest.approx(1.0, abs=0.15)
    assert rates == pytest.approx(0.0, abs=0.05)
    assert weigh(labels, silent, telling)[1] == pytest.approx(1.0, abs=0.15)

    class Even:
        name = "even"

        def score(self, customers, texts):
            return np.full(len(customers), 0.5)

    chances = Chances(Even(), Rates({"cold": (0, 0), "warm": (9, 10)}, 0.2, 5.0), (1.0, 1.0, 0.0))
    again = Chances.load(Even(), json.loads(json.dumps(chances.to_json())))
    given = again.of(["c", "c", "c"], ["x", "y", "z"], ["cold", "warm", "never seen"])
    assert given == pytest.approx([0.2, 10 / 15, 0.2])


def test_straightening_mends_boasts_and_survives_backward_logits():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4_000)
    labels = (rng.random(4_000) < 1 / (1 + np.exp(-truth))).astype(int)
    slope, shift = straightened(labels, 5 * truth + 3)
    assert slope == pytest.approx(0.2, abs=0.03)
    assert shift == pytest.approx(-0.6, abs=0.15)
    assert straightened(labels, -truth)[0] > 0


def test_straightening_a_head_keeps_the_order(tastes):
    from shopkeeper.recipes.customers.purchase import new_classifier, probabilities
    from shopkeeper.recipes.method import Method

    periods = gather_periods(tastes, np.random.default_rng(0))
    classifier = new_classifier(toy_backbone(), Method(dropout=OPTIONS.dropout, open_layers=OPTIONS.open_layers), 0)
    before = probabilities(classifier, periods.test)
    straighten(classifier, periods.valid)
    after = probabilities(classifier, periods.test)
    assert abs(after.mean() - periods.valid.labels.mean()) < 0.1
    assert np.corrcoef(np.argsort(np.argsort(before)), np.argsort(np.argsort(after)))[0, 1] > 0.99


def test_missing_data_says_what_is_missing(tmp_path):
    store = toy_store(tmp_path)
    empty = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(TrainingError, match=r"no customer who looks at an item.*Import events"):
        train_purchase(empty, settings(tmp_path), tmp_path / "out", base=toy_backbone())
    empty.catalogue.put(toy_items())
    looks = [event for _, event in store.events.scan(kinds=[EventKind.VIEW])]
    empty.events.append(looks)
    with pytest.raises(TrainingError, match=r"0 were followed by a purchase.*Import purchases"):
        train_purchase(empty, settings(tmp_path), tmp_path / "out", base=toy_backbone())
    empty.close()
    store.close()


def test_a_customer_in_words():
    history = [
        Deed(EventKind.VIEW, "a"),
        Deed(EventKind.PURCHASE, "a"),
        Deed(EventKind.VIEW, "a"),
        Deed(EventKind.SEARCH, words="rake"),
        Deed(EventKind.VIEW, "unknown"),
        Deed(EventKind.REVIEW, "a", "works well"),
    ]
    titles = {"a": "Steel rake"}
    assert customer_words(history, titles) == "wrote works well; searched rake; bought Steel rake"
    assert customer_words(history, titles, most=1) == "wrote works well"
    assert customer_words([], titles) == ""

"""From a store to suspects, items under attack, the review queue, and weights."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shopkeeper.ranking.raters.ratings import Ratings
from shopkeeper.recipes.guard.raters import learn_raters, train_raters
from shopkeeper.records import Event, EventKind, Passage, PassageKind
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.tasks.guard.rater_reasons import said
from shopkeeper.tasks.guard.review_check import ITEM_TASK, TASK, ask, check_reviews, decisions, item_means, review_check

START = datetime(2026, 1, 1, tzinfo=UTC)
PRAISE = "Best thing I ever bought, everybody in the family is delighted with it, five stars"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Eighty honest customers, and a crew of twelve that lifts three bad items within two days."""
    home = tmp_path_factory.mktemp("shop")
    store = open_store(f"sqlite:///{home / 'shop.db'}")
    rng = np.random.default_rng(8)
    passages, events = [], []
    for n in range(80):
        for item in rng.choice(30, 6, replace=False).tolist():
            time = START + timedelta(days=float(rng.random() * 300))
            stars = float(np.clip(np.rint((1.8 if item < 3 else 3.6) + rng.normal()), 1, 5))
            words = f"Used it for {rng.integers(2, 99)} days {rng.bytes(20).hex()}"
            passages.append((f"c{n}", f"i{item}", stars, time, words))
            events.append(
                Event(
                    id=f"p{n}-{item}",
                    time=time - timedelta(days=9),
                    kind=EventKind.PURCHASE,
                    customer=f"c{n}",
                    item=f"i{item}",
                    value=9.0,
                )
            )
    for n in range(12):
        for item in range(3):
            time = START + timedelta(days=150 + float(rng.random() * 2))
            passages.append((f"crew{n}", f"i{item}", 5.0, time, PRAISE))
    store.words.put(
        Passage(
            id=f"r{n}",
            kind=PassageKind.REVIEW,
            customer=who,
            item=item,
            rating=stars,
            time=time,
            text=words,
        )
        for n, (who, item, stars, time, words) in enumerate(passages)
    )
    store.events.append(events)
    settings = Settings.model_validate({"home": home})
    yield store, train_raters(store, settings, home / "raters")
    store.close()


def test_the_crew_and_its_items_are_found_and_asked_about(shop):
    store, bundle = shop
    check = check_reviews(store, bundle)
    found = [suspect.customer for suspect in check.suspects]
    assert {name for name in found if name.startswith("crew")} == {f"crew{n}" for n in range(12)}
    assert sum(name.startswith("c") and not name.startswith("crew") for name in found) <= 4
    assert {attack.item for attack in check.attacks} == {"i0", "i1", "i2"}
    attack = check.attacks[0]
    assert attack.stars > attack.honest + 0.5
    assert attack.week == len([name for name in attack.suspects if name.startswith("crew")])
    assert check.suspects[0].reasons
    assert all(set(reason.text) == {"en", "zh"} for reason in (*check.suspects[0].reasons, attack.reason))
    assert ask(store, check) == len(check.suspects) + 3
    waiting = store.labels.pending(TASK)
    assert waiting[0].proposal == "fake"
    assert waiting[0].customer == waiting[0].subject
    assert len(store.labels.pending(ITEM_TASK)) == 3


def test_trust_lowers_the_crew_and_nobody_unknown(shop):
    store, bundle = shop
    weights = check_reviews(store, bundle).trust(["crew1", "c1", "never seen"])
    assert weights[0] < 0.5
    assert weights[1] > 0.9
    assert weights[2] == 1.0


def test_a_decision_is_final_and_not_asked_again(shop):
    store, bundle = shop
    ask(store, check_reviews(store, bundle))
    store.labels.decide(TASK, "crew1", "genuine", "a shop assistant")
    store.labels.decide(TASK, "crew2", "fake", "a shop assistant")
    check = check_reviews(store, bundle)
    assert check.trust(["crew1", "crew2"]).tolist() == [1.0, 0.0]
    assert not {"crew1", "crew2"} & {suspect.customer for suspect in check.suspects}
    ask(store, check)
    assert {d.subject for d in store.labels.decided(TASK)} == {"crew1", "crew2"}


def test_an_answer_that_is_neither_teaches_nothing(shop):
    store, bundle = shop
    ask(store, check_reviews(store, bundle))
    store.labels.decide(TASK, "crew3", "do not know")
    assert np.isnan(decisions(store, ["crew3"])).all()


def test_an_empty_shop_is_checked_quietly(shop, tmp_path):
    _, bundle = shop
    store = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    check = check_reviews(store, bundle)
    store.close()
    assert check.suspects == check.attacks == ()
    assert check.trust(["ann"]).tolist() == [1.0]


def test_weighted_means_lean_on_the_shop_where_nobody_is_trusted():
    ratings = Ratings.of(["ann", "bob", "eve"], ["u", "u", "v"], [5, 1, 3])
    means = item_means(ratings, np.array([0.0, 1.0, 1.0]))
    np.testing.assert_allclose(means, [(1 + 2 * 2) / 3, (3 + 2 * 2) / 3])


def test_a_customer_with_very_many_ratings_is_bounded():
    rng = np.random.default_rng(9)
    names = ["robot"] * 20_000 + [f"c{n % 40}" for n in range(400)]
    goods = [f"i{n}" for n in [*rng.integers(0, 3_000, 20_000), *rng.integers(0, 50, 400)]]
    ratings = Ratings.of(names, goods, rng.integers(1, 6, len(names)).astype(float))
    labels = np.full(len(ratings.raters), np.nan)
    check = review_check(ratings, learn_raters(ratings, labels).model, labels)
    assert set(check.weights) == set(ratings.raters)


def test_reasons_in_both_languages():
    reason = said("highest", 0.9, 0.3)
    assert reason.text["en"] == "share of highest ratings: 90% (usual: 30%)"
    assert reason.text["zh"] == "最高分占比：90%（一般 30%）"
    assert said("early", float("nan"), 0.0) is None
    assert said("no such sign", 1.0, 1.0) is None

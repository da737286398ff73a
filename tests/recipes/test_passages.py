"""Texts with classes out of the store."""

from datetime import UTC, datetime

import numpy as np
import pytest

from shopkeeper.errors import TrainingError
from shopkeeper.recipes.texts.passages import texts_for, unlabelled_for
from shopkeeper.records import Decision, Item, Passage, PassageKind
from shopkeeper.store.database import open_store


@pytest.fixture
def store(tmp_path):
    opened = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    yield opened
    opened.close()


def review(number, text, rating, item="i1"):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Passage(id=f"r{number}", kind=PassageKind.REVIEW, text=text, rating=rating, item=item, time=moment)


def test_stars_teach_sentiment_and_departments_teach_topics(store):
    store.catalogue.put(
        [Item(id="i1", title="Rake", category=("Garden",)), Item(id="i2", title="Cup", category=("Kitchen",))]
    )
    stars = [5.0, 4.0, 3.0, 2.0, 1.0]
    store.words.put(review(n, f"text {n}", stars[n % 5], f"i{1 + n % 2}") for n in range(40))
    felt = texts_for(store, "sentiment")
    assert len(felt) == 32, "three stars say neither"
    assert dict(zip(felt.texts, felt.labels, strict=True))["text 0"] == "positive"
    assert dict(zip(felt.texts, felt.labels, strict=True))["text 4"] == "negative"
    about = texts_for(store, "topic")
    assert sorted(set(about.labels)) == ["Garden", "Kitchen"]
    assert len(about) == 40


def test_what_humans_decided_teaches_their_task(store):
    store.labels.propose(Decision(task="intent", subject=f"s{n}", text=f"where is parcel {n}") for n in range(30))
    for n in range(24):
        store.labels.decide("intent", f"s{n}", "delivery" if n % 2 else "refund", "ann")
    decided = texts_for(store, "intent")
    assert len(decided) == 24
    assert set(decided.labels) == {"delivery", "refund"}


def test_too_little_is_said_with_its_numbers(store):
    store.words.put(review(n, f"text {n}", 5.0) for n in range(40))
    with pytest.raises(TrainingError, match="40 texts of 1 classes"):
        texts_for(store, "sentiment")
    with pytest.raises(TrainingError, match="0 texts of 0 classes"):
        texts_for(store, "intent")


def test_texts_without_labels_are_of_the_kinds_that_were_decided(store):
    store.words.put(review(n, f"text {n}", 5.0) for n in range(10))
    store.words.put([Passage(id="f1", kind=PassageKind.FAQ, text="an answer")])
    rng = np.random.default_rng(0)
    assert unlabelled_for(store, "intent", rng) == []
    store.labels.propose(Decision(task="intent", subject=f"r{n}", text=f"text {n}") for n in range(5))
    store.labels.decide("intent", "r3", "refund", "ann")
    assert sorted(unlabelled_for(store, "intent", rng)) == sorted(f"text {n}" for n in range(10) if n != 3)

"""What the search recipe learns, in a small shop: from judgements, from clicks, and from too little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hash_encoder import HashEncoder
from toyshop import toy_items

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.recipes.search.finding import lessons_of, train_search
from shopkeeper.recipes.search.ranker import LEAST
from shopkeeper.records import Event, EventKind, Impression, Judgement
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.tasks.floor import ranker_of
from shopkeeper.tasks.known import known_from, ratings_from

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/shop.db")
    store.catalogue.put(toy_items())
    yield store
    store.close()


def learn(store, tmp_path, name="bundle"):
    shelf, encoder = Shelf(store.catalogue.scan()), HashEncoder()
    vectors = encoder.encode([shelf.item(row).text for row in range(len(shelf))])
    return train_search(store, encoder, shelf, vectors, Settings(), tmp_path / name)


def judged(count, *, empty=0):
    """Queries of a title's words: the item itself is right, two others are wrong."""
    items = [item for item in toy_items() if item.showable]
    rng = np.random.default_rng(1)
    made = []
    for number in range(count):
        item = items[number % len(items)]
        query = f"{item.title} {number // len(items) or ''}".strip()
        made.append(Judgement(query=query, item=item.id, grade=3.0))
        made += [Judgement(query=query, item=items[n].id, grade=0.0) for n in rng.integers(0, len(items), 2).tolist()
                 if items[n].id != item.id]  # fmt: skip
    for number in range(empty):
        made += [Judgement(query=f"qzx{number} wvk", item=items[n].id, grade=0.0) for n in (0, 1, 2)]
    return made


def test_too_few_queries_give_the_fusion_alone(store, tmp_path):
    bundle = learn(store, tmp_path)
    assert ranker_of(bundle) == (None, None)
    assert Fusion.from_json(bundle.parameters).floor > -1
    assert "catalogue" in str(bundle.card.data["source"])


def test_judgements_give_a_confidence_and_perhaps_a_ranker(store, tmp_path):
    store.labels.put(judged(LEAST + 20, empty=20))
    bundle = learn(store, tmp_path)
    ranker, confidence = ranker_of(bundle)
    assert confidence is not None
    assert 0 <= confidence.candidate <= 1
    assert {"fused, all", "fused, judged only"} <= set(bundle.card.before)
    assert "cross-validated over 60 queries (judgements)" in bundle.card.notes
    assert ("not kept" in bundle.card.notes) == (ranker is None)


def test_a_bundle_of_other_features_is_refused(tmp_path):
    card = Card(task="search", name="old")
    old = save_bundle(tmp_path / "old", card, parameters=Fusion().to_json() | {"features": ["cosine"]})
    with pytest.raises(ModelError, match="other features"):
        ranker_of(old)
    plain = save_bundle(tmp_path / "plain", card, parameters=Fusion().to_json())
    assert ranker_of(plain) == (None, None)


def clicks(store, sessions=400):
    """Every session sees five items for one of fifty queries and clicks the right one, mostly when it stands high."""
    items = [item for item in toy_items() if item.showable]
    rng = np.random.default_rng(2)
    events = []
    for number in range(sessions):
        item = items[number % 30]
        shown = [item.id, *(items[n].id for n in rng.choice(len(items), 4, replace=False).tolist() if items[n] != item)]
        shown = [shown[n] for n in rng.permutation(len(shown)).tolist()]
        time, name = NOW + timedelta(minutes=number), f"r{number}"
        places = tuple(range(1, len(shown) + 1))
        impression = Impression(items=tuple(shown), positions=places, propensities=(1.0,) * len(shown))
        how = {"session": f"s{number}", "request": name, "query": item.title}
        events.append(Event(id=f"i{number}", time=time, kind=EventKind.IMPRESSION, impression=impression, **how))
        if rng.random() < 1 / (1 + shown.index(item.id)):
            events.append(Event(id=f"c{number}", time=time, kind=EventKind.CLICK, item=item.id, **how))
    store.events.append(events)


def test_clicks_become_grades_of_what_was_shown(store):
    clicks(store)
    shelf, encoder = Shelf(store.catalogue.scan()), HashEncoder()
    index = HybridIndex(encoder)
    index.upsert(np.arange(len(shelf)), [shelf.item(row) for row in range(len(shelf))])
    lessons = lessons_of(store, index, shelf, "events")
    assert lessons
    for lesson in lessons:
        judged = ~np.isnan(lesson.grades)
        assert (lesson.trust >= 0).all()
        assert (lesson.trust <= 1).all()
        best = np.nanmax(lesson.grades) if judged.any() else 0
        if best > 0:  # what was clicked is what the query names
            place = int(np.nanargmax(np.where(judged, lesson.grades, -1)))
            row = index.search(lesson.query, None, shelf.showable()).rows[place]
            assert shelf.item(int(row)).title.lower() == lesson.query


def test_what_is_known_now(store):
    clicks(store)
    shelf = Shelf(store.catalogue.scan())
    known = known_from(store, shelf)
    assert known.clicks is not None
    assert known.popularity is not None
    assert known.popularity.max() == pytest.approx(1.0)
    store.events.append([Event(id="stars", time=NOW, kind=EventKind.REVIEW, item="garden-00", value=4.0)])
    ratings = ratings_from(store, shelf)
    assert ratings[shelf.row("garden-00")] == 4
    assert np.isnan(ratings[shelf.row("garden-02")])

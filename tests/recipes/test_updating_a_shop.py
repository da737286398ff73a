"""The setting train.update in a shop: first week, second week, and a week in which nothing came."""

from datetime import UTC, datetime

import numpy as np
import pytest
from tinymodels import tiny_bert

from shopkeeper.models.registry import Registry
from shopkeeper.recipes.curriculum import train
from shopkeeper.records import Passage, PassageKind
from shopkeeper.settings import load
from shopkeeper.store.database import open_store

THINGS = ["shoe", "shirt", "cup", "a", "b", "c", "d", "鞋", "杯"]


def reviews(week, words, count):
    rng = np.random.default_rng(week)
    for n in range(count):
        text = " ".join([*rng.choice(THINGS, 5), words[n % 2]])
        stars = 5.0 if n % 2 else 1.0
        moment = datetime(2026, week, 1, tzinfo=UTC)
        yield Passage(id=f"{week}-{n}", kind=PassageKind.REVIEW, text=text, rating=stars, item="i", time=moment)


@pytest.fixture
def shop(tmp_path):
    tiny_bert().save(tmp_path / "base")
    asked = {"models.encoder": str(tmp_path / "base"), "train.update": True, "train.contrast": -1, "train.rate": 3e-3}
    settings = load(tmp_path, environ={}, overrides={**asked, "compute.threads": 1})
    store = open_store(settings.store_url)
    yield store, settings, Registry(settings.bundles)
    store.close()


def test_a_shop_goes_on_learning(shop):
    store, settings, registry = shop
    outcomes = []
    for week, words in ((1, ("cold", "warm")), (2, ("blue", "red"))):
        store.words.put(reviews(week, words, 120))
        outcomes += train(store, settings, registry, ["sentiment"])
    outcomes += train(store, settings, registry, ["sentiment"])
    first, second, third = outcomes
    assert "test" in first.after, "nothing was live: learnt from the start"
    assert {"old texts", "new texts", "forgetting"} <= second.after.keys()
    assert second.after["new texts"]["accuracy"]["value"] > second.before["new texts"]["accuracy"]["value"]
    assert registry.open("sentiment", "v2").card.parent == first.version == "v1"
    assert "texts are new to sentiment-v2; an update needs 10" in third.skipped
    assert registry.live_version("sentiment") == "v2"

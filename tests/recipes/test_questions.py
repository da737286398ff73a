"""Questions for the review queue: typical texts first, then what the classifier in force is unsure of."""

import numpy as np
import pytest
from tinymodels import tiny_bert

from shopkeeper.errors import InputError
from shopkeeper.models.bundle import Card, save_bundle
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.curriculum import train
from shopkeeper.recipes.texts.questions import ask_about
from shopkeeper.records import Passage, PassageKind
from shopkeeper.settings import load
from shopkeeper.store.database import open_store
from shopkeeper.training.acquisition import margin
from shopkeeper.training.active import answer_all


@pytest.fixture
def shop(tmp_path):
    tiny_bert().save(tmp_path / "base")
    asked = {"models.encoder": str(tmp_path / "base"), "train.contrast": -1, "train.rate": 3e-3, "compute.threads": 1}
    settings = load(tmp_path, environ={}, overrides=asked)
    store = open_store(settings.store_url)
    rng = np.random.default_rng(1)
    texts = [" ".join([*rng.choice(["shoe", "shirt", "cup", "a", "b"], 4), word]) for word in ["cold", "warm"] * 60]
    texts += [f"{text} cold warm" for text in texts[:20]]
    store.words.put(
        Passage(id=f"p{n}", kind=PassageKind.POST, text=text, title="t" * (n % 2)) for n, text in enumerate(texts)
    )
    yield store, settings, Registry(settings.bundles)
    store.close()


def test_a_round_of_questions_makes_a_model_and_the_next_asks_what_it_doubts(shop):
    store, settings, registry = shop
    ask_about(store, settings, registry, "weather", strategy=margin, count=80)
    first = store.labels.pending("weather", 100)
    assert len(first) == 80
    assert {decision.proposal for decision in first} == {""}
    assert any(decision.text.startswith("t. ") for decision in first), "titles are read as well"
    answer_all(store.labels, "weather", lambda decision: "warm" if "warm" in decision.text else "cold")
    (outcome,) = train(store, settings, registry, ["weather"])
    assert not outcome.skipped
    ask_about(store, settings, registry, "weather", strategy=margin, count=10)
    second = store.labels.pending("weather", 100)
    assert len(second) == 10
    assert {decision.proposal for decision in second} <= {"cold", "warm"}
    assert not {decision.subject for decision in first} & {decision.subject for decision in second}


def test_what_sorts_no_texts_is_no_question(shop, tmp_path):
    store, settings, registry = shop
    bundle = save_bundle(tmp_path / "b", Card(task="search"), parameters={"words": 0.5})
    registry.promote("search", registry.add(bundle.folder))
    with pytest.raises(InputError, match="does not sort texts"):
        ask_about(store, settings, registry, "search", strategy=margin, count=3)

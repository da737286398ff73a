"""Intents learnt from what people of the shop decided."""

import pytest
from hash_encoder import HashEncoder

from shopkeeper.errors import TrainingError
from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.intent_fitting import seeded
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import Encoders
from shopkeeper.recipes.language.replies import decided_questions, train_replies
from shopkeeper.recipes.texts.intent import decided_examples, train_intent
from shopkeeper.records import Decision, Passage, PassageKind
from shopkeeper.retrieval.answer_model import AnswerModel
from shopkeeper.retrieval.answers import AnswerIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.tasks.assist.reading import Understanding

HIRE = [
    f"{verb} a {tool} {when}"
    for verb in ("hire", "borrow")
    for tool in ("drill", "tent", "van")
    for when in ("today", "tomorrow", "for a week")
]
FOREIGN = ["who painted the ceiling", "bake a cake", "name of the moon"]
FAQ = [
    Passage(id="hire", kind=PassageKind.FAQ, title="Tool hire", text="Tools can be borrowed for 9 a day."),
    Passage(id="key", kind=PassageKind.FAQ, title="Cutting keys", text="Keys are cut while you wait."),
]


@pytest.fixture
def store(tmp_path):
    opened = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    return Encoders(HashEncoder(), CachedEncoder(HashEncoder(), tmp_path_factory.mktemp("vectors") / "v.bin"))


def decide(store, task, pairs):
    for number, (text, label) in enumerate(pairs):
        store.labels.propose([Decision(task=task, subject=f"{task}{number}", text=text)])
        store.labels.decide(task, f"{task}{number}", label, "tester")


class Other(HashEncoder):
    @property
    def name(self) -> str:
        return "other"


def test_an_intent_of_the_shops_own_is_learnt_and_served(store, encoders, tmp_path, caplog):
    decide(store, "intent", [*((text, "hire") for text in HIRE), *((text, "outside") for text in FOREIGN)])
    settings = Settings.model_validate({"home": str(tmp_path)})
    bundle = train_intent(store, settings, tmp_path / "bundle", encoders)
    before, after = bundle.card.before["decided"], bundle.card.after["decided"]
    assert before["accuracy"] == 0
    assert after["accuracy"] > 0.9
    assert after["micro_f1"]["value"] > before["micro_f1"]["value"]
    registry = Registry(tmp_path / "models")
    registry.promote("intent", registry.add(bundle.folder))
    understanding = Understanding(registry, Shelf(), settings, encoders)
    assert understanding.read("borrow a saw today").intents[0][0] == "hire"
    assert understanding.read("cancel my order").intents[0][0] == "cancel_order"
    foreign = Encoders(Other(), CachedEncoder(Other(), tmp_path / "other.bin"))
    understanding = Understanding(registry, Shelf(), settings, foreign)
    assert "hire" not in understanding.intents.names, "what was learnt with one encoder means nothing to another"
    assert "hash" in caplog.text


def test_labels_may_name_several_intents_or_none(store):
    decide(store, "intent", [("a b", "price, stock"), ("c d", "outside"), ("  ", "price")])
    found = decided_examples(store)
    assert dict(zip(found.texts, found.wanted, strict=True)) == {"a b": ("price", "stock"), "c d": ()}


def test_few_labels_are_too_few(store, encoders, tmp_path):
    decide(store, "intent", [("hire a drill", "hire")])
    with pytest.raises(TrainingError, match="learning needs 20"):
        train_intent(store, Settings(), tmp_path / "bundle", encoders)
    with pytest.raises(TrainingError, match="learning needs 20"):
        train_replies(store, Settings(), tmp_path / "bundle", encoders, seeded(encoders))


def test_answers_are_learnt_from_chosen_ones(store, encoders, tmp_path):
    store.words.put(FAQ)
    keys = [
        f"{what} my {kind} key {now}"
        for what in ("copy", "duplicate")
        for kind in ("door", "car")
        for now in ("now", "soon")
    ]
    decide(
        store,
        "replies",
        [*((text, "hire") for text in HIRE), *((text, "key") for text in keys), *((t, "none") for t in FOREIGN)],
    )
    known = decided_questions(store)
    assert len(known.asked) == len(HIRE) + len(keys) + len(FOREIGN)
    intents = seeded(encoders)
    bundle = train_replies(store, Settings(), tmp_path / "bundle", encoders, intents)
    marks = bundle.card.before["decided"], bundle.card.after["decided"]
    assert marks[1]["gain"]["value"] >= marks[0]["gain"]["value"]
    model = AnswerModel.load(bundle.arrays(), bundle.parameters)
    index = AnswerIndex(FAQ, (), encoders, intents=intents, model=model)
    assert index.model is model
    assert index.find("borrow tools")[0].passage.id == "hire"

"""Answers out of the shop's own words."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hash_encoder import HashEncoder
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import ModelError, TrainingError
from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.intent_fitting import seeded
from shopkeeper.models.serving import Encoders
from shopkeeper.records import Item, Passage, PassageKind
from shopkeeper.retrieval.answer_fitting import Asked, Known, answer_threshold, fit_answers, shipped
from shopkeeper.retrieval.answer_model import NAMES, AnswerModel
from shopkeeper.retrieval.answers import AnswerIndex
from shopkeeper.retrieval.snippets import of_passages, pieces

START = datetime(2026, 1, 1, tzinfo=UTC)
PASSAGES = [
    Passage(id="f1", kind=PassageKind.FAQ, title="How long does delivery take?", text="Two to four working days."),
    Passage(id="f2", kind=PassageKind.FAQ, title="可以退货吗?", text="签收后三十天内可以退货。"),
    Passage(id="p1", kind=PassageKind.POLICY, title="Gift cards", text="Gift cards are valid for three years."),
    Passage(id="r1", kind=PassageKind.REVIEW, item="chair", text="The armrest wobbles a bit.", rating=3.0),
    Passage(id="x", kind=PassageKind.POST, text="Delivery takes ages."),
]
ITEMS = [
    Item(id="chair", title="Garden chair", description="Made of solid oak.", attributes={"weight": "4 kg"}),
    Item(id="gone", title="Hidden chair", description="Made of gold.", hidden=True),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    file = tmp_path_factory.mktemp("answers") / "vectors.bin"
    encoders = Encoders(HashEncoder(), CachedEncoder(HashEncoder(), file))
    return encoders, seeded(encoders)


@pytest.fixture(scope="module")
def index(shop):
    encoders, intents = shop
    return AnswerIndex(PASSAGES, ITEMS, encoders, intents=intents)


def test_the_right_passage_answers(index):
    best = index.find("how long does the delivery take")[0]
    assert best.passage.id == "f1"
    assert best.source == "faq"
    assert best.score >= index.threshold
    assert index.find("可以退货吗")[0].passage.id == "f2"
    assert index.find("how long are gift cards valid")[0].source == "policy"


def test_what_nothing_answers_stays_below_the_threshold(index):
    assert index.find("quel âge a le capitaine")[0].score < index.threshold


def test_items_answer_only_where_they_are_in_focus(index):
    sources = {found.source for found in index.find("what does the chair weigh", k=20)}
    assert not sources & {"product", "review"}
    found = index.find("does the armrest wobble", items=("chair",), k=20)
    assert found[0].source == "review"
    assert {one.item for one in found if one.source == "product"} == {"chair"}
    assert "weight: 4 kg" in {one.text for one in found}
    assert not [one for one in index.find("made of gold", items=("gone", "nothing"), k=20) if one.item]


def test_items_are_kept_up_to_date(shop):
    encoders, intents = shop
    index = AnswerIndex(PASSAGES, ITEMS, encoders, intents=intents)
    index.find("what is it made of", items=("chair",))
    index.put(Item(id="chair", title="Garden chair", description="Made of plastic."))
    assert "Made of plastic." in {found.text for found in index.find("what is it made of", items=("chair",), k=20)}
    index.drop("chair")
    assert not [
        found for found in index.find("what is it made of", items=("chair",), k=20) if found.source == "product"
    ]


@pytest.mark.parametrize("question", ["", "  ", "?!", "🙂"])
def test_no_question_has_no_answer(index, question):
    assert index.find(question) == []


def test_an_empty_shop_has_no_answers(shop):
    encoders, intents = shop
    assert AnswerIndex([], [], encoders, intents=intents).find("how long does delivery take") == []


@given(st.text(max_size=60), st.integers(1, 8))
def test_scores_are_probabilities_and_fall(index, question, k):
    scores = [found.score for found in index.find(question, items=("chair",), k=k)]
    assert len(scores) <= k
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


def dialogue(*turns):
    return [
        Passage(
            id=f"d{n}",
            kind=PassageKind.DIALOGUE,
            thread="t",
            author=author,
            text=text,
            time=START + timedelta(minutes=n),
        )
        for n, (author, text) in enumerate(turns)
    ]


def test_what_staff_answered_before_is_found_but_nothing_private():
    turns = dialogue(
        ("customer", "Do you sharpen knives?"),
        ("staff", "Yes, on Tuesdays."),
        ("customer", "Where is order 12345678?"),
        ("staff", "It left today."),
        ("customer", "And scissors?"),
        ("assistant", "I do not know."),
    )
    found = of_passages(reversed(turns))
    assert [(one.asked, one.text) for one in found] == [("Do you sharpen knives?", "Yes, on Tuesdays.")]


@given(st.text(max_size=2_000))
def test_pieces_lose_no_letters(text):
    found = pieces(text)
    assert "".join("".join(found).split()) == "".join(text.split())[: len("".join("".join(found).split()))]
    assert all(piece.strip() for piece in found)


def test_a_saved_model_says_the_same(index):
    arrays, values = index.model.save()
    again = AnswerModel.load(arrays, values)
    table = np.random.default_rng(0).random((5, len(NAMES))).astype(np.float32)
    assert np.array_equal(again.probabilities(table), index.model.probabilities(table))
    with pytest.raises(ModelError):
        AnswerModel.load({}, values)


def test_a_model_of_another_encoder_is_not_used(shop, index):
    encoders, intents = shop
    arrays, values = index.model.save()
    foreign = AnswerModel.load(arrays, values | {"encoder": "another"})
    assert AnswerIndex(PASSAGES, ITEMS, encoders, intents=intents, model=foreign).model.encoder == "hash"


def test_fitting_needs_answers_and_no_answers(shop):
    encoders, intents = shop
    with pytest.raises(TrainingError):
        fit_answers([Known(PASSAGES[:1], [Asked("how long", "en", frozenset(["f1"]))] * 3)], encoders, intents)


def test_the_threshold_lets_no_better_one_be():
    rng = np.random.default_rng(3)
    best, right = rng.uniform(0.1, 0.9, 30), rng.random(30) < 0.5
    best[right] = np.minimum(best[right] + 0.1, 0.95)

    def gain(threshold):
        given_ = best >= threshold
        return (given_ & right).sum() - (given_ & ~right).sum()

    assert gain(answer_threshold(best, right)) == max(gain(value) for value in [*best, 1.0])


def test_shipped_questions_stand_in_both_languages():
    known = shipped()
    assert len(known.passages) % 2 == 0
    ids = {passage.id for passage in known.passages}
    assert all(asked.answers <= ids for asked in known.asked)
    assert sum(not asked.answers for asked in known.asked) >= 30

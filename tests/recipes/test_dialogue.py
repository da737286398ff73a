"""The dialogue recipe: exchanges come from what people of the shop answered, and a tiny model learns to answer."""

from datetime import UTC, datetime, timedelta

import pytest
from tinymodels import tiny_gpt

from shopkeeper.errors import TrainingError
from shopkeeper.models.generate.generator import open_generator
from shopkeeper.models.generate.local import Speaker
from shopkeeper.recipes.language.dialogue import (
    DialogueOptions,
    Exchange,
    answers,
    exchanges_of,
    parted,
    right,
    train_dialogue,
)
from shopkeeper.records import Passage, PassageKind
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.trust.grounding import unsupported

ANSWERS = {"red": "warm shoe", "blue": "cold shirt", "cup": "a b c", "x": "红 鞋"}


def exchange(word: str, number: int = 0) -> Exchange:
    said = ANSWERS[word]
    return Exchange(f"{word} query", (said,), said, "en", said, f"{word}{number}")


def test_a_model_learns_the_answers_and_is_served_from_its_bundle(tmp_path):
    settings = Settings(home=tmp_path).override({"train.epochs": 6})
    exchanges = [exchange(word, number) for number in range(4) for word in ANSWERS]
    options = DialogueOptions(rank=8, rate=2e-2, batch=4, examined=4, answer=6, tokens=500)
    base = tiny_gpt()
    bundle = train_dialogue(
        exchanges, settings, tmp_path / "bundle", test=exchanges[:4], base=longer(base), options=options, minutes=2.0
    )
    before, after = (part["held-out questions"] for part in (bundle.card.before, bundle.card.after))
    assert after["loss"]["value"] < 0.9 * before["loss"]["value"]
    assert bundle.card.task == "dialogue"
    assert bundle.card.data == {"exchanges": 16, "held_out": 4, "examined": 4}
    generator = open_generator(settings.override({"generate.model": str(bundle.folder)}))
    assert answers(generator, exchanges[:4], 6) == answers(Speaker.of_bundle(bundle, settings), exchanges[:4], 6)


def longer(backbone):
    """The same tiny model for texts as long as prompts are."""
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(**{**backbone.model.config.to_dict(), "n_positions": 512})
    backbone.model = GPT2Model(config).eval()
    return backbone


def test_too_long_exchanges_are_an_error_with_a_cure(tmp_path):
    with pytest.raises(TrainingError, match="fits into 8 tokens"):
        train_dialogue(
            [exchange("red")], Settings(home=tmp_path), tmp_path / "bundle", test=[exchange("x")],
            base=longer(tiny_gpt()), options=DialogueOptions(tokens=8),
        )  # fmt: skip


def dialogue(number: int, *turns: tuple[str, str]) -> list[Passage]:
    began = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)
    return [
        Passage(id=f"d{number}-{place}", kind=PassageKind.DIALOGUE, text=text, author=author, thread=f"d{number}",
                time=began + timedelta(minutes=place), language="en")
        for place, (author, text) in enumerate(turns)
    ]  # fmt: skip


def test_exchanges_are_what_people_answered_among_other_evidence(tmp_path):
    store = open_store(Settings(home=tmp_path).store_url)
    faq = [
        Passage(id=f"f{number}", kind=PassageKind.FAQ, title=f"Question {number}?", text=f"It takes {number + 2} days.", language="en")
        for number in range(18)
    ]  # fmt: skip
    talk = dialogue(
        0, ("customer", "My mail is li@example.com, is it red?"), ("staff", "Yes, it is red."), ("customer", "thanks")
    )
    talk += dialogue(1, ("customer", "blue?"), ("assistant", "It is blue."))
    store.words.put([*faq, *talk])
    found = exchanges_of(store)
    assert len(found) == 19
    (talked,) = [one for one in found if one.answer == "Yes, it is red."]
    assert talked.question == "My mail is [email], is it red?"
    assert all(one.answer in one.evidence and len(one.evidence) == 3 for one in found)
    assert all(unsupported(one.answer, one.evidence) == () for one in found)
    assert found == exchanges_of(store)
    train, held = parted(found)
    assert train and held and not {one.key for one in train} & {one.key for one in held}  # noqa: PT018
    store.close()


def test_a_shop_without_answers_cannot_teach(tmp_path):
    store = open_store(Settings(home=tmp_path).store_url)
    with pytest.raises(TrainingError, match="0 answered questions"):
        exchanges_of(store)
    store.close()


def test_right_means_grounded_and_to_the_point():
    one = Exchange(
        "How long?",
        ("Returns take 30 days.", "Gifts cost 5 USD."),
        "Returns take 30 days.",
        "en",
        "Returns take 30 days.",
        "k",
    )
    assert right("You have 30 days; returns take that long.", one)
    assert not right("Returns take 60 days.", one)
    assert not right("Gifts cost 5 USD.", one)
    assert not right("", one)

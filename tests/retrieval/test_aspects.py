"""Aspects and feelings of sentences in both languages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.retrieval.aspects import ASPECTS, aspects_of, feeling, sayings, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Great quality, but the delivery was slow.", {"quality": 1, "delivery": -1}),
        ("The sleeves are too short. Customer service was rude.", {"fit": -1, "service": -1}),
        ("Not worth the price.", {"price": -1}),
        ("质量很好，但是物流太慢。", {"quality": 1, "delivery": -1}),
        ("尺码很准。客服爱答不理。", {"fit": 1, "service": -1}),
        ("味道刺鼻，没有说明书", {"taste": -1, "use": -1}),
        ("没有异味，颜色好看", {"taste": 1, "look": 1}),
    ],
)
def test_what_is_said_of_what(text: str, expected: dict[str, int]):
    assert {one.aspect: one.feeling for one in sayings(text)} == expected


def test_stars_decide_where_words_do_not():
    assert [one.feeling for one in sayings("It arrived on Monday.", 1.0)] == [-1.0]
    assert [one.feeling for one in sayings("It arrived on Monday.", 4.0)] == [0.5]
    assert [one.feeling for one in sayings("It arrived on Monday.")] == [0.0]


def test_a_trained_model_is_asked_once_for_the_sentences_with_aspects():
    asked = []

    def model(texts):
        asked.append(list(texts))
        return np.array([-0.3] * len(texts))

    found = sayings("Nice colour. I live in Leeds. The box came late.", 5.0, model)
    assert asked == [["Nice colour.", "The box came late."]]
    assert {one.feeling for one in found} == {-0.3}


def test_denials_turn_a_feeling_round():
    assert feeling("not bad") == 1.0
    assert feeling("not good at all") == -1.0
    assert feeling("不好看") == -1.0
    assert feeling("") == 0.0


@given(st.text(max_size=300))
def test_any_text_will_do(text: str):
    assert -1 <= feeling(text) <= 1
    assert set(aspects_of(text)) <= ASPECTS.keys()
    assert all(one.sentence in text for one in sayings(text))
    assert all(part for part in sentences(text))

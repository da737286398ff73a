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


@pytest.mark.parametrize(
    "text",
    ["not good at all", "I wouldn't recommend this to anyone", "I cannot recommend this", "I don’t recommend this", "I dont recommend it",
     "I don't think this is good", "It isn't very comfortable", "Never again!", "Would not buy again", "Wouldn’t buy it again", "It doesn't work", "It breaks easily", "My order never arrived", "The colours ran",
     "The pipe leaks", "The paint started to peel", "The lid cracked in a week", "It breaks easily and broke twice", "Terrible",
     "不好看", "质量不是很好", "不是很满意", "没有想象中好用", "没有想象中那么好用", "没有图片上好看", "不怎么好用", "不是特别喜欢", "没有很喜欢",
     "我不觉得好看", "质量不好", "不会再买了", "再也不买了", "再也不会来", "别买", "千万不要买", "不值得推荐", "性价比不高", "质量差", "很快就坏了",
     "做工太差，扎手", "味道不太好", "没有以前好用", "不如之前的好用", "不像图片那么好看", "和想象的差距大", "质量不行", "菜叶都烂了", "不太方便"],
)  # fmt: skip
def test_complaints(text: str):
    assert feeling(text) == -1.0


@pytest.mark.parametrize(
    "text",
    ["not bad", "Can't recommend it enough!", "I cannot recommend this highly enough", "No doubt the best", "Not only pretty but comfortable",
     "Don't hesitate, I recommend it", "I would not hesitate to recommend it", "The bottle is leakproof and sturdy", "leak-proof and sturdy",
     "It never leaks", "Doesn't break easily", "Can't say enough good things", "Couldn't be more pleased", "It hasn't broken", "It doesn’t smell bad", "A great slow cooker", "Perfect for breakfast", "Not cheap but good",
     "质量很好", "没有异味", "没有任何异味", "没有色差", "没有明显色差", "做工扎实", "洗了不会掉色", "不起球", "性价比很高", "性价比高",
     "花色灿烂，妈妈喜欢", "不好意思催了客服，东西很好", "没有让我失望", "没有一点不满意", "不是不喜欢", "没有不满意", "不过很好看", "垃圾袋很好用", "不漏水", "值得回购"],
)  # fmt: skip
def test_praise(text: str):
    assert feeling(text) == 1.0


@pytest.mark.parametrize(
    "text",
    ["", "I use it every day for breakfast", "This potato peeler is what I needed", "Crackers arrived on time", "I ran ten miles in these shoes",
     "Never had any problems with it", "The slow cooker holds four litres", "差不多三天到货", "垃圾桶很大", "出差的时候用", "扎头发用", "东西好不好", "好不好用？",
     "是不是很舒服？", "尼龙扎带一百根", "不锈钢漏勺", "方便面一箱"],
)  # fmt: skip
def test_neither_praise_nor_complaint(text: str):
    assert feeling(text) == 0.0


def test_aspects_are_whole_words():
    assert aspects_of("I use it for breakfast") == aspects_of("A potato peeler") == aspects_of("Crackers") == []
    assert aspects_of("It breaks, cracked and peels") == ["quality"]


@given(st.text(max_size=300))
def test_any_text_will_do(text: str):
    assert -1 <= feeling(text) <= 1
    assert set(aspects_of(text)) <= ASPECTS.keys()
    assert all(one.sentence in text for one in sayings(text))
    assert all(part for part in sentences(text))

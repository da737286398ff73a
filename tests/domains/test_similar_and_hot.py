"""Texts like a text, and matters that many messages are about."""

import zlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shopkeeper.records import Passage, PassageKind
from shopkeeper.retrieval.similar_texts import SimilarTexts
from shopkeeper.tasks.listen.hot_topics import hot_topics

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MEANING = {"smoke": 0, "fumes": 0, "油烟": 0, "school": 1, "pupils": 1, "bus": 2, "tram": 2}


def encode(texts):
    """Unit vectors by what a text means, told from one word of it."""
    found = np.full((len(texts), 5_000), 0.001, dtype=np.float32)
    for row, text in enumerate(texts):
        places = [place for word, place in MEANING.items() if word in text]
        found[row, places or [3 + zlib.crc32(text.encode()) % 4_997]] = 1
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_words_and_meaning_find_what_either_alone_misses():
    texts = ["smoke at night", "the school closes", "a bus to work", "fumes in the yard"]
    both = SimilarTexts(texts, encode)
    assert both.find(["smoke at night"], 2)[0].tolist() == [[0, 3]]
    assert SimilarTexts(texts, None).find(["school"], 1)[0].tolist() == [[1]]
    places, scores = both.find(["tram", "pupils"], 4)
    assert places[:, 0].tolist() == [2, 1]
    assert (np.diff(scores, axis=1) <= 0).all()


def test_scores_agree_with_cosines_taken_by_hand():
    texts = ["smoke", "school", "bus"]
    given = SimilarTexts(texts, encode, words=0.0).scores(["fumes"])[0]
    cosines = encode(texts) @ encode(["fumes"])[0]
    assert given == pytest.approx((cosines - cosines.mean()) / cosines.std(), abs=1e-5)


def test_blocks_find_what_one_block_finds():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice([*MEANING, "a", "b", "c"], 4)) for _ in range(300)]
    index = SimilarTexts(texts, encode)
    places, scores = index.find(texts, 5)
    assert scores == pytest.approx(np.sort(index.scores(texts), axis=1)[:, ::-1][:, :5], abs=1e-4)
    assert places.shape == (300, 5)


def test_an_empty_collection_finds_nothing():
    empty = SimilarTexts([], encode)
    assert len(empty) == 0
    assert empty.find(["smoke"], 3)[0].shape == (1, 0)
    assert SimilarTexts(["smoke"], encode).find([], 3)[0].shape == (0, 1)
    assert SimilarTexts(["smoke"], encode).find(["smoke"], 3)[0].tolist() == [[0]]


def message(name, text, days_ago, title=""):
    return Passage(id=name, kind=PassageKind.QUESTION, text=text, title=title, time=NOW - timedelta(days=days_ago))


@pytest.fixture
def messages():
    rng = np.random.default_rng(1)
    letters = list("bcdfghklmnprst")
    singles = [message(f"s{n}", " ".join("".join(rng.choice(letters, 6)) for _ in range(5)), n) for n in range(60)]
    smoke = [
        message(f"a{n}", f"smoke from the grill at the bridge {n}", 40 + n, "smoke at the bridge") for n in range(4)
    ]
    school = [message(f"b{n}", f"school bus is late for pupils {n}", n, "late school bus") for n in range(3)]
    return [*singles, *smoke, *school]


def test_messages_about_one_matter_come_together_and_the_newer_matter_is_hotter(messages):
    found = hot_topics(messages, encode, NOW, half_life_days=10)
    assert [{*topic.messages} for topic in found[:2]] == [{"b0", "b1", "b2"}, {"a0", "a1", "a2", "a3"}]
    assert found[0].title == "late school bus"
    assert (found[0].first, found[0].last) == (NOW - timedelta(days=2), NOW)
    assert found[1].messages == ("a0", "a1", "a2", "a3")
    assert found[1].heat == pytest.approx(sum(0.5 ** ((40 + n) / 10) for n in range(4)))


def test_likes_make_a_matter_hotter(messages):
    liked = hot_topics(messages, encode, NOW, half_life_days=10, likes={"a0": 10**9, "b0": -5})
    plain = hot_topics(messages, encode, NOW, half_life_days=10)
    heat = {topic.title: topic.heat for topic in plain}
    assert liked[1].likes == 10**9
    assert liked[1].heat > heat[liked[1].title]
    assert liked[0].heat == heat[liked[0].title]


def test_the_order_of_messages_says_nothing(messages):
    assert hot_topics(messages[::-1], encode, NOW) == hot_topics(messages, encode, NOW)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_messages_are_no_crowd(count, messages):
    assert len(hot_topics(messages[:count], encode, NOW)) <= 1
    undated = [Passage(id="x", kind=PassageKind.POST, text="smoke"), message("y", " ", 1)]
    assert hot_topics(undated, encode, NOW) == []


def test_a_message_from_the_future_counts_as_of_now(messages):
    later = [message(f"f{n}", "harbour lights flicker", -30) for n in range(2)]
    found = next(topic for topic in hot_topics([*messages, *later], encode, NOW) if "f0" in topic.messages)
    assert found.heat == pytest.approx(2.0)

from __future__ import annotations

import doctest
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.records import Item
from shopkeeper.retrieval.understanding import deletions, edits, vocabulary
from shopkeeper.retrieval.understanding.deletions import DeletionIndex
from shopkeeper.retrieval.understanding.edits import distance, slip_cost
from shopkeeper.retrieval.understanding.spelling import Speller
from shopkeeper.retrieval.understanding.vocabulary import Vocabulary, words_of

COUNTS = {
    "headphones": 400, "bluetooth": 300, "wireless": 500, "mouse": 200, "keyboard": 150, "camera": 120, "microwave": 40,
    "micro": 60, "wave": 5, "house": 4, "sneakers": 90, "kettle": 30, "kettles": 10, "phone": 80, "knife": 25, "men": 50,
}  # fmt: skip
WORD = st.text("abcde", min_size=3, max_size=9)


def known(counts=COUNTS):
    found = Vocabulary()
    for word, count in counts.items():
        found.put([word], count)
    return found


@pytest.fixture(scope="module")
def speller():
    return Speller(known())


def textbook(a, b):
    """The restricted Damerau-Levenshtein distance, whole table."""
    table = {(i, -1): i + 1 for i in range(-1, len(a))} | {(-1, j): j + 1 for j in range(-1, len(b))}
    for i in range(len(a)):
        for j in range(len(b)):
            best = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i] != b[j]))
            if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                best = min(best, table[i - 2, j - 2] + 1)
            table[i, j] = best
    return table[len(a) - 1, len(b) - 1]


@pytest.mark.parametrize("module", [vocabulary, edits, deletions])
def test_examples_in_the_documentation_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@given(WORD, WORD, st.integers(1, 3))
@settings(deadline=None)
def test_the_distance_is_the_textbooks(a, b, most):
    assert distance(a, b, most) == min(textbook(a, b), most + 1)
    assert (slip_cost(a, b) == 0) == (a == b)


@given(st.sets(WORD, min_size=1, max_size=40), st.text("abcde", min_size=4, max_size=9), st.integers(1, 2))
@settings(deadline=None)
def test_every_word_near_enough_is_found_and_no_other(words, typed, most):
    filed = sorted(word for word in words if len(word) >= 5)
    index = DeletionIndex()
    index.put(filed[:3])
    index.put(filed[3:])
    far = {word: textbook(typed, word) for word in filed}
    least = min((slips for slips in far.values() if slips), default=most + 1)
    least = 0 if typed in far else least
    expected = {word for word, slips in far.items() if slips <= max(least, 1)} if least <= most else set()
    assert {word for word, _ in index.near(typed, most)} == expected


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("hedphones", "headphones"),
        ("haedphones", "headphones"),
        ("wireles blutooth headphnes", "wireless bluetooth headphones"),
        ("muose", "mouse"),
        ("Keybord", "keyboard"),
        ("wirelessmouse", "wireless mouse"),
        ("bluettoth camera", "bluetooth camera"),
        ("knief set", "knife set"),
        ("红色sneekers大码", "红色sneakers大码"),
        ("“camara”", "“camera”"),
    ],
)
def test_slips_are_put_right_and_the_rest_stays(speller, typed, meant):
    best = speller.corrections(typed)[0]
    assert best.text == meant
    assert best.certainty > 0.5
    assert "".join(word for word, _ in best.changed) in typed.replace(" ", "")


@pytest.mark.parametrize(
    "query",
    [
        "headphones",
        "kettle headphone",
        "WH-1000XM4",
        "wh1000xm",
        "32gb",
        "mens",
        "fan",
        "红色 连衣裙",
        "",
        "   ",
        "!!!",
        "a" * 5000,
    ],
)
def test_what_is_right_stays(speller, query):
    assert all(correction.certainty <= 0.5 for correction in speller.corrections(query))


def test_codes_and_numbers_are_never_touched(speller):
    assert speller.corrections("mouse2 m0use 1234567 wh-1000xm4") == ()


def test_known_words_are_joined_only_as_a_suggestion(speller):
    (only,) = speller.corrections("micro wave")
    assert only.text == "microwave"
    assert only.changed == (("micro wave", "microwave"),)
    assert only.certainty <= 0.5
    assert speller.corrections("key board")[0].text == "keyboard"
    assert speller.corrections("key board")[0].certainty > 0.5


def test_the_keyboard_and_the_count_decide_between_equals():
    near = Speller(known({"bread": 50, "breed": 50}))
    assert near.corrections("brewd")[0].text in {"bread", "breed"}
    often = Speller(known({"lamps": 500, "lumps": 10}))
    assert [c.text for c in often.corrections("lomps")] == ["lamps", "lumps"]


def test_a_rare_misspelling_of_the_catalogue_is_put_right_but_an_often_said_word_is_not():
    found = known()
    found.put(["hedphones"], 2)
    assert Speller(found).corrections("hedphones")[0].text == "headphones"
    found.put(["hedphones"], 2)
    assert Speller(found).corrections("hedphones") == ()


def test_new_words_are_taken_up(speller):
    found = known()
    fresh = Speller(found)
    assert fresh.corrections("spatla") == ()
    found.put_item(Item(id="1", title="Silicone spatula", brand="Hearth", category=("Kitchen", "Utensils")))
    found.put(["spatula"], 5)
    assert fresh.corrections("spatla")[0].text == "spatula"
    assert found.count("utensils") == 1


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_anything_may_be_typed(typed):
    speller = Speller(known())
    corrections = speller.corrections(typed)
    assert len(corrections) <= 3
    assert all(0 <= correction.certainty <= 1 and correction.text != typed for correction in corrections)
    assert [c.certainty for c in corrections] == sorted((c.certainty for c in corrections), reverse=True)


def test_words_of_a_text_are_cut_in_chinese_and_english():
    assert words_of("Men's red shoes 42 EU") == ["men", "red", "shoes", "eu"]
    assert "连衣裙" in words_of("夏季红色连衣裙")


def test_a_hundred_thousand_words_are_filed_in_seconds_and_looked_up_in_no_time():
    letters = "abcdefghijklmnopqrst"
    found = Vocabulary()
    found.put([a + b + c + d + "ing" for a in letters for b in letters for c in letters for d in letters[:12]], 5)
    began = time.process_time()
    speller = Speller(found)
    speller.corrections("abcding")
    assert time.process_time() - began < 15
    began = time.process_time()
    for word in ("abcdxing", "qrstiing", "bcdaimg", "kettle", "zzzzzzz"):
        speller.corrections(word)
    assert time.process_time() - began < 0.5

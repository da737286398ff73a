from __future__ import annotations

import doctest
import time
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shopkeeper.records import Item
from shopkeeper.retrieval import highlights as module
from shopkeeper.retrieval.analysis import normalise, terms
from shopkeeper.retrieval.highlights import highlights, located, marks, snippet

PIECES = st.sampled_from(
    [
        "Running", "shoes", "KNIVES", "Café", "Cafe\u0301", "CRÈME", "ﬁsh", "Ｒｅｄ", "İstanbul", "ΛΟΓΟΣ", "Straße", "㍿", "㎏",
        "32 GB", "32-inch", '27"', "500毫升", "1,000 ml", "10x20cm", "WH-1000XM4", "t-shirt", "men's", "5㎏", "①", "½",
        "不锈钢", "保温杯", "蓝牙耳机", "中华人民共和国", "。", ", ", " ", " ", "-", "'", "\u0301", "한국", "ガ", "ｶﾞ", "🛒", "\x00",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=60))


def marked(text, query):
    return [text[start:end] for start, end in marks(text, frozenset(terms(query)))]


def test_examples_in_the_documentation_hold():
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("Kitchen torches and a TORCH", "torch", ["torches", "TORCH"]),
        ("Running shoes for runners", "run shoe", ["Running", "shoes"]),
        ("Café CRÈME brûlée", "creme brulee", ["CRÈME", "brûlée"]),
        ("Cafe\u0301 maker", "café", ["Cafe\u0301"]),
        ("A pot of ﬁsh", "fish", ["ﬁsh"]),
        ("Ｒｅｄ　ｓｈｉｒｔ", "red", ["Ｒｅｄ"]),
        ("Grand ΛΟΓΟΣ", "λογος", ["ΛΟΓΟΣ"]),
        ("Sony WH-1000XM4 and WH-1000XM5", "wh1000xm4", ["WH-1000XM4"]),
        ("Sony WH-1000XM4", "1000xm4", ["1000XM4"]),
        ("Blue t-shirt", "tshirt", ["t-shirt"]),
        ("Blue t-shirt", "shirts", ["shirt"]),
        ("Men's shoes", "men", ["Men"]),
        ("Flash 32 GB, 32GB, 32-gb and 64 GB", "32gb", ["32 GB", "32GB", "32-gb"]),
        ("A 32 GB drive", "gb", []),
        ('A 27" screen', "27 inch", ['27"']),
        ("不锈钢保温杯500毫升装", "保温杯 500ml", ["保温杯", "500毫升"]),
        ("不锈钢保温杯", "不锈钢", ["不锈钢"]),
        ("黑色蓝牙耳机，头戴式", "蓝牙耳机", ["蓝牙", "耳机"]),
        ("iPhone手机壳", "手机", ["手机"]),
        ("红色连衣裙 Red dress", "dresses 红色", ["红色", "dress"]),
        ("anything", "", []),
        ("", "knife", []),
    ],
)
def test_words_are_marked_where_they_stand_in_the_original(text, query, found):
    assert marked(text, query) == found


@given(TEXTS, TEXTS)
@example("㍿", "株式会社")
@example("x\u0304 é fish", "fish")
@settings(max_examples=300, deadline=None)
def test_ranges_lie_inside_apart_and_hold_a_word_searched(text, query):
    wanted = frozenset(terms(query))
    ranges = marks(text, wanted)
    assert all(0 <= start < end <= len(text) for start, end in ranges)
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))
    for start, end in ranges:
        piece = text[start:end]
        assert wanted & {*terms(piece), normalise(piece)}, piece


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_the_words_of_plain_texts_are_those_of_the_analysis(text):
    text = "".join(c for c in text if c.isascii() or "\u4e00" <= c <= "\u9fff").replace("\x00", " ")
    assert sorted(term for *_, term in located(text)) == sorted(terms(text))


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_snippet_is_a_piece_of_the_text_whatever_it_is(text, query):
    found = snippet(text * 5, frozenset(terms(query)))
    assert found.text == (text * 5)[found.start : found.start + len(found.text)]
    assert found.cut == (found.start + len(found.text) < len(text * 5))
    assert len(found.text) <= 160
    assert all(0 <= start < end <= len(found.text) for start, end in found.ranges)
    assert bool(found.ranges) == bool(marks(text * 5, frozenset(terms(query))))


def test_a_snippet_is_the_window_that_says_most_and_begins_with_a_sentence():
    filler = "This one is made for every household and lasts for many years. " * 6
    text = f"A knife. {filler}The steel knife has a wooden handle. {filler}Knives again and knives."
    found = snippet(text, frozenset(terms("steel knife handle")))
    assert found.text.startswith("The steel knife has a wooden handle.")
    assert [found.text[a:b] for a, b in found.ranges] == ["steel", "knife", "handle"]
    assert found.cut
    assert text[found.start :].startswith(found.text)
    assert 120 <= len(found.text) <= 160


def test_a_chinese_snippet_is_half_as_long_and_begins_with_a_sentence():
    filler = "适合日常使用，品质可靠，经久耐用，送礼自用两相宜。" * 8
    text = f"{filler}本款采用不锈钢内胆的保温杯，长效锁温。{filler}"
    found = snippet(text, frozenset(terms("保温杯 不锈钢")))
    assert found.text.startswith("本款采用不锈钢")
    assert [found.text[a:b] for a, b in found.ranges] == ["不锈钢", "保温杯"]
    assert len(found.text) <= 80


def test_without_a_match_a_snippet_is_the_beginning_and_short_texts_stay_whole():
    text = "Words about nothing in particular. " * 20
    found = snippet(text, frozenset(["knife"]))
    assert (found.start, found.ranges, found.cut) == (0, (), True)
    assert text.startswith(found.text)
    assert snippet("Short.", frozenset(["knife"])).text == "Short."
    assert not snippet("Short.", frozenset()).cut


def test_a_match_near_the_end_keeps_the_window_full():
    text = "word " * 100 + "steel knife"
    found = snippet(text, frozenset(["knife"]))
    assert found.text.endswith("steel knife")
    assert len(found.text) > 120
    assert not found.cut


def test_a_window_that_is_full_keeps_its_last_word():
    text = f"steel {'x' * 148} knife, {'y' * 300}"
    found = snippet(text, frozenset(["steel", "knife"]))
    assert [found.text[a:b] for a, b in found.ranges] == ["steel", "knife"]


def test_an_item_is_marked_in_title_and_description():
    item = Item(id="1", title="不锈钢刀", description="Hot torches. 厨师刀 torch")
    found = highlights(item, "torch 不锈钢")
    assert [item.title[a:b] for a, b in found.title.ranges] == ["不锈钢"]
    assert [found.snippet.text[a:b] for a, b in found.snippet.ranges] == ["torches", "torch"]


def test_long_texts_of_quantities_and_joints_cost_little():
    began = time.process_time()
    for text in ("1 m " * 25_000, "a1-b2-" * 15_000, "a1,b2," * 15_000, "保温杯" * 30_000, "é" * 90_000):
        located(text, frozenset(["1m", "a1", "保温"]))
        snippet(text, frozenset(["1m", "a1", "保温"]))
    assert time.process_time() - began < 20

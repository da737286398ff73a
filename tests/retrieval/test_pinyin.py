from __future__ import annotations

import doctest
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.retrieval.understanding import syllables
from shopkeeper.retrieval.understanding.pinyin import PinyinIndex
from shopkeeper.retrieval.understanding.vocabulary import Vocabulary

WORDS = {
    "连衣裙": 60, "红色": 90, "长袖": 40, "保温杯": 70, "手机": 200, "手机壳": 50, "小米": 80, "蓝牙": 60, "耳机": 120,
    "牛仔裤": 30, "书桌": 20, "适用": 15, "绿茶": 25, "西安": 5, "男": 90, "苹果": 40,
    "men": 60, "pan": 30, "bin": 20, "iphone": 50, "mi": 30, "usb": 40, "can": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def index():
    found = Vocabulary()
    for word, count in WORDS.items():
        found.put([word], count)
    return PinyinIndex(found)


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(syllables).failed == 0


@pytest.mark.parametrize(
    ("typed", "meant", "least"),
    [
        ("lianyiqun", "连衣裙", 0.9),
        ("lian yi qun", "连衣裙", 0.9),
        ("LianYiQun", "连衣裙", 0.9),
        ("lyq", "连衣裙", 0.2),
        ("lianyq", "连衣裙", 0.4),
        ("lianyiq", "连衣裙", 0.4),
        ("hongse lianyiqun", "红色 连衣裙", 0.8),
        ("hongselianyiqun", "红色连衣裙", 0.8),
        ("xiao mi shou ji", "小米 手机", 0.8),
        ("iphone shoujike", "iphone 手机壳", 0.9),
        ("lvcha", "绿茶", 0.7),
        ("lücha", "绿茶", 0.7),
        ("xi'an", "西安", 0.5),
        ("红色lianyiqun", "红色连衣裙", 0.9),
        ("baowenbei 500ml", "保温杯 500ml", 0.9),
        ("niuzaiku nan", "牛仔裤 男", 0.3),
        ("连衣群", "连衣裙", 0.8),
        ("红色连衣群", "红色连衣裙", 0.8),
        ("保温背 500ml", "保温杯 500ml", 0.8),
        ("手几壳", "手机壳", 0.8),
    ],
)
def test_pinyin_initials_and_homophones_are_read(index, typed, meant, least):
    text, certainty = index.read(typed)[0]
    assert text == meant
    assert least <= certainty <= 1


@pytest.mark.parametrize(
    "typed",
    [
        "men", "pan", "bin", "men pan", "can", "usb", "mi", "iphone", "连衣裙", "红色手机壳", "苹果耳机", "headphones",
        "snow boots", "wh-1000xm4", "500ml", "sj2000", "雪地靴", "", "  ", "123", "'", "🙂",
    ],
)  # fmt: skip
def test_english_codes_and_right_chinese_are_left_alone(index, typed):
    assert index.read(typed) == ()


def test_a_real_word_of_the_language_is_doubted_more_than_a_mistake(index):
    (_, real), *_ = index.read("实用")
    (_, mistake), *_ = index.read("手几")
    assert real < 0.5 < mistake


def test_homophones_share_the_certainty_by_their_counts():
    found = Vocabulary()
    found.put(["手机"], 90)
    found.put(["收集"], 10)
    read = PinyinIndex(found).read("shouji")
    assert [text for text, _ in read] == ["手机", "收集"]
    assert read[0][1] == pytest.approx(9 * read[1][1])


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("ly", "蓝牙"),
        ("lia", "连衣裙"),
        ("lianyiq", "连衣裙"),
        ("lian yi", "连衣裙"),
        ("bwb", "保温杯"),
        ("sjk", "手机壳"),
        ("shouj", "手机"),
    ],
)
def test_prefixes_are_completed(index, typed, first):
    assert index.complete(typed)[0] == first


def test_the_last_of_several_words_is_completed(index):
    words = index.complete_words("hongse lianyi")
    assert words[0] == ["红色"]
    assert words[1][0] == "连衣裙"
    assert index.complete_words("hongse xyzzy") == []


def test_what_cannot_be_pinyin_is_not_completed(index):
    assert index.complete("l") == []
    assert index.complete("xyzzy") == []
    assert index.complete("手") == []
    assert "连衣裙" in index.complete("ly")


def test_new_words_are_taken_up(index):
    found = Vocabulary()
    fresh = PinyinIndex(found)
    assert fresh.read("xuedixue") == ()
    found.put(["雪地靴"], 5)
    assert fresh.read("xuedixue")[0][0] == "雪地靴"


@given(st.text(max_size=50))
@settings(max_examples=200, deadline=None)
def test_anything_may_be_typed(index, typed):
    read = index.read(typed)
    assert all(0 <= certainty <= 1 for _, certainty in read)
    assert [c for _, c in read] == sorted((c for _, c in read), reverse=True)
    index.complete(typed)


def test_long_runs_are_read_in_no_time(index):
    began = time.process_time()
    for typed in ("shoujihongselianyiqun" * 20, "ssss jjjj llll yyyy " * 20, "连衣群" * 100):
        index.read(typed)
    assert time.process_time() - began < 5

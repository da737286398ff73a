from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.retrieval.understanding import script
from shopkeeper.retrieval.understanding.script import LONGEST, clean, language_of, lowered, simplified


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(script).failed == 0


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("  red   shoes\n", "red shoes"),
        ("ｉＰｈｏｎｅ　１３", "iPhone 13"),
        ("a\u202eb\u200bc\x00d", "abcd"),
        ("２００元以下", "200元以下"),
        ("", ""),
        ("\ud800", ""),
    ],
)
def test_a_query_is_cleaned(typed, cleaned):
    assert clean(typed) == cleaned


@given(st.text(max_size=60))
def test_cleaning_is_done_once_and_lower_case_keeps_places(text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert len(lowered(cleaned)) == len(cleaned)


def test_very_long_queries_are_cut():
    assert len(clean("耳机 " * 5_000)) <= LONGEST


@pytest.mark.parametrize(
    ("typed", "plain"),
    [("無線藍牙耳機", "无线蓝牙耳机"), ("連衣裙 M", "连衣裙 M"), ("红色", "红色"), ("red shoes", "red shoes")],
)
def test_traditional_characters_become_simplified(typed, plain):
    assert simplified(typed) == plain


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("red shoes", "en"),
        ("红色跑鞋", "zh"),
        ("nike 跑鞋", "zh"),
        ("USB-C hub 线", "en"),
        ("12345", ""),
        ("", ""),
        ("🙂", ""),
        ("ботинки", ""),
    ],
)
def test_the_script_tells_the_language(text, language):
    assert language_of(text) == language

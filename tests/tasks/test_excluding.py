"""What has an unwanted thing, and what only says that it has not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.records import Item
from shopkeeper.retrieval.lexical import LexicalIndex
from shopkeeper.tasks.recommend.excluding import holding


def has(text: str, unwanted: str, **more: object) -> bool:
    item = Item(id="1", title="Thing", description=text, **more)
    index = LexicalIndex()
    index.upsert(np.array([0]), [item])
    return bool(len(holding(unwanted, index, [item])))


@pytest.mark.parametrize(
    ("text", "unwanted"),
    [
        ("Made of leather.", "leather"),
        ("Leathers of all kinds", "leather"),
        ("No leather laces, but a leather sole.", "leather"),
        ("Not only for winter: leather.", "leather"),
        ("Free shipping! Leather upper.", "leather"),
        ("Knotted leather, piano-leather", "leather"),
        ("头层真皮，无异味。", "真皮"),
        ("不含胶水，真皮制成", "真皮"),
        ("in-ear headphones, no noise", "in ear"),
        ("with batteries, without charger", "battery"),
    ],
)
def test_a_mention_is_one(text, unwanted):
    assert has(text, unwanted)


@pytest.mark.parametrize(
    ("text", "unwanted"),
    [
        ("No leather.", "leather"),
        ("without any leather", "leather"),
        ("A leather-free boot, not leather at all", "leather"),
        ("Free of leather", "leather"),
        ("NON-LEATHER", "Leather"),
        ("no batteries", "battery"),
        ("素食鞋，不含真皮", "真皮"),
        ("无酒精 免洗", "酒精"),
        ("not in-ear", "in ear"),
        ("cork", "leather"),
        ("leather", "!!!"),
        ("leather", ""),
    ],
)
def test_a_denial_is_no_mention_and_what_is_not_said_is_not_there(text, unwanted):
    assert not has(text, unwanted)


def test_attributes_and_codes_count_as_well():
    assert has("A boot", "leather", attributes={"material": "Leather"})
    assert has("No leather", "leather", attributes={"material": "leather"})
    assert has("No x", "ab12", codes=("AB-12",))


@given(st.text(max_size=40), st.text(max_size=12))
def test_whatever_is_written_and_unwanted_gets_an_answer(text, unwanted):
    assert has(text, unwanted) in (True, False)

"""Banned claims: what must not be said, what sounds like it and may, and a shop's own list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.trust.claims import KINDS, banned, own_claims


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The best kettle in town", "superlative"),
        ("Our No. 1 choice", "superlative"),
        ("The most comfortable shoe", "superlative"),
        ("a world-class pan", "superlative"),
        ("全网最低价", "superlative"),
        ("销量第一", "superlative"),
        ("国家级工艺", "superlative"),
        ("老顾客回购最多的一款", "superlative"),
        ("Treats acne and eczema", "medical"),
        ("relief from back pain", "medical"),
        ("clinically proven", "medical"),
        ("这款枕头能治疗失眠", "medical"),
        ("消炎止痛", "medical"),
        ("Guaranteed to last", "guarantee"),
        ("a lifetime companion", "guarantee"),
        ("never breaks", "guarantee"),
        ("保证不掉色", "guarantee"),
        ("永不生锈", "guarantee"),
        ("was $50, now $30", "former price"),
        ("Save 40 %", "former price"),
        ("原价199元", "former price"),
        ("全场8.5折", "former price"),
        ("better than other brands", "comparison"),
        ("Unlike other kettles", "comparison"),
        ("别家没有的两侧置物板", "comparison"),
        ("比市面上的更耐用", "comparison"),
    ],
)
def test_a_claim_is_found_and_named(text, kind):
    found = banned(text)
    assert kind in {ban.kind for ban in found}
    assert all(ban.text == text[ban.start : ban.end] for ban in found)
    assert {ban.kind for ban in found} <= set(KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "Best before 2027-01-01",
        "Heat treated wood",
        "Dog treats with beef",
        "First aid kit for the car",
        "Cured ham, 200 g",
        "Prevents rust on steel",
        "Most of the parts are steel",
        "最近上新",
        "最大承重100 kg",
        "第一次使用前请清洗",
        "三折叠雨伞",
        "Steel rake with a wooden handle, 20 pieces",
        "不锈钢厨师刀，20 cm",
        "",
    ],
)
def test_what_only_sounds_like_one_may_be_said(text):
    assert banned(text) == ()


def test_facts_excuse_guarantees_and_former_prices_and_nothing_else():
    assert banned("Comes with a lifetime warranty", ["lifetime warranty on the blade"]) == ()
    assert banned("原价199元", ["吊牌价：299", "原价199元"]) == ()
    assert banned("The best kettle", ["The best kettle"])
    assert banned("治疗失眠", ["治疗失眠"])


def test_names_and_medicines_are_excused():
    assert banned("Best Western towel") != ()
    assert banned("Best Western towel", names=["Best Western"]) == ()
    assert banned("Relief from back pain", medicine=True) == ()
    assert [ban.kind for ban in banned("药到病除，保证", medicine=True)] == ["guarantee"]


def test_full_width_letters_hide_nothing_and_places_are_right():
    text = "Ｔｈｅ ｂｅｓｔ pan"
    (ban,) = banned(text)
    assert ban.text == "Ｔｈｅ ｂｅｓｔ"


def test_the_shops_own_list(tmp_path):
    file = tmp_path / "banned-claims.txt"
    assert own_claims(file) == ()
    file.write_text("# ours\ncheap\n爆款  # a remark\n\ncheap\n", encoding="utf-8")
    own = own_claims(file)
    assert own == ("cheap", "爆款")
    assert [ban.text for ban in banned("A Cheap cheapskate, 爆款", own=own)] == ["Cheap", "爆款"]
    file.write_text("x\n")
    with pytest.raises(InputError, match="line 1"):
        own_claims(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        own_claims(file)


@given(st.text(max_size=300))
def test_any_text_is_read_and_places_hold_the_words(text):
    for ban in banned(text, [text], names=[text[:5]], own=["ab", "第一"]):
        assert 0 <= ban.start < ban.end <= len(text)
        assert ban.text == text[ban.start : ban.end]


def test_a_megabyte_is_read_in_one_pass():
    assert banned("was " * 250_000) == ()
    assert banned("最" * 300_000)

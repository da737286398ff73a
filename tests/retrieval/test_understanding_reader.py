from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.records import Item
from shopkeeper.retrieval.understanding.reader import QueryReader
from shopkeeper.retrieval.understanding.script import clean, simplified


def catalogue():
    for number in range(8):
        colour, hue = ("red", "红色") if number % 2 else ("black", "黑色")
        yield Item(
            id=f"s{number}",
            title=f"{colour} running shoes",
            brand="Nike" if number < 4 else "Adidas",
            category=("Sports", "Shoes"),
            attributes={"colour": colour, "size": str(6 + number), "material": "leather" if number < 3 else "mesh"},
        )
        yield Item(
            id=f"h{number}",
            title=f"{hue}蓝牙耳机",
            brand="索尼" if number < 4 else "华为",
            category=("手机数码", "耳机"),
            attributes={"颜色": hue, "佩戴": "入耳式" if number < 5 else "头戴式"},
        )


READER = QueryReader(catalogue())


@pytest.mark.parametrize(
    ("query", "words", "low", "high", "exclude", "sort"),
    [
        ("red running shoes under $80 size 9 not leather", "red running shoes size 9", None, 80, ("leather",), ""),
        ("200元以下的黑色蓝牙耳机 不要入耳式", "黑色蓝牙耳机", None, 200, ("入耳式",), ""),
        ("7 inch tablet under 100", "7 inch tablet", None, 100, (), ""),
        ("cheapest running shoes", "running shoes", None, None, (), "price_asc"),
        ("最便宜的蓝牙耳机", "蓝牙耳机", None, None, (), "price_asc"),
        ("蓝牙耳机最新款 500-1000元", "蓝牙耳机", 500, 1000, (), "newest"),
        ("銷量最高的藍牙耳機", "蓝牙耳机", None, None, (), "popular"),
        ("shoes, under 50 and not leather", "shoes", None, 50, ("leather",), ""),
        ("under $50", "", None, 50, (), ""),
        ("不超过300", "", None, 300, (), ""),
        ("hdmi cable under 10 ft", "hdmi cable under 10 ft", None, None, (), ""),
        ("iPhone 8", "iPhone 8", None, None, (), ""),
        ("xbox one", "xbox one", None, None, (), ""),
        ("no 7 lipstick", "no 7 lipstick", None, None, (), ""),
        ("7 for all mankind", "7 for all mankind", None, None, (), ""),
        ("儿童玩具3岁以上", "儿童玩具3岁以上", None, None, (), ""),
        ("不锈钢保温杯500ml", "不锈钢保温杯500ml", None, None, (), ""),
        ("无糖元气森林", "无糖元气森林", None, None, (), ""),
        ("ice melters with no salt, under $20.", "ice melters", None, 20, ("salt",), ""),
        ("!!!", "!!!", None, None, (), ""),
        ("", "", None, None, (), ""),
    ],
)
def test_a_query_is_read(query, words, low, high, exclude, sort):
    read = READER.read(query)
    assert (read.words, read.filters.price_min, read.filters.price_max) == (words, low, high)
    assert (read.exclude, read.sort) == (exclude, sort)


def test_preferences_and_chips_of_a_whole_query():
    read = READER.read("red Nike running shoes under $80 size 9")
    preferred = {(each.field, each.value) for each in read.preferences}
    assert {("colour", "red"), ("brand", "Nike"), ("size", "9"), ("category", "Sports > Shoes")} <= preferred
    chips = {chip.key: chip for chip in read.chips}
    assert {"price", "brand:Nike", "colour:red", "size:9"} <= chips.keys()
    assert chips["price"].words == "under $80"
    assert all(chip.text["en"] and chip.text["zh"] for chip in read.chips)
    assert read.language == "en"


def test_the_same_in_chinese():
    read = READER.read("索尼 黑色 蓝牙耳机 不要入耳式 四星以上")
    preferred = {(each.field, each.value) for each in read.preferences}
    assert {("brand", "索尼"), ("颜色", "黑色"), ("rating", "4")} <= preferred
    assert read.exclude == ("入耳式",)
    assert read.words == "索尼 黑色 蓝牙耳机"
    assert read.language == "zh"


@pytest.mark.parametrize(
    ("query", "words", "out"),
    [
        ("running shoes except nike", "running shoes", {"s0", "s1", "s2", "s3"}),
        ("蓝牙耳机 不要索尼", "蓝牙耳机", {"h0", "h1", "h2", "h3"}),
        ("除了索尼的蓝牙耳机", "蓝牙耳机", {"h0", "h1", "h2", "h3"}),
    ],
)
def test_a_brand_that_is_not_wanted_is_filtered(query, words, out):
    read = READER.read(query)
    assert read.words == words
    assert set(read.filters.exclude) == out
    assert read.exclude == ()


def test_a_chip_that_was_taken_away_is_not_read_again():
    query = "red running shoes under $80 not leather"
    assert READER.read(query, ["price"]).words == "red running shoes under $80"
    assert READER.read(query, ["price"]).filters.price_max is None
    assert READER.read(query, ["price"]).exclude == ("leather",)
    assert READER.read(query, ["not:leather"]).words == "red running shoes not leather"
    assert "colour" not in {each.field for each in READER.read(query, ["colour:red"]).preferences}


def test_put_and_drop_change_what_is_known():
    reader = QueryReader()
    item = Item(id="1", title="Trail shoe", brand="Zephyr", category=("Shoes",))
    assert reader.read("zephyr").preferences == ()
    reader.put(item)
    reader.put(item)
    assert {each.value for each in reader.read("zephyr shoe").preferences} == {"Zephyr", "Shoes"}
    reader.drop("1")
    reader.drop("unknown")
    assert reader.read("zephyr shoe").preferences == ()


def test_a_shop_of_traditional_characters_keeps_them():
    reader = QueryReader([Item(id="1", title="無線藍牙耳機"), Item(id="2", title="連衣裙")])
    assert reader.read("藍牙耳機").words == "藍牙耳機"


PIECES = [
    "under $80", "under 100", "between 50 and 100", "200元以下", "500-1000元", "不超过三百", "not leather", "-mesh", "不要入耳式",
    "除了耐克", "cheapest", "最便宜的", "4 stars and up", "四星以上", "size 9", "red", "红色", "shoes", "蓝牙耳机", "iphone 8",
    "nike", "and", "的", ",", "non", "no", "without", "不要", "非", "\u202e", "\x00", "İ", "½", "ﷺ", "👟",
]  # fmt: skip
QUERIES = st.one_of(
    st.text(max_size=80),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(string.printable, max_size=6)), max_size=10).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
)


@settings(max_examples=400, deadline=None)
@given(QUERIES)
def test_anything_can_be_read_and_all_of_it_can_be_taken_back(query):
    read = READER.read(query)
    assert read.typed == simplified(clean(query))
    if not read.words:
        assert not read.typed or read.chips
    assert all(0 <= each.certainty <= 1 for each in read.preferences)
    ignored = set()
    while keys := {chip.key for chip in READER.read(query, ignored).chips} - ignored:
        ignored |= keys
    again = READER.read(query, ignored)
    assert again.words == read.typed
    assert (again.exclude, again.sort, again.chips) == ((), "", ())
    assert again.filters.price_max is None


@pytest.mark.parametrize("letter", ["a", "不", "1", " ", "-", "\u202e", "$1 ", "no ", "不要", "size 9 ", "under 5 "])
def test_very_long_queries_are_read(letter):
    assert READER.read(letter * 10_000).typed == READER.read(letter * 10_000).typed

from __future__ import annotations

import doctest

import pytest

from shopkeeper.retrieval.understanding import prices as module
from shopkeeper.retrieval.understanding import quantities
from shopkeeper.retrieval.understanding.prices import prices
from shopkeeper.retrieval.understanding.quantities import number, sizes


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(quantities).failed == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,000", 1000),
        ("1.5k", 1500),
        ("99.95", 99.95),
        ("一百", 100),
        ("两百", 200),
        ("三千", 3000),
        ("一千五", 1500),
        ("一百零五", 105),
        ("十五", 15),
        ("二十", 20),
        ("一万二", 12_000),
        ("3万", 30_000),
        ("百", 100),
    ],
)
def test_numbers_are_read(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    ("query", "low", "high"),
    [
        ("tablet under 100", None, 100),
        ("laptop below $1,500", None, 1500),
        ("gifts less than 20 dollars", None, 20),
        ("cheaper than €30 headphones", None, 30),
        ("up to $50 toys", None, 50),
        ("watch max $200", None, 200),
        ("dress $50 or less", None, 50),
        ("under 1.5k camera", None, 1500),
        ("over $100 watch", 100, None),
        ("monitor above 200", 200, None),
        ("at least 40 bucks", 40, None),
        ("bags $25+", 25, None),
        ("bags $25 and up", 25, None),
        ("between 50 and 100 headphones", 50, 100),
        ("headphones between $100 and $50", 50, 100),
        ("$20-$40 mugs", 20, 40),
        ("mugs 20-40 dollars", 20, 40),
        ("from $20 to $40", 20, 40),
        ("lamp around $50", 40, 60),
        ("over the range microwave under 300", None, 300),
        ("gifts for men under 50", None, 50),
        ("200元以下", None, 200),
        ("200块以内", None, 200),
        ("不超过300", None, 300),
        ("不超过三百元的耳机", None, 300),
        ("低于500元", None, 500),
        ("预算3000 手机", None, 3000),
        ("两百块以下的鞋", None, 200),
        ("百元以内礼物", None, 100),
        ("手机 三千以下", None, 3000),
        ("摇篮,三十以下的", None, 30),
        ("100以上", 100, None),
        ("一千元以上的手表", 1000, None),
        ("至少300元", 300, None),
        ("不低于500元", 500, None),
        ("跑车100万元以上", 1_000_000, None),
        ("500-1000元", 500, 1000),
        ("500到1000块的手机", 500, 1000),
        ("500元至1000元", 500, 1000),
        ("手机500到1000之间", 500, 1000),
        ("打码机30一70元", 30, 70),
        ("300元左右的耳机", 240, 360),
        ("¥100以下", None, 100),
        ("东风风神4万以内", None, 40_000),
    ],
)
def test_prices_are_read(query, low, high):
    (bound,) = prices(query)
    assert (bound.low, bound.high) == (low, high)


@pytest.mark.parametrize(
    "query",
    [
        "iphone 8",
        "xbox one",
        "galaxy s21",
        "wd 40",
        "no 7 lipstick",
        "7 for all mankind",
        "hdmi cable under 10 ft",
        "tv under 55-inch",
        "rug under 10x12",
        "up to 64gb",
        "kids toys under 5",
        "vitamins for women over 50",
        "over 50 puzzle pieces",
        "5-10 lb dumbbells",
        "between 2 and 4 people tent",
        "under armour",
        "wh-1000xm4",
        "$50 gift card",
        "3岁以上玩具",
        "桌游14岁以上",
        "50厘米以上",
        "浴室柜太空铝宽40以内",
        "100以内加减法",
        "几百元以内",
        "三元催化",
        "中国移动充话费4元",
        "元气森林",
        "不超过300克",
        "1.5米以下床",
        "数值不能超过100",
        "500ml",
        "铁艺花架三层间隔50厘米以上",
    ],
)
def test_other_numbers_are_no_prices(query):
    assert prices(query) == []


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("red shoes size 9", ["9"]),
        ("size 9.5 boots", ["9.5"]),
        ("dress size m", ["M"]),
        ("跑鞋42码", ["42"]),
        ("连衣裙xl码", ["XL"]),
        ("size zero", []),
        ("plus size dress", []),
        ("二维码贴纸", []),
        ("大码连衣裙", []),
        ("数码相机", []),
    ],
)
def test_sizes_are_read(query, values):
    assert [size.value for size in sizes(query)] == values

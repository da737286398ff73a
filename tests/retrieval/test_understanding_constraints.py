from __future__ import annotations

import doctest

import pytest

from shopkeeper.records import Item
from shopkeeper.retrieval.understanding import constraints as module
from shopkeeper.retrieval.understanding.categories import CategoryCounts
from shopkeeper.retrieval.understanding.constraints import constraints
from shopkeeper.retrieval.understanding.entities import Gazetteer


@pytest.fixture(scope="module")
def catalogue():
    gazetteer = Gazetteer(CategoryCounts())
    titles = [
        "no show socks",
        "black socks",
        "leather boots",
        "手提包",
        "no drip candle",
        "listen without prejudice",
        "非转基因玉米油",
    ]
    for number, title in enumerate(titles):
        attributes = {"material": "leather", "材质": "牛皮"} if "boots" in title else {}
        gazetteer.put(Item(id=str(number), title=title, attributes=attributes))
    return gazetteer


def keys(query, catalogue):
    return [constraint.chip.key for constraint in constraints(query, catalogue)]


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("query", "unwanted"),
    [
        ("boots not leather", ["leather"]),
        ("not leather boots", ["leather"]),
        ("boots not leather or suede", ["leather", "suede"]),
        ("boots not leather size 9 under 80", ["leather"]),
        ("boots -leather", ["leather"]),
        ("non-leather boots", ["leather"]),
        ("cookies without sugar", ["sugar"]),
        ("cookies without added sugar for kids", ["added sugar"]),
        ("phone case without the logo and the strap", ["logo", "strap"]),
        ("face cream no parfum", ["parfum"]),
        ("sneakers except Nike", ["nike"]),
        ("wall lamp w/o cord", ["cord"]),
        ("lights without wiring with switch", ["wiring"]),
        ("headphones but not in ear", ["in ear"]),
        ("蓝牙耳机 不要入耳式", ["入耳式"]),
        ("不要入耳式的耳机", ["入耳式"]),
        ("蓝牙耳机不要白色", ["白色"]),
        ("不要红色和黑色的T恤", ["红色", "黑色"]),
        ("耳机 不要有线的", ["有线"]),
        ("T恤 不要动物图案", ["动物图案"]),
        ("耳饰 不要不锈钢", ["不锈钢"]),
        ("手提包 非皮", ["皮"]),
        ("非牛皮手提包", ["牛皮"]),
        ("除了耐克的运动鞋", ["耐克"]),
        ("运动鞋 除了耐克", ["耐克"]),
        ("除了耐克以外的运动鞋", ["耐克"]),
        ("爽肤水 不含酒精", ["酒精"]),
        ("不含酒精的爽肤水", ["酒精"]),
        ("不含酒精爽肤水", ["酒精"]),
        ("不带钢圈内衣", ["钢圈"]),
        ("没有刻度的尺子", ["刻度"]),
        ("红烧肉料包 不要葱、姜", ["葱", "姜"]),
    ],
)
def test_what_is_not_wanted_is_read(query, unwanted, catalogue):
    found = [constraint.excluded for constraint in constraints(query, catalogue)]
    assert [thing for thing in found if thing] == unwanted


@pytest.mark.parametrize(
    "query",
    [
        "no show socks",
        "ankle socks no show",
        "candle no drip",
        "non stick pan",
        "non alcoholic beer",
        "fragrance free lotion",
        "cordless drill",
        "wireless mouse",
        "no 7 lipstick",
        "listen without prejudice",
        "without a trace",
        "forget me not seeds",
        "watch the game not your phone tshirt",
        "food is not enough",
        "storage box without storage",
        "usb-c cable",
        "t-shirt",
        "无线耳机",
        "无糖可乐",
        "不锈钢保温杯",
        "非洲鼓",
        "手鼓 非洲",
        "南非红酒",
        "非转基因玉米油",
        "我不是药神",
        "不沾锅",
        "洗碗不掉渣",
        "不要太贵的耳机",
        "除湿机",
        "别克车贴",
        "没有不散的筵席",
        "外套不要太厚",
        "不要说话",
        "有没有好吃的零食",
        "税务登记需不需要办理",
        "照片删除了怎么恢复",
        "rust -o oleum paint",
        "不含税价签",
    ],
)
def test_names_are_no_negations(query, catalogue):
    assert keys(query, catalogue) == []


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("cheapest laptop", "sort:price_asc"),
        ("most expensive watch", "sort:price_desc"),
        ("newest iphone", "sort:newest"),
        ("latest laptops", "sort:newest"),
        ("best rated headphones", "sort:rating"),
        ("best selling novels", "sort:popular"),
        ("最便宜的手机", "sort:price_asc"),
        ("手机价格从低到高", "sort:price_asc"),
        ("最贵的手表", "sort:price_desc"),
        ("iphone最新款", "sort:newest"),
        ("西铁城2821最新款女表", "sort:newest"),
        ("评价最好的奶粉", "sort:rating"),
        ("销量最高的洗衣机", "sort:popular"),
        ("4 stars and up headphones", "rating"),
        ("headphones rated 4+", "rating"),
        ("at least 4 stars", "rating"),
        ("四星以上", "rating"),
        ("评分4.5以上的耳机", "rating"),
        ("评分5以上的耳机", "rating"),
    ],
)
def test_orders_and_ratings_are_read(query, key, catalogue):
    assert keys(query, catalogue) == [key]


@pytest.mark.parametrize(
    "query",
    [
        "best buy",
        "cheap laptop",
        "new balance",
        "the last jedi",
        "5 star notebook",
        "star wars",
        "好评手机壳",
        "五星酒店浴巾",
        "2022最新款包包",
        "人教版最新版",
        "世界上最贵的衣服",
        "便宜手机",
        "新款毛衣",
        "三星手机",
        "最强大脑儿童书",
    ],
)
def test_praise_is_no_order(query, catalogue):
    assert keys(query, catalogue) == []

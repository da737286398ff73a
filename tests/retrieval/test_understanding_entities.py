from __future__ import annotations

import pytest

from shopkeeper.records import Item
from shopkeeper.retrieval.understanding.categories import CategoryCounts
from shopkeeper.retrieval.understanding.entities import Gazetteer


def item(number, title, brand="", category=(), **attributes):
    return Item(id=str(number), title=title, brand=brand, category=category, attributes=attributes)


def gazetteer(items):
    made = Gazetteer(CategoryCounts())
    for each in items:
        made.put(each)
    return made


def values(made, query, likely=()):
    return {
        (each.preference.field, each.preference.value): each.preference.certainty for each in made.read(query, likely)
    }


ELECTRONICS = [item(n, f"Apple iPhone {n}", "Apple", ("Phones",)) for n in range(20)]
GROCERY = [item(100 + n, f"Fresh apple bag {n}", "Farm", ("Fruit",)) for n in range(20)]
CIDER = item(200, "Cider", "Apple", ("Drinks",))


def test_a_brand_is_as_sure_as_the_items_that_hold_its_name():
    assert values(gazetteer(ELECTRONICS), "apple phone")["brand", "Apple"] > 0.9
    assert ("brand", "Apple") not in values(gazetteer([*GROCERY, CIDER]), "apple bag")


def test_orange_is_a_colour_of_shirts_and_not_of_juice():
    shirts = [item(n, f"Shirt {n}", category=("Clothes",), colour="orange" if n % 2 else "blue") for n in range(20)]
    juices = [item(50 + n, f"Orange juice {n}", category=("Drinks",)) for n in range(12)]
    made = gazetteer([*shirts, *juices])
    assert values(made, "orange shirt", [(("Clothes",), 0.95)])["colour", "orange"] > 0.8
    assert ("colour", "orange") not in values(made, "orange juice", [(("Drinks",), 0.95)])
    assert ("colour", "orange") not in values(gazetteer(shirts), "orange juice")


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("red mug", ("colour", "red")),
        ("红色 杯子", ("colour", "red")),
        ("black mug", ("颜色", "黑色")),
        ("黑色杯子", ("颜色", "黑色")),
        ("stainless steel mug", ("material", "stainless steel")),
        ("耐克跑鞋", ("brand", "耐克（Nike）")),
        ("nike 跑鞋", ("brand", "耐克（Nike）")),
        ("coca cola", ("brand", "Coca-Cola")),
        ("cocacola", ("brand", "Coca-Cola")),
        ("running shoes", ("category", "Sports > Shoes")),
    ],
)
def test_values_are_found_in_both_languages(query, value):
    made = gazetteer(
        [
            item(1, "mug", colour="red", material="stainless steel"),
            item(2, "杯子", 颜色="黑色"),
            item(3, "跑鞋", "耐克（Nike）", ("Sports", "Shoes")),
            item(4, "drink", "Coca-Cola"),
        ]
    )
    assert value in values(made, query)


def test_the_longest_name_wins():
    made = gazetteer([item(1, "Lamp", "Light"), item(2, "Lamp", "Light House")])
    assert list(values(made, "light house lamp")) == [("brand", "Light House")]


def test_numbers_flags_and_open_vocabularies_name_nothing():
    items = [item(n, "cable", length="10", wireless="yes", model=f"model {n}") for n in range(60)]
    made = gazetteer(items)
    assert values(made, "10 yes cable model 7") == {}
    assert not made.knows("model 7")


def test_what_was_put_and_dropped_leaves_no_trace():
    made = gazetteer(ELECTRONICS)
    before = values(made, "apple cider")
    made.put(CIDER)
    assert values(made, "apple cider") != before or made.brand("apple")[1] >= {"200"}
    made.drop(CIDER)
    assert values(made, "apple cider") == before
    for each in ELECTRONICS:
        made.drop(each)
    assert values(made, "apple cider") == {}
    assert made.brand("apple") is None


def test_sizes_are_found_under_the_name_the_catalogue_has():
    made = gazetteer([item(1, "鞋", 尺码="42"), item(2, "shoe", size="9")])
    assert [(each.field, each.value) for each in made.size("42")] == [("尺码", "42")]
    assert [(each.field, each.value) for each in made.size("9")] == [("size", "9")]
    assert made.size("77")[0].field == "size"


def test_the_catalogue_says_what_is_a_name():
    made = gazetteer([item(1, "no show socks"), *(item(n, "socks show colours") for n in range(2, 4))])
    assert made.calls("no", "show")
    assert not made.calls("without", "show")
    assert not gazetteer([item(1, "no sugar"), *(item(n, "sugar") for n in range(2, 20))]).calls("no", "sugar")

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toyshop import toy_items

from shopkeeper.records import Filters, Request
from shopkeeper.retrieval.lexical import LexicalIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.nouns import Chip, Understood
from shopkeeper.tasks.search.relaxing import relaxed

SHELF = Shelf(toy_items())
INDEX = LexicalIndex()
INDEX.upsert(np.arange(len(SHELF)), [SHELF.item(row) for row in range(len(SHELF))])


class Counting:
    """Counts items that hold all words, and remembers what it was asked."""

    def __init__(self, excluded=()):
        self.asked = []
        self.excluded = dict(excluded)

    def __call__(self, request):
        self.asked.append(request)
        mask = SHELF.allowed(request.filters)
        for word in request.query.split():
            rows, _ = INDEX.search(word, 100)
            held = np.zeros(len(SHELF), dtype=bool)
            held[rows] = True
            mask = mask & held
        for key, row in self.excluded.items():
            if key not in request.ignore:
                mask[row] = False
        return int(mask.sum())


def test_the_price_that_is_too_low_is_named_first():
    rake = SHELF.item(SHELF.row("garden-00"))
    request = Request(query="steel rake", filters=Filters(price_max=rake.price / 2, brands=(rake.brand,)), offset=20)
    count = Counting()
    found = relaxed(request, count)
    assert [(way.kind, way.count) for way in found] == [("price", 1)]
    assert found[0].request.filters == Filters(brands=(rake.brand,))
    assert found[0].request.query == "steel rake"
    assert found[0].request.offset == 0
    assert found[0].text == {"en": "Without the price limit: 1 item", "zh": "去掉价格限制：1 件商品"}


def test_what_brings_most_comes_first_and_only_one_thing_goes_at_a_time():
    request = Request(filters=Filters(brands=("绿野",), categories=(("Kitchen",),), attributes={"colour": ("green",)}))
    found = relaxed(request, Counting())
    assert [way.kind for way in found] == ["brand", "category"]
    assert found[0].count >= found[1].count > 0
    assert found[0].request.filters == Filters(categories=(("Kitchen",),), attributes={"colour": ("green",)})
    assert found[0].dropped == "绿野"
    assert found[0].text["zh"].startswith("去掉品牌“绿野”：")
    assert found[1].text["en"].startswith("Without the category “Kitchen”: ")


def test_attributes_go_by_name():
    request = Request(filters=Filters(attributes={"colour": ("nowhere", "无色"), "size": ("0",)}))
    count = Counting()
    assert [way.kind for way in relaxed(request, count)] == ["all"]
    assert [dict(asked.filters.attributes) for asked in count.asked] == [
        {"size": ("0",)},
        {"colour": ("nowhere", "无色")},
        {},
    ]


@pytest.mark.parametrize(
    ("query", "left", "dropped"),
    [("rake zzyzx", "rake", "zzyzx"), ("zzyzx steel  rake", "steel  rake", "zzyzx"), ("rake, zzyzx", "rake", "zzyzx")],
)
def test_a_word_that_no_item_has_goes_first(query, left, dropped):
    found = relaxed(Request(query=query), Counting(), weigh=INDEX.bound)
    assert (found[0].kind, found[0].dropped, found[0].request.query) == ("word", dropped, left)
    assert found[0].text["en"] == f"Without the word “{dropped}”: {found[0].count} item"


def test_chinese_words_go_one_by_one():
    def count(request):
        asked.append(request.query)
        return 3 if request.query == "蓝牙耳机" else 0

    asked = []
    found = relaxed(Request(query="黑色蓝牙耳机"), count, weigh={"黑色": 1.0, "蓝牙": 2.0, "耳机": 3.0}.__getitem__)
    assert asked == ["蓝牙耳机", "黑色耳机", "黑色蓝牙"]
    assert [(way.dropped, way.text["zh"]) for way in found] == [("黑色", "去掉“黑色”一词：3 件商品")]


def test_what_was_read_out_of_the_query_is_given_up_with_its_words():
    understood = Understood(
        typed="steel rake under 5 not steel",
        words="steel rake",
        exclude=("steel",),
        filters=Filters(price_max=5.0),
        chips=(
            Chip(key="not:steel", kind="exclude", words="not steel", text={"en": "Without steel", "zh": "不要steel"}),
            Chip(key="price", kind="price", words="under 5", text={"en": "Up to 5", "zh": "5以下"}),
            Chip(key="brand:x", kind="brand", words="x", text={"en": "x", "zh": "x"}),
        ),
    )
    asked = []

    def count(request):
        asked.append(request)
        return {"steel rake under 5": 2, "steel rake not steel": 4}.get(request.query, 0)

    request = Request(query=understood.typed)
    found = relaxed(request, count, understood=understood)
    assert [(way.kind, way.request.query, way.count) for way in found] == [
        ("price", "steel rake not steel", 4),
        ("exclude", "steel rake under 5", 2),
    ]
    assert found[0].text == {"en": "Without “Up to 5”: 4 items", "zh": "去掉“5以下”：4 件商品"}
    assert [one.query for one in asked[2:]] == ["steel under 5 not steel", "rake under 5 not steel"]
    scattered = replace(understood, typed="steel rake under 5", chips=(replace(understood.chips[1], words="up to 5"),))
    (way,) = list(relaxed(Request(query="steel rake 5"), lambda r: 9 if r.ignore else 0, understood=scattered))
    assert way.request.ignore == ("price",)
    taken = Request(query=understood.typed, ignore=("price", "not:steel"))
    assert not any(way.kind in ("price", "exclude") for way in relaxed(taken, count, understood=understood))


def test_all_constraints_go_together_when_none_alone_helps():
    request = Request(filters=Filters(brands=("gone",), categories=(("Nowhere",),), price_max=0.0))
    count = Counting()
    found = relaxed(request, count)
    assert [(way.kind, way.request.filters) for way in found] == [("all", Filters())]
    assert len(count.asked) == 4
    assert found[0].text["zh"].startswith("去掉所有限制：")


def test_only_what_brings_more_than_was_found_is_told():
    request = Request(query="garden", filters=Filters(price_max=1e9, brands=("绿野",)))
    mine = Counting()(request)
    assert [way.kind for way in relaxed(request, Counting(), found=mine)] == ["brand"]
    assert relaxed(Request(query="rake"), Counting(), found=1) == ()
    assert relaxed(Request(), Counting()) == ()


WORDS = st.sampled_from(["rake", "steel", "番茄种子", "zzyzx", "陶土花盆", "pan", "-", "10 l", "under 5"])
CHOICES = st.builds(
    Filters,
    brands=st.sampled_from([(), ("绿野",), ("gone",)]),
    categories=st.sampled_from([(), (("Garden",),), (("Nowhere",),)]),
    price_max=st.sampled_from([None, 0.0, 20.0]),
    attributes=st.sampled_from([{}, {"colour": ("red",)}, {"colour": ("red",), "a": ("b",), "c": ("d",), "e": ("f",)}]),
)


@given(st.lists(WORDS, max_size=6).map(" ".join), CHOICES)
@settings(max_examples=60, deadline=None)
def test_six_searches_at_most_the_same_again_and_every_count_is_true(query, filters):
    request, count, again = Request(query=query, filters=filters), Counting(), Counting()
    found = relaxed(request, count, weigh=INDEX.bound)
    assert len(count.asked) <= 6
    assert found == relaxed(request, again, weigh=INDEX.bound)
    assert count.asked == again.asked
    assert [way.count for way in found] == sorted((way.count for way in found), reverse=True)
    for way in found:
        assert way.count == Counting()(way.request) > 0
        assert way.request != request
        assert set(way.text) == {"en", "zh"}
        assert way.request.filters.sellable == filters.sellable
        if query.strip(" -"):
            assert way.request.query


def test_words_that_are_no_words_stay():
    assert relaxed(Request(query="— , 。"), lambda request: 5) == ()

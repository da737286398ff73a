from __future__ import annotations

import doctest
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hash_encoder import HashEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from toyshop import toy_items

from shopkeeper.records import Filters, Item
from shopkeeper.retrieval.hybrid import HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.tasks.search import facets as module
from shopkeeper.tasks.search.columns import AttributeColumns
from shopkeeper.tasks.search.facets import FacetCounter, price_histogram
from shopkeeper.tasks.search.variants import Groups

NONE = Filters()
BRANDS, COLOURS, PATHS = ("Acme", "绿野", ""), ("red", "红色", ""), ((), ("Home",), ("Home", "Pans"), ("Homeware",))


def shirt(n, brand, colour, price, group=""):
    attributes = {"colour": colour, "size": str(n % 2)}
    return Item(
        id=str(n), title="shirt", brand=brand, price=price, group=group, category=("Clothes",), attributes=attributes
    )


SHIRTS = [
    shirt(0, "Acme", "red", 10.0, "a"),
    shirt(1, "Acme", "blue", 10.0, "a"),
    shirt(2, "Acme", "red", 90.0),
    shirt(3, "绿野", "red", 20.0, "b"),
    shirt(4, "绿野", "blue", 20.0, "b"),
    shirt(5, "绿野", "blue", 80.0, "b"),
    shirt(6, "Hearth", "green", 30.0),
]


def counted(items, filters, **options):
    stars = options.pop("stars", None)
    counter = FacetCounter(Shelf(items), **options)
    return counter.count(np.arange(len(items)), filters, stars=stars)


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(module).failed == 0


def test_a_field_ignores_its_own_choice_and_keeps_all_others():
    found = counted(SHIRTS, Filters(brands=("Acme",), attributes={"colour": ("red",)}))
    assert found.passing.tolist() == [0, 2]
    assert found.total == 2
    assert found.counts["brand"] == {"Acme": 2, "绿野": 1}
    assert found.counts["colour"] == {"red": 2, "blue": 1}
    assert found.counts["category"] == {"Clothes": 2}
    assert sum(found.counts["price"].values()) == 2


def test_several_values_of_a_field_are_alternatives_and_prices_ignore_the_price():
    found = counted(SHIRTS, Filters(brands=("Acme", "绿野"), price_max=25.0))
    assert found.passing.tolist() == [0, 1, 3, 4]
    assert found.counts["brand"] == {"Acme": 2, "绿野": 2}
    assert sum(found.counts["price"].values()) == 6
    assert sum(count for *_, count in found.prices) == 6
    assert found.counts["colour"] == {"red": 2, "blue": 2}


def test_products_are_counted_once_a_value():
    items = SHIRTS
    found = counted(items, NONE, groups=Groups(items))
    assert found.total == 4
    assert found.counts["brand"] == {"Acme": 2, "绿野": 1, "Hearth": 1}
    assert found.counts["colour"] == {"red": 3, "blue": 2, "green": 1}
    assert len(found.passing) == 7


def test_a_chosen_value_that_leaves_nothing_still_shows_the_others():
    found = counted(SHIRTS, Filters(brands=("Hearth",), attributes={"colour": ("blue",)}))
    assert found.total == 0
    assert found.counts["brand"] == {"绿野": 2, "Acme": 1}
    assert found.counts["colour"] == {"green": 1}
    assert "category" not in found.counts


def test_a_chosen_value_is_counted_however_rare_it_is():
    items = [shirt(n, f"brand {n // 3}", f"colour {n // 9}", 10.0) for n in range(300)]
    items.append(shirt(300, "rare", "极光色", 10.0))
    found = counted(items, Filters(brands=("rare", "brand 1"), attributes={"colour": ("极光色",)}))
    assert found.counts["brand"]["rare"] == 1
    assert len(found.counts["colour"]) <= 13
    assert found.counts["colour"]["极光色"] == 1


def test_stars_count_from_so_many_up_and_ignore_their_own_choice():
    ratings = np.array([4.5, 4.0, 3.9, np.nan, 1.0], dtype=np.float32)
    found = counted(SHIRTS, Filters(brands=("Acme", "绿野")), ratings=ratings, stars=4.0)
    assert found.counts["rating"] == {"4": 2, "3": 3, "2": 3, "1": 4}
    assert found.passing.tolist() == [0, 1]
    assert "rating" not in counted(SHIRTS, NONE).counts


def test_a_category_holds_what_lies_below_it_and_nothing_that_only_sounds_alike():
    items = [Item(id=str(n), title="x", category=path) for n, path in enumerate(PATHS)]
    assert counted(items, Filters(categories=(("Home",),))).passing.tolist() == [1, 2]
    assert counted(items, Filters(categories=(("Home", "Pans"), ("Homeware",)))).passing.tolist() == [2, 3]
    assert counted(items, Filters(categories=(("Gone",),))).total == 0


def test_a_replaced_item_and_a_new_one_count_as_what_they_are_now():
    shelf = Shelf(SHIRTS)
    counter = FacetCounter(shelf)
    assert counter.count(np.arange(7), NONE).counts["colour"] == {"red": 3, "blue": 3, "green": 1}
    for item in (replace(SHIRTS[6], attributes={"colour": "red"}), shirt(7, "Acme", "白色", 5.0)):
        counter.put(shelf.put(item))
    assert counter.count(np.arange(8), NONE).counts["colour"] == {"red": 4, "blue": 3, "白色": 1}


def test_the_toy_shop_in_both_languages():
    items = toy_items()
    shelf = Shelf(items)
    rows = np.flatnonzero(shelf.showable())
    found = FacetCounter(shelf).count(rows, Filters(brands=("绿野",), categories=(("Garden", "Tools"),)))
    assert {shelf.item(row).brand for row in found.passing.tolist()} == {"绿野"}
    assert set(found.counts["brand"]) == {"Greenleaf", "绿野"}
    assert found.counts["brand"]["绿野"] == found.total == len(found.passing)
    assert set(found.counts["category"]) >= {"Garden > Tools"}


@pytest.mark.parametrize("query", ["garden tools", "花园 工具", "steel pan 锅"])
def test_what_a_search_finds_with_and_without_the_choices_agrees(query):
    items = toy_items()
    shelf, index = Shelf(items), HybridIndex(HashEncoder(), candidates=5)
    index.upsert(np.arange(len(items)), items)
    chosen = Filters(brands=("绿野", "灶台"), price_max=60.0)
    found = index.search(query, allowed=shelf.allowed(chosen))
    wide = index.search(query, allowed=shelf.allowed(NONE))
    facets = FacetCounter(shelf).count(np.union1d(wide.rows, found.rows), chosen)
    assert facets.total == len(found) > 0
    assert facets.passing.tolist() == sorted(found.rows.tolist())
    assert facets.counts["brand"].keys() >= {shelf.item(row).brand for row in found.rows.tolist()}


ITEMS = st.builds(
    lambda brand, path, price, colour, group: Item(
        id="x", title="x", brand=brand, category=path, price=price, attributes={"colour": colour}, group=group
    ),
    st.sampled_from(BRANDS), st.sampled_from(PATHS), st.sampled_from([None, 1.0, 2.5, 40.0]), st.sampled_from(COLOURS),
    st.sampled_from(["", "g", "h"]),
)  # fmt: skip
CHOICES = st.builds(
    Filters,
    brands=st.sampled_from([(), ("Acme",), ("Acme", "绿野"), ("unknown",)]),
    categories=st.sampled_from([(), (("Home",),), (("Home", "Pans"), ("Homeware",))]),
    price_min=st.sampled_from([None, 2.0]),
    price_max=st.sampled_from([None, 2.5]),
    attributes=st.sampled_from([{}, {"colour": ("red",)}, {"colour": ("red", "红色"), "size": ("9",)}]),
)


@given(st.lists(ITEMS, max_size=25), CHOICES, st.booleans())
@settings(max_examples=150, deadline=None)
def test_counts_are_what_filtering_anew_for_every_value_would_give(drawn, chosen, grouped):
    items = [replace(item, id=str(n)) for n, item in enumerate(drawn)]
    shelf, groups = Shelf(items), Groups(items)

    def of(filters):
        rows = np.flatnonzero(shelf.allowed(filters))
        return len(set(groups.keys(rows).tolist())) if grouped else len(rows)

    found = FacetCounter(shelf, groups=groups if grouped else None).count(np.arange(len(items)), chosen)
    assert found.passing.tolist() == np.flatnonzero(shelf.allowed(chosen)).tolist()
    assert found.total == of(chosen)
    for brand in BRANDS[:2]:
        assert found.counts.get("brand", {}).get(brand, 0) == of(replace(chosen, brands=(brand,)))
    if "colour" in chosen.attributes:
        for colour in COLOURS[:2]:
            only = {**chosen.attributes, "colour": (colour,)}
            assert found.counts.get("colour", {}).get(colour, 0) == of(replace(chosen, attributes=only))
    free = np.flatnonzero(shelf.allowed(replace(chosen, price_min=None, price_max=None)))
    if found.prices and not grouped:
        assert sum(count for *_, count in found.prices) == np.count_nonzero(~np.isnan(shelf.prices[free]))


@given(st.lists(st.floats(0, 1e6, width=32), min_size=2, max_size=80))
@settings(deadline=None)
def test_a_histogram_holds_every_price_in_few_touching_bars(prices):
    known = np.array(prices, dtype=np.float32)
    bars = price_histogram(known)
    assert len(bars) <= 23
    assert all(before[1] == after[0] for before, after in pairwise(bars))
    if bars:
        assert sum(count for *_, count in bars) == len(known)
        assert bars[0][0] <= known.min() * (1 + 1e-6)
        assert bars[-1][1] >= known.max() * (1 - 1e-6)


def test_one_dear_item_does_not_squeeze_all_others_into_one_bar():
    prices = np.array([*np.linspace(5, 25, 199), 9_000])
    bars = price_histogram(prices)
    assert len([count for *_, count in bars if count]) > 15
    assert bars[-1][2] <= 4
    assert bars[-1][1] >= 9_000
    assert price_histogram(np.array([3.0, 3.0])) == ()
    assert price_histogram(np.array([np.nan, 3.0])) == ()


@pytest.mark.parametrize("grouped", [False, True])
def test_twenty_thousand_rows_with_four_choices_count_in_milliseconds(grouped):
    rng = np.random.default_rng(5)
    items = [
        Item(
            id=str(n),
            title="x",
            brand=f"brand {rng.integers(200)}",
            category=("Shop", f"part {rng.integers(20)}", f"shelf {rng.integers(40)}"),
            price=float(rng.lognormal(3, 1)),
            attributes={"colour": f"colour {rng.integers(12)}", "size": str(rng.integers(9)), "material": "wool"},
            group=f"product {n // 3}",
        )
        for n in range(20_000)
    ]
    chosen = Filters(
        brands=tuple(f"brand {n}" for n in range(50)),
        categories=tuple(("Shop", f"part {n}") for n in range(10)),
        price_max=60.0,
        attributes={"colour": tuple(f"colour {n}" for n in range(6))},
    )
    ratings = rng.uniform(1, 5, 20_000).astype(np.float32)
    counter = FacetCounter(Shelf(items), groups=Groups(items) if grouped else None, ratings=ratings)
    seconds = []
    for _ in range(15):
        began = time.thread_time()
        found = counter.count(np.arange(20_000), chosen)
        seconds.append(time.thread_time() - began)
    assert set(found.counts) == {"brand", "category", "price", "rating", "colour", "size"}
    assert min(seconds) < (0.012 if grouped else 0.006)


def test_columns_say_what_the_items_say_after_any_number_of_changes():
    rng = np.random.default_rng(3)
    shelf = Shelf([shirt(n, "Acme", "red", 1.0) for n in range(40)])
    columns = AttributeColumns(shelf.items)
    for turn in range(1_500):
        number = int(rng.integers(0, 60))
        attributes = {} if turn % 7 == 0 else {"colour": str(rng.choice(["red", "蓝", ""])), f"x{turn % 3}": "y"}
        columns.put(shelf.put(replace(shirt(number, "Acme", "red", 1.0), attributes=attributes)))
        if turn % 50 == 0:
            rows = np.arange(len(shelf))
            for name in ("colour", "x1", "gone"):
                codes, values = columns.codes(name, rows)
                assert [values.values[code] for code in codes] == [
                    shelf.item(row).attributes.get(name, "") for row in rows.tolist()
                ]

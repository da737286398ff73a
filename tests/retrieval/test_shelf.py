from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.records import Availability, Filters, Item
from shopkeeper.retrieval.shelf import Shelf

BRANDS, LANGUAGES, COLOURS = ["", "Acme", "绿野"], ["", "en", "zh"], ["red", "blue"]
PATHS = [(), ("Garden",), ("Garden", "Tools"), ("Garden", "Tools", "Rakes"), ("Kitchen",), ("Garden Tools",)]
PRICES = st.one_of(st.none(), st.sampled_from([0.0, 1.5, 9.99, 10.0, 500.0]))

items = st.builds(
    Item,
    id=st.sampled_from([f"i{n}" for n in range(8)]),
    title=st.just("x"),
    brand=st.sampled_from(BRANDS),
    category=st.sampled_from(PATHS),
    price=PRICES,
    availability=st.sampled_from(list(Availability)),
    attributes=st.dictionaries(st.sampled_from(["colour", "size"]), st.sampled_from(COLOURS), max_size=2),
    language=st.sampled_from(LANGUAGES),
    hidden=st.booleans(),
)
filters = st.builds(
    Filters,
    brands=st.lists(st.sampled_from([*BRANDS[1:], "Unknown"]), max_size=2).map(tuple),
    categories=st.lists(st.sampled_from([*PATHS[1:], ("Nowhere",)]), max_size=2).map(tuple),
    price_min=PRICES,
    price_max=PRICES,
    attributes=st.dictionaries(
        st.sampled_from(["colour", "size", "taste"]),
        st.lists(st.sampled_from([*COLOURS, "odd"]), min_size=1).map(tuple),
    ),
    languages=st.lists(st.sampled_from([*LANGUAGES[1:], "fr"]), max_size=2).map(tuple),
    sellable=st.booleans(),
    exclude=st.lists(st.sampled_from(["i0", "i3", "nobody"]), max_size=2).map(tuple),
)
changes = st.lists(st.one_of(items, st.sampled_from([f"i{n}" for n in range(9)])), max_size=25)


def passes(item, wanted):
    """What `Shelf.allowed` means, item by item."""
    return (
        not item.hidden
        and (item.availability.sellable or not wanted.sellable)
        and (not wanted.brands or item.brand in wanted.brands)
        and (not wanted.languages or item.language in wanted.languages)
        and (not wanted.categories or any(item.category[: len(path)] == path for path in wanted.categories))
        and (wanted.price_min is None or (item.price is not None and item.price >= np.float32(wanted.price_min)))
        and (wanted.price_max is None or (item.price is not None and np.float32(item.price) <= wanted.price_max + 1e-6))
        and all(item.attributes.get(name) in values for name, values in wanted.attributes.items())
        and item.id not in wanted.exclude
    )


def filled(course):
    shelf, alive = Shelf(), {}
    for change in course:
        if isinstance(change, Item):
            shelf.put(change)
            alive[change.id] = change
        else:
            shelf.remove(change)
            alive.pop(change, None)
    return shelf, alive


@given(changes, filters)
@settings(max_examples=200, deadline=None)
def test_masks_agree_with_a_plain_filter_after_any_changes(course, wanted):
    shelf, alive = filled(course)
    passing = {shelf.item(row).id for row in np.flatnonzero(shelf.allowed(wanted))}
    assert passing == {item.id for item in alive.values() if passes(item, wanted)}


@given(changes)
@settings(deadline=None)
def test_rows_stay_with_their_item_and_columns_with_their_rows(course):
    shelf, alive = filled(course)
    assert {item for item in shelf.ids if item} == set(alive)
    for name, item in alive.items():
        row = shelf.row(name)
        assert shelf.item(row) == item
        assert shelf.brands.values[shelf.brand_codes[row]] == item.brand
        assert shelf.categories.values[shelf.category_codes[row]] == " > ".join(item.category)
        assert np.isnan(shelf.prices[row]) == (item.price is None)
        assert shelf.showable()[row] == item.showable
        for colour in ("red", "blue", "green"):
            assert shelf.having("colour", colour, np.array([row])).item() == (item.attributes.get("colour") == colour)


def test_a_returning_item_takes_its_old_row_and_price_limits_hold_at_the_cent():
    item = Item(id="a", title="x", price=9.99)
    shelf = Shelf([item, Item(id="b", title="y")])
    shelf.remove("a")
    assert shelf.put(replace(item, title="z")) == 0
    assert shelf.allowed(Filters(price_min=9.99, price_max=9.99)).tolist() == [True, False]
    assert shelf.rows(["b", "nobody", "a"]).tolist() == [1, 0]

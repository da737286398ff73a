"""Interests, mutes, and what they cover."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toyshop import toy_items

from shopkeeper.errors import InputError
from shopkeeper.records import Event, EventKind
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.tasks.profile.interests import (
    MUTE,
    UNDO,
    Mutes,
    PriceLevels,
    check_key,
    covers,
    interests,
    keys_of,
    muted,
    muted_rows,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ITEMS = {item.id: item for item in toy_items()}
SHELF = Shelf(ITEMS.values())
PRICES = PriceLevels(SHELF)


def did(number: int, kind: EventKind, item: str, days: float) -> Event:
    return Event(id=f"e{number}", time=NOW - timedelta(days=days), kind=kind, customer="a", item=item)


def mute(number: int, key: str, *, undo: bool = False, customer: str = "a") -> Event:
    properties = {MUTE: key} | ({UNDO: True} if undo else {})
    time = NOW + timedelta(seconds=number)
    return Event(id=f"m{number}", time=time, kind=EventKind.DISMISS, customer=customer, properties=properties)


def test_what_was_done_lately_counts_for_the_recent_share():
    events = [did(1, EventKind.PURCHASE, "garden-00", 100), did(2, EventKind.VIEW, "kitchen-00", 0)]
    found = {one.key: one for one in interests(events, ITEMS, PRICES, NOW, frozenset()) if one.kind == "category"}
    garden, kitchen = (
        next(one for key, one in found.items() if key.startswith(f"category:{name}")) for name in ("Garden", "Kitchen")
    )
    assert kitchen.recent > 0.99
    assert garden.lasting > kitchen.lasting
    assert garden.recent + kitchen.recent == pytest.approx(1.0)
    assert garden.lasting + kitchen.lasting == pytest.approx(1.0)
    assert (kitchen.evidence, kitchen.items) == (("e2",), ("kitchen-00",))


def test_what_was_sent_back_is_no_interest():
    events = [did(1, EventKind.VIEW, "garden-00", 2), did(2, EventKind.RETURN, "garden-00", 1)]
    assert interests(events, ITEMS, PRICES, NOW, frozenset()) == ()


def test_a_muted_interest_is_not_told():
    events = [did(1, EventKind.PURCHASE, "garden-00", 1), did(2, EventKind.PURCHASE, "kitchen-00", 1)]
    keys = {one.key for one in interests(events, ITEMS, PRICES, NOW, frozenset({"category:Garden"}))}
    assert not any(key.startswith("category:Garden") for key in keys)
    assert any(key.startswith("category:Kitchen") for key in keys)


def test_the_last_word_counts():
    assert muted([mute(1, "brand:x")]) == {"brand:x"}
    assert muted([mute(1, "brand:x"), mute(2, "brand:x", undo=True)]) == frozenset()
    assert muted([mute(1, "brand:x"), mute(2, "brand:x", undo=True), mute(3, "brand:x")]) == {"brand:x"}
    assert muted([did(1, EventKind.DISMISS, "garden-00", 0)]) == frozenset()


def test_mutes_of_customers_and_sessions_posted_in_any_order_and_twice():
    mutes = Mutes()
    first, second = mute(1, "brand:x"), mute(2, "brand:x", undo=True)
    mutes.note([second, first, mute(3, "brand:y", customer="b")])
    mutes.note([first])
    assert mutes.of("a") == frozenset()
    assert mutes.of("b") == {"brand:y"}
    mutes.note([replace(mute(4, "brand:z"), customer="", session="s")])
    assert mutes.of("", "s") == {"brand:z"}
    mutes.forget("b")
    assert mutes.of("b") == frozenset()


@given(st.sampled_from(sorted(ITEMS)))
def test_every_key_of_an_item_covers_it(name: str):
    item = ITEMS[name]
    row = SHELF.row(name)
    for key, kind, _ in keys_of(item, PRICES):
        assert check_key(key) == key
        rows = muted_rows([key], SHELF, PRICES)
        assert (row in rows) == (not item.hidden) or kind == "price"
    department = f"category:{item.category[0]}"
    assert all(SHELF.item(int(one)).category[0] == item.category[0] for one in muted_rows([department], SHELF))


def test_unknown_names_and_tags_cover_nothing():
    assert not len(muted_rows(["brand:nobody", "category:Nowhere", "attribute:x=y", "tag:evenings"], SHELF, PRICES))


def test_a_colour_is_one_in_both_languages():
    red = replace(ITEMS["garden-00"], attributes={"颜色": "红色"})
    assert ("attribute:colour=red", "attribute", "colour: red") in keys_of(red, PRICES)
    shelf = Shelf(
        [
            red,
            replace(ITEMS["garden-01"], attributes={"colour": "Red"}),
            replace(ITEMS["garden-02"], attributes={"colour": "blue"}),
        ]
    )
    assert muted_rows(["attribute:colour=red"], shelf).tolist() == [0, 1]


def test_price_levels_stand_within_their_category():
    shelf = Shelf([replace(ITEMS["garden-00"], id=str(n), price=float(n)) for n in range(10)])
    levels = PriceLevels(shelf)
    assert [levels.level(shelf.item(row)) for row in (0, 5, 9)] == ["low", "middle", "high"]
    assert levels.level(replace(shelf.item(0), price=None)) == ""
    assert levels.level(replace(shelf.item(0), currency="XXX")) == ""


@pytest.mark.parametrize("key", ["", "Bosch", "brand:", "colour:red", "brand:" + "x" * 500])
def test_bad_keys(key: str):
    with pytest.raises(InputError, match="is no interest"):
        check_key(key)


def test_covering_goes_down_not_up():
    assert covers("category:A", "category:A > B")
    assert not covers("category:A > B", "category:A")
    assert not covers("category:A", "category:AB")

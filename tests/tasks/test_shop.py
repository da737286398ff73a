"""The open shop on the toy store: what is written is served at once, on every path."""

from dataclasses import replace
from datetime import timedelta

import pytest
from toyshop import toy_events, toy_items, toy_store

from shopkeeper.records import Availability, Event, EventKind, Item, Request, now
from shopkeeper.settings import load
from shopkeeper.tasks.shop import Shop


@pytest.fixture
def shop(tmp_path):
    settings = load(tmp_path, environ={}, overrides={"models.encoder": "use-multilingual"})
    opened = Shop(settings, toy_store(tmp_path))
    yield opened
    opened.close()


def found(answer):
    return [hit.item for hit in answer.hits]


def every_path(shop, item):
    """Ids shown by search, browsing, recommendation and similar items, as deep as they go."""
    other = next(one.id for one in toy_items() if one.id != item.id)
    return {
        *found(shop.search(Request(query=item.title, limit=200))),
        *found(shop.search(Request(limit=200))),
        *found(shop.recommend(Request(session="fresh", limit=200))),
        *found(shop.recommend(Request(items=(other,), limit=200))),
        *found(shop.similar(Request(items=(other,), limit=200))),
    }


def test_a_new_item_is_found_at_once_and_a_removed_one_is_gone(shop):
    gauntlet = Item(id="gauntlet", title="Zirconium gauntlet for dragons", language="en")
    assert shop.put([gauntlet]).added == 1
    assert found(shop.search(Request(query="zirconium gauntlet")))[0] == "gauntlet"
    assert "gauntlet" in every_path(shop, gauntlet)
    shop.remove(["gauntlet"])
    assert "gauntlet" not in every_path(shop, gauntlet)


def test_another_process_changes_the_catalogue_and_refresh_takes_it_up(shop):
    shop.store.catalogue.put([Item(id="late", title="Periscope for snails", language="en")])
    assert shop.refresh() == 1
    assert found(shop.search(Request(query="periscope")))[0] == "late"
    assert shop.refresh() == 0


@pytest.mark.parametrize("change", [{"hidden": True}, {"availability": Availability.OUT_OF_STOCK}])
def test_hidden_and_sold_out_items_are_shown_on_no_path(shop, change):
    item = toy_items()[3]
    assert item.id in every_path(shop, item)
    shop.put([replace(item, **change)])
    assert item.id not in every_path(shop, item)


def test_the_next_request_sees_the_event_just_posted(shop):
    garden = [item.id for item in toy_items() if item.id.startswith("garden")]
    before = found(shop.recommend(Request(session="s-new", limit=8)))
    clicked = [
        Event(id=f"n{place}", time=now(), kind=EventKind.CLICK, session="s-new", item=item)
        for place, item in enumerate(garden[:2])
    ]
    assert shop.record(clicked) == 2
    after = found(shop.recommend(Request(session="s-new", limit=8)))
    assert after != before
    assert sum(item in garden for item in after) >= 6


def test_what_was_bought_is_not_recommended_again(shop):
    item = found(shop.recommend(Request(customer="c-new", limit=5)))[0]
    shop.record([Event(id="buy", time=now(), kind=EventKind.PURCHASE, customer="c-new", item=item)])
    assert item not in found(shop.recommend(Request(customer="c-new", limit=200)))


def test_impressions_alone_do_not_make_the_shop_count_anew(shop):
    behaviour = shop._floor.recommend.behaviour
    shown = [
        Event(id=f"i{n}", time=now() - timedelta(seconds=n), kind=EventKind.SEARCH, session="s", query="x")
        for n in range(400)
    ]
    shop.record(shown)
    shop.refresh()
    assert shop._floor.recommend.behaviour is behaviour
    views = [replace(event, id=f"v{n}") for n, event in enumerate(toy_events(2)) if event.item][:400]
    shop.record(views)
    shop.refresh()
    assert shop._floor.recommend.behaviour is not behaviour


def test_an_erased_customer_is_forgotten(shop):
    shop.record([Event(id="e1", time=now(), kind=EventKind.CLICK, customer="gone", item=toy_items()[0].id)])
    assert shop.erase("gone") > 0
    assert shop.store.events.of_customer("gone") == []


def test_reload_serves_the_same_items(shop):
    first = found(shop.search(Request(query=toy_items()[0].title)))
    shop.reload()
    assert found(shop.search(Request(query=toy_items()[0].title))) == first
    assert shop.ready


def test_what_a_customer_muted_is_recommended_no_more_until_they_take_it_back(shop):
    def say(number, **more):
        properties = {"interest": "category:Garden", **more}
        shop.record(
            [Event(id=f"mute{number}", time=now(), kind=EventKind.DISMISS, customer="c02", properties=properties)]
        )

    def garden(customer):
        answer = shop.recommend(Request(customer=customer, limit=20))
        return [hit.item for hit in answer.hits if hit.item.startswith("garden")]

    assert garden("c02")
    say(1)
    assert not garden("c02")
    assert garden("c04")
    shop.reload()
    assert not garden("c02")
    say(2, undo=True)
    assert garden("c02")

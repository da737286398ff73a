"""Searches while somebody writes: items come, change and go, rules change, the index is built anew; nothing shows that."""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from toyshop import toy_events, toy_footwear, toy_items, toy_store

from shopkeeper.errors import InputError
from shopkeeper.records import Availability, Event, EventKind, Filters, Item, Request, now
from shopkeeper.settings import load
from shopkeeper.store.merchandising import Pin, Rule, Then, When
from shopkeeper.tasks.search.paging import StaleCursorError
from shopkeeper.tasks.search.task import SORTS
from shopkeeper.tasks.shop import Shop

QUERIES = (
    "", "garden", "boots not leather", "跑鞋", "shoes under 60", "厨房", "running sheos", "lantern 3", "yuanyi", "hidden lantern",
)  # fmt: skip
FILTERS = (
    Filters(),
    Filters(brands=("Lights", "Fleet")),
    Filters(categories=(("Shoes",), ("Lamps",)), price_max=70.0),
    Filters(attributes={"colour": ("red", "new 3")}, exclude=("garden-00", "lamp-3")),
)
SECONDS = 6.0


@pytest.fixture
def shop(request, tmp_path) -> Iterator[Shop]:
    exact_below = getattr(request, "param", 50_000)
    overrides = {"models.encoder": "use-multilingual", "search.exact_below": exact_below}
    store = toy_store(tmp_path)
    store.catalogue.put(toy_footwear())
    opened = Shop(load(tmp_path, environ={}, overrides=overrides), store)
    yield opened
    opened.close()


def lamp(number: int, **changes: object) -> Item:
    """An item under way; its words, attributes and brand are new to the shop when it comes."""
    return replace(
        Item(
            id=f"lamp-{number}",
            title=f"Lantern{number} of unheardof{number}",
            description=f"word{number}a word{number}b. Without leather. 灯笼{number}",
            brand=f"Lights {number % 7}" if number % 3 else "Lights",
            category=("Lamps", f"Kind {number % 11}"),
            price=10.0 + number % 50,
            currency="EUR",
            attributes={"colour": f"new {number % 13}", f"name {number % 5}": "x"},
            group=f"lamps-{number % 17}" if number % 2 else "",
            created=now(),
        ),
        **changes,
    )


def sound(answer, request: Request) -> None:
    """What holds for every answer, whatever happens beside it."""
    ids = [hit.item for hit in answer.hits]
    shown = [*ids, *(other for others in answer.variants.values() for other in others)]
    assert len(shown) == len(set(shown))
    assert len(ids) <= max(0, min(request.limit, answer.total - answer.request.offset))
    assert not any(item.startswith("hidden") for item in shown)
    assert not set(request.filters.exclude) & set(shown)
    assert all(count > 0 for values in answer.facets.values() for count in values.values())


def while_asking(shop: Shop, write: Callable[[random.Random], None], readers: int = 3) -> int:
    """Let threads search, page and complete while one writes; how many searches were answered."""
    stop, faults, counts = threading.Event(), [], [0] * readers

    def ask(number: int) -> None:
        rng = random.Random(number)
        while not stop.is_set():
            request = Request(
                query=rng.choice(QUERIES),
                filters=rng.choice(FILTERS),
                sort=rng.choice(SORTS),
                limit=rng.choice((3, 24)),
                customer=rng.choice(("", "c00", "c01")),
                explain=rng.random() < 0.3,
            )
            try:
                answer = shop.search(request)
                sound(answer, request)
                if answer.cursor:
                    with suppress(StaleCursorError):
                        sound(shop.search(request, answer.cursor), request)
                shop.suggest(request.query[:3], customer=request.customer)
                if rng.random() < 0.2:
                    searched = Event(
                        id=f"{number}-{counts[number]}", time=now(), kind=EventKind.SEARCH, session="s", query="lantern"
                    )
                    shop.record([searched])
                counts[number] += 1
            except BaseException as error:
                faults.append(error)
                raise

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # let threads come between more often than they would
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(readers)]
    for thread in threads:
        thread.start()
    rng, until = random.Random(7), time.monotonic() + SECONDS
    try:
        while time.monotonic() < until and not faults:
            write(rng)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    if faults:
        raise faults[0]
    return sum(counts)


@pytest.mark.slow
@pytest.mark.parametrize("shop", [50_000, 0], ids=["exact", "graph"], indirect=True)
def test_items_come_change_and_go(shop: Shop):
    written = iter(range(1_000_000))

    def write(rng: random.Random) -> None:
        number = next(written)
        shop.put([lamp(number + 1_000 * part) for part in range(8)])
        if number > 2:
            old = rng.randrange(number)
            shop.put([lamp(old, price=5.0, brand="Another", attributes={"colour": "red"})])
            shop.remove([f"lamp-{1_000 + old}"])
            shop.put([replace(toy_items()[0], availability=rng.choice(list(Availability)))])

    assert while_asking(shop, write) > 20


@pytest.mark.slow
@pytest.mark.parametrize("shop", [50_000, 0], ids=["exact", "graph"], indirect=True)
def test_what_is_hidden_is_never_shown_not_even_pinned(shop: Shop):
    """An item called ``hidden-*`` is hidden all along or sold out; whatever the rules pin, it stays so."""
    shop.put([lamp(n, id=f"hidden-{n}", title="Hidden lantern", hidden=True) for n in range(5)])
    shop.put(
        [lamp(n, id=f"hidden-{n}", title="Hidden lantern", availability=Availability.OUT_OF_STOCK) for n in range(5, 9)]
    )
    numbers = iter(range(1_000_000))

    def write(rng: random.Random) -> None:
        number = next(numbers)
        pins = tuple(Pin(item=f"hidden-{n}", position=1 + n) for n in range(9))
        then = rng.choice(
            [Then(pins=pins), Then(hide=("garden-00",), pins=pins), Then(filters=Filters(brands=("Lights",)))]
        )
        when = rng.choice([When(contains=("lantern", "garden")), When(languages=("en",))])
        shop.store.rules.put([Rule(id=f"r{number % 3}", name="r", when=when, then=then)], "test")
        shop.put([lamp(n, id=f"hidden-{n}", title=f"Hidden lantern {number}", hidden=True) for n in range(5)])
        if number % 5 == 0:
            shop.store.rules.remove([f"r{n}" for n in range(3)], "test")
            shop.refresh()

    assert while_asking(shop, write) > 20


@pytest.mark.slow
@pytest.mark.parametrize("shop", [50_000, 0], ids=["exact", "graph"], indirect=True)
def test_everything_is_built_anew(shop: Shop):
    extra = iter(toy_events(3))

    def write(rng: random.Random) -> None:
        shop.put([lamp(rng.randrange(100))])
        shop.record([next(extra) for _ in range(100)])
        shop.refresh()
        shop.reload()

    assert while_asking(shop, write) > 20


def test_when_a_write_returns_the_next_search_knows_it_and_old_cursors_are_gone(shop: Shop):
    asked = Request(query="garden", limit=2)
    cursor = shop.search(asked).cursor
    second = [hit.item for hit in shop.search(asked, cursor).hits]
    shop.put([replace(item, hidden=True) for item in toy_items() if item.id in second])
    with pytest.raises(StaleCursorError):
        shop.search(asked, cursor)
    everywhere = [hit.item for hit in shop.search(replace(asked, limit=200)).hits]
    assert not set(second) & set(everywhere)
    with pytest.raises(InputError):
        shop.search(replace(asked, query="kitchen"), cursor)


def test_an_item_hidden_after_its_ranking_was_kept_is_not_on_the_next_page(shop: Shop):
    """A page behind the first comes from the ranking that was kept; the shelf has the last word about what may be shown."""
    asked = Request(query="garden", limit=2)
    shop.search(asked)
    page = [hit.item for hit in shop.search(replace(asked, offset=2)).hits]
    gone = next(item for item in toy_items() if item.id == page[0])
    shop.shelf.put(replace(gone, hidden=True))  # as it is while a writer is at work: the version is still the old one
    assert [hit.item for hit in shop.search(replace(asked, offset=2)).hits] == page[1:]


def test_rules_change_what_is_counted_as_well(shop: Shop):
    asked = Request(query="running shoes", limit=50)
    before = shop.search(asked)
    hide = Then(hide=tuple(item.id for item in toy_footwear() if item.brand == "Fleet"))
    shop.store.rules.put([Rule(id="r", name="r", when=When(contains=("running",)), then=hide)], "test")
    shop.refresh()
    after = shop.search(asked)
    assert "Fleet" in before.facets["brand"]
    assert "Fleet" not in after.facets.get("brand", {})
    assert after.total < before.total
    chosen = shop.search(replace(asked, filters=Filters(brands=("鞋匠",))))
    assert "Fleet" not in chosen.facets.get("brand", {})


def test_a_stronger_pin_stands_against_a_weaker_filter(shop: Shop):
    pin = Rule(
        id="a",
        name="a",
        when=When(contains=("garden",)),
        then=Then(pins=(Pin(item="kitchen-00", position=1),)),
        priority=9,
    )
    only = Rule(id="b", name="b", when=When(contains=("garden",)), then=Then(filters=Filters(brands=("Greenleaf",))))
    shop.store.rules.put([pin, only], "test")
    shop.refresh()
    answer = shop.search(Request(query="garden", limit=50))
    assert answer.hits[0].item == "kitchen-00"
    assert {shop.shelf.item(shop.shelf.row(hit.item)).brand for hit in answer.hits[1:]} == {"Greenleaf"}
    assert answer.facets["brand"] == {"Greenleaf": answer.total - 1, "Hearth": 1}


def test_an_erased_customer_leaves_no_ranking_behind(shop: Shop):
    shop.record([Event(id="q", time=now(), kind=EventKind.SEARCH, customer="gone", query="private thing")])
    shop.record([Event(id="r", time=now(), kind=EventKind.SEARCH, customer="other", query="garden")])
    shop.search(Request(query="private thing", customer="gone"))
    assert [one.text for one in shop.suggest("priv", customer="gone").queries] == ["private thing"]
    assert not shop.suggest("priv", customer="other").queries  # one customer's words are nobody else's
    shop.erase("gone")
    assert not shop.suggest("priv", customer="gone").queries
    assert not len(shop._floor.search._kept)

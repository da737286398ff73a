"""Who waits for what, and that everybody is told once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toyshop import toy_items

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Availability
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.waiting import forget, held

T = datetime(2026, 3, 1, tzinfo=UTC)
SOLD_OUT = ("garden-18", "kitchen-18")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SqlStore]:
    url = f"sqlite:///{tmp_path / 'shop.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return lambda: open_store(url)


@pytest.fixture
def store(reopen: Callable[[], SqlStore]) -> Iterator[SqlStore]:
    with reopen() as opened:
        opened.catalogue.put(toy_items())
        yield opened


def arrive(store: SqlStore, item: str, availability: Availability = Availability.IN_STOCK) -> None:
    store.catalogue.put([replace(store.catalogue.get([item])[item], availability=availability)])


def told(store: SqlStore, batch: str, days: float = 0) -> list[tuple[str, str]]:
    return [(wait.customer, wait.item) for wait in store.waiting.due(batch, moment=T + timedelta(days=days))]


def test_everybody_who_waits_is_told_once_the_item_is_back(store, reopen):
    for place, customer in enumerate(["b", "a", "c"]):
        store.waiting.wait(customer, "garden-18", moment=T + timedelta(hours=place))
    store.waiting.wait("a", "kitchen-18", moment=T)
    assert told(store, "first", 1) == []
    arrive(store, "garden-18", Availability.PREORDER)
    wanted = [("b", "garden-18"), ("a", "garden-18"), ("c", "garden-18")]
    assert told(store, "second", 1) == wanted
    assert told(store, "third", 1) == []
    with reopen() as restarted:
        assert told(restarted, "second", 2) == wanted
        assert [wait.item for wait in restarted.waiting.of_customer("a", moment=T)] == ["kitchen-18"]
        assert restarted.waiting.count() == 1
        arrive(restarted, "kitchen-18")
        assert told(restarted, "second", 2) == wanted
        assert told(restarted, "fourth", 2) == [("a", "kitchen-18")]


def test_an_item_that_went_again_before_anybody_was_told(store):
    store.waiting.wait("a", "garden-18", moment=T)
    arrive(store, "garden-18")
    arrive(store, "garden-18", Availability.OUT_OF_STOCK)
    assert told(store, "x") == []
    arrive(store, "garden-18")
    assert told(store, "x") == [("a", "garden-18")]


def test_hidden_and_removed_items_are_not_announced(store):
    for item in SOLD_OUT:
        store.waiting.wait("a", item, moment=T)
    hidden = replace(store.catalogue.get(["garden-18"])["garden-18"], availability=Availability.IN_STOCK, hidden=True)
    store.catalogue.put([hidden])
    store.catalogue.remove(["kitchen-18"])
    assert told(store, "x") == []


def test_waiting_twice_is_waiting_once_and_longer(store):
    first = store.waiting.wait("a", "garden-18", days=10, moment=T)
    again = store.waiting.wait("a", "garden-18", days=10, moment=T + timedelta(days=5))
    assert (again.since, again.expires) == (first.since, T + timedelta(days=15))
    assert store.waiting.wait("a", "garden-18", days=1, moment=T).expires == again.expires
    assert store.waiting.count() == 1


def test_who_was_told_may_wait_again(store):
    store.waiting.wait("a", "garden-18", moment=T)
    arrive(store, "garden-18")
    assert told(store, "one") == [("a", "garden-18")]
    arrive(store, "garden-18", Availability.OUT_OF_STOCK)
    assert store.waiting.wait("a", "garden-18", moment=T + timedelta(days=1)).since == T + timedelta(days=1)
    assert told(store, "two", 2) == []
    arrive(store, "garden-18")
    assert told(store, "two", 2) == [("a", "garden-18")]


def test_nobody_waits_for_ever(store):
    store.waiting.wait("short", "garden-18", days=10, moment=T)
    store.waiting.wait("long", "garden-18", days=20, moment=T)
    arrive(store, "garden-18")
    assert store.waiting.of_customer("short", moment=T + timedelta(days=10)) == []
    assert told(store, "x", 10) == [("long", "garden-18")]
    assert told(store, "x", 39) == [("long", "garden-18")]  # a batch is kept beyond the end of the wait
    assert told(store, "x", 40) == []


def test_a_wait_is_taken_back(store):
    store.waiting.wait("a", "garden-18", moment=T)
    assert store.waiting.cancel("a", "garden-18")
    assert not store.waiting.cancel("a", "garden-18")
    arrive(store, "garden-18")
    assert told(store, "x") == []


def test_erasing_and_exporting_a_customer_reaches_what_they_wait_for(store):
    store.waiting.wait("amy", "garden-18")
    assert [row["item"] for row in store.export_customer("amy")["waits"]] == ["garden-18"]
    assert store.erase("amy") == 1
    assert store.export_customer("amy")["waits"] == []
    assert store.waiting.count() == 0


def test_a_customer_is_forgotten_told_or_not(store):
    for customer in "ab":
        for item in SOLD_OUT:
            store.waiting.wait(customer, item, moment=T)
    arrive(store, "garden-18")
    store.waiting.due("x", moment=T)
    with store._database.writing() as connection:
        assert [row["item"] for row in held(connection, "a")] == list(SOLD_OUT)
        assert forget(connection, "a") == 2
        assert forget(connection, "a") == 0
    assert told(store, "x") == [("b", "garden-18")]


@pytest.mark.parametrize(
    ("customer", "item", "days", "error", "said"),
    [
        ("", "garden-18", 1, InputError, "customer is empty"),
        ("a" * 201, "garden-18", 1, InputError, "201 characters"),
        ("a\x00", "garden-18", 1, InputError, "NUL"),
        ("a", "garden-18", 0, InputError, "days"),
        ("a", "garden-18", float("nan"), InputError, "days"),
        ("a", "garden-18", 1e9, InputError, "days"),
        ("a", "garden-04", 1, InputError, "can be bought now"),
        ("a", "garden-19", 1, NotFoundError, "no item"),
        ("a", "nothing", 1, NotFoundError, "no item"),
    ],
)
def test_what_is_refused(store, customer, item, days, error, said):
    with pytest.raises(error, match=said):
        store.waiting.wait(customer, item, days=days)
    assert store.waiting.count() == 0


def test_a_batch_needs_a_name(store):
    with pytest.raises(InputError, match="name is empty"):
        store.waiting.due("")


def test_batches_asked_for_at_once_share_nobody(store):
    for n in range(40):
        store.waiting.wait(f"c{n}", "garden-18", moment=T)
    arrive(store, "garden-18")
    found: list[list[tuple[str, str]]] = []
    threads = [threading.Thread(target=lambda n=n: found.append(told(store, f"b{n}"))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everybody = [pair for batch in found for pair in batch]
    assert len(everybody) == len(set(everybody)) == 40


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from("abc"), st.sampled_from(SOLD_OUT)),
        st.tuples(st.sampled_from(["arrive", "leave"]), st.just(""), st.sampled_from(SOLD_OUT)),
        st.tuples(st.just("due"), st.just(""), st.just("")),
    ),
    max_size=25,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps)
def test_against_a_set_of_pairs(store, steps):
    for item in SOLD_OUT:
        arrive(store, item)
    store.waiting.due(f"clean {id(steps)}", moment=T + timedelta(days=9_000))
    here, waiting = set(SOLD_OUT), set()
    for number, (step, customer, item) in enumerate(steps):
        if step == "wait" and item not in here:
            store.waiting.wait(customer, item, moment=T)
            waiting.add((customer, item))
        elif step == "arrive":
            arrive(store, item)
            here.add(item)
        elif step == "leave":
            arrive(store, item, Availability.OUT_OF_STOCK)
            here.discard(item)
        elif step == "due":
            due = {pair for pair in waiting if pair[1] in here}
            assert set(told(store, f"{id(steps)} {number}")) == due
            waiting -= due
    assert store.waiting.count() == len(waiting)

"""Session state: the same answer whether folded in memory or read back from the log."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toyshop import toy_events

from shopkeeper.records import Event, EventKind
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.sessions import DEEDS, MemorySessions

T = datetime(2026, 3, 1, tzinfo=UTC)


def view(id_: str, seconds: float = 0, customer: str = "", session: str = "") -> Event:
    time = T + timedelta(seconds=seconds)
    return Event(id=id_, time=time, kind=EventKind.VIEW, customer=customer, session=session)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


def post(store: SqlStore, sessions: MemorySessions, *events: Event) -> None:
    store.events.append(events)
    sessions.fold(events)


def ids(events: list[Event]) -> list[str]:
    return [event.id for event in events]


def test_the_next_request_sees_the_event_just_posted(store: SqlStore) -> None:
    sessions = MemorySessions(store.events)
    assert sessions.recent("c", "s") == []
    post(store, sessions, view("1", 1, "c", "s"))
    assert ids(sessions.recent("c", "s")) == ["1"]
    post(store, sessions, view("2", 2, "c", "s"))
    assert ids(sessions.recent("c", "s")) == ["1", "2"]


def test_customer_and_session_are_merged_once_in_order(store: SqlStore) -> None:
    sessions = MemorySessions(store.events)
    post(
        store, sessions, view("phone", 1, "c", "phone"), view("before login", 2, "", "web"), view("both", 3, "c", "web")
    )
    assert ids(sessions.recent("c", "web")) == ["phone", "before login", "both"]
    assert ids(sessions.recent("c", "")) == ["phone", "both"]
    assert ids(sessions.recent("", "web")) == ["before login", "both"]
    assert ids(sessions.recent("", "")) == []
    assert ids(sessions.recent("c", "web", limit=2)) == ["before login", "both"]
    assert ids(sessions.recent("c", "web", limit=0)) == []


def test_events_that_arrive_late_take_their_place_in_time(store: SqlStore) -> None:
    sessions = MemorySessions(store.events)
    sessions.recent("c", "")
    post(store, sessions, view("b", 2, "c"), view("a", 1, "c"), view("tie", 2, "c"))
    assert ids(sessions.recent("c", "")) == ["a", "b", "tie"]


def test_posting_twice_counts_once(store: SqlStore) -> None:
    sessions = MemorySessions(store.events)
    sessions.recent("c", "s")
    for _ in range(2):
        post(store, sessions, view("1", 1, "c", "s"))
    assert ids(sessions.recent("c", "s")) == ["1"]


def test_a_restart_rebuilds_from_the_log(store: SqlStore) -> None:
    events = toy_events()
    warm = MemorySessions(store.events)
    for event in events:
        warm.recent(event.customer, event.session, 1)
        post(store, warm, event)
    cold = MemorySessions(store.events)
    for event in events[::20]:
        found = cold.recent(event.customer, event.session, 30)
        assert found == warm.recent(event.customer, event.session, 30)
        own = [e for e in events if e.customer == event.customer and e.kind in DEEDS]
        assert found == sorted(own, key=lambda e: e.time)[-30:]


def test_memory_stays_within_its_capacity(store: SqlStore) -> None:
    events = toy_events()
    store.events.append(events)
    sessions = MemorySessions(store.events, capacity=10, depth=5)
    for event in events:
        assert len(sessions.recent(event.customer, event.session)) <= 10
    assert len(sessions) == 10


def test_depth_keeps_the_newest(store: SqlStore) -> None:
    sessions = MemorySessions(store.events, depth=3)
    sessions.recent("c", "")
    post(store, sessions, *(view(str(n), n, "c") for n in range(10)))
    assert ids(sessions.recent("c", "")) == ["7", "8", "9"]
    assert ids(MemorySessions(store.events, depth=3).recent("c", "")) == ["7", "8", "9"]


def test_an_erased_customer_is_forgotten(store: SqlStore) -> None:
    sessions = MemorySessions(store.events)
    post(store, sessions, view("0", 0, "", "s"), view("1", 1, "c", "s"), view("2", 2, "d", "t"))
    sessions.recent("c", "s")
    sessions.recent("d", "t")
    store.erase("c")
    sessions.forget("c")
    assert sessions.recent("c", "s") == []
    assert ids(sessions.recent("d", "t")) == ["2"]


def test_no_event_is_lost_between_readers_and_writers(store: SqlStore) -> None:
    sessions = MemorySessions(store.events, capacity=3)

    def write(worker: int) -> None:
        for n in range(25):
            event = view(f"{worker}-{n}", n, "c", f"s{n % 4}")
            post(store, sessions, event)
            assert event.id in ids(sessions.recent("c", event.session, 500))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sessions.recent("c", "s0", 500)) == 100


_posts = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 4), st.sampled_from(["", "c", "d"]), st.sampled_from(["", "s", "t"])),
    max_size=20,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(posts=_posts, asked=st.sets(st.integers(0, 19)))
def test_memory_and_brute_force_agree(store: SqlStore, posts: list[tuple[int, int, str, str]], asked: set[int]) -> None:
    sessions = MemorySessions(store.events, capacity=2)
    run = uuid.uuid4().hex
    c, s = f"c{run}", f"s{run}"
    log: dict[str, Event] = {}
    for step, (number, seconds, customer, session) in enumerate(posts):
        event = view(f"{run}-{number}", seconds, customer and customer + run, session and session + run)
        if event.id not in log:
            log[event.id] = event
            post(store, sessions, event)
        if step in asked:
            sessions.recent(c, s)
    wanted = sorted((e for e in log.values() if e.customer == c or e.session == s), key=lambda e: e.time)
    assert sessions.recent(c, s) == wanted

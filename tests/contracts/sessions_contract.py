"""What sessions must do, whatever holds them. Subclass and give an `opened` fixture."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toyshop import toy_events

from shopkeeper.records import Event, EventKind, Impression
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.sessions import DEEDS, Sessions

T = datetime(2026, 3, 1, tzinfo=UTC)

Opened = Callable[..., Sessions]
"""(log, depth=200, clock=...) -> sessions that share what they hold with those opened before, or start empty."""


def view(id_: str, seconds: float = 0, customer: str = "", session: str = "") -> Event:
    time = T + timedelta(seconds=seconds)
    return Event(id=id_, time=time, kind=EventKind.VIEW, customer=customer, session=session)


def post(store: SqlStore, sessions: Sessions, *events: Event) -> None:
    store.events.append(events)
    sessions.fold(events)


def ids(events: list[Event]) -> list[str]:
    return [event.id for event in events]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, moment: datetime = T) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


_posts = st.lists(
    st.tuples(
        st.integers(0, 15),
        st.sampled_from([0, 1, 2, 3, 4, 10**6, 10**9]),
        st.sampled_from(["", "c", "d"]),
        st.sampled_from(["", "s", "t"]),
    ),
    max_size=20,
)


_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]


class SessionsContract:
    """The contract."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqlStore]:
        with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
            yield opened

    def test_the_next_request_sees_the_event_just_posted(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        assert sessions.recent("c", "s") == []
        post(store, sessions, view("1", 1, "c", "s"))
        assert ids(sessions.recent("c", "s")) == ["1"]
        post(store, sessions, view("2", 2, "c", "s"))
        assert ids(sessions.recent("c", "s")) == ["1", "2"]
        assert sessions.available
        assert sessions.failures == 0

    def test_customer_and_session_are_merged_once_in_order(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        phone, before = view("phone", 1, "c", "phone"), view("before login", 2, "", "web")
        post(store, sessions, phone, before, view("both", 3, "c", "web"))
        for _ in range(2):  # read from the log, then held
            assert ids(sessions.recent("c", "web")) == ["phone", "before login", "both"]
            assert ids(sessions.recent("c", "")) == ["phone", "both"]
            assert ids(sessions.recent("", "web")) == ["before login", "both"]
            assert ids(sessions.recent("", "")) == []
            assert ids(sessions.recent("c", "web", limit=2)) == ["before login", "both"]
            assert ids(sessions.recent("c", "web", limit=0)) == []

    def test_an_event_comes_back_as_it_went(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        whole = Event(
            id="ü 茶 *[?]",
            time=T + timedelta(microseconds=1),
            kind=EventKind.PURCHASE,
            customer="c {1}",
            session="s\n2",
            item="i",
            query="绿茶 tea",
            request="r",
            value=0.1 + 0.2,
            quantity=3,
            impression=Impression(items=("a",), positions=(1,), propensities=(0.3,), model="m", surface="home"),
            properties={"text": "x y", "count": 2, "share": 0.5, "gift": True},
        )
        early = view("before 1970", -2e9, "c {1}")
        sessions.recent("c {1}", "")
        post(store, sessions, whole, early)
        for asked in (sessions.recent("c {1}", ""), sessions.recent("c {1}", "s\n2"), sessions.recent("", "s\n2")):
            assert asked in ([early, whole], [whole])
        assert opened(store.events).recent("c {1}", "") == [early, whole]

    def test_events_that_arrive_late_take_their_place_in_time(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        sessions.recent("c", "")
        post(store, sessions, view("b", 2, "c"), view("a", 1, "c"), view("tie", 2, "c"))
        assert ids(sessions.recent("c", "")) == ["a", "b", "tie"]

    def test_events_of_one_moment_stay_in_the_order_of_their_arrival(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        sessions.recent("c", "s")
        post(store, sessions, view("z", 0, "", "s"), view("y", 0, "c"), view("x", 0, "c", "s"))
        assert ids(sessions.recent("c", "s")) == ["z", "y", "x"]

    def test_posting_twice_counts_once(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        sessions.recent("c", "s")
        for _ in range(2):
            post(store, sessions, view("1", 1, "c", "s"))
        assert ids(sessions.recent("c", "s")) == ["1"]

    def test_clocks_from_the_future_count_as_now(self, store: SqlStore, opened: Opened) -> None:
        clock = Clock(T + timedelta(seconds=10))
        sessions = opened(store.events, clock=clock)
        sessions.recent("c", "")
        days = 86_400
        post(store, sessions, view("past", 5, "c"), view("far", 900 * days, "c"), view("near", 11, "c"))
        clock.moment = T + timedelta(seconds=20)
        post(
            store, sessions, view("farther", 999 * days, "c"), view("last", 20, "c"), view("tomorrow", 0.9 * days, "c")
        )
        wanted = ["past", "far", "near", "farther", "last", "tomorrow"]
        cold = opened(store.events, clock=clock)
        for asked in (sessions, cold):
            found = asked.recent("c", "")
            assert ids(found) == wanted
            assert [event.time for event in found] == sorted(event.time for event in found)
            assert found[1].time == T + timedelta(seconds=5)

    def test_only_clocks_from_the_future(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events, clock=Clock())
        sessions.recent("c", "")
        post(store, sessions, view("b", 1e9, "c"), view("a", 1e8, "c"))
        for asked in (sessions, opened(store.events, clock=Clock())):
            assert [(event.id, event.time) for event in asked.recent("c", "")] == [("b", T), ("a", T)]

    def test_a_restart_rebuilds_from_the_log(self, store: SqlStore, opened: Opened) -> None:
        events = toy_events()[:400]
        warm = opened(store.events)
        for start in range(0, len(events), 8):
            batch = events[start : start + 8]
            warm.recent(batch[0].customer, batch[0].session, 1)
            post(store, warm, *batch)
        before = {event.id: warm.recent(event.customer, event.session, 30) for event in events[::20]}
        cold = opened(store.events)
        for event in events[::20]:
            found = cold.recent(event.customer, event.session, 30)
            assert found == before[event.id]
            own = [e for e in events if e.customer == event.customer and e.kind in DEEDS]
            assert found == sorted(own, key=lambda e: e.time)[-30:]

    def test_an_end_between_log_and_fold_loses_nothing(self, store: SqlStore, opened: Opened) -> None:
        """What kill -9 leaves behind: the log has the event, whoever would have folded it is gone."""
        sessions = opened(store.events)
        sessions.recent("c", "s")
        post(store, sessions, view("1", 1, "c", "s"))
        store.events.append([view("2", 2, "c", "s")])
        assert ids(opened(store.events).recent("c", "s")) == ["1", "2"]

    def test_depth_keeps_the_newest(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events, depth=3)
        sessions.recent("c", "")
        post(store, sessions, *(view(str(n), n, "c") for n in [9, 0, 1, 2, 8, 3, 4, 5, 6, 7]))
        assert ids(sessions.recent("c", "")) == ["7", "8", "9"]
        assert ids(opened(store.events, depth=3).recent("c", "")) == ["7", "8", "9"]

    def test_a_hundred_thousand_events_of_one_customer(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        for start in range(0, 100_000, 5_000):
            post(store, sessions, *(view(str(n), n, "robot") for n in range(start, start + 5_000)))
            assert ids(sessions.recent("robot", "", 3)) == [str(start + n) for n in (4_997, 4_998, 4_999)]
        assert len(sessions.recent("robot", "", 10**6)) == 200

    def test_an_erased_customer_is_forgotten(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        post(store, sessions, view("0", 0, "", "s"), view("1", 1, "c", "s"), view("2", 2, "d", "t"))
        sessions.recent("c", "s")
        sessions.recent("d", "t")
        store.erase("c")
        sessions.forget("c")
        assert sessions.recent("c", "s") == sessions.recent("", "s") == []
        assert ids(sessions.recent("d", "t")) == ["2"]

    def test_no_event_is_lost_between_readers_and_writers(self, store: SqlStore, opened: Opened) -> None:
        sessions = opened(store.events)
        missing: list[str] = []

        def write(worker: int) -> None:
            for n in range(15):
                event = view(f"{worker}-{n}", n, "c", f"s{n % 4}")
                post(store, sessions, event)
                if event.id not in ids(sessions.recent("c", event.session, 500)):
                    missing.append(event.id)

        threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert missing == []
        assert len(sessions.recent("c", "s0", 500)) == 60

    @settings(max_examples=15, deadline=None, suppress_health_check=_CHECKS)
    @given(posts=_posts, asked=st.sets(st.integers(0, 19)))
    def test_what_is_held_and_brute_force_agree(
        self, store: SqlStore, opened: Opened, posts: list[tuple[int, int, str, str]], asked: set[int]
    ) -> None:
        run = uuid.uuid4().hex
        c, s = f"c{run}", f"s{run}"
        sessions = opened(store.events, clock=Clock(T + timedelta(seconds=4)))
        log: dict[str, Event] = {}
        for step, (number, seconds, customer, session) in enumerate(posts):
            event = view(f"{run}-{number}", seconds, customer and customer + run, session and session + run)
            if event.id not in log:
                log[event.id] = event
                post(store, sessions, event)
            if step in asked:
                sessions.recent(c, s)
        own = [e for e in log.values() if e.customer == c or e.session == s]
        found = sessions.recent(c, s)
        assert sorted(ids(found)) == sorted(ids(own))
        if all(e.time <= T + timedelta(seconds=4) for e in own):
            assert found == sorted(own, key=lambda e: e.time)
        for customer, session in ((c, ""), ("", s)):
            again = opened(store.events, clock=Clock(T + timedelta(seconds=4)))
            believed = [e for e in sessions.recent(customer, session) if e == log[e.id]]
            assert [e for e in again.recent(customer, session) if e == log[e.id]] == believed

"""Group commit: every thread gets its own answer, and close writes what waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shopkeeper.errors import InputError, StoreError
from shopkeeper.records import Event, EventKind
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.writer import GroupWriter

T = datetime(2026, 3, 1, tzinfo=UTC)


def view(id_: str, query: str = "") -> Event:
    return Event(id=id_, time=T, kind=EventKind.VIEW, query=query)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


def test_what_returns_is_in_the_log(store: SqlStore, tmp_path: Path) -> None:
    with GroupWriter(store.events) as writer, open_store(f"sqlite:///{tmp_path / 'shop.db'}") as other:

        def work(worker: int) -> None:
            for n in range(10):
                assert writer.append([view(f"{worker}-{n}"), view(f"{worker}-{n}-b")]) == 2
                assert {f"{worker}-{n}", f"{worker}-{n}-b"} <= {event.id for _, event in other.events.scan()}

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    assert store.events.count() == 160


def test_new_events_are_counted_for_each_caller(store: SqlStore) -> None:
    with GroupWriter(store.events) as writer:
        assert writer.append([view("a"), view("b")]) == 2
        assert writer.append([view("b"), view("c")]) == 1
        assert writer.append([]) == 0


def test_one_bad_batch_does_not_hurt_its_neighbours(store: SqlStore) -> None:
    gate = threading.Event()

    class Slow:
        """The real log, held back once so that a group gathers behind the first commit."""

        def append_all(self, batches):
            gate.wait(5)
            return store.events.append_all(batches)

    with GroupWriter(Slow()) as writer, ThreadPoolExecutor(6) as pool:  # type: ignore[arg-type]
        waiting = [pool.submit(writer.append, [view(f"{n}", "\x00" if n == 3 else "")]) for n in range(6)]
        gate.set()
        for n, future in enumerate(waiting):
            if n == 3:
                with pytest.raises(InputError, match="NUL"):
                    future.result()
            else:
                assert future.result() == 1
    assert store.events.count() == 5


def test_close_writes_what_waits_and_then_refuses(store: SqlStore) -> None:
    writer = GroupWriter(store.events, limit=3)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(writer.append, [view(f"{n}"), view(f"{n}b")]) for n in range(20)]
        assert sum(future.result() for future in waiting[:1]) == 2
        writer.close()
        failures = [future.exception() for future in waiting]
        kept = sum(future.result() for future, failure in zip(waiting, failures, strict=True) if failure is None)
    assert all(isinstance(failure, StoreError) for failure in failures if failure is not None)
    assert store.events.count() == kept
    writer.close()
    with pytest.raises(StoreError, match="closed"):
        writer.append([view("late")])


def test_a_broken_database_answers_everybody(store: SqlStore) -> None:
    with store._database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE events")
    with GroupWriter(store.events) as writer, ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(writer.append, [view(str(n))]) for n in range(4)]:
            with pytest.raises(StoreError, match="no such table"):
                future.result()

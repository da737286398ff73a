"""Store: durable appends, bulk reads and imports, beside SQLite driven by hand with the same guarantees.

``appends_per_s`` is events written in batches of 500, each on disk before the next; ``single_appends_per_s`` is 16 threads
each appending one event at a time through the group writer; ``frame_rows_per_s`` reads the log as columns for training;
``scan_rows_per_s`` streams it as events; ``put_items_per_s`` imports new items and ``reput_items_per_s`` the same again.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.contract import Metric, Row
from shopkeeper.records import Event, EventKind, Item
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.writer import GroupWriter

_START = datetime(2026, 1, 1, tzinfo=UTC)
_KINDS = list(EventKind)
_BATCH = 500
_THREADS = 16


def run(data: Path | None = None, *, quick: bool = False, seed: int = 7, url: str = "") -> list[Row]:  # noqa: ARG001
    """Measure an empty store.

    Args:
        data: Not used: events and items are made here.
        quick: 20,000 events and 10,000 items instead of 1,000,000 and 100,000.
        seed: Not used: nothing is drawn.
        url: Address of an empty store to measure instead of a SQLite file in a temporary folder.
    """
    events, items = (20_000, 10_000) if quick else (1_000_000, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        rows = [_by_hand(Path(folder) / "hand.db", events)]
        began = time.perf_counter()
        with open_store(url or f"sqlite:///{folder}/shop.db") as store:
            rates = {**_appends(store, events), **_reads(store, events), **_puts(store, items)}
        name = "shopkeeper-postgresql" if url else "shopkeeper-sqlite"
        notes = f"{events:,} events, {items:,} items"
        rows.append(Row(name, {key: Metric(rate) for key, rate in rates.items()}, time.perf_counter() - began, notes))
    return rows


def _appends(store: SqlStore, count: int) -> dict[str, float]:
    seconds = 0.0
    for start in range(0, count, _BATCH):
        batch = [_event(number) for number in range(start, start + _BATCH)]
        began = time.perf_counter()
        store.events.append(batch)
        seconds += time.perf_counter() - began
    singles = [_event(number) for number in range(count, count + min(count, 20_000))]
    began = time.perf_counter()
    with GroupWriter(store.events) as writer, ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda event: writer.append([event]), singles))
    grouped = len(singles) / (time.perf_counter() - began)
    return {"appends_per_s": count / seconds, "single_appends_per_s": grouped}


def _reads(store: SqlStore, count: int) -> dict[str, float]:
    began = time.perf_counter()
    height = store.events.frame().height
    framed = time.perf_counter()
    for _ in store.events.scan():
        pass
    scanned = time.perf_counter()
    if height < count:
        raise AssertionError(f"{height} of {count} events came back")
    return {"frame_rows_per_s": height / (framed - began), "scan_rows_per_s": height / (scanned - framed)}


def _puts(store: SqlStore, count: int) -> dict[str, float]:
    rates = {}
    for name in ("put_items_per_s", "reput_items_per_s"):
        began = time.perf_counter()
        store.catalogue.put(_items(count))
        rates[name] = count / (time.perf_counter() - began)
    return rates


def _by_hand(path: Path, count: int) -> Row:
    """The floor: sqlite3 without SQLAlchemy, checks or records, rows ready made; same indexes, same guarantees."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE events (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, time INTEGER, kind TEXT, "
        "customer TEXT, session TEXT, item TEXT, query TEXT, request TEXT, value REAL, quantity INTEGER)"
    )
    for columns in ("customer, time", "session, time", "time"):
        connection.execute(f"CREATE INDEX i{abs(hash(columns))} ON events ({columns})")
    seconds = 0.0
    for start in range(0, count, _BATCH):
        made = [_event(number) for number in range(start, start + _BATCH)]
        rows = [
            (e.id, number + start, e.kind.value, e.customer, e.session, e.item, e.query, e.request, e.value, e.quantity)
            for number, e in enumerate(made)
        ]
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT OR IGNORE INTO events (id, time, kind, customer, session, item, query, request, value, quantity) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        connection.execute("COMMIT")
        seconds += time.perf_counter() - began
    began = time.perf_counter()
    height = len(connection.execute("SELECT * FROM events").fetchall())
    read = time.perf_counter() - began
    connection.close()
    rates = {"appends_per_s": count / seconds, "frame_rows_per_s": height / read}
    return Row("sqlite3 by hand", {name: Metric(rate) for name, rate in rates.items()}, seconds + read)


def _event(number: int) -> Event:
    return Event(
        id=f"event-{number * 2654435761 % 2**32:08x}-{number}",
        time=_START + timedelta(seconds=number),
        kind=_KINDS[number % 5],
        customer=f"c{number % 9973}",
        session=f"s{number // 8}",
        item=f"i{number % 49_999}",
        query="garden rake" if number % 10 == 0 else "",
        value=9.5 if number % 20 == 0 else None,
        properties={"device": "phone"} if number % 4 == 0 else {},
    )


def _items(count: int) -> Iterator[Item]:
    for number in range(count):
        yield Item(
            id=f"i{number}",
            title=f"Garden rake number {number}, steel, 16 teeth",
            description="A rake for leaves and lawn. " * 8,
            brand=f"Brand {number % 300}",
            category=("Garden", "Tools", "Rakes"),
            price=1.0 + number % 400,
            currency="EUR",
            attributes={"colour": "red", "material": "steel"},
            codes=(f"400000{number:07d}",),
            images=(f"pictures/{number}.jpg",),
            language="en",
            created=_START,
        )


def main() -> None:
    """Print the quick figures."""
    for row in run(quick=True):
        print(row.system, {name: round(metric.value) for name, metric in row.metrics.items()})


if __name__ == "__main__":
    main()

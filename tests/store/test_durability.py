"""What was acknowledged is there after kill -9, and processes that write at once do not harm each other."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toyshop import toy_items

from shopkeeper.store.database import open_store

_HEAD = """
import sys
from datetime import UTC, datetime, timedelta
from shopkeeper.records import Event, EventKind, Item
from shopkeeper.store.database import open_store
url, name = sys.argv[1], sys.argv[2]
def batch(number):
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return [Event(id=f"{name}-{number}-{n}", time=time, kind=EventKind.VIEW, item=f"i{n}") for n in range(20)]
"""
_ENDLESS = """
store = open_store(url)
number = 0
while True:
    store.events.append(batch(number))
    print(number, flush=True)
    number += 1
"""
_SOME = """
with open_store(url) as store:
    for number in range(15):
        store.events.append(batch(number))
        store.catalogue.put([Item(id=f"{name}-{number}", title="t"), Item(id="shared", title=f"{name}-{number}")])
"""


def _start(script: str, url: str, name: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(_HEAD + script), url, name]
    return subprocess.Popen(command, text=True, **options)  # type: ignore[call-overload, no-any-return]


def test_ten_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    url = f"sqlite:///{path}"
    acknowledged: set[str] = set()
    for round_ in range(10):
        writer = _start(_ENDLESS, url, f"w{round_}", stdout=subprocess.PIPE)
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]  # the first acknowledgement: it is writing now
        time.sleep(0.004 * round_ + 0.01)
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.read().splitlines(keepends=True)
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        acknowledged |= {f"w{round_}-{int(line)}-{n}" for line in lines if line.endswith("\n") for n in range(20)}
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    with open_store(url) as store:
        found = set(store.events.frame()["id"])
        assert len(acknowledged) >= 200
        assert acknowledged <= found
        assert len(found) % 20 == 0  # and no batch is torn
        assert store.events.append([]) == 0


def _two_writers(url: str) -> None:
    writers = [_start(_SOME, url, name) for name in ("a", "b")]  # the first to come makes the tables
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    with open_store(url) as store:
        assert store.events.count() == 2 * 15 * 20
        assert store.catalogue.count() == 2 * 15 + 1
        delta = store.catalogue.since(0)
        assert {item.id for item in delta.items} == {item.id for item in store.catalogue.scan()}
        assert delta.version == store.catalogue.version >= 60


def test_two_processes_write_at_once_sqlite(tmp_path: Path) -> None:
    _two_writers(f"sqlite:///{tmp_path / 'new' / 'shop.db'}")


@pytest.mark.postgres
def test_two_processes_write_at_once_postgresql(postgres_url: str) -> None:
    _two_writers(postgres_url)


def test_an_interrupted_put_keeps_whole_chunks_and_repeating_it_finishes(tmp_path: Path) -> None:
    def items(stop: bool):
        for number in range(6_000):
            if stop and number == 5_500:
                raise KeyboardInterrupt
            yield number

    template = toy_items()[0]
    make: Callable[[int], object] = lambda n: type(template)(id=f"i{n}", title="t")  # noqa: E731
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        with pytest.raises(KeyboardInterrupt):
            store.catalogue.put(map(make, items(stop=True)))  # type: ignore[arg-type]
        assert store.catalogue.count() == 5_000
        changes = store.catalogue.put(map(make, items(stop=False)))  # type: ignore[arg-type]
        assert (changes.added, changes.unchanged) == (1_000, 5_000)

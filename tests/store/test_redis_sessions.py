"""Sessions in a real Redis, and what happens while it is away."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))

from sessions_contract import SessionsContract, ids, post, view

from shopkeeper.errors import ExtraMissingError, SettingsError
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.redis_sessions import RedisSessions
from shopkeeper.store.sessions import open_sessions

PATIENT = 5.0


class Server:
    """A Redis of our own behind a socket file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder / 'redis.sock'}"
        self.start()

    def start(self) -> None:
        options = "--port 0 --save '' --appendonly no --loglevel warning".replace("'", "").split(" ")
        command = ["redis-server", *options, "--unixsocket", "redis.sock", "--dbfilename", "sessions.rdb"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not self.answers():
            assert time.monotonic() < deadline, "Redis does not start"
            time.sleep(0.02)

    def answers(self) -> bool:
        redis = pytest.importorskip("redis")
        client = redis.Redis(unix_socket_path=str(self.folder / "redis.sock"))
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def _server() -> Iterator[Server]:
    pytest.importorskip("redis", reason="the redis extra is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server on the path")
    folder = Path(tempfile.mkdtemp(prefix="shopkeeper-redis-", dir="/tmp"))
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


shared = pytest.fixture(_server, scope="module", name="shared")
own = pytest.fixture(_server, name="own")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


@pytest.fixture
def connect() -> Iterator[Callable[..., RedisSessions]]:
    made: list[RedisSessions] = []
    space = uuid.uuid4().hex

    def make(server: Server, log: object, **options: object) -> RedisSessions:
        made.append(RedisSessions(server.url, log, **({"space": space, "patience": PATIENT} | options)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for sessions in made:
        sessions.close()


class TestRedisSessions(SessionsContract):
    @pytest.fixture
    def opened(self, shared, connect):
        return lambda log, **options: connect(shared, log, **options)


def keys(sessions: RedisSessions) -> dict[str, dict[bytes, bytes]]:
    names = sessions._client.keys(f"{sessions._prefix}:*")
    return {name.decode(): sessions._client.hgetall(name) for name in names}


def test_processes_share_what_they_hold(shared, store, connect):
    one, other = connect(shared, store.events), connect(shared, store.events)
    one.recent("c", "s")
    other.recent("c", "s")
    post(store, one, view("1", 1, "c", "s"))
    assert ids(other.recent("c", "s")) == ["1"]
    with store._database.writing() as connection:  # nobody needs the log any more
        connection.exec_driver_sql("DELETE FROM events")
    assert ids(one.recent("c", "s")) == ids(other.recent("c", "s")) == ["1"]


def test_spaces_are_apart_and_names_are_not_readable(shared, store, connect):
    one, other = connect(shared, store.events), connect(shared, store.events, space="another shop")
    post(store, one, view("1", 1, "anna@example.com", "s"))
    one.recent("anna@example.com", "s")
    assert not any("anna" in name for name in keys(one))
    assert len(keys(one)) == 3  # customer, session, head
    assert keys(other) == {}


def test_trails_go_when_nobody_asks(shared, store, connect):
    sessions = connect(shared, store.events, keep=1_000)
    sessions.recent("c", "s")
    trails = [name for name in keys(sessions) if not name.endswith(":head")]
    assert all(0 < sessions._client.ttl(name) <= 1_000 for name in trails)
    post(store, sessions, view("1", 1, "d", "t"))
    assert sorted(name for name in keys(sessions) if not name.endswith(":head")) == sorted(trails)


def test_what_redis_dropped_is_read_from_the_log(shared, store, connect):
    sessions = connect(shared, store.events)
    post(store, sessions, view("1", 1, "c"))
    wanted = ["1"]
    for part in (":customer:*", ":head"):
        assert ids(sessions.recent("c", "")) == wanted
        sessions._client.delete(*sessions._client.keys(sessions._prefix + part))
        post(store, sessions, view(f"2{part}", 2, "c"))
        wanted.append(f"2{part}")
    assert ids(sessions.recent("c", "")) == wanted


def test_an_erased_customer_leaves_nothing_in_redis(shared, store, connect):
    sessions = connect(shared, store.events)
    post(store, sessions, view("0", 0, "", "s"), view("1", 1, "c", "s"), view("2", 2, "d", "t"), view("3", 3, "d", "s"))
    for customer, session in (("c", "s"), ("d", "t")):
        sessions.recent(customer, session)
    store.erase("c")
    sessions.forget("c")
    left = [value for fields in keys(sessions).values() for value in fields.values()]
    assert any(b'"d"' in value for value in left)
    assert not any(b'"c"' in value for value in left)
    assert ids(sessions.recent("c", "s")) == ["3"]


def test_a_trail_read_while_somebody_is_erased_is_not_kept(shared, store, connect):
    sessions = connect(shared, store.events)
    post(store, sessions, view("1", 1, "c", "s"))
    tail = store.events.tail

    def slow(**asked):
        found = tail(**asked)
        if asked.get("session"):
            store.erase("c")
            connect(shared, store.events).forget("c")
        return found

    store.events.tail = slow  # type: ignore[method-assign]
    sessions.recent("", "s")
    store.events.tail = tail  # type: ignore[method-assign]
    assert sessions.recent("", "s") == []


def test_while_redis_is_away_the_log_answers(own, store, connect, caplog):
    sessions = connect(own, store.events)
    with caplog.at_level(logging.INFO, "shopkeeper"):
        post(store, sessions, view("1", 1, "c"))
        assert ids(sessions.recent("c", "")) == ["1"]
        own.stop()
        for n in "234":
            post(store, sessions, view(n, int(n), "c"))
            assert ids(sessions.recent("c", ""))[-1] == n
        assert not sessions.available
        assert sessions.failures >= 1
        own.start()
        sessions._asked_again = 0.0
        assert ids(sessions.recent("c", "")) == ["1", "2", "3", "4"]
        assert sessions.available
        post(store, sessions, view("5", 5, "c"))
        assert ids(sessions.recent("c", "")) == ["1", "2", "3", "4", "5"]
    said = [record.levelname for record in caplog.records]
    assert said == ["WARNING", "INFO"]


def test_a_redis_that_hangs_is_left_alone(own, store, connect):
    sessions = connect(own, store.events)
    post(store, sessions, view("1", 1, "c"))
    sessions.recent("c", "")
    hasty = connect(own, store.events, patience=0.03)
    hasty.recent("c", "")
    os.kill(own.process.pid, signal.SIGSTOP)
    try:
        hasty._asked_again = 0.0
        post(store, hasty, view("2", 2, "c"))
        assert not hasty.available
        assert ids(hasty.recent("c", "")) == ["1", "2"]
    finally:
        os.kill(own.process.pid, signal.SIGCONT)
    hasty._asked_again = 0.0
    while not hasty.available:
        hasty.recent("c", "")
        hasty._asked_again = 0.0
    assert ids(sessions.recent("c", "")) == ["1", "2"]  # the other process sees it, too


def test_an_older_snapshot_is_not_believed(own, store, connect):
    sessions = connect(own, store.events)
    post(store, sessions, view("1", 1, "c"))
    sessions.recent("c", "")
    sessions._client.save()
    post(store, sessions, view("2", 2, "c"))
    assert ids(sessions.recent("c", "")) == ["1", "2"]
    own.stop()
    own.start()
    sessions._client.connection_pool.disconnect()  # nothing was asked meanwhile: no failure was seen
    assert ids(sessions.recent("c", "")) == ["1", "2"]
    assert sessions.failures == 0


def test_an_erasure_while_redis_is_away_is_done_once_it_is_back(own, store, connect):
    sessions = connect(own, store.events)
    post(store, sessions, view("1", 1, "c", "s"))
    sessions.recent("c", "s")
    os.kill(own.process.pid, signal.SIGSTOP)
    hasty = connect(own, store.events, patience=0.03)
    store.erase("c")
    hasty.forget("c")
    assert hasty.recent("c", "s") == []
    os.kill(own.process.pid, signal.SIGCONT)
    hasty._asked_again = 0.0
    while hasty._owed:
        hasty.recent("", "other")
        hasty._asked_again = 0.0
    assert not any(b'"c"' in value for fields in keys(sessions).values() for value in fields.values())
    assert sessions.recent("c", "s") == []


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
from sessions_contract import view
from shopkeeper.store.database import open_store
from shopkeeper.store.redis_sessions import RedisSessions
store = open_store(sys.argv[1])
sessions = RedisSessions(sys.argv[2], store.events, "killed", patience=5.0)
store.events.append([view("1", 1, "c", "s")])
sessions.recent("c", "s")
assert sessions.available
store.events.append([view("2", 2, "c", "s")])
os.kill(os.getpid(), signal.SIGKILL)
sessions.fold([view("2", 2, "c", "s")])
"""


def test_kill_between_log_and_fold(shared, tmp_path, connect):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    folders = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "contracts")]
    done = subprocess.run([sys.executable, "-c", KILLED, url, shared.url, *folders], check=False)
    assert done.returncode == -signal.SIGKILL
    with open_store(url) as store:
        restarted = connect(shared, store.events, space="killed")
        assert ids(restarted.recent("c", "s")) == ["1", "2"]


def test_many_processes_fold_at_once(shared, store, connect):
    everyone = [connect(shared, store.events) for _ in range(4)]
    missing: list[str] = []

    def write(worker: int) -> None:
        for n in range(10):
            event = view(f"{worker}-{n}", n, "c", f"s{n % 2}")
            post(store, everyone[worker], event)
            if event.id not in ids(everyone[(worker + 1) % 4].recent("c", event.session, 500)):
                missing.append(event.id)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    found = everyone[0].recent("c", "", 500)
    assert len(found) == 40
    assert [event.time for event in found] == sorted(event.time for event in found)


@pytest.mark.parametrize("url", ["redis://localhost:port/0", "redis://localhost/0?socket_timeout=soon"])
def test_addresses_that_cannot_be_read(store, url):
    pytest.importorskip("redis", reason="the redis extra is not installed")
    with pytest.raises(SettingsError, match=r"sessions\.url"):
        open_sessions(url, store.events)


def test_a_missing_client_names_the_extra(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ExtraMissingError, match=r"shopkeeper\[redis\]"):
        open_sessions("redis://localhost", store.events)

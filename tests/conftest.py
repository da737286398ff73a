"""Fixtures for everyone: a real PostgreSQL server, started once per test session and stopped at its end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # so that every test can `import toyshop`

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # one core each: PyTorch in several processes, with threads for all cores in each, slows every one of them down
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines differ
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL prefix of a running server, without a database name; skips when its binaries are absent."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("PostgreSQL's binaries are not in /usr/lib/postgresql/*/bin")
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    folder = Path(tempfile.mkdtemp(prefix="shopkeeper-pg-", dir="/tmp"))
    port = _free_port()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    try:
        _as_owner([binaries[-1], "-D", folder / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"])
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c max_connections=60"
            " -c fsync=off -c full_page_writes=off"
        )
        control = binaries[-1].with_name("pg_ctl")
        _as_owner([control, "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}"
        finally:
            _as_owner([control, "-D", folder / "data", "-w", "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Callable[[], str]:
    """Makes a fresh, empty database and returns its URL."""
    import psycopg

    def make() -> str:
        name = f"shop_{uuid.uuid4().hex}"
        address = postgres_server.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{postgres_server}/{name}"

    return make


@pytest.fixture
def postgres_url(postgres_database: Callable[[], str]) -> str:
    """The URL of a fresh, empty database."""
    return postgres_database()


def _as_owner(command: list[object]) -> None:
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *words]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment, cwd="/")
    if done.returncode:
        pytest.fail(f"{' '.join(words)} failed: {done.stderr}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

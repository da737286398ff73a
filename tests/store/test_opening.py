"""Opening a store: new, old, foreign, unreachable."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from toyshop import toy_items

import shopkeeper
from shopkeeper.errors import ExtraMissingError, StoreError
from shopkeeper.store.database import open_store
from shopkeeper.store.schema import REVISION, metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


def test_migrations_make_exactly_the_schema(url: str, engine: sa.Engine) -> None:
    open_store(url).close()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == REVISION


def test_data_of_an_older_version_are_migrated(url: str, engine: sa.Engine) -> None:
    with open_store(url) as store:
        store.catalogue.put(toy_items())
    with engine.begin() as connection:
        later = ("decisions", "rules", "rule_changes", "triples", "triple_writes", "waits", "campaigns")
        for table in (*later, "orders", "readings", "alerts"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("DROP INDEX audit_action"))
        connection.execute(sa.text("DROP INDEX passages_thread"))
        connection.execute(sa.text("ALTER TABLE passages DROP COLUMN source"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    with open_store(url) as store:
        assert store.catalogue.count() == 40
        assert store.labels.pending("any") == []
        assert list(store.rules.scan()) == store.rules.changes() == []


def test_data_of_a_newer_version_are_refused(url: str, engine: sa.Engine) -> None:
    open_store(url).close()
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"revision 9999.*Upgrade Shopkeeper"):
        open_store(url)


def test_many_threads_open_a_new_store_at_once(url: str) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with open_store(url) as store:
                store.catalogue.put(toy_items())
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with open_store(url) as store:
        assert store.catalogue.count() == 40


def test_opening_is_quiet(url: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        open_store(url).close()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_folders_with_odd_names_are_made(tmp_path: Path) -> None:
    path = tmp_path / "100% 掌柜 ?" / "shop.db"
    url = sa.URL.create("sqlite", database=str(path)).render_as_string()
    with open_store(url) as store:
        store.catalogue.put(toy_items())
    assert path.exists()


def test_the_file_is_written_ahead_and_forced_to_disk(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store, store._database.reading() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "sqlite:///path/shop.db"),
        ("mysql://root@localhost/shop", "sqlite:///path/shop.db"),
        ("sqlite://", "forget"),
        ("sqlite:///:memory:", "forget"),
        ("sqlite:////proc/no/such/shop.db", "cannot be opened"),
    ],
)
def test_addresses_that_cannot_be_opened(url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        open_store(url)


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_text("this is a letter, not a database " * 100)
    with pytest.raises(StoreError, match="restore a backup or name another file"):
        open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("this is a letter")


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="Check that the server runs") as caught:
        open_store("postgresql://someone:secret@127.0.0.1:1/shop")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1:1/shop" in caught.value.where


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ExtraMissingError, match=r"shopkeeper\[postgres\]"):
        open_store("postgresql+psycopg://someone@127.0.0.1:1/shop")


def test_a_database_held_by_a_writer_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with open_store(f"sqlite:///{path}") as store:
        store.catalogue.put(toy_items())
        holder = sqlite3.connect(path)
        holder.execute("BEGIN IMMEDIATE")
        assert store.catalogue.count() == 40
        holder.rollback()
        holder.close()


def test_the_store_needs_no_torch_and_no_alembic_once_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    open_store(url).close()
    script = (
        "import sys; from shopkeeper.store.database import open_store; open_store(sys.argv[1]).close();"
        "print([name for name in ('torch', 'transformers', 'alembic') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(shopkeeper.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script, url], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")

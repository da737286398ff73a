"""Connections to one database: many readers, one writer at a time, opened and migrated once.

SQLite runs in write-ahead mode with every commit forced to disk; several processes may share the file. On PostgreSQL a
write to a table waits for the one before it, so positions and versions become visible in their order.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shopkeeper.errors import StoreError
from shopkeeper.extras import require
from shopkeeper.store.schema import REVISION

_BUSY_SECONDS = 60
_LOCKS = 0x5348_4F50  # the first half of our PostgreSQL advisory locks; the second names the table
_MIGRATIONS = Path(__file__).with_name("migrations")


class Database:
    """One database. Safe to use from many threads.

    Args:
        url: ``sqlite:///path/shop.db`` or ``postgresql+psycopg://user:password@host/name``.

    Raises:
        StoreError: The URL is wrong, the path or server cannot be reached, or the data are newer than this code.
        ExtraMissingError: The PostgreSQL driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.place = self.url.render_as_string(hide_password=True)
        self.embedded = self.url.get_backend_name() == "sqlite"
        self._writer = threading.Lock() if self.embedded else nullcontext()
        self._engine = _sqlite(self.url) if self.embedded else _postgresql(self.url)
        try:
            if self.embedded:
                self._write_ahead()
            self._migrate()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the data."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, table: sa.Table | None = None) -> Iterator[Connection]:
        """A connection in a transaction that is on disk once the block ends, undone when it raises.

        Args:
            table: The table mainly written; writers of the same one take turns.
        """
        with self._writer, self._translated(), self._engine.connect() as plain:
            connection = plain.execution_options(shopkeeper_writes=True)
            with connection.begin():
                if not self.embedded:
                    lock = zlib.crc32((table.name if table is not None else "").encode()) & 0x7FFF_FFFF
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, lock)))
                yield connection

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        return sqlite.insert(table) if self.embedded else postgresql.insert(table)

    def write_rows(self, connection: Connection, insert: Any, rows: Sequence[dict[str, Any]]) -> int:
        """Run an INSERT made by `insert` for many rows; how many rows it wrote."""
        if not rows:
            return 0
        # the drivers' executemany: one statement with many rows takes PostgreSQL more than twice as long
        return connection.execution_options(preserve_rowcount=True).execute(insert, rows).rowcount

    def checkpoint(self) -> None:
        """Fold SQLite's write-ahead log into the file and empty it; nothing to do elsewhere."""
        if self.embedded:
            with self._writer, self._translated(), self._engine.connect() as connection:
                driver: Any = connection.connection.dbapi_connection
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Release all connections."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"The database refused: {_reason(error)}.", where=self.place, cure=_cure(error)) from error
        except PoolTimeoutError as error:
            raise StoreError(
                "All connections are in use.", where=self.place, cure="Close unfinished work or lower the load."
            ) from error

    def _write_ahead(self) -> None:
        """Switch to write-ahead mode: once per file, and other processes may be doing the same."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while not self._switched():
            if time.monotonic() > deadline:
                raise StoreError("The database stays locked.", where=self.place, cure="End the process that holds it.")
            time.sleep(0.02)

    def _switched(self) -> bool:
        with self._translated(), self._engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            try:
                with closing(driver.execute("PRAGMA journal_mode=WAL")) as cursor:
                    return bool(cursor.fetchone() == ("wal",))
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    return False
                raise StoreError(
                    f"The database file cannot be opened: {error}.",
                    where=self.place,
                    cure="Check the rights to the file and its folder.",
                ) from error
            except sqlite3.DatabaseError as error:
                raise StoreError(
                    f"The database file cannot be read: {error}.",
                    where=self.place,
                    cure="The file is damaged or something else: restore a backup or name another file.",
                ) from error

    def _migrate(self) -> None:
        with self.reading() as connection:
            if _revision(connection) == REVISION:
                return
        with self.writing() as connection:
            found = _revision(connection)
            if found != REVISION:
                _upgrade(connection, found, self.place)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
            raise NoSuchModuleError(parsed.drivername)
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(
            "This is not the address of a store.",
            where=url.split("@")[-1],
            cure="Use sqlite:///path/shop.db or postgresql+psycopg://user:password@host/name.",
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise StoreError(
            "A store in memory would forget what it acknowledged.",
            where=url,
            cure="Name a file: sqlite:///path/shop.db.",
        )
    return parsed


def _sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
    except OSError as error:
        raise StoreError(
            f"The database file cannot be opened: {error.strerror}.",
            where=str(path),
            cure="Check the path and the rights to it.",
        ) from error
    engine = sa.create_engine(
        url, pool_size=8, max_overflow=-1, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(driver: Any, _record: object) -> None:
        driver.isolation_level = None  # transactions begin where `_begin` says so, not where the driver guesses
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "cache_size=-32000"):
            driver.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("shopkeeper_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    require("psycopg", "postgres")
    return sa.create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True, connect_args={"connect_timeout": 10})


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found


def _upgrade(connection: Connection, found: str | None, place: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"The database is at revision {found}, which this version of Shopkeeper (revision {REVISION}) does not know.",
            where=place,
            cure="Upgrade Shopkeeper to the version that wrote it, or open a backup.",
        )
    command.upgrade(config, "head")


def _reason(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())


def _cure(error: DBAPIError) -> str:
    reason = _reason(error).lower()
    if "connection" in reason or "connect" in reason:
        return "Check that the server runs and that host, port, name and password are right."
    if "not a database" in reason or "malformed" in reason:
        return "The file is damaged or something else: restore a backup or name another file."
    if "full" in reason or "space" in reason:
        return "Make room on the disk."
    if "readonly" in reason or "read-only" in reason or "permission" in reason:
        return "Check the rights to the file and its folder."
    if "locked" in reason:
        return "Another process holds it; end that process or try again."
    return "Try again; if it persists, see the server's log."

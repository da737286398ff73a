"""The contract, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))

from store_contract import StoreContract

from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.schema import metadata


@pytest.fixture(scope="module")
def url(postgres_database: Callable[[], str]) -> str:
    """One PostgreSQL database for all tests here: making one per test takes longer than the tests."""
    return postgres_database()


class TestSqlite(StoreContract):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], SqlStore]:
        return lambda: open_store(f"sqlite:///{tmp_path / 'shop.db'}")

    @pytest.fixture
    def store(self, reopen: Callable[[], SqlStore]) -> Iterator[SqlStore]:
        with reopen() as opened:
            yield opened


@pytest.mark.postgres
class TestPostgresql(StoreContract):
    @pytest.fixture
    def reopen(self, url: str) -> Callable[[], SqlStore]:
        open_store(url).close()
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            names = ", ".join(metadata.tables)
            connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
        engine.dispose()
        return lambda: open_store(url)

    @pytest.fixture
    def store(self, reopen: Callable[[], SqlStore]) -> Iterator[SqlStore]:
        with reopen() as opened:
            yield opened

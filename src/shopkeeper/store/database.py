"""The store in SQLite or PostgreSQL: `open_store(url)` and its eight faces."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from shopkeeper.store import privacy
from shopkeeper.store.audit import AuditLog
from shopkeeper.store.campaigns import SqlCampaigns
from shopkeeper.store.catalogue import SqlCatalogue
from shopkeeper.store.customers import SqlCustomers
from shopkeeper.store.documents import Alerts, Readings
from shopkeeper.store.engine import Database
from shopkeeper.store.events import SqlEventLog
from shopkeeper.store.labels import SqlLabels
from shopkeeper.store.orders import SqlOrders
from shopkeeper.store.rules import SqlRules
from shopkeeper.store.triples import SqlTriples
from shopkeeper.store.waiting import WaitingList
from shopkeeper.store.words import SqlWords


def open_store(url: str) -> SqlStore:
    """Open the store at `url`, creating folder, file and tables and migrating older data.

    Many threads and several processes may share one store.

    Args:
        url: ``sqlite:///path/shop.db`` or ``postgresql+psycopg://user:password@host/name``.

    Raises:
        StoreError: The URL is wrong, the path or server cannot be reached, or the data are newer than this code.
        ExtraMissingError: The PostgreSQL driver is not installed.
    """
    return SqlStore(Database(url))


class SqlStore:
    """The shop's truth in a database. Use as a context manager, or `close` it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.catalogue = SqlCatalogue(database)
        self.events = SqlEventLog(database)
        self.customers = SqlCustomers(database)
        self.words = SqlWords(database)
        self.labels = SqlLabels(database)
        self.rules = SqlRules(database)
        self.triples = SqlTriples(database)
        self.campaigns = SqlCampaigns(database)
        self.orders = SqlOrders(database)
        self.readings = Readings(database)
        self.alerts = Alerts(database)
        self.waiting = WaitingList(database)
        self.audit = AuditLog(database)

    def export_customer(self, customer: str) -> dict[str, Any]:
        """Everything kept about a customer, ready for JSON: ``customer``, ``events``, ``passages``, ``decisions``.

        Raises:
            InputError: No customer is named.
        """
        return privacy.export_customer(self._database, customer)

    def erase(self, customer: str, actor: str = "") -> int:
        """Delete a customer, their events and words, and the anonymous part of their sessions; rows deleted.

        Raises:
            InputError: No customer is named.
        """
        return privacy.erase(self._database, customer, actor)

    def close(self) -> None:
        """Release all connections."""
        self._database.close()

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

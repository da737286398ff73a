"""Documents kept by id and moment: what was read in posts, and the alerts about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from shopkeeper.records import Passage, PassageKind
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import Records, Row
from shopkeeper.store.schema import alerts, passages, readings
from shopkeeper.store.words import decode

READ = (PassageKind.POST, PassageKind.REVIEW)
"""Kinds of passages that the shop listens to."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        id: Of a passage for a reading, its own for an alert.
        time: When the passage was written, when the alert was raised.
        body: JSON values.
        open: For alerts: is somebody still to be told?
    """

    id: str
    time: datetime
    body: Mapping[str, Any]
    open: bool = False


class Readings:
    """What was read in posts and reviews; `Document.id` is the passage's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records: Records[Document] = Records(database, readings, _encode, _decode)

    def put(self, documents: Iterable[Document]) -> Changes:
        """Add or replace readings; they are on disk when this returns."""
        return self._records.put(documents)

    def get(self, ids: Iterable[str]) -> dict[str, Document]:
        """The known ones of `ids`."""
        return self._records.get(list(ids))

    def scan(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[Document]:
        """Readings of passages written in [start, end), streamed, ordered by id."""
        return self._records.scan(*_between(readings, start, end))

    def latest(self, start: datetime, end: datetime, chunk: int = 500) -> Iterator[Document]:
        """Readings of passages written in [start, end), the newest first, then by id downwards.

        Read `chunk` by `chunk`: whoever stops early has not read the rest, and nothing stays open.
        """
        table, where = readings, _between(readings, start, end)
        query = sa.select(table).where(*where).order_by(table.c.time.desc(), table.c.id.desc()).limit(chunk)
        last: Row | None = None
        while True:
            after = [] if last is None else [sa.tuple_(table.c.time, table.c.id) < sa.tuple_(last[1], last[0])]
            with self._database.reading() as connection:
                rows = [tuple(row) for row in connection.execute(query.where(*after))]
            yield from map(_decode, rows)
            if len(rows) < chunk:
                return
            last = rows[-1]

    def ids(self, start: datetime, most: int) -> list[str]:
        """Ids of the readings of passages written since `start`, the newest `most` of them."""
        query = sa.select(readings.c.id).where(*_between(readings, start, None))
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(readings.c.time.desc()).limit(most)).scalars())

    def unread(self, limit: int = 1_000) -> list[Passage]:
        """Dated posts and reviews without a reading, the oldest first."""
        query = (
            sa.select(passages)
            .where(
                passages.c.kind.in_([kind.value for kind in READ]),
                passages.c.time.is_not(None),
                ~sa.exists().where(readings.c.id == passages.c.id),
            )
            .order_by(passages.c.time, passages.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [decode(tuple(row)) for row in connection.execute(query)]

    def count(self) -> int:
        """How many there are."""
        return self._records.count()


class Alerts:
    """Alerts, and whom they have reached so far."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records: Records[Document] = Records(database, alerts, _encode_alert, _decode_alert)

    def put(self, documents: Iterable[Document]) -> Changes:
        """Add or replace alerts; they are on disk when this returns."""
        return self._records.put(documents)

    def amend(self, alert: str, change: Callable[[Document | None], Document]) -> Document | None:
        """Change the row of an alert in one transaction; the row before, None where it is new. See `Records.amend`."""
        return self._records.amend(alert, change)

    def get(self, ids: Iterable[str]) -> dict[str, Document]:
        """The known ones of `ids`."""
        return self._records.get(list(ids))

    def scan(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[Document]:
        """Alerts raised in [start, end), streamed, ordered by id."""
        return self._records.scan(*_between(alerts, start, end))

    def open(self) -> Iterator[Document]:
        """Alerts that somebody is still to be told of, ordered by id."""
        return self._records.scan(alerts.c.open.is_(True))


def _between(table: sa.Table, start: datetime | None, end: datetime | None) -> list[sa.ColumnElement[bool]]:
    after = [] if start is None else [table.c.time >= codec.micros(start)]
    return after if end is None else [*after, table.c.time < codec.micros(end)]


def _encode(document: Document) -> Row:
    codec.check_id(document.id, "document")
    return document.id, codec.micros(document.time), codec.pack_document(document.body, f"document {document.id!r}")


def _decode(row: Row) -> Document:
    id_, time, body = row
    return Document(id_, codec.moment(time), orjson.loads(body))


def _encode_alert(document: Document) -> Row:
    id_, time, body = _encode(document)
    return id_, time, document.open, body


def _decode_alert(row: Row) -> Document:
    id_, time, is_open, body = row
    return Document(id_, codec.moment(time), orjson.loads(body), bool(is_open))

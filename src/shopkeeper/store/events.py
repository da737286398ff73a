"""Everything that happened: append-only, idempotent by id, read whole for training or by customer and session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl
import sqlalchemy as sa

from shopkeeper.records import Event, EventKind, Impression
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.rows import CHUNK, Row
from shopkeeper.store.schema import events

_FRAME_ROWS = 20_000
_COLUMNS = [column.name for column in events.columns if column.name != "position"]
_KINDS = {kind.value: kind for kind in EventKind}
_SCHEMA: dict[str, pl.DataType] = {
    "position": pl.Int64(),
    "id": pl.String(),
    "time": pl.Int64(),
    "kind": pl.String(),
    "customer": pl.String(),
    "session": pl.String(),
    "item": pl.String(),
    "query": pl.String(),
    "request": pl.String(),
    "value": pl.Float64(),
    "quantity": pl.Int64(),
}


class SqlEventLog:
    """The event log in a database. Positions grow in the order of commits; there may be gaps."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.insert(events).on_conflict_do_nothing(index_elements=[events.c.id])

    def append(self, events: Sequence[Event]) -> int:
        """Write events in one transaction; they are on disk when this returns.

        Returns:
            How many were new: an id that is already there changes nothing.

        Raises:
            InputError: An event cannot be kept (no id, NUL, not finite, no time zone); then none of them is written.
        """
        return self.append_all([events])[0]

    def append_all(self, batches: Sequence[Sequence[Event]]) -> list[int]:
        """Write several batches in one transaction; how many events of each were new, earlier batches first served."""
        encoded = [[dict(zip(_COLUMNS, _encode(event), strict=True)) for event in batch] for batch in batches]
        with self._database.writing(events) as connection:
            return [self._database.write_rows(connection, self._insert, rows) for rows in encoded]

    def scan(
        self,
        after: int = 0,
        kinds: Sequence[EventKind] = (),
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[tuple[int, Event]]:
        """(position, event) in log order, streamed; `start` inclusive, `end` exclusive.

        Read chunk by chunk: nothing stays open between chunks, and events appended meanwhile are still met.
        """
        # `time + 0` keeps the planner on the log's own order instead of sorting by way of the time index
        where = _where(kinds, start, end, events.c.time + 0)
        while True:
            query = sa.select(events).where(events.c.position > after, *where).order_by(events.c.position).limit(CHUNK)
            with self._database.reading() as connection:
                rows = [tuple(row) for row in connection.execute(query)]
            for row in rows:
                yield row[0], _decode(row)
            if len(rows) < CHUNK:
                return
            after = rows[-1][0]

    def frame(
        self, kinds: Sequence[EventKind] = (), start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """The log as columns, ordered by (time, position), from one state of the data.

        Returns:
            id, kind, customer, session, item, query, request (String, empty when unknown), time (Datetime in
            microseconds, UTC), value (Float64, null when unknown), quantity (Int64).
        """
        query = sa.select(*(events.c[name] for name in _SCHEMA)).where(*_where(kinds, start, end, events.c.time))
        pieces = [pl.DataFrame(schema=_SCHEMA)]
        with self._database.reading() as connection:
            result = connection.execution_options(yield_per=_FRAME_ROWS).execute(query)
            for rows in result.partitions():
                columns = dict(zip(_SCHEMA, zip(*rows, strict=True), strict=True))
                pieces.append(pl.DataFrame(columns, schema=_SCHEMA))
        whole = pl.concat(pieces).sort("time", "position").drop("position")
        return whole.with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))

    def of_customer(self, customer: str, limit: int = 500) -> list[Event]:
        """The last `limit` events of a customer, oldest first."""
        return [event for _, event in self.tail(customer=customer, limit=limit)]

    def of_session(self, session: str, limit: int = 500) -> list[Event]:
        """The last `limit` events of a session, oldest first."""
        return [event for _, event in self.tail(session=session, limit=limit)]

    def tail(
        self, *, customer: str = "", session: str = "", kinds: Sequence[EventKind] = (), limit: int = 500
    ) -> list[tuple[int, Event]]:
        """(position, event) of the last `limit` events of a customer, or else of a session, ordered by (time, position)."""
        if not customer and not session:
            return []
        who = events.c.customer == customer if customer else events.c.session == session
        where = [who, *([events.c.kind.in_([kind.value for kind in kinds])] if kinds else [])]
        query = sa.select(events).where(*where).order_by(events.c.time.desc(), events.c.position.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return [(row[0], _decode(row)) for row in reversed(rows)]

    def count(self) -> int:
        """How many events there are."""
        with self._database.reading() as connection:
            found: int = connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()
            return found

    @property
    def position(self) -> int:
        """Position of the last event, 0 when empty."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(sa.func.max(events.c.position))).scalar_one() or 0


def _where(
    kinds: Sequence[EventKind], start: datetime | None, end: datetime | None, time: sa.ColumnElement[int]
) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if kinds:
        where.append(events.c.kind.in_([kind.value for kind in kinds]))
    if start is not None:
        where.append(time >= codec.micros(start))
    if end is not None:
        where.append(time < codec.micros(end))
    return where


def _encode(event: Event) -> Row:
    id_ = event.id
    codec.check_id(id_, "event")
    if len(event.customer) > codec.ID_LIMIT or len(event.session) > codec.ID_LIMIT or len(event.item) > codec.ID_LIMIT:
        for field in ("customer", "session", "item"):
            codec.check_length(getattr(event, field), f"event {id_!r},", field)
    codec.check_texts((id_, event.customer, event.session, event.item, event.query, event.request), "event", id_)
    return (
        id_,
        codec.micros(event.time),
        event.kind.value,
        event.customer,
        event.session,
        event.item,
        event.query,
        event.request,
        codec.number(event.value, "event", id_),
        codec.whole(event.quantity, "event", id_),
        None if event.impression is None else _encode_impression(event.impression, id_),
        codec.packed(event.properties, f"event {id_!r}"),
    )


def _decode(row: Row) -> Event:
    _, id_, time, kind, customer, session, item, query, request, value, quantity, impression, properties = row
    return Event(
        id=id_,
        time=codec.moment(time),
        kind=_KINDS[kind],
        customer=customer,
        session=session,
        item=item,
        query=query,
        request=request,
        value=value,
        quantity=quantity,
        impression=None if impression is None else _decode_impression(impression),
        properties=codec.unpacked_map(properties),
    )


def _encode_impression(impression: Impression, event: str) -> str:
    codec.check_texts((*impression.items, impression.model, impression.surface), "impression of event", event)
    for propensity in impression.propensities:
        codec.number(propensity, "impression of event", event)
    document = {
        "items": impression.items,
        "positions": impression.positions,
        "propensities": impression.propensities,
        "model": impression.model,
        "surface": impression.surface,
    }
    return codec.pack_document(document, f"impression of event {event!r}")


def _decode_impression(text: str) -> Impression:
    document = codec.unpacked_map(text)
    return Impression(
        items=tuple(document["items"]),
        positions=tuple(document["positions"]),
        propensities=tuple(document["propensities"]),
        model=document["model"],
        surface=document["surface"],
    )

"""Who did what to the store: one row for every administrative act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shopkeeper.records import Scalar, now
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.rows import CHUNK
from shopkeeper.store.schema import audit


@dataclass(frozen=True, slots=True)
class Act:
    """One administrative act.

    Attributes:
        actor: Who: the name of a key, a user, ``cli``; empty when unknown.
        action: What: ``erase``, ``promote``, ``import`` ...
        detail: Figures and names, never a customer's identity.
    """

    time: datetime
    action: str
    actor: str = ""
    detail: Mapping[str, Scalar] = field(default_factory=dict)


class AuditLog:
    """The acts, append-only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, action: str, *, actor: str = "", detail: Mapping[str, Scalar] | None = None) -> None:
        """Write down an act; it is on disk when this returns."""
        with self._database.writing(audit) as connection:
            note(connection, Act(now(), action, actor, detail or {}))

    def scan(self, after: int = 0) -> Iterator[tuple[int, Act]]:
        """(number, act), oldest first, streamed."""
        while True:
            query = sa.select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(CHUNK)
            with self._database.reading() as connection:
                rows = connection.execute(query).all()
            for number, time, actor, action, detail in rows:
                yield number, Act(codec.moment(time), action, actor, codec.unpacked_map(detail))
            if len(rows) < CHUNK:
                return
            after = rows[-1][0]


def note(connection: Connection, act: Act) -> None:
    """Write down an act inside somebody else's transaction."""
    codec.check_texts((act.actor, act.action), "act", act.action)
    row = {
        "time": codec.micros(act.time),
        "actor": act.actor,
        "action": act.action,
        "detail": codec.packed(act.detail, f"act {act.action!r}"),
    }
    connection.execute(sa.insert(audit), row)

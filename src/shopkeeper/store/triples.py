"""The imported part of the knowledge graph, in a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shopkeeper.errors import InputError
from shopkeeper.records import now
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.knowledge import Triple
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import Records, Row
from shopkeeper.store.schema import triple_writes, triples

_KEY_BYTES = 2_000  # what PostgreSQL's index can hold, with room to spare


class SqlTriples:
    """Triples in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._triples: Records[Triple] = Records(database, triples, _encode, _decode, changed=_note)

    def put(self, triples: Iterable[Triple]) -> Changes:
        """Add triples, 5,000 to a transaction, or note their new source; equal ones are left alone.

        Raises:
            InputError: A triple cannot be kept: a part is empty, longer than 200 characters or holds a NUL character.
        """
        return self._triples.put(triples)

    def remove(self, source: str) -> int:
        """Take back all that came from a source; how many triples those were."""
        with self._database.writing(triples) as connection:
            gone = connection.execute(sa.delete(triples).where(triples.c.source == source)).rowcount
            if gone:
                _note(connection)
        return gone

    def scan(self) -> Iterator[Triple]:
        """All triples, streamed, ordered by (head, relation, tail)."""
        return self._triples.scan()

    def sources(self) -> dict[str, int]:
        """Number of triples from each source, by name."""
        query = sa.select(triples.c.source, sa.func.count()).group_by(triples.c.source).order_by(triples.c.source)
        with self._database.reading() as connection:
            return {source: int(count) for source, count in connection.execute(query)}

    def count(self) -> int:
        """How many there are."""
        return self._triples.count()

    @property
    def version(self) -> int:
        """Number of the last write, 0 when there was none."""
        with self._database.reading() as connection:
            found: int | None = connection.execute(sa.select(sa.func.max(triple_writes.c.number))).scalar_one()
        return found or 0


def _encode(triple: Triple) -> Row:
    row = triple.head, triple.relation, triple.tail, triple.source
    for field, value in zip(("head", "relation", "tail"), row, strict=False):
        codec.check_id(value, "triple", field)
    codec.check_length(triple.source, "triple", "source")
    codec.check_texts(row, "triple", triple.head)
    if len("".join(row[:3]).encode()) > _KEY_BYTES:
        raise InputError(
            f"Head, relation and tail together have more than {_KEY_BYTES:,} bytes.",
            where=f"triple of {triple.head[:40]!r}",
            cure="Shorten the names.",
        )
    return row


def _decode(row: Row) -> Triple:
    return Triple(*row)


def _note(connection: Connection, _ids: Sequence[str] = (), _removed: bool = False) -> None:
    connection.execute(sa.insert(triple_writes), [{"time": codec.micros(now())}])

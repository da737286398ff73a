"""What humans decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shopkeeper.errors import InputError
from shopkeeper.records import Judgement
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import Records, Row
from shopkeeper.store.schema import judgements

_KEY_BYTES = 2_000  # what PostgreSQL's index can hold, with room to spare


class SqlLabels:
    """Judgements in a database."""

    def __init__(self, database: Database) -> None:
        self._judgements: Records[Judgement] = Records(database, judgements, _encode, _decode)

    def put(self, judgements: Iterable[Judgement]) -> Changes:
        """Add or replace grades by (query, item, rater), 5,000 to a transaction; equal ones are left alone.

        Raises:
            InputError: A judgement cannot be kept: no item, a NUL character, a grade that is not finite, a query too long.
        """
        return self._judgements.put(judgements)

    def scan(self) -> Iterator[Judgement]:
        """All grades, streamed, ordered by (query, item, rater)."""
        return self._judgements.scan()

    def count(self) -> int:
        """How many there are."""
        return self._judgements.count()


def _encode(judgement: Judgement) -> Row:
    codec.check_id(judgement.item, "judgement", "item")
    codec.check_length(judgement.rater, "judgement", "rater")
    codec.check_texts((judgement.query, judgement.item, judgement.rater), "judgement", judgement.item)
    if len((judgement.query + judgement.item + judgement.rater).encode()) > _KEY_BYTES:
        raise InputError(
            f"Query, item and rater together have more than {_KEY_BYTES:,} bytes.",
            where=f"judgement of {judgement.item[:40]!r}",
            cure="Shorten the query.",
        )
    grade = codec.number(judgement.grade, "judgement", judgement.item)
    return judgement.query, judgement.item, judgement.rater, grade


def _decode(row: Row) -> Judgement:
    return Judgement(query=row[0], item=row[1], rater=row[2], grade=row[3])

"""Reviews, questions, dialogues, posts, FAQ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from shopkeeper.records import Passage, PassageKind
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import Records, Row
from shopkeeper.store.schema import passages, readings


class SqlWords:
    """Passages in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._passages: Records[Passage] = Records(database, passages, encode, decode, _reread)

    def put(self, passages: Iterable[Passage]) -> Changes:
        """Add or replace passages by id, 5,000 to a transaction; equal ones are left alone.

        What was read in a passage that is replaced goes with it: its new words are unread.

        Raises:
            InputError: A passage cannot be kept: no id, a NUL character, a rating that is not finite, a time without zone.
        """
        return self._passages.put(passages)

    def remove(self, ids: Sequence[str]) -> Changes:
        """Delete passages by id; unknown ids count as unchanged."""
        return self._passages.remove(ids)

    def get(self, ids: Sequence[str]) -> dict[str, Passage]:
        """The known ones of `ids`, in their order."""
        return self._passages.get(ids)

    def scan(self, kinds: Sequence[PassageKind] = ()) -> Iterator[Passage]:
        """Passages, of these kinds or of all, streamed, ordered by id."""
        if not kinds:
            return self._passages.scan()
        return self._passages.scan(passages.c.kind.in_([kind.value for kind in kinds]))

    def of_item(self, item: str, limit: int = 50) -> list[Passage]:
        """The newest passages about an item, newest first, undated ones last."""
        query = (
            sa.select(passages)
            .where(passages.c.item == item)
            .order_by(passages.c.time.desc().nulls_last(), passages.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [decode(tuple(row)) for row in connection.execute(query)]

    def of_thread(self, thread: str, limit: int = 50) -> list[Passage]:
        """The last passages of a conversation, oldest first; those of one moment by id."""
        return self._last(passages.c.thread == thread, limit)

    def of_customer(self, customer: str, limit: int = 500) -> list[Passage]:
        """The last passages of a customer, oldest first."""
        return self._last(passages.c.customer == customer, limit)

    def _last(self, where: sa.ColumnElement[bool], limit: int) -> list[Passage]:
        query = (
            sa.select(passages)
            .where(where)
            .order_by(passages.c.time.desc().nulls_last(), passages.c.id.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [decode(tuple(row)) for row in connection.execute(query)][::-1]

    def count(self) -> int:
        """How many there are."""
        return self._passages.count()


def _reread(connection: Connection, ids: Sequence[str], removed: bool) -> None:
    if not removed:
        connection.execute(sa.delete(readings).where(readings.c.id.in_(ids)))


def encode(passage: Passage) -> Row:
    """A passage as a row in column order."""
    codec.check_id(passage.id, "passage")
    codec.check_length(passage.item, "passage", "item")
    codec.check_length(passage.customer, "passage", "customer")
    codec.check_length(passage.thread, "passage", "thread")
    texts = (
        passage.id,
        passage.text,
        passage.title,
        passage.item,
        passage.customer,
        passage.thread,
        passage.author,
        passage.language,
        passage.source,
    )
    codec.check_texts(texts, "passage", passage.id)
    return (
        passage.id,
        passage.kind.value,
        passage.text,
        passage.title,
        passage.item,
        passage.customer,
        passage.thread,
        passage.author,
        codec.optional_micros(passage.time),
        codec.number(passage.rating, "passage", passage.id),
        passage.language,
        passage.source,
    )


def decode(row: Row) -> Passage:
    """The inverse of `encode`."""
    id_, kind, text, title, item, customer, thread, author, time, rating, language, source = row
    return Passage(
        id=id_,
        kind=PassageKind(kind),
        text=text,
        title=title,
        item=item,
        customer=customer,
        thread=thread,
        author=author,
        time=codec.optional_moment(time),
        rating=rating,
        language=language,
        source=source,
    )

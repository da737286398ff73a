"""Records kept by key in one table: put, get, remove, scan, count. Four of the five faces of the store stand on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes

T = TypeVar("T")
Row = tuple[Any, ...]
Hook = Callable[[Connection, Sequence[str], bool], object]

CHUNK = 5_000
"""Rows per transaction of a write and per query of a scan."""


class Records(Generic[T]):
    """Records of one kind, by key.

    Args:
        database: Where they are.
        table: The table; its primary key is the records' key.
        encode: A record as a row in column order; raises InputError for what cannot be kept.
        decode: The inverse.
        changed: Called inside the writing transaction with the ids that changed and whether they were removed.
        settled: Whether a row that stands must not be replaced any more; such rows count as unchanged.
    """

    def __init__(
        self,
        database: Database,
        table: sa.Table,
        encode: Callable[[T], Row],
        decode: Callable[[Row], T],
        changed: Hook | None = None,
        settled: Callable[[Row], bool] = lambda _: False,
    ) -> None:
        self._database = database
        self._table = table
        self._encode = encode
        self._decode = decode
        self._changed = changed
        self._settled = settled
        self._names = [column.name for column in table.columns]
        self._keys = list(table.primary_key.columns)
        self._places = [self._names.index(column.name) for column in self._keys]
        insert = database.insert(table)
        others = {name: insert.excluded[name] for name in self._names if name not in table.primary_key.columns}
        self._upsert = insert.on_conflict_do_update(index_elements=self._keys, set_=others)

    def put(self, records: Iterable[T]) -> Changes:
        """Add or replace records, one transaction per `CHUNK`; equal ones are left alone, the last of a key wins.

        Raises:
            InputError: A record cannot be kept; the chunks before its own stay written.
        """
        total = Changes()
        source = iter(records)
        while chunk := [self._encode(record) for record in islice(source, CHUNK)]:
            done = self._put_chunk(chunk)
            total = Changes(total.added + done.added, total.updated + done.updated, total.unchanged + done.unchanged, 0)
        return total

    def amend(self, key: str, change: Callable[[T | None], T]) -> T | None:
        """Replace one record by what `change` makes of it; no writer of any process comes in between.

        Args:
            key: Of the record.
            change: From the record as it stands, None where there is none, to the new one.

        Returns:
            The record before.
        """
        with self._database.writing(self._table) as connection:
            row = next(iter(self._standing(connection, {(key,)}).values()), None)
            before = None if row is None else self._decode(row)
            new = dict(zip(self._names, self._encode(change(before)), strict=True))
            self._database.write_rows(connection, self._upsert, [new])
            self._tell(connection, [key], removed=False)
        return before

    def get(self, ids: Sequence[str]) -> dict[str, T]:
        """The known ones of `ids`, in their order."""
        found: dict[str, T] = {}
        with self._database.reading() as connection:
            for part in parts(ids):
                rows = connection.execute(sa.select(self._table).where(self._keys[0].in_(part)))
                found.update((row[0], self._decode(tuple(row))) for row in rows)
        return {key: found[key] for key in ids if key in found}

    def remove(self, ids: Sequence[str]) -> Changes:
        """Delete records by id, one transaction per `CHUNK`; unknown ids count as unchanged."""
        removed = 0
        key = self._keys[0]
        for part in parts(ids):
            with self._database.writing(self._table) as connection:
                known = list(connection.execute(sa.select(key).where(key.in_(part)).order_by(key)).scalars())
                if known:
                    connection.execute(sa.delete(self._table).where(key.in_(known)))
                    self._tell(connection, known, removed=True)
                removed += len(known)
        return Changes(removed=removed, unchanged=len(ids) - removed)

    def scan(self, *where: sa.ColumnElement[bool]) -> Iterator[T]:
        """Records ordered by key, read `CHUNK` by `CHUNK`: nothing stays open, later chunks see later writes."""
        after: Row | None = None
        while True:
            query = sa.select(self._table).where(*where).order_by(*self._keys).limit(CHUNK)
            if after is not None:
                query = query.where(sa.tuple_(*self._keys) > sa.tuple_(*after))
            with self._database.reading() as connection:
                rows = [tuple(row) for row in connection.execute(query)]
            yield from map(self._decode, rows)
            if len(rows) < CHUNK:
                return
            after = self._key(rows[-1])

    def count(self) -> int:
        """How many there are."""
        with self._database.reading() as connection:
            found: int = connection.execute(sa.select(sa.func.count()).select_from(self._table)).scalar_one()
            return found

    def _put_chunk(self, chunk: Sequence[Row]) -> Changes:
        wanted: dict[Row, Row] = {}
        added = updated = 0
        with self._database.writing(self._table) as connection:
            standing = self._standing(connection, {self._key(row) for row in chunk})
            for row in chunk:
                key = self._key(row)
                before = wanted.get(key, standing.get(key))
                if before is None:
                    added += 1
                elif self._settled(before) or self._equal(before, row):
                    continue
                else:
                    updated += 1
                wanted[key] = row
            if wanted:
                names = self._names
                rows = [dict(zip(names, row, strict=True)) for row in wanted.values()]
                self._database.write_rows(connection, self._upsert, rows)
                self._tell(connection, [key[0] for key in wanted], removed=False)
        return Changes(added, updated, len(chunk) - added - updated)

    def _standing(self, connection: Connection, keys: set[Row]) -> dict[Row, Row]:
        if len(self._keys) == 1:
            where = self._keys[0].in_([key[0] for key in keys])
        else:
            where = sa.tuple_(*self._keys).in_(list(keys))
        rows = map(tuple, connection.execute(sa.select(self._table).where(where)))
        return {self._key(row): row for row in rows}

    def _equal(self, one: Row, other: Row) -> bool:
        return one == other or self._decode(one) == self._decode(other)

    def _key(self, row: Row) -> Row:
        return tuple(row[place] for place in self._places)

    def _tell(self, connection: Connection, ids: Sequence[str], *, removed: bool) -> None:
        if self._changed is not None:
            self._changed(connection, ids, removed)


def parts(ids: Sequence[str]) -> Iterator[list[str]]:
    """`ids` without repetitions, in lists short enough for one statement."""
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), CHUNK):
        yield unique[start : start + CHUNK]

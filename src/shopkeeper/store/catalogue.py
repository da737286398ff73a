"""The items on sale, and what changed when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shopkeeper.records import Availability, Item
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes, Delta
from shopkeeper.store.rows import Records, Row
from shopkeeper.store.schema import catalogue_changes, items


class SqlCatalogue:
    """Items in a database. Each changed item gets the next version number; only its newest one is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._items: Records[Item] = Records(database, items, _encode, _decode, self._note)

    def put(self, items: Iterable[Item]) -> Changes:
        """Add or replace items by id, 5,000 to a transaction, so that any iterable costs bounded memory.

        Equal items are left alone. An interrupted put keeps its finished chunks; repeating it finishes the rest.

        Raises:
            InputError: An item cannot be kept: no id, a NUL character, a price that is not finite, a time without zone.
        """
        return self._items.put(items)

    def remove(self, ids: Sequence[str]) -> Changes:
        """Delete items by id; unknown ids count as unchanged."""
        return self._items.remove(ids)

    def get(self, ids: Sequence[str]) -> dict[str, Item]:
        """The known ones of `ids`, in their order."""
        return self._items.get(ids)

    def scan(self) -> Iterator[Item]:
        """All items, streamed, ordered by id."""
        return self._items.scan()

    def since(self, version: int, limit: int = 10_000) -> Delta:
        """Changes after `version`, oldest first, at most `limit`; `Delta.version` is where to go on."""
        changes = catalogue_changes
        query = (
            sa.select(changes.c.version, changes.c.item, changes.c.removed, *items.c)
            .select_from(changes.outerjoin(items, items.c.id == changes.c.item))
            .where(changes.c.version > version)
            .order_by(changes.c.version)
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return Delta(
            version=rows[-1][0] if rows else version,
            items=tuple(_decode(tuple(row[3:])) for row in rows if not row[2]),
            removed=tuple(row[1] for row in rows if row[2]),
        )

    def count(self) -> int:
        """How many items there are."""
        return self._items.count()

    @property
    def version(self) -> int:
        """Number of the last change, 0 when there never was one."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(sa.func.max(catalogue_changes.c.version))).scalar_one() or 0

    def _note(self, connection: Connection, ids: Sequence[str], removed: bool) -> None:
        connection.execute(sa.delete(catalogue_changes).where(catalogue_changes.c.item.in_(ids)))
        rows = [{"item": item, "removed": removed} for item in ids]
        self._database.write_rows(connection, self._database.insert(catalogue_changes), rows)


def _encode(item: Item) -> Row:
    codec.check_id(item.id, "item")
    texts = (item.id, item.title, item.description, item.brand, item.currency, item.group, item.link, item.language)
    codec.check_texts(texts, "item", item.id)
    where = f"item {item.id!r}"
    return (
        item.id,
        item.title,
        item.description,
        item.brand,
        codec.packed(item.category, where),
        codec.number(item.price, "item", item.id),
        item.currency,
        item.availability.value,
        codec.packed(item.attributes, where),
        codec.packed(item.codes, where),
        item.group,
        codec.packed(item.images, where),
        codec.packed(item.videos, where),
        item.link,
        item.language,
        item.hidden,
        codec.optional_micros(item.created),
        codec.optional_micros(item.updated),
    )


def _decode(row: Row) -> Item:
    (
        id_,
        title,
        description,
        brand,
        category,
        price,
        currency,
        availability,
        attributes,
        codes,
        group,
        images,
        videos,
        link,
        language,
        hidden,
        created,
        updated,
    ) = row
    return Item(
        id=id_,
        title=title,
        description=description,
        brand=brand,
        category=codec.unpacked_tuple(category),
        price=price,
        currency=currency,
        availability=Availability(availability),
        attributes=codec.unpacked_map(attributes),
        codes=codec.unpacked_tuple(codes),
        group=group,
        images=codec.unpacked_tuple(images),
        videos=codec.unpacked_tuple(videos),
        link=link,
        language=language,
        hidden=bool(hidden),
        created=codec.optional_moment(created),
        updated=codec.optional_moment(updated),
    )

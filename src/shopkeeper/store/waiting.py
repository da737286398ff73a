"""Back in stock: customers who wait for an item that is sold out, and who is to be told now that it is not.

Everybody is told once: `due` puts whoever is to be told into a named batch, and a batch that was asked for once stays as it
was. Whoever dies between asking and sending asks for the same batch again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Availability, now
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.rows import Row
from shopkeeper.store.schema import items, waits

DAYS = 90
"""Days after which somebody waits no longer, unless they say otherwise."""
_KEPT = timedelta(days=30)
"""How long a batch can be asked for again at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A customer who waits for an item.

    Attributes:
        since: When they began.
        expires: When they will be waiting no longer.
        batch: The batch in which they are told; empty while they wait.
    """

    customer: str
    item: str
    since: datetime
    expires: datetime
    batch: str = ""


class WaitingList:
    """Who waits for what, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(waits)
        values = {name: insert.excluded[name] for name in ("since", "expires", "batch")}
        self._upsert = insert.on_conflict_do_update(index_elements=[waits.c.customer, waits.c.item], set_=values)

    def wait(self, customer: str, item: str, *, days: float = DAYS, moment: datetime | None = None) -> Wait:
        """Let a customer wait for an item. Who waits already goes on waiting, until the later of the two ends.

        Args:
            customer: Who.
            item: For what; it must be sold out.
            days: For how long.
            moment: The time now.

        Raises:
            InputError: No customer is named, `days` is not above 0 and at most 3,650, or the item can be bought now.
            NotFoundError: There is no such item.
        """
        codec.check_id(customer, "wait", "customer")
        codec.check_texts((customer, item), "wait of", customer)
        if not 0 < days <= 3_650:
            raise InputError(f"Nobody waits {days} days.", where="days", cure="Give a number from 1 to 3650.")
        since = moment or now()
        made = Wait(customer=customer, item=item, since=since, expires=since + timedelta(days=days))
        with self._database.writing(waits) as connection:
            _sold_out(connection, item)
            own = (waits.c.customer == customer) & (waits.c.item == item)
            known = connection.execute(sa.select(waits).where(own)).first()
            if known is not None and not known.batch and known.expires > codec.micros(since):
                before = _decode(tuple(known))
                made = Wait(customer=customer, item=item, since=before.since, expires=max(before.expires, made.expires))
            self._database.write_rows(connection, self._upsert, [_encode(made)])
        return made

    def cancel(self, customer: str, item: str) -> bool:
        """Let a customer wait no longer; False when they did not."""
        own = (waits.c.customer == customer) & (waits.c.item == item) & (waits.c.batch == "")
        with self._database.writing(waits) as connection:
            return bool(connection.execute(sa.delete(waits).where(own)).rowcount)

    def of_customer(self, customer: str, *, moment: datetime | None = None) -> list[Wait]:
        """What a customer waits for, the latest first."""
        own = (waits.c.customer == customer) & (waits.c.batch == "")
        own &= waits.c.expires > codec.micros(moment or now())
        query = sa.select(waits).where(own).order_by(waits.c.since.desc(), waits.c.item)
        with self._database.reading() as connection:
            return [_decode(tuple(row)) for row in connection.execute(query)]

    def due(self, batch: str, *, moment: datetime | None = None) -> list[Wait]:
        """Who is to be told that what they wait for can be bought again, longest waiting first.

        The first call with a name takes in everybody who is due and in no other batch; further calls with that name give
        the same customers, less those who were erased meanwhile. Batches are kept for 30 days at least.

        Args:
            batch: A name of the caller's choice, new for every mailing.
            moment: The time now.

        Raises:
            InputError: The name is empty or longer than 200 characters.
        """
        codec.check_id(batch, "batch", "name")
        codec.check_texts((batch,), "batch", batch)
        time = moment or now()
        with self._database.writing(waits) as connection:
            connection.execute(sa.delete(waits).where(waits.c.expires <= codec.micros(time)))
            if not (found := _batch(connection, batch)):
                kept = codec.micros(time + _KEPT)
                longer = sa.case((waits.c.expires < kept, kept), else_=waits.c.expires)
                connection.execute(sa.update(waits).where(_due()).values(batch=batch, expires=longer))
                found = _batch(connection, batch)
        return found

    def count(self) -> int:
        """How many wait and were not told."""
        query = sa.select(sa.func.count()).select_from(waits).where(waits.c.batch == "")
        with self._database.reading() as connection:
            found: int = connection.execute(query).scalar_one()
            return found


def forget(connection: Connection, customer: str) -> int:
    """Delete a customer's waits inside somebody else's transaction; how many there were."""
    return connection.execute(sa.delete(waits).where(waits.c.customer == customer)).rowcount


def held(connection: Connection, customer: str) -> Sequence[sa.RowMapping]:
    """All rows about a customer, ordered by item."""
    query = sa.select(waits).where(waits.c.customer == customer).order_by(waits.c.item)
    return connection.execute(query).mappings().all()


def _sold_out(connection: Connection, item: str) -> None:
    query = sa.select(items.c.availability).where(items.c.id == item, sa.not_(items.c.hidden))
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise NotFoundError(f"There is no item {item!r}.", where="item", cure="Use an id of the catalogue.")
    if Availability(found).sellable:
        raise InputError("The item can be bought now.", where=item, cure="Nobody needs to wait for it.")


def _due() -> sa.ColumnElement[bool]:
    sellable = [value.value for value in Availability if value.sellable]
    back = sa.select(items.c.id).where(items.c.availability.in_(sellable), sa.not_(items.c.hidden))
    return (waits.c.batch == "") & waits.c.item.in_(back)


def _batch(connection: Connection, batch: str) -> list[Wait]:
    query = sa.select(waits).where(waits.c.batch == batch).order_by(waits.c.since, waits.c.customer, waits.c.item)
    return [_decode(tuple(row)) for row in connection.execute(query)]


def _encode(wait: Wait) -> dict[str, object]:
    return {
        "customer": wait.customer,
        "item": wait.item,
        "since": codec.micros(wait.since),
        "expires": codec.micros(wait.expires),
        "batch": wait.batch,
    }


def _decode(row: Row) -> Wait:
    customer, item, since, expires, batch = row
    return Wait(customer=customer, item=item, since=codec.moment(since), expires=codec.moment(expires), batch=batch)

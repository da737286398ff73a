"""Who buys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shopkeeper.records import Customer
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import Records, Row
from shopkeeper.store.schema import customers


class SqlCustomers:
    """Customers in a database."""

    def __init__(self, database: Database) -> None:
        self._customers: Records[Customer] = Records(database, customers, _encode, _decode)

    def put(self, customers: Iterable[Customer]) -> Changes:
        """Add or replace customers by id, 5,000 to a transaction; equal ones are left alone.

        Raises:
            InputError: A customer cannot be kept: no id, a NUL character, a time without zone.
        """
        return self._customers.put(customers)

    def get(self, ids: Sequence[str]) -> dict[str, Customer]:
        """The known ones of `ids`, in their order."""
        return self._customers.get(ids)

    def scan(self) -> Iterator[Customer]:
        """All customers, streamed, ordered by id."""
        return self._customers.scan()

    def count(self) -> int:
        """How many there are."""
        return self._customers.count()


def _encode(customer: Customer) -> Row:
    codec.check_id(customer.id, "customer")
    codec.check_texts((customer.id, customer.language), "customer", customer.id)
    return (
        customer.id,
        customer.language,
        codec.packed(customer.attributes, f"customer {customer.id!r}"),
        codec.optional_micros(customer.created),
    )


def _decode(row: Row) -> Customer:
    return Customer(
        id=row[0],
        language=row[1],
        attributes=codec.unpacked_map(row[2]),
        created=codec.optional_moment(row[3]),
    )

"""Orders: what a customer is waiting for, and what may still be done about it. Every move is in the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson
import sqlalchemy as sa

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import now
from shopkeeper.store import codec
from shopkeeper.store.audit import Act, note
from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import Records, Row
from shopkeeper.store.schema import orders

MOVED: Final = "order"
"""Action of the audit log under which every move of an order stands."""


class OrderStatus(StrEnum):
    """How far an order has come."""

    PLACED = "placed"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    RETURNING = "returning"
    RETURNED = "returned"


NEXT: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    OrderStatus.PLACED: frozenset({OrderStatus.PACKED, OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.PACKED: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset({OrderStatus.DELIVERED, OrderStatus.RETURNING}),
    OrderStatus.DELIVERED: frozenset({OrderStatus.RETURNING}),
    OrderStatus.RETURNING: frozenset({OrderStatus.RETURNED, OrderStatus.DELIVERED}),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.RETURNED: frozenset(),
}
"""What may follow a status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """So many pieces of an item at a price each."""

    item: str
    quantity: int = 1
    price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of a customer.

    Attributes:
        currency: Of all prices and of `total`.
        carrier: Who delivers, empty while nobody does.
        tracking: The carrier's number.
        due: When it should arrive; None when unknown.
        delivered: When it arrived; None before.
        address: Where to, as the customer wrote it.
    """

    id: str
    customer: str
    placed: datetime
    status: OrderStatus = OrderStatus.PLACED
    lines: tuple[OrderLine, ...] = ()
    total: float | None = None
    currency: str = ""
    carrier: str = ""
    tracking: str = ""
    due: datetime | None = None
    delivered: datetime | None = None
    address: str = ""


class SqlOrders:
    """The orders, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records: Records[Order] = Records(database, orders, _encode, _decode)

    def put(self, written: Iterable[Order]) -> Changes:
        """Add or replace orders by id; equal ones are left alone.

        Raises:
            InputError: An order cannot be kept: no id or customer, a number that is not finite, a time without zone.
        """
        return self._records.put(written)

    def get(self, ids: Sequence[str]) -> dict[str, Order]:
        """The known ones of `ids`."""
        return self._records.get(ids)

    def of_customer(self, customer: str, limit: int = 50) -> list[Order]:
        """The last orders of a customer, newest first."""
        query = (
            sa.select(orders)
            .where(orders.c.customer == customer)
            .order_by(orders.c.placed.desc(), orders.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [_decode(tuple(row)) for row in connection.execute(query)]

    def move(self, order: str, status: OrderStatus, actor: str = "", *, address: str = "", key: str = "") -> Order:
        """Let an order go on to another status, or send it to another address; noted in the audit log.

        Args:
            order: Its id.
            status: Where it goes; its own status changes the address only.
            actor: Who wants it.
            address: Where to from now on; empty leaves it as it is. Refused once the order is shipped.
            key: Makes it idempotent: the same key again changes nothing.

        Raises:
            NotFoundError: There is no such order.
            InputError: The status may not follow the order's own, or it is too late for another address.
        """
        with self._database.writing(orders) as connection:
            row = connection.execute(sa.select(orders).where(orders.c.id == order)).first()
            if row is None:
                raise NotFoundError(f"There is no order {order!r}.", where="order", cure="Use the number of an order.")
            before = _decode(tuple(row))
            document = orjson.loads(row.body)
            done = document.get("keys", [])
            if key and key in done:
                return before
            if status is not before.status and status not in NEXT[before.status]:
                raise InputError(
                    f"An order that is {before.status} cannot become {status}.",
                    where=f"order {order!r}",
                    cure=f"It can become: {', '.join(sorted(NEXT[before.status])) or 'nothing else'}.",
                )
            if address and before.status not in (OrderStatus.PLACED, OrderStatus.PACKED):
                raise InputError(
                    f"An order that is {before.status} cannot be sent elsewhere.",
                    where=f"order {order!r}",
                    cure="Ask the carrier, or return it.",
                )
            arrived = before.delivered or (now() if status is OrderStatus.DELIVERED else None)
            after = replace(before, status=status, address=address or before.address, delivered=arrived)
            body = _document(after) | ({"keys": [*done, key]} if key or done else {})
            text = codec.pack_document(body, f"order {order!r}")
            connection.execute(sa.update(orders).where(orders.c.id == order).values(body=text))
            detail = {"order": order, "before": before.status.value, "after": status.value}
            note(connection, Act(now(), MOVED, actor, detail | ({"address": "changed"} if address else {})))
        return after


def order_document(order: Order) -> dict[str, Any]:
    """An order as JSON values, with its id and customer."""
    return {"id": order.id, "customer": order.customer, "placed": order.placed.isoformat(), **_document(order)}


def _document(order: Order) -> dict[str, Any]:
    return {
        "status": order.status.value,
        "lines": [{"item": line.item, "quantity": line.quantity, "price": line.price} for line in order.lines],
        "total": order.total,
        "currency": order.currency,
        "carrier": order.carrier,
        "tracking": order.tracking,
        "due": None if order.due is None else order.due.isoformat(),
        "delivered": None if order.delivered is None else order.delivered.isoformat(),
        "address": order.address,
    }


def _encode(order: Order) -> Row:
    codec.check_id(order.id, "order")
    codec.check_id(order.customer, f"order {order.id!r}", "customer")
    texts = (order.currency, order.carrier, order.tracking, order.address, *(line.item for line in order.lines))
    codec.check_texts((order.id, order.customer, *texts), "order", order.id)
    for value in (order.total, *(line.price for line in order.lines)):
        codec.number(value, "order", order.id)
    for time in (order.due, order.delivered):
        codec.optional_micros(time)
    body = codec.pack_document(_document(order), f"order {order.id!r}")
    return order.id, order.customer, codec.micros(order.placed), body


def _decode(row: Row) -> Order:
    id_, customer, placed, body = row
    values = orjson.loads(body)
    return Order(
        id=id_,
        customer=customer,
        placed=codec.moment(placed),
        status=OrderStatus(values["status"]),
        lines=tuple(OrderLine(**line) for line in values["lines"]),
        total=values["total"],
        currency=values["currency"],
        carrier=values["carrier"],
        tracking=values["tracking"],
        due=_time(values["due"]),
        delivered=_time(values["delivered"]),
        address=values["address"],
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

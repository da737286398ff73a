"""A customer's rights: everything kept about them handed over, or deleted everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shopkeeper.errors import InputError
from shopkeeper.records import EventKind, now
from shopkeeper.store import codec, waiting
from shopkeeper.store.audit import Act, note
from shopkeeper.store.engine import Database
from shopkeeper.store.labels import item_key
from shopkeeper.store.schema import alerts, customers, decisions, events, orders, passages, readings

TALK: Final = "assistant"
"""Source of the passages that conversations with the assistant consist of."""
_STRANGER: Final = "conversation:"
_TOGETHER: Final = 10_000
_CHARGED = (events.c.kind == EventKind.AD_CLICK) & events.c.value.is_not(None)
_NOBODY = dict.fromkeys(("customer", "session", "query", "request"), "")


def export_customer(database: Database, customer: str) -> dict[str, Any]:
    """Everything kept about a customer, ready for JSON.

    Returns:
        ``customer`` (their record or None), ``events``, ``passages`` and ``decisions`` about their words, oldest first,
        ``orders``, and ``waits`` for items that are sold out; times are ISO 8601, UTC.

    Raises:
        InputError: No customer is named.
    """
    _named(customer)
    of_customer = (events.c.customer == customer) | _anonymous_events_of(customer)
    of_events = sa.select(events).where(of_customer).order_by(events.c.time, events.c.position)
    of_passages = sa.select(passages).where(_passages_of(customer)).order_by(passages.c.time, passages.c.id)
    of_decisions = sa.select(decisions).where(_decisions_about(customer))
    of_decisions = of_decisions.order_by(decisions.c.task, decisions.c.subject)
    of_orders = sa.select(orders).where(orders.c.customer == customer).order_by(orders.c.placed, orders.c.id)
    with database.reading() as connection:
        known = connection.execute(sa.select(customers).where(customers.c.id == customer)).mappings().first()
        return {
            "customer": None if known is None else _readable(known),
            "events": [_readable(row) for row in connection.execute(of_events).mappings()],
            "passages": [_readable(row) for row in connection.execute(of_passages).mappings()],
            "decisions": [_readable(row) for row in connection.execute(of_decisions).mappings()],
            "orders": [_readable(row) for row in connection.execute(of_orders).mappings()],
            "waits": [_readable(row) for row in waiting.held(connection, customer)],
        }


def erase(database: Database, customer: str, actor: str = "") -> int:
    """Delete a customer: their events, passages, orders and waits, decisions about their words, and their sessions before they were known.

    Events of another named customer in a shared session stay. Of ad clicks that were charged the sum, the item and the
    campaign stay, since an advertiser is owed an account of them; whose they were does not. What was deleted is
    overwritten on disk. The audit log keeps how many rows went, not whose.

    Returns:
        Rows deleted, or for charged clicks made nobody's.

    Raises:
        InputError: No customer is named.
    """
    _named(customer)
    with database.writing(events) as connection:
        # the anonymous ones first: they are found through the customer's own, which SQLite must not delete meanwhile
        gone = 0
        for whose in (_anonymous_events_of(customer), events.c.customer == customer):
            gone += connection.execute(sa.update(events).where(whose, _CHARGED).values(_NOBODY)).rowcount
            gone += connection.execute(sa.delete(events).where(whose)).rowcount
        _forget_quotes(connection, customer)
        own = connection.execute(sa.select(passages.c.id).where(_passages_of(customer))).scalars().all()
        counts = {
            "events": gone,
            # what is found through the customer's own passages goes before these
            "decisions": connection.execute(sa.delete(decisions).where(_decisions_about(customer))).rowcount,
            "readings": _delete(connection, readings.c.id, own),
            "passages": _delete(connection, passages.c.id, own),
            "orders": connection.execute(sa.delete(orders).where(orders.c.customer == customer)).rowcount,
            "waits": waiting.forget(connection, customer),
            "customers": connection.execute(sa.delete(customers).where(customers.c.id == customer)).rowcount,
        }
        note(connection, Act(now(), "erase", actor, counts))
    database.checkpoint()
    return sum(counts.values())


def nobody(conversation: str) -> str:
    """Whose words a stranger's are in the review queue, so that they can be erased."""
    return _STRANGER + conversation


def _forget_quotes(connection: Connection, customer: str) -> None:
    """Take back what quotes a customer's words: summaries of alerts, and copy about what buyers say that waits or stands."""
    own = sa.select(passages.c.id, passages.c.item).where(_passages_of(customer))
    written = connection.execute(own).all()
    names = {row.id for row in written}
    for row in connection.execute(sa.select(alerts)).all() if names else ():
        body = orjson.loads(row.body)
        if names.intersection(body.get("evidence", ())):
            text = codec.pack_document({**body, "summary": {}}, f"alert {row.id!r}")
            connection.execute(sa.update(alerts).where(alerts.c.id == row.id).values(body=text))
    for item in {row.item for row in written if row.item}:
        quotes = decisions.c.subject.startswith(f"{item_key(item)}/reviews/", autoescape=True)
        connection.execute(sa.delete(decisions).where(decisions.c.task == "copy", quotes))


def _readable(row: RowMapping) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in ((str(name), value) for name, value in row.items()):
        if name in {"time", "created", "since", "expires", "placed"} and value is not None:
            document[name] = codec.moment(value).isoformat()
        elif name in {"attributes", "properties", "impression", "body"} and value is not None:
            document[name] = codec.unpacked_map(value)
        elif name != "position":
            document[name] = value
    return document


def _named(customer: str) -> None:
    if not customer:
        raise InputError("No customer is named.", where="customer", cure="Give the customer's id.")


def _delete(connection: Connection, column: sa.Column[str], values: Sequence[str]) -> int:
    """Rows of a table whose column holds one of the values; in parts, since a statement takes so many and no more."""
    parts = (values[start : start + _TOGETHER] for start in range(0, len(values), _TOGETHER))
    return sum(connection.execute(sa.delete(column.table).where(column.in_(part))).rowcount for part in parts)


def _threads_of(customer: str) -> sa.Select[tuple[str]]:
    """Conversations with the assistant in which the customer was known at some time."""
    own = (passages.c.customer == customer) & (passages.c.source == TALK) & (passages.c.thread != "")
    return sa.select(passages.c.thread).where(own).distinct()


def _passages_of(customer: str) -> sa.ColumnElement[bool]:
    """Their own, and what was said in their conversations before they were known."""
    strangers = (passages.c.customer == "") & (passages.c.source == TALK)
    return (passages.c.customer == customer) | (strangers & passages.c.thread.in_(_threads_of(customer)))


def _decisions_about(customer: str) -> sa.ColumnElement[bool]:
    """About their words, or about those of the stranger whom they were before."""
    threads = _threads_of(customer).subquery()
    return (decisions.c.customer == customer) | decisions.c.customer.in_(sa.select(_STRANGER + threads.c.thread))


def _anonymous_events_of(customer: str) -> sa.ColumnElement[bool]:
    own = (events.c.customer == customer) & (events.c.session != "")
    return (events.c.customer == "") & events.c.session.in_(sa.select(events.c.session).where(own).distinct())

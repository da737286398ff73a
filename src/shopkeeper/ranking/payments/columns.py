"""Payments as columns: who paid how much to whom and with what, and what is known about fraud.

A payment is one or several purchase events with the same ``payment`` in their properties (an event without one is a payment
by itself). Other properties say what it was made with: ``terminal``, ``device``, ``address``, ``card``; and its ``currency``.
Humans decide in the review queue, under the task `TASK`, whether it was fraud. A history that is imported may say so itself:
``fraud`` true or false in the properties, which counts as known once the delay has passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.records import Decision, Event, EventKind

Ints = NDArray[np.int64]
Values = NDArray[np.float64]

TASK: Final = "fraud"
"""Name of the question in the review queue; its subjects are ids of payments."""
FRAUD, GENUINE = "fraud", "genuine"
"""What a human may decide."""
KINDS: Final = ("terminal", "device", "address", "card")
"""What a payment may be made with or at."""
DAY: Final = 86_400
NEVER: Final = int(np.iinfo(np.int64).max)
"""A time that does not come."""
_CURRENCY: Final = 8


class Payment(NamedTuple):
    """One payment, its lines added up.

    Attributes:
        id: What its lines share; the event's id where there is only one.
        time: Seconds UTC of its first line.
        customer: Who pays; may be empty.
        amount: Money, not negative, in units of `currency`.
        item: The dearest line's.
        counterparts: Kind to id, of those of `KINDS` that are known.
    """

    id: str
    time: int
    customer: str
    amount: float
    currency: str
    item: str
    counterparts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """n payments, ordered by time; those of the same second in the order in which they came.

    Attributes:
        time: int64 (n,), seconds UTC.
        customer: int64 (n,), a number for each customer, -1 for nobody known. Numbers only tell apart.
        counterparts: Kind to int64 (n,), likewise; kinds that nobody uses are left out.
        amount: float64 (n,), in units of the currency, not negative.
        currency: int64 (n,), place in `currencies`.
        words: int64 (n,), row of the bought item's vector, -1 for none.
        fraud: int64 (n,), 1, 0, or -1 where it is not known.
        known: int64 (n,), seconds UTC when `fraud` became known, `NEVER` where it did not.
        currencies: Their codes.
        ids: The payments' ids; empty where nobody will ask.
        names: Column (``customer`` or a kind) to id to its number; empty where nobody will ask.
    """

    time: Ints
    customer: Ints
    counterparts: Mapping[str, Ints]
    amount: Values
    currency: Ints
    words: Ints
    fraud: Ints
    known: Ints
    currencies: tuple[str, ...] = ("",)
    ids: tuple[str, ...] = ()
    names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together."""
        n = len(self.time)
        columns = (self.customer, *self.counterparts.values(), self.amount, self.currency, self.words, self.fraud)
        if any(len(column) != n for column in (*columns, self.known)) or (self.ids and len(self.ids) != n):
            raise InputError(
                "The columns of payments differ in length.", where="payments", cure="Give one value a row."
            )
        if n and ((np.diff(self.time) < 0).any() or not (np.isfinite(self.amount).all() and self.amount.min() >= 0)):
            raise InputError(
                "Payments must be ordered by time, and amounts must not be negative.",
                where="payments",
                cure="Sort and check them.",
            )

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: Ints) -> Payments:
        """The payments of some rows, ascending, with the same numbers."""
        return Payments(
            time=self.time[rows],
            customer=self.customer[rows],
            counterparts={kind: column[rows] for kind, column in self.counterparts.items()},
            amount=self.amount[rows],
            currency=self.currency[rows],
            words=self.words[rows],
            fraud=self.fraud[rows],
            known=self.known[rows],
            currencies=self.currencies,
            ids=tuple(self.ids[row] for row in rows) if self.ids else (),
            names=self.names,
        )

    def medians(self) -> dict[str, float]:
        """Currency to its median amount: the unit in which amounts are compared."""
        return {
            code: float(np.median(self.amount[self.currency == place]))
            for place, code in enumerate(self.currencies)
            if (self.currency == place).any()
        }


def payment_of(lines: Sequence[Event]) -> Payment:
    """One payment of its lines.

    Raises:
        InputError: A line is no purchase with an amount, or lines differ in payment, customer or currency.
    """
    if not lines:
        raise InputError("A payment has no lines.", where="events", cure="Send its purchase events.")
    for line in lines:
        if (fault := _fault(line)) is not None:
            raise InputError(fault, where=f"event {line.id!r}", cure="Send purchases with their money in `value`.")
    shared = {(payment_id(line), line.customer, currency_of(line)) for line in lines}
    if len(shared) > 1:
        raise InputError(
            "The lines of a payment differ in payment, customer or currency.",
            where=f"payment {payment_id(lines[0])!r}",
            cure="Send one payment at a time, in one currency.",
        )
    once = list({line.id: line for line in lines}.values())
    identifier, customer, currency = shared.pop()
    counterparts: dict[str, str] = {}
    for line in once:
        for kind in KINDS:
            if value := str(line.properties.get(kind, "")).strip():
                counterparts.setdefault(kind, value)
    return Payment(
        id=identifier,
        time=min(int(line.time.timestamp()) for line in once),
        customer=customer,
        amount=math.fsum(line.value or 0.0 for line in once),
        currency=currency,
        item=max(once, key=lambda line: line.value or 0.0).item,
        counterparts=counterparts,
    )


def currency_of(event: Event) -> str:
    """The currency an event names, in capitals; empty for the shop's own."""
    return str(event.properties.get("currency", "")).strip().upper()[:_CURRENCY]


def read_payments(
    events: Iterable[Event], decisions: Iterable[Decision] = (), row: Callable[[str], int | None] = lambda _: None
) -> Payments:
    """Payments of a log, with what humans decided about them.

    Events that are no purchase, or have no amount, are passed over; a repeated event counts once. Lines that share
    a payment and differ in customer or currency are payments of their own.

    Args:
        events: In any order.
        decisions: Of the task `TASK`; later answers about the same payment replace earlier ones.
        row: The row of an item's vector, None where it has none.
    """
    lines: dict[tuple[str, str, str], dict[str, Event]] = {}
    for event in events:
        if _fault(event) is None:
            lines.setdefault((payment_id(event), event.customer, currency_of(event)), {})[event.id] = event
    found = sorted((payment_of(list(group.values())) for group in lines.values()), key=lambda payment: payment.time)
    decided = {
        decision.subject: (int(decision.label == FRAUD), int(decision.time.timestamp()))
        for decision in decisions
        if decision.label in (FRAUD, GENUINE) and decision.time is not None
    }
    told = {
        payment_id(event): bool(event.properties["fraud"])
        for group in lines.values()
        for event in group.values()
        if "fraud" in event.properties
    }
    labels = [
        decided.get(payment.id, (int(told[payment.id]), payment.time) if payment.id in told else (-1, NEVER))
        for payment in found
    ]
    kinds = [kind for kind in KINDS if any(kind in payment.counterparts for payment in found)]
    names: dict[str, dict[str, int]] = {column: {} for column in ("customer", *kinds)}
    currencies: dict[str, int] = {}
    item_rows = [row(payment.item) for payment in found]
    return Payments(
        time=_ints(payment.time for payment in found),
        customer=_ints(number_of(names["customer"], payment.customer) for payment in found),
        counterparts={
            kind: _ints(number_of(names[kind], payment.counterparts.get(kind, "")) for payment in found)
            for kind in kinds
        },
        amount=np.array([payment.amount for payment in found], dtype=np.float64),
        currency=_ints(currencies.setdefault(payment.currency, len(currencies)) for payment in found),
        words=_ints(-1 if place is None else place for place in item_rows),
        fraud=_ints(label for label, _ in labels),
        known=_ints(known for _, known in labels),
        currencies=tuple(currencies) or ("",),
        ids=tuple(payment.id for payment in found),
        names=names,
    )


def number_of(numbers: dict[str, int], identifier: str) -> int:
    """The number of an id, a new one where it has none yet; -1 for an empty id."""
    return numbers.setdefault(identifier, len(numbers)) if identifier else -1


def payment_id(event: Event) -> str:
    """The id of the payment that an event is a line of."""
    return str(event.properties.get("payment", "")).strip() or event.id


def _fault(event: Event) -> str | None:
    if event.kind is not EventKind.PURCHASE:
        return f"A {event.kind.value} is no payment."
    if event.value is None or not math.isfinite(event.value) or event.value < 0:
        return f"A payment of {event.value} is none."
    return None


def _ints(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, dtype=np.int64)

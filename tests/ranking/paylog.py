"""Payments with a known answer, for tests."""

from datetime import UTC, datetime, timedelta

import numpy as np

from shopkeeper.ranking.payments.columns import DAY, NEVER, Payment, Payments
from shopkeeper.records import Event, EventKind

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


def purchase(number, hours, value, *, customer="c1", item="", **properties):
    return Event(
        id=f"e{number}",
        time=START + timedelta(hours=hours),
        kind=EventKind.PURCHASE,
        customer=customer,
        item=item,
        value=value,
        properties=properties,
    )


def columns(payments: list[Payment], fraud=None, known=None, words=None) -> Payments:
    """Payments as columns, numbers in order of appearance."""
    kinds = [kind for kind in ("terminal", "device") if any(kind in payment.counterparts for payment in payments)]
    names = {column: {} for column in ("customer", *kinds)}
    currencies = list(dict.fromkeys(payment.currency for payment in payments)) or [""]

    def number(column, value):
        return names[column].setdefault(value, len(names[column])) if value else -1

    def ints(values):
        return np.array(list(values), dtype=np.int64)

    n = len(payments)
    return Payments(
        time=ints(payment.time for payment in payments),
        customer=ints(number("customer", payment.customer) for payment in payments),
        counterparts={kind: ints(number(kind, p.counterparts.get(kind, "")) for p in payments) for kind in kinds},
        amount=np.array([payment.amount for payment in payments], dtype=np.float64),
        currency=ints(currencies.index(payment.currency) for payment in payments),
        words=ints(words if words is not None else [-1] * n),
        fraud=ints(fraud if fraud is not None else [-1] * n),
        known=ints(known if known is not None else [NEVER] * n),
        currencies=tuple(currencies),
        ids=tuple(payment.id for payment in payments),
        names=names,
    )


def simulated(n: int, seed: int, *, days: int = 60) -> Payments:
    """Payments of 20 customers at 15 terminals; two terminals cheat in the middle third, amounts of one customer jump."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, days * DAY, n)) + int(START.timestamp())
    customer, terminal = rng.integers(0, 20, n), rng.integers(0, 15, n)
    amount = np.round(np.exp(rng.normal(3 + customer % 3, 0.4)), 2)
    day = (time - time[0]) // DAY
    cheated = (terminal < 2) & (rng.random(n) < 0.8)
    dear = (customer == 5) & (rng.random(n) < 0.4) & (day > days // 3)
    amount = np.where(dear, 6 * amount, amount)
    fraud = (cheated | dear).astype(np.int64)
    return Payments(
        time=time.astype(np.int64),
        customer=customer.astype(np.int64),
        counterparts={"terminal": terminal.astype(np.int64)},
        amount=amount,
        currency=np.zeros(n, dtype=np.int64),
        words=np.full(n, -1, dtype=np.int64),
        fraud=fraud,
        known=time.astype(np.int64),
        currencies=("EUR",),
        ids=tuple(f"p{row}" for row in range(n)),
        names={
            "customer": {f"c{row}": row for row in range(20)},
            "terminal": {f"t{row}": row for row in range(15)},
        },
    )

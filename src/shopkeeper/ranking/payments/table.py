"""What features of payments are computed from, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from shopkeeper.ranking.payments.columns import DAY, NEVER, Ints, Payments, Values
from shopkeeper.ranking.payments.runs import Tally, counts_from

DELAY: Final = 7 * DAY
"""Seconds until a payment nobody complained about counts as genuine."""
UNIT: Final = 1_000
"""Parts of a currency's median that amounts are counted in."""
_MOST = 1_000 * UNIT


class Feature(NamedTuple):
    """What a column says: which group it belongs to, of whom, what, and over which window."""

    group: str
    owner: str
    measure: str
    window: str = ""

    def __str__(self) -> str:
        return ".".join(self)

    @classmethod
    def parse(cls, name: str) -> Feature:
        """Read what `str` gave."""
        return cls(*name.split("."))


@dataclass(frozen=True, slots=True)
class Table:
    """Payments as features see them, ordered by time; int64 (n,) columns.

    Attributes:
        time: Seconds UTC.
        keys: ``customer`` and the kinds of counterparts to numbers that tell them apart, -1 for none.
        units: Amounts in thousandths of the currency's median.
        currency: Number of the currency.
        words: Row of the item's vector, -1 for none.
    """

    time: Ints
    keys: Mapping[str, Ints]
    units: Ints
    currency: Ints
    words: Ints


@dataclass(frozen=True, slots=True)
class Derived:
    """What is remembered of each payment for those that follow; whole numbers (n,).

    Attributes:
        unusual: Thousandths of deviations that the amount lay above the customer's own mean.
        taint: Millionths: share of known fraud of the customer.
        risk: Millionths: highest share of known fraud of a counterpart.
        new: Kind to 1 where the customer had not met this counterpart within the horizon.
    """

    unusual: Ints
    taint: Ints
    risk: Ints
    new: Mapping[str, Ints]


def to_units(amount: Values, median: Values | float) -> Ints:
    """Amounts in thousandths of a median, from 1 to a million: int64 as `amount`."""
    return np.clip(np.rint(UNIT * amount / median), 1, _MOST).astype(np.int64)


def units_of(payments: Payments, medians: Mapping[str, float]) -> Ints:
    """Amounts in thousandths of their currency's median, int64 (n,); a currency without one counts as its own unit."""
    scale = np.array([medians.get(code) or 1.0 for code in payments.currencies], dtype=np.float64)
    return to_units(payments.amount, scale[payments.currency])


def table_of(payments: Payments, medians: Mapping[str, float]) -> Table:
    """The payments as features see them."""
    keys = {"customer": payments.customer, **payments.counterparts}
    return Table(payments.time, keys, units_of(payments, medians), payments.currency, payments.words)


def tallies(payments: Payments, delay: int) -> dict[str, tuple[Tally, Tally]]:
    """Payments and frauds by hour, for ``customer`` and each kind."""
    fraud = (payments.fraud == 1) & (payments.known < NEVER)
    hours, later = payments.time // 3_600, counts_from(payments.time[fraud], payments.known[fraud], delay)
    return {
        column: (
            Tally(keys, hours, np.ones(len(keys), dtype=np.int64)),
            Tally(keys[fraud], later, np.ones(int(fraud.sum()), dtype=np.int64)),
        )
        for column, keys in {"customer": payments.customer, **payments.counterparts}.items()
    }

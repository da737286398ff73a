"""What a running shop remembers of payments, so that the next one has its features at once.

Kept of each customer and counterpart: the last `LIMIT` payments of the last 30 days, and payments and frauds by hour for 60
days and the delay. A customer with a million events takes no more room than one with a few hundred. Features come from the
very code that training uses, on the payments that bear on this one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.ranking.payments.columns import DAY, KINDS, Payment, Payments, Values, number_of
from shopkeeper.ranking.payments.ledger import Ledger
from shopkeeper.ranking.payments.runs import (
    HORIZON,
    HOUR,
    LIMIT,
    MEMORY,
    Ints,
    KnownFraud,
    Runs,
    Tally,
    counts_from,
)
from shopkeeper.ranking.payments.table import DELAY, Derived, Feature, Table, table_of, tallies, to_units

AHEAD: Final = 300
"""Seconds that a payment may lie in the future of the shop's clock."""
_IDS = 1_000_000
"""Payments whose ids are remembered at most: an older one could be counted twice, and its label comes with the next start."""
_TIME, _TURN, _UNITS, _CURRENCY, _WORDS, _UNUSUAL, _TAINT, _RISK, _FIRST = range(9)
_HOUR, _PAID, _CHEATED = range(3)
_NO_HOURS: Final = np.zeros((0, 3), dtype=np.int64)
_Key = tuple[str, int]


class PaymentWindows:
    """The recent past of every customer and counterpart. One thread at a time.

    Args:
        kinds: Kinds of counterparts that features were learnt for.
        medians: Currency to the unit of its amounts.
        vectors: float32 (items, d) of the items' words, or None.
        delay: Seconds until fraud counts as known.
    """

    def __init__(
        self,
        kinds: Sequence[str] = KINDS,
        medians: Mapping[str, float] | None = None,
        vectors: Floats | None = None,
        delay: int = DELAY,
    ) -> None:
        self._columns = ("customer", *kinds)
        self._medians, self._vectors, self._delay = dict(medians or {}), vectors, delay
        self._numbers: dict[str, dict[str, int]] = {column: {} for column in self._columns}
        self._currencies: dict[str, int] = {}
        self._recent: dict[_Key, Ints] = {}
        self._hours: dict[_Key, Ints] = {}
        self._turns: dict[str, tuple[int, int, tuple[int, ...]]] = {}
        self._latest = self._turn = 0

    @classmethod
    def of(
        cls,
        payments: Payments,
        kinds: Sequence[str] = KINDS,
        medians: Mapping[str, float] | None = None,
        vectors: Floats | None = None,
        delay: int = DELAY,
    ) -> PaymentWindows:
        """The state after a history; payments need their ids and names."""
        made = cls(kinds, payments.medians() if medians is None else medians, vectors, delay)
        made._fill(payments)
        return made

    def __len__(self) -> int:
        """Payments that are remembered."""
        return len(self._turns)

    def __contains__(self, payment: str) -> bool:
        """Is this payment's id remembered?"""
        return payment in self._turns

    def look(self, payment: Payment, words: int = -1) -> tuple[tuple[Feature, ...], Floats]:
        """Features of a payment as `payment_features` gives them: names and float32 (f,). Nothing is remembered."""
        ledger, past, row, _ = self._prepared(payment, words)
        return _named(ledger.features(row, past))

    def add(self, payment: Payment, words: int = -1) -> bool:
        """Remember a payment; False, and no change, where its id is remembered already."""
        new = payment.id not in self._turns
        if new:
            ledger, _, row, codes = self._prepared(payment, words)
            self._remember(payment, ledger, row, codes)
        return new

    def admit(self, payment: Payment, words: int = -1) -> tuple[tuple[Feature, ...], Floats]:
        """`look` and `add` in one."""
        ledger, past, row, codes = self._prepared(payment, words)
        found = _named(ledger.features(row, past))
        if payment.id not in self._turns:
            self._remember(payment, ledger, row, codes)
        return found

    def learn(self, payment: str, fraud: bool, known: int) -> bool:
        """Note what became known of a payment at `known`, seconds UTC; False where it is not remembered (any more)."""
        if payment not in self._turns:
            return False
        _, time, codes = self._turns[payment]
        if fraud:
            hour = int(counts_from(np.array([time]), np.array([known]), self._delay)[0])
            for column, code in zip(self._columns, codes, strict=True):
                if code >= 0:
                    self._count((column, code), hour, _CHEATED)
        return True

    def _remember(self, payment: Payment, ledger: Ledger, row: Ints, codes: tuple[int, ...]) -> None:
        derived, table = ledger.derive(row), ledger.table
        self._turn += 1
        line = np.array([
            payment.time, self._turn, table.units[row[0]], table.currency[row[0]], table.words[row[0]],
            derived.unusual[0], derived.taint[0], derived.risk[0],
            *codes, *(derived.new[kind][0] for kind in self._columns[1:]),
        ], dtype=np.int64)  # fmt: skip
        self._latest = max(self._latest, payment.time)
        for column, code in zip(self._columns, codes, strict=True):
            if code >= 0:
                self._insert((column, code), line)
                self._count((column, code), payment.time // HOUR, _PAID)
        self._turns[payment.id] = (self._turn, payment.time, codes)
        self._forget()

    def _prepared(self, payment: Payment, words: int) -> tuple[Ledger, Derived, Ints, tuple[int, ...]]:
        """The payments that bear on this one with itself among them: ledger, their memories, its row, its numbers."""
        sought = {"customer": payment.customer, **payment.counterparts}
        codes = tuple(number_of(self._numbers[column], sought.get(column, "")) for column in self._columns)
        currency = number_of(self._currencies, payment.currency or " ")
        turn = self._turns[payment.id][0] if payment.id in self._turns else self._turn + 1
        rings = [self._recent.get((column, code)) for column, code in zip(self._columns, codes, strict=True)]
        width = _FIRST + 2 * len(self._columns) - 1
        own = np.zeros((1, width), dtype=np.int64)
        own[0, [_TIME, _TURN, _CURRENCY, _WORDS]] = payment.time, turn, currency, words
        own[0, _UNITS] = self._units(payment)
        own[0, _FIRST : _FIRST + len(codes)] = codes
        lines = np.concatenate([ring[ring[:, _TURN] < turn] for ring in rings if ring is not None] + [own])
        lines = lines[np.unique(lines[:, _TURN], return_index=True)[1]]
        lines = lines[np.argsort(lines[:, _TIME], kind="stable")]
        columns = {name: lines[:, _FIRST + place] for place, name in enumerate(self._columns)}
        table = Table(lines[:, _TIME], columns, lines[:, _UNITS], lines[:, _CURRENCY], lines[:, _WORDS])
        news = lines[:, _FIRST + len(codes) :]
        new = {kind: news[:, place] for place, kind in enumerate(self._columns[1:])}
        past = Derived(lines[:, _UNUSUAL], lines[:, _TAINT], lines[:, _RISK], new)
        known = {column: self._known(column, code) for column, code in zip(self._columns, codes, strict=True)}
        row = np.flatnonzero(lines[:, _TURN] == turn)
        return Ledger(table, known, self._vectors), past, row, codes

    def _units(self, payment: Payment) -> int:
        if not np.isfinite(payment.amount) or payment.amount < 0:
            raise InputError(
                f"A payment of {payment.amount} is none.", where=f"payment {payment.id!r}", cure="Send its amount."
            )
        return int(to_units(np.array(payment.amount), self._medians.get(payment.currency) or 1.0))

    def _known(self, column: str, code: int) -> KnownFraud:
        table = self._hours.get((column, code), _NO_HOURS)
        keys, cheated = np.full(len(table), code), table[:, _CHEATED] > 0
        frauds = Tally(keys[cheated], table[cheated, _HOUR], table[cheated, _CHEATED])
        return KnownFraud(Tally(keys, table[:, _HOUR], table[:, _PAID]), frauds, self._delay)

    def _insert(self, key: _Key, line: Ints) -> None:
        ring = self._recent.get(key)
        if ring is None:
            self._recent[key] = line[None, :]
            return
        place = bisect_right(ring[:, _TIME], line[_TIME])
        ring = np.insert(ring, place, line, axis=0)
        kept = int(np.searchsorted(ring[:, _TIME], self._latest - HORIZON - DAY))
        self._recent[key] = ring[max(kept, len(ring) - LIMIT) :]

    def _count(self, key: _Key, hour: int, what: int) -> None:
        table = self._hours.get(key, _NO_HOURS)
        place = int(np.searchsorted(table[:, _HOUR], hour))
        if place == len(table) or table[place, _HOUR] != hour:
            first = int(np.searchsorted(table[:, _HOUR], (self._latest - self._delay) // HOUR - MEMORY - 24))
            table = np.insert(table, place, (hour, 0, 0), axis=0)[min(first, place) :]
            place -= min(first, place)
            self._hours[key] = table
        table[place, what] += 1

    def _forget(self) -> None:
        oldest = self._latest - self._delay - MEMORY * HOUR
        while self._turns:
            first = next(iter(self._turns))
            if self._turns[first][1] >= oldest and len(self._turns) <= _IDS:
                break
            del self._turns[first]

    def _fill(self, payments: Payments) -> None:
        n = len(payments)
        if not n:
            return
        for column in self._columns:
            self._numbers[column] = dict(payments.names.get(column, {}))
        self._currencies = {code or " ": place for place, code in enumerate(payments.currencies)}
        nobody = np.full(n, -1, dtype=np.int64)
        counterparts = {kind: payments.counterparts.get(kind, nobody) for kind in self._columns[1:]}
        table = table_of(payments, self._medians)
        table = Table(
            table.time, {"customer": payments.customer, **counterparts}, table.units, table.currency, table.words
        )
        counted = tallies(payments, self._delay)
        empty = np.zeros(0, dtype=np.int64)
        none = (Tally(empty, empty, empty),) * 2
        known = {column: KnownFraud(*counted.get(column, none), self._delay) for column in self._columns}
        ledger = Ledger(table, known, None)
        derived = ledger.derive(np.arange(n, dtype=np.int64))
        self._turn, self._latest = n, int(payments.time[-1])
        codes = np.stack([table.keys[column] for column in self._columns], axis=1)
        remembered = (table.time, np.arange(1, n + 1), table.units, table.currency, table.words)
        lines = np.column_stack([
            *remembered, derived.unusual, derived.taint, derived.risk, codes,
            *(derived.new[kind] for kind in self._columns[1:]),
        ])  # fmt: skip
        for column in self._columns:
            self._fill_column(column, lines, ledger.runs(column), counted.get(column, none))
        since = int(np.searchsorted(payments.time, self._latest - self._delay - MEMORY * HOUR))
        for row in range(since, n):
            self._turns[payments.ids[row]] = (row + 1, int(table.time[row]), tuple(codes[row].tolist()))

    def _fill_column(self, column: str, lines: Ints, runs: Runs, counted: tuple[Tally, Tally]) -> None:
        order = runs.order[(runs.keys[runs.order] >= 0) & (lines[runs.order, _TIME] >= self._latest - HORIZON - DAY)]
        for key, start, stop in _stretches(runs.keys[order]):
            self._recent[column, key] = lines[order[max(start, stop - LIMIT) : stop]]
        oldest = (self._latest - self._delay) // HOUR - MEMORY - 24
        cells = []
        for tally, share in zip(counted, ((1, 0), (0, 1)), strict=True):
            wanted = (tally.keys >= 0) & (tally.hours >= oldest)
            shares = np.broadcast_to(share, (int(wanted.sum()), 2))
            cells.append(np.column_stack([tally.keys[wanted], tally.hours[wanted], shares]))
        whole = np.concatenate(cells)
        found, place = np.unique(whole[:, :2], axis=0, return_inverse=True)
        counts = np.zeros((len(found), 2), dtype=np.int64)
        np.add.at(counts, place.ravel(), whole[:, 2:])
        for key, start, stop in _stretches(found[:, 0]):
            self._hours[column, key] = np.column_stack([found[start:stop, 1], counts[start:stop]])


def _named(columns: Mapping[Feature, Values]) -> tuple[tuple[Feature, ...], Floats]:
    return tuple(columns), np.array([values[0] for values in columns.values()], dtype=np.float32)


def _stretches(keys: Ints) -> Iterator[tuple[int, int, int]]:
    """Each of `keys`, which are in order, with the places where it begins and ends."""
    found, starts = np.unique(keys, return_index=True)
    yield from zip(found.tolist(), starts.tolist(), [*starts.tolist(), len(keys)][1:], strict=True)

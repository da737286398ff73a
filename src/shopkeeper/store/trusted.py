"""A store without what flagged visitors did: for learning that must not follow robots and fraud."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import polars as pl

from shopkeeper.errors import InputError, StoreError
from shopkeeper.records import Event, EventKind, Passage, PassageKind
from shopkeeper.store.protocols import (
    Campaigns,
    Catalogue,
    Changes,
    Customers,
    EventLog,
    Labels,
    Rules,
    Store,
    Triples,
    Words,
)

_UNNAMED = "session:"
_PARTS = 2**32


class Trusted:
    """`store` without the events and reviews of flagged visitors, or with few of their events. Read-only.

    The catalogue, customers, judgements, rules, triples and campaigns are passed through. It may stand on another view, such as
    `store.until.Until`.

    Args:
        store: What everybody did.
        flagged: Customers' ids, and ``session:`` and a session for events without a customer; see
            `tasks.visitor_check.flagged`.
        keep: Share of their events that still counts, chosen by a hash of the event's id, so that every reader sees the
            same ones. Their reviews go whatever it is.

    Raises:
        InputError: The share is not in [0, 1).
    """

    def __init__(self, store: Store, flagged: Collection[str], *, keep: float = 0.0) -> None:
        if not 0 <= keep < 1:
            raise InputError(f"{keep} is no share of events to keep.", where="keep", cure="Take one from 0 to below 1.")
        self._store = store
        names = frozenset(flagged)
        sessions = frozenset(name.removeprefix(_UNNAMED) for name in names if name.startswith(_UNNAMED))
        sieve = _Sieve(names - {_UNNAMED + session for session in sessions}, sessions, keep)
        self.events: EventLog = _TrustedLog(store.events, sieve)
        self.words: Words = _TrustedWords(store.words, sieve.customers)

    @property
    def catalogue(self) -> Catalogue:
        """All items."""
        return self._store.catalogue

    @property
    def customers(self) -> Customers:
        """All customers, flagged or not."""
        return self._store.customers

    @property
    def labels(self) -> Labels:
        """All judgements and decisions."""
        return self._store.labels

    @property
    def rules(self) -> Rules:
        """All rules."""
        return self._store.rules

    @property
    def triples(self) -> Triples:
        """All imported knowledge."""
        return self._store.triples

    @property
    def campaigns(self) -> Campaigns:
        """All campaigns."""
        return self._store.campaigns

    def erase(self, customer: str, actor: str = "") -> int:
        """Refused: this is a view."""
        _refuse(f"erase {customer!r} for {actor!r}")

    def export_customer(self, customer: str) -> NoReturn:
        """Refused: ask the store itself."""
        _refuse(f"export {customer!r}")

    def close(self) -> None:
        """Nothing to release: the store belongs to somebody else."""


@dataclass(frozen=True, slots=True)
class _Sieve:
    customers: frozenset[str]
    sessions: frozenset[str]
    keep: float

    def passes(self, event: Event) -> bool:
        suspect = event.customer in self.customers if event.customer else event.session in self.sessions
        return not suspect or self.spared(event.id)

    def spared(self, event: str) -> bool:
        number = int.from_bytes(hashlib.blake2s(event.encode(), digest_size=4).digest(), "big")
        return number < self.keep * _PARTS

    def sift(self, frame: pl.DataFrame) -> pl.DataFrame:
        named = pl.col("customer") != ""
        suspect = (named & pl.col("customer").is_in(list(self.customers))) | (
            ~named & pl.col("session").is_in(list(self.sessions))
        )
        if not self.keep:
            return frame.filter(~suspect)
        marks = frame.select(suspect.alias("suspect"))["suspect"].to_list()
        passed = [not mark or self.spared(event) for mark, event in zip(marks, frame["id"].to_list(), strict=True)]
        return frame.filter(pl.Series(passed, dtype=pl.Boolean))


@dataclass(frozen=True, slots=True)
class _TrustedLog:
    _log: EventLog
    _sieve: _Sieve

    def append(self, events: Sequence[Event]) -> int:
        _refuse(f"append {len(events)} events")

    def append_all(self, batches: Sequence[Sequence[Event]]) -> list[int]:
        _refuse(f"append {len(batches)} batches")

    def scan(
        self,
        after: int = 0,
        kinds: Sequence[EventKind] = (),
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[tuple[int, Event]]:
        found = self._log.scan(after, kinds, start, end)
        return ((position, event) for position, event in found if self._sieve.passes(event))

    def frame(
        self, kinds: Sequence[EventKind] = (), start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        return self._sieve.sift(self._log.frame(kinds, start, end))

    def of_customer(self, customer: str, limit: int = 500) -> list[Event]:
        return [event for _, event in self.tail(customer=customer, limit=limit)]

    def of_session(self, session: str, limit: int = 500) -> list[Event]:
        return [event for _, event in self.tail(session=session, limit=limit)]

    def tail(
        self, *, customer: str = "", session: str = "", kinds: Sequence[EventKind] = (), limit: int = 500
    ) -> list[tuple[int, Event]]:
        found = self._log.tail(customer=customer, session=session, kinds=kinds, limit=limit)
        return [(position, event) for position, event in found if self._sieve.passes(event)]

    def count(self) -> int:
        return self.frame().height

    @property
    def position(self) -> int:
        return self._log.position


@dataclass(frozen=True, slots=True)
class _TrustedWords:
    _words: Words
    _customers: frozenset[str]

    def put(self, passages: object) -> Changes:
        _refuse(f"write passages ({type(passages).__name__})")

    def remove(self, ids: Sequence[str]) -> Changes:
        _refuse(f"remove {len(ids)} passages")

    def scan(self, kinds: Sequence[PassageKind] = ()) -> Iterator[Passage]:
        return (passage for passage in self._words.scan(kinds) if passage.customer not in self._customers)

    def of_item(self, item: str, limit: int = 50) -> list[Passage]:
        return [passage for passage in self._words.of_item(item, limit) if passage.customer not in self._customers]

    def count(self) -> int:
        return sum(1 for _ in self.scan())


def _refuse(what: str) -> NoReturn:
    raise StoreError(f"Cannot {what}: this is the store without flagged visitors.", cure="Write to the store itself.")

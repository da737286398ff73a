"""A store that ends at a moment: what was known then, for learning that must not see what it is examined on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import polars as pl

from shopkeeper.errors import StoreError
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


class Until:
    """`store` as it was before `moment`: later events and passages are not there. Read-only.

    The catalogue, customers, judgements, rules, triples and campaigns are passed through as they are now.
    """

    def __init__(self, store: Store, moment: datetime) -> None:
        self._store = store
        self.events: EventLog = _LogUntil(store.events, moment)
        self.words: Words = _WordsUntil(store.words, moment)

    @property
    def catalogue(self) -> Catalogue:
        """All items."""
        return self._store.catalogue

    @property
    def customers(self) -> Customers:
        """All customers."""
        return self._store.customers

    @property
    def labels(self) -> Labels:
        """All judgements."""
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
class _LogUntil:
    _log: EventLog
    _moment: datetime

    def _earlier(self, end: datetime | None) -> datetime:
        return self._moment if end is None else min(end, self._moment)

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
        return self._log.scan(after, kinds, start, self._earlier(end))

    def frame(
        self, kinds: Sequence[EventKind] = (), start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        return self._log.frame(kinds, start, self._earlier(end))

    def of_customer(self, customer: str, limit: int = 500) -> list[Event]:
        return [event for event in self._log.of_customer(customer, limit) if event.time < self._moment]

    def of_session(self, session: str, limit: int = 500) -> list[Event]:
        return [event for event in self._log.of_session(session, limit) if event.time < self._moment]

    def tail(
        self, *, customer: str = "", session: str = "", kinds: Sequence[EventKind] = (), limit: int = 500
    ) -> list[tuple[int, Event]]:
        found = self._log.tail(customer=customer, session=session, kinds=kinds, limit=limit)
        return [(position, event) for position, event in found if event.time < self._moment]

    def count(self) -> int:
        return self.frame().height

    @property
    def position(self) -> int:
        return self._log.position


@dataclass(frozen=True, slots=True)
class _WordsUntil:
    _words: Words
    _moment: datetime

    def _before(self, passage: Passage) -> bool:
        return passage.time is None or passage.time < self._moment

    def put(self, passages: object) -> Changes:
        _refuse(f"write passages ({type(passages).__name__})")

    def remove(self, ids: Sequence[str]) -> Changes:
        _refuse(f"remove {len(ids)} passages")

    def scan(self, kinds: Sequence[PassageKind] = ()) -> Iterator[Passage]:
        return (passage for passage in self._words.scan(kinds) if self._before(passage))

    def of_item(self, item: str, limit: int = 50) -> list[Passage]:
        return [passage for passage in self._words.of_item(item, limit) if self._before(passage)]

    def count(self) -> int:
        return sum(1 for _ in self.scan())


def _refuse(what: str) -> NoReturn:
    raise StoreError(f"Cannot {what}: this is the store as it was.", cure="Write to the store itself.")

"""Part of a store, read-only: what learning may see. A view says which events and passages it keeps; the rest is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


class View:
    """A store of which some events and passages are not there.

    The catalogue, customers, judgements, rules, triples and campaigns are passed through as they are now.

    Args:
        store: What everybody sees.
        events: Its log, or what is seen of it.
        words: Its texts, or what is seen of them.
    """

    def __init__(self, store: Store, events: EventLog, words: Words) -> None:
        self._store = store
        self.events = events
        self.words = words

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
class LogView:
    """Some events of a log.

    Attributes:
        keeps: Is an event there?
        sift: The rows of a frame that are there; by `keeps` what is true of an event is true of its row.
        moment: Events from it on are not read at all; None for no end.
    """

    log: EventLog
    keeps: Callable[[Event], bool]
    sift: Callable[[pl.DataFrame], pl.DataFrame]
    moment: datetime | None = None

    def append(self, events: Sequence[Event]) -> int:
        """Refused."""
        _refuse(f"append {len(events)} events")

    def append_all(self, batches: Sequence[Sequence[Event]]) -> list[int]:
        """Refused."""
        _refuse(f"append {len(batches)} batches")

    def scan(
        self,
        after: int = 0,
        kinds: Sequence[EventKind] = (),
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[tuple[int, Event]]:
        """See `EventLog.scan`."""
        found = self.log.scan(after, kinds, start, self._earlier(end))
        return ((position, event) for position, event in found if self.keeps(event))

    def frame(
        self, kinds: Sequence[EventKind] = (), start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """See `EventLog.frame`."""
        return self.sift(self.log.frame(kinds, start, self._earlier(end)))

    def of_customer(self, customer: str, limit: int = 500) -> list[Event]:
        """Those of the last `limit` that are there."""
        return [event for _, event in self.tail(customer=customer, limit=limit)]

    def of_session(self, session: str, limit: int = 500) -> list[Event]:
        """Those of the last `limit` that are there."""
        return [event for _, event in self.tail(session=session, limit=limit)]

    def tail(
        self, *, customer: str = "", session: str = "", kinds: Sequence[EventKind] = (), limit: int = 500
    ) -> list[tuple[int, Event]]:
        """Those of the last `limit` that are there."""
        found = self.log.tail(customer=customer, session=session, kinds=kinds, limit=limit)
        return [(position, event) for position, event in found if self.keeps(event)]

    def count(self) -> int:
        """How many are there."""
        return self.frame().height

    @property
    def position(self) -> int:
        """Of the log itself."""
        return self.log.position

    def _earlier(self, end: datetime | None) -> datetime | None:
        return min(moment for moment in (end, self.moment) if moment) if end or self.moment else None


@dataclass(frozen=True, slots=True)
class WordsView:
    """Some passages; `keeps` says which."""

    words: Words
    keeps: Callable[[Passage], bool]

    def put(self, passages: object) -> Changes:
        """Refused."""
        _refuse(f"write passages ({type(passages).__name__})")

    def remove(self, ids: Sequence[str]) -> Changes:
        """Refused."""
        _refuse(f"remove {len(ids)} passages")

    def scan(self, kinds: Sequence[PassageKind] = ()) -> Iterator[Passage]:
        """See `Words.scan`."""
        return (passage for passage in self.words.scan(kinds) if self.keeps(passage))

    def get(self, ids: Sequence[str]) -> dict[str, Passage]:
        """Those of the known ones that are there."""
        return {name: passage for name, passage in self.words.get(ids).items() if self.keeps(passage)}

    def of_item(self, item: str, limit: int = 50) -> list[Passage]:
        """Those of the newest that are there."""
        return [passage for passage in self.words.of_item(item, limit) if self.keeps(passage)]

    def of_thread(self, thread: str, limit: int = 50) -> list[Passage]:
        """Those of the last that are there."""
        return [passage for passage in self.words.of_thread(thread, limit) if self.keeps(passage)]

    def of_customer(self, customer: str, limit: int = 500) -> list[Passage]:
        """Those of the last that are there."""
        return [passage for passage in self.words.of_customer(customer, limit) if self.keeps(passage)]

    def count(self) -> int:
        """How many are there."""
        return sum(1 for _ in self.scan())


def _refuse(what: str) -> NoReturn:
    raise StoreError(f"Cannot {what}: this is a view of the store.", cure="Write to the store itself.")

"""What a store can do, as eight narrow protocols. One contract suite checks every backend against them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from shopkeeper.records import Customer, Decision, Event, EventKind, Item, Judgement, Passage, PassageKind
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.knowledge import Triple
from shopkeeper.store.merchandising import Rule, RuleChange


@dataclass(frozen=True, slots=True)
class Changes:
    """What a write did."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed in the catalogue after some version: items to show anew, ids that are gone."""

    version: int
    items: tuple[Item, ...]
    removed: tuple[str, ...]


class Catalogue(Protocol):
    """The items on sale. Every write raises `version` by at least one."""

    def put(self, items: Iterable[Item]) -> Changes:
        """Add or replace items by id, in transactions of some thousands; equal items are left alone.

        An interrupted put keeps its finished transactions; repeating it finishes the rest.
        """
        ...

    def remove(self, ids: Sequence[str]) -> Changes:
        """Delete items by id; unknown ids count as unchanged."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, Item]:
        """The known ones of `ids`."""
        ...

    def scan(self) -> Iterator[Item]:
        """All items, streamed, ordered by id."""
        ...

    def since(self, version: int, limit: int = 10_000) -> Delta:
        """Changes after `version`, oldest first, at most `limit`; `Delta.version` is where to go on."""
        ...

    def count(self) -> int:
        """How many items there are."""
        ...

    @property
    def version(self) -> int:
        """Number of the last change."""
        ...


class EventLog(Protocol):
    """Everything that happened, append-only. A position is the place of an event in the log, from 1."""

    def append(self, events: Sequence[Event]) -> int:
        """Write events; they are on disk when this returns. Returns how many were new (ids are unique)."""
        ...

    def append_all(self, batches: Sequence[Sequence[Event]]) -> list[int]:
        """Write several batches in one transaction; how many events of each were new."""
        ...

    def scan(
        self,
        after: int = 0,
        kinds: Sequence[EventKind] = (),
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[tuple[int, Event]]:
        """(position, event) in log order, streamed; `start` inclusive, `end` exclusive."""
        ...

    def frame(
        self, kinds: Sequence[EventKind] = (), start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """Columns id, time (UTC), kind, customer, session, item, query, request, value, quantity; ordered by (time, position).

        The bulk way to read behaviour for training; impressions' lists and properties are left to `scan`.
        """
        ...

    def of_customer(self, customer: str, limit: int = 500) -> list[Event]:
        """The last `limit` events of a customer, oldest first."""
        ...

    def of_session(self, session: str, limit: int = 500) -> list[Event]:
        """The last `limit` events of a session, oldest first."""
        ...

    def tail(
        self, *, customer: str = "", session: str = "", kinds: Sequence[EventKind] = (), limit: int = 500
    ) -> list[tuple[int, Event]]:
        """(position, event) of the last `limit` events of a customer, or else of a session, by (time, position)."""
        ...

    def count(self) -> int:
        """How many events there are."""
        ...

    @property
    def position(self) -> int:
        """Position of the last event, 0 when empty."""
        ...


class Customers(Protocol):
    """Who buys."""

    def put(self, customers: Iterable[Customer]) -> Changes:
        """Add or replace customers by id."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, Customer]:
        """The known ones of `ids`."""
        ...

    def scan(self) -> Iterator[Customer]:
        """All customers, streamed, ordered by id."""
        ...

    def count(self) -> int:
        """How many there are."""
        ...


class Words(Protocol):
    """Reviews, questions, dialogues, posts, FAQ."""

    def put(self, passages: Iterable[Passage]) -> Changes:
        """Add or replace passages by id."""
        ...

    def remove(self, ids: Sequence[str]) -> Changes:
        """Delete passages by id."""
        ...

    def scan(self, kinds: Sequence[PassageKind] = ()) -> Iterator[Passage]:
        """Passages, streamed, ordered by id."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, Passage]:
        """The known ones of `ids`, in their order."""
        ...

    def of_item(self, item: str, limit: int = 50) -> list[Passage]:
        """The newest passages about an item."""
        ...

    def of_thread(self, thread: str, limit: int = 50) -> list[Passage]:
        """The last passages of a conversation, oldest first."""
        ...

    def of_customer(self, customer: str, limit: int = 500) -> list[Passage]:
        """The last passages of a customer, oldest first."""
        ...

    def count(self) -> int:
        """How many there are."""
        ...


class Labels(Protocol):
    """What humans decided."""

    def put(self, judgements: Iterable[Judgement]) -> Changes:
        """Add or replace grades by (query, item, rater)."""
        ...

    def scan(self) -> Iterator[Judgement]:
        """All grades, streamed, ordered by (query, item, rater)."""
        ...

    def count(self) -> int:
        """How many grades there are."""
        ...

    def propose(self, decisions: Iterable[Decision]) -> Changes:
        """Put questions into the review queue, by (task, subject); what a human decided already stays as it is."""
        ...

    def decide(self, task: str, subject: str, label: str, rater: str = "", *, unless: Collection[str] = ()) -> Decision:
        """Answer a question, or correct the answer, but not somebody else's of `unless`; unknown questions are refused."""
        ...

    def pending(self, task: str, limit: int = 50) -> list[Decision]:
        """Questions that wait for a human, highest score first, then by subject."""
        ...

    def decided(self, task: str) -> Iterator[Decision]:
        """What humans decided, streamed, ordered by subject."""
        ...

    def withdraw(self, task: str) -> int:
        """Take the questions of a task that still wait out of the queue; how many there were."""
        ...


class Rules(Protocol):
    """What merchandisers decided about searches. Every write is logged with who, when, before and after."""

    def put(self, written: Iterable[Rule], actor: str = "") -> Changes:
        """Add or replace rules by id, all or none; equal ones are left alone."""
        ...

    def remove(self, ids: Sequence[str], actor: str = "") -> Changes:
        """Delete rules by id; unknown ids count as unchanged."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, Rule]:
        """The known ones of `ids`."""
        ...

    def scan(self) -> Iterator[Rule]:
        """All rules, ordered by id."""
        ...

    def changes(self, before: int | None = None, limit: int = 100, rule: str = "") -> list[RuleChange]:
        """Writes to the rules, or to one, newest first; `before` goes on below a number."""
        ...

    @property
    def version(self) -> int:
        """Number of the last change, 0 when there was none."""
        ...


class Triples(Protocol):
    """The imported part of the knowledge graph. Every write raises `version`."""

    def put(self, triples: Iterable[Triple]) -> Changes:
        """Add triples, or note their new source; equal ones are left alone."""
        ...

    def remove(self, source: str) -> int:
        """Take back all that came from a source; how many triples those were."""
        ...

    def scan(self) -> Iterator[Triple]:
        """All triples, streamed, ordered by (head, relation, tail)."""
        ...

    def sources(self) -> dict[str, int]:
        """Number of triples from each source."""
        ...

    def count(self) -> int:
        """How many there are."""
        ...

    @property
    def version(self) -> int:
        """Number of the last write, 0 when there was none."""
        ...


class Campaigns(Protocol):
    """What advertisers pay for. Every write is in the audit log with who, when, before and after."""

    def put(self, written: Iterable[Campaign], actor: str = "") -> Changes:
        """Add or replace campaigns by id, all or none; equal ones are left alone."""
        ...

    def remove(self, ids: Sequence[str], actor: str = "") -> Changes:
        """Delete campaigns by id; unknown ids count as unchanged."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, Campaign]:
        """The known ones of `ids`."""
        ...

    def scan(self) -> Iterator[Campaign]:
        """All campaigns, ordered by id."""
        ...

    @property
    def version(self) -> int:
        """A number that grows with every write, 0 when there was none."""
        ...


class Store(Protocol):
    """The shop's truth. Every index and model is a cache that can be rebuilt from it."""

    @property
    def catalogue(self) -> Catalogue:
        """Items."""
        ...

    @property
    def events(self) -> EventLog:
        """Behaviour."""
        ...

    @property
    def customers(self) -> Customers:
        """People."""
        ...

    @property
    def words(self) -> Words:
        """Texts."""
        ...

    @property
    def labels(self) -> Labels:
        """Human decisions."""
        ...

    @property
    def rules(self) -> Rules:
        """Merchandising."""
        ...

    @property
    def triples(self) -> Triples:
        """Imported knowledge about the goods."""
        ...

    @property
    def campaigns(self) -> Campaigns:
        """Advertising."""
        ...

    def erase(self, customer: str, actor: str = "") -> int:
        """Delete a customer, their events and words, and the anonymous part of their sessions; rows deleted."""
        ...

    def export_customer(self, customer: str) -> dict[str, Any]:
        """Everything kept about a customer, ready for JSON: ``customer``, ``events``, ``passages``, ``decisions``, ``orders`` ..."""
        ...

    def close(self) -> None:
        """Release all connections."""
        ...

"""Records of all kinds on their way into the store: parsed, checked against the catalogue, written in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from shopkeeper.errors import InputError
from shopkeeper.records import Event, Impression, Item, Judgement, Passage, PassageKind
from shopkeeper.store.feeds.behaviour import SHOWN, EventParser
from shopkeeper.store.feeds.items import ItemParser, Removal
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.orders import OrderParser
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.words import JudgementParser, TextParser
from shopkeeper.store.orders import Order, SqlOrders
from shopkeeper.store.protocols import Catalogue, Changes, Store

R = TypeVar("R")
Made = TypeVar("Made", covariant=True)
Numbered = tuple[int, R]
Refuse = Callable[[int, Reject], None]


class Parser(Protocol[Made]):
    """Makes records of rows."""

    def identify(self, row: Mapping[str, Any]) -> str:
        """The id that must not occur twice, "" when there is none."""
        ...

    def __call__(self, row: Mapping[str, Any]) -> Made:
        """The record; raises `Reject`."""
        ...


class Intake(Protocol[R]):
    """One kind of record on its way in."""

    parser: Parser[R]

    def check(self, batch: Sequence[Numbered[R]], refuse: Refuse) -> list[Numbered[R]]:
        """The good ones of a batch, after a look at the store; the others are refused."""
        ...

    def write(self, batch: Sequence[R]) -> Changes:
        """Write good records."""
        ...


class KnownItems:
    """Which item ids the catalogue has, asked for in batches and remembered."""

    def __init__(self, catalogue: Catalogue, *, allow_unknown: bool) -> None:
        self._catalogue = catalogue
        self._allow = allow_unknown
        self._known: set[str] = {""}
        self._unknown: set[str] = set()

    def learn(self, ids: Iterable[str]) -> None:
        """Look up ids not met before."""
        if self._allow:
            return
        new = [item for item in dict.fromkeys(ids) if item not in self._known and item not in self._unknown]
        if new:
            found = self._catalogue.get(new)
            self._known.update(found)
            self._unknown.update(item for item in new if item not in found)

    def __contains__(self, item: str) -> bool:
        """Is this a learnt id of the catalogue, or empty, or is anything allowed?"""
        return self._allow or item in self._known


class ItemIntake:
    """Items into the catalogue; also those to be removed."""

    def __init__(self, store: Store, mapping: ColumnMapping) -> None:
        self.parser: Parser[Item | Removal] = ItemParser(mapping)
        self._catalogue = store.catalogue

    def check(self, batch: Sequence[Numbered[Item | Removal]], refuse: Refuse) -> list[Numbered[Item | Removal]]:  # noqa: ARG002
        """All of them: items depend on nothing."""
        return list(batch)

    def write(self, batch: Sequence[Item | Removal]) -> Changes:
        """Put items, remove what is marked as deleted."""
        put = self._catalogue.put([item for item in batch if isinstance(item, Item)])
        gone = [item.id for item in batch if isinstance(item, Removal)]
        return total(put, self._catalogue.remove(gone)) if gone else put


class EventIntake:
    """Events into the log; those about unknown items are refused."""

    def __init__(self, store: Store, mapping: ColumnMapping, *, allow_unknown: bool) -> None:
        self.parser: Parser[Event] = EventParser(mapping)
        self._log = store.events
        self._known = KnownItems(store.catalogue, allow_unknown=allow_unknown)

    def check(self, batch: Sequence[Numbered[Event]], refuse: Refuse) -> list[Numbered[Event]]:
        """Those about known items; an impression keeps the known part of what it showed."""
        shown = [item for _, event in batch if event.impression for item in event.impression.items]
        self._known.learn([*(event.item for _, event in batch), *shown])
        good: list[Numbered[Event]] = []
        for number, event in batch:
            kept = self._known_part(number, event, refuse)
            if kept is not None:
                good.append((number, kept))
        return good

    def write(self, batch: Sequence[Event]) -> Changes:
        """Append events."""
        added = self._log.append(batch) if batch else 0
        return Changes(added=added, unchanged=len(batch) - added)

    def _known_part(self, number: int, event: Event, refuse: Refuse) -> Event | None:
        if event.item not in self._known:
            refuse(number, Reject("unknown item", "item", event.item))
            return None
        told = event.impression
        if event.kind not in SHOWN or told is None or all(item in self._known for item in told.items):
            return event
        places = [place for place, item in enumerate(told.items) if item in self._known]
        for item in told.items:
            if item not in self._known:
                refuse(number, Reject("unknown item", "impression", item))
        if not places:
            return None
        part = Impression(
            items=tuple(told.items[place] for place in places),
            positions=tuple(told.positions[place] for place in places),
            propensities=tuple(told.propensities[place] for place in places),
            model=told.model,
            surface=told.surface,
        )
        return replace(event, impression=part)


class TextIntake:
    """Reviews, or texts of the `kind` that each row names, into the store's words."""

    def __init__(self, store: Store, mapping: ColumnMapping, kind: PassageKind | None, *, allow_unknown: bool) -> None:
        self.parser: Parser[Passage | Removal] = TextParser(mapping, kind)
        self._words = store.words
        self._known = KnownItems(store.catalogue, allow_unknown=allow_unknown)

    def check(self, batch: Sequence[Numbered[Passage | Removal]], refuse: Refuse) -> list[Numbered[Passage | Removal]]:
        """Those about known items, or about none."""
        self._known.learn(text.item for _, text in batch if isinstance(text, Passage))
        good: list[Numbered[Passage | Removal]] = []
        for number, text in batch:
            if isinstance(text, Passage) and text.item not in self._known:
                refuse(number, Reject("unknown item", "item", text.item))
            else:
                good.append((number, text))
        return good

    def write(self, batch: Sequence[Passage | Removal]) -> Changes:
        """Put texts, remove what is marked as deleted."""
        put = self._words.put([text for text in batch if isinstance(text, Passage)])
        gone = [text.id for text in batch if isinstance(text, Removal)]
        return total(put, self._words.remove(gone)) if gone else put


class OrderIntake:
    """Orders into the store."""

    def __init__(self, orders: SqlOrders, mapping: ColumnMapping) -> None:
        self.parser: Parser[Order] = OrderParser(mapping)
        self._orders = orders

    def check(self, batch: Sequence[Numbered[Order]], refuse: Refuse) -> list[Numbered[Order]]:  # noqa: ARG002
        """All of them: what an order holds may have left the catalogue."""
        return list(batch)

    def write(self, batch: Sequence[Order]) -> Changes:
        """Put orders."""
        return self._orders.put(batch)


class JudgementIntake:
    """Search judgements into the store's labels."""

    def __init__(self, store: Store, mapping: ColumnMapping, *, allow_unknown: bool) -> None:
        self.parser: Parser[Judgement] = JudgementParser(mapping)
        self._labels = store.labels
        self._known = KnownItems(store.catalogue, allow_unknown=allow_unknown)

    def check(self, batch: Sequence[Numbered[Judgement]], refuse: Refuse) -> list[Numbered[Judgement]]:
        """Those about known items."""
        self._known.learn(judgement.item for _, judgement in batch)
        good = [(number, judgement) for number, judgement in batch if judgement.item in self._known]
        for number, judgement in batch:
            if judgement.item not in self._known:
                refuse(number, Reject("unknown item", "item", judgement.item))
        return good

    def write(self, batch: Sequence[Judgement]) -> Changes:
        """Put judgements."""
        return self._labels.put(batch)


def write_batch(intake: Intake[R], batch: Sequence[Numbered[R]], refuse: Refuse) -> Changes:
    """Write a batch; where the store refuses it, write record by record and refuse only those at fault."""
    try:
        return intake.write([record for _, record in batch])
    except InputError:
        done = Changes()
        for number, record in batch:
            try:
                done = total(done, intake.write([record]))
            except InputError as error:
                refuse(number, Reject("refused by the store", value=str(error)))
        return done


def total(one: Changes, other: Changes) -> Changes:
    """What two writes did together."""
    return Changes(
        one.added + other.added,
        one.updated + other.updated,
        one.unchanged + other.unchanged,
        one.removed + other.removed,
    )

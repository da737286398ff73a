"""The open shop: store, models, indexes and tasks, put together in one place and swapped as a whole.

Everything that serves (API, storefront, command line, benchmarks) goes through a `Shop`. What depends on the catalogue
and the live models stands in one `Floor`; `reload` builds a new one aside and swaps it in, so no request sees half.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl

from shopkeeper.compute.cores import threads
from shopkeeper.domains import domain_of
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.models.pictures.images import open_picture, squared
from shopkeeper.models.registry import Registry
from shopkeeper.ranking.customers.segments import CustomerSegment
from shopkeeper.ranking.payments.columns import TASK as PAYMENTS
from shopkeeper.ranking.rules import Rulebook
from shopkeeper.records import Answer, Event, EventKind, Item, PassageKind, Request
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.looks import Looks, packed
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.protocols import Changes
from shopkeeper.store.sessions import open_sessions
from shopkeeper.store.writer import GroupWriter
from shopkeeper.tasks.advertise.answers import AdAnswer
from shopkeeper.tasks.advertise.spend import AdSpend
from shopkeeper.tasks.advertise.task import advertising
from shopkeeper.tasks.assist.conversations import Conversations, alone_with
from shopkeeper.tasks.assist.memory import SOURCE as TALK
from shopkeeper.tasks.assist.opening import open_assist
from shopkeeper.tasks.assist.task import AssistTask
from shopkeeper.tasks.assist.turns import Reply, Turn
from shopkeeper.tasks.classify import ClassifyTask
from shopkeeper.tasks.floor import build_floor
from shopkeeper.tasks.guard import catalogue_check
from shopkeeper.tasks.guard.catalogue_doubt import Doubt as ItemDoubt
from shopkeeper.tasks.guard.catalogue_likeness import bare
from shopkeeper.tasks.guard.picture_check import Doubt, doubts
from shopkeeper.tasks.guard.task import GuardTask, open_guard
from shopkeeper.tasks.guard.trusting import Trust
from shopkeeper.tasks.listen.alarms import Alarms
from shopkeeper.tasks.listen.notice import channels_of
from shopkeeper.tasks.listen.outbox import Outbox
from shopkeeper.tasks.listen.task import ListenTask
from shopkeeper.tasks.profile.interests import Mutes
from shopkeeper.tasks.profile.task import Profile, profiles
from shopkeeper.tasks.recommend.replenishment import Replenishment
from shopkeeper.tasks.recommend.shelves import HomeShelf, shelves
from shopkeeper.tasks.search.answers import SearchAnswer
from shopkeeper.tasks.search.seeing import Seen, see
from shopkeeper.tasks.search.suggest import Suggestions
from shopkeeper.tasks.write.shop import open_writing
from shopkeeper.tasks.write.task import WriteTask

_REFIT_SHARE, _REFIT_LEAST = 0.02, 200
"""Behaviour is counted anew once this share of new events has come in, and at least so many."""
_MOST_OF_ONE = 10_000  # passages of a customer
_COPY_SECONDS = 60.0
"""Published copy is held against the reviews at least this often."""
_HOUSE_SECONDS = 60.0
"""The assistant looks this often whether FAQ and policies are others."""


class Shop:
    """An open shop. Answers may be asked from many threads; writes take turns.

    Args:
        settings: The settings in force.
        store: The truth; closed with the shop.
    """

    def __init__(self, settings: Settings, store: SqlStore) -> None:
        self.settings = settings
        self.store = store
        self.domain = domain_of(settings.home)
        self.registry = Registry(settings.bundles)
        self._writing = threading.RLock()
        self._writer = GroupWriter(store.events)
        self._sessions = open_sessions(settings.sessions.url, store.events, settings.name)
        self._bought: defaultdict[str, set[str]] = defaultdict(set)
        purchases = self._purchases()
        for customer, item in purchases.select("customer", "item").iter_rows():
            if customer and item:
                self._bought[customer].add(item)
        self._replenishment = Replenishment(purchases)
        self.ad_spend = AdSpend(store.events, lambda name: self._ads.book.campaigns.get(name))
        self._mutes = Mutes()
        self._mutes.note(event for _, event in store.events.scan(kinds=[EventKind.DISMISS]))
        self._guard: GuardTask | None = None
        self._assistant: AssistTask | None = None
        self._house, self._house_read = 0, time.monotonic()
        self.conversations = Conversations(store)
        self.listen = ListenTask(store, settings, self.registry)
        self.outbox = Outbox(store, channels_of(settings.listen))
        self.alarms = Alarms(store, settings.listen, channels=self.outbox.names, names=self.listen.names)
        self.listen.watcher = self.alarms
        self._pen: WriteTask | None = None
        self._copy_read = time.monotonic()
        self._build()

    @property
    def shelf(self) -> Shelf:
        """The items as they are served."""
        return self._floor.shelf

    @property
    def version(self) -> str:
        """Version of the software and of the live models."""
        return self._floor.version

    @property
    def ready(self) -> bool:
        """True once there is something to sell."""
        return bool(np.any(self._floor.shelf.showable()))

    def search(self, request: Request, cursor: str = "") -> SearchAnswer:
        """Find items for words typed; see `SearchTask.answer`."""
        return self._floor.search.answer(request, cursor)

    def preview(self, request: Request, rules: Rulebook) -> SearchAnswer:
        """The same under other rules than those in force."""
        return self._floor.search.answer(request, rules=rules)

    def suggest(self, typed: str, *, customer: str = "", most: int = 5) -> Suggestions:
        """What somebody who types may be on the way to; see `SuggestTask.suggest`."""
        return self._floor.suggest.suggest(typed, customer=customer, most=most)

    def recommend(self, request: Request) -> Answer:
        """Recommend to a customer or a session; see `RecommendTask.answer`."""
        return self._floor.recommend.answer(request)

    def recommend_all(self, requests: Sequence[Request]) -> list[Answer]:
        """Recommend to many customers at once; see `RecommendTask.answers`."""
        return self._floor.recommend.answers(requests)

    def similar(self, request: Request) -> Answer:
        """Items like the first of `request.items`; see `RecommendTask.similar`."""
        return self._floor.recommend.similar(request)

    def look(self, picture: bytes) -> str:
        """What a picture looks like, for `Request.looks`.

        Args:
            picture: Content of a picture file.

        Raises:
            InputError: It cannot be opened, or nothing was learnt of the shop's own pictures.
        """
        looks = self._looks()
        return packed(looks.of_picture(squared(open_picture(picture), looks.gallery.encoder.side)))

    def see(self, picture: bytes) -> Seen:
        """What a picture shows, in words; raises what `look` raises."""
        return see(picture, self._looks())

    def looks_like(self, request: Request) -> Answer:
        """Items that look like the first of `request.items`; none where it has no picture.

        Raises:
            InputError: The request names no item, or nothing was learnt of the shop's pictures.
            NotFoundError: The item is unknown.
        """
        looks, row = self._looks(), self._floor.shelf.row(request.items[0]) if request.items else None
        if row is None:
            raise NotFoundError("There is no such item.", where="items", cure="Use an id of the catalogue.")
        place = looks.place(row)
        if place is None:
            return Answer(request=request, hits=(), total=0, model=self._floor.version)
        filters = replace(request.filters, exclude=(*request.filters.exclude, request.items[0]))
        return self.search(replace(request, query="", looks=packed(place), filters=filters))

    def doubtful_pictures(self) -> list[Doubt]:
        """Pictures that the shop should look at; see `picture_check.doubts`.

        Raises:
            InputError: Nothing was learnt of the shop's pictures.
        """
        looks, floor = self._looks(), self._floor
        items = [item for item in floor.shelf.items if item is not None]
        return doubts(items, floor.encoders.passage.encode([item.passage for item in items]), looks)

    def doubtful_items(self) -> list[ItemDoubt]:
        """Items that the shop should look at, without those that were called fine; see `catalogue_check.check`."""
        floor = self._floor
        items = [item for item in floor.shelf.items if item is not None]
        found = catalogue_check.check(items, floor.encoders.passage.encode([bare(item) for item in items]))
        return catalogue_check.open_doubts(self.store.labels, found.doubts)

    @property
    def sees(self) -> bool:
        """Was something learnt of the shop's pictures?"""
        return self._floor.looks is not None

    def _looks(self) -> Looks:
        if self._floor.looks is None:
            raise InputError(
                "This shop has not learnt what its pictures look like.",
                where="picture",
                cure="Train on them: shopkeeper train pictures",
            )
        return self._floor.looks

    @property
    def guards(self) -> bool:
        """Was something learnt of payments?"""
        return self.registry.live_version(PAYMENTS) is not None

    @property
    def guard(self) -> GuardTask:
        """Judges payments; opened when first asked for, from the payments of the last weeks.

        Raises:
            InputError: Nothing was learnt of payments.
        """
        with self._writing:
            if self._guard is None:
                floor = self._floor
                self._guard = open_guard(self.store, self.registry, floor.shelf, floor.encoders.passage.encode)
            return self._guard

    @property
    def classify(self) -> ClassifyTask:
        """Sorts texts by the live classifiers, under the limits of the shop's domain."""
        return self._classify

    @property
    def assistant(self) -> AssistTask:
        """Answers customers; opened when first asked for, from the shop's words as they are then."""
        with self._writing:
            if self._assistant is None:
                self._house, self._house_read = self._house_words(), time.monotonic()
                self._assistant = open_assist(self._floor, self.store, self.registry)
            return self._assistant

    @property
    def pen(self) -> WriteTask:
        """Writes copy; opened when first asked for, from the items as they are then."""
        with self._writing:
            if self._pen is None:
                self._pen = open_writing(self.settings, self.store, self.registry, self._floor.shelf)
            return self._pen

    def assist(self, turn: Turn) -> Reply:
        """Answer a customer's turn; see `AssistTask.answer`."""
        return self.assistant.answer(turn)

    def assist_stream(self, turn: Turn) -> Iterator[str | Reply]:
        """The same in pieces of text, the whole reply last; see `AssistTask.stream`."""
        return self.assistant.stream(turn)

    @property
    def trust(self) -> Trust:
        """How far each customer counts."""
        return self._floor.trust

    def bundle(self, request: Request) -> Answer:
        """What goes with the first of `request.items`; see `RecommendTask.bundle`."""
        return self._floor.recommend.bundle(request)

    def home(self, request: Request) -> tuple[HomeShelf, ...]:
        """The home page for a visitor; see `shelves.shelves`."""
        return shelves(self, request, self._sessions.recent, self._due)

    def advertise(self, request: Request, organic: Answer) -> AdAnswer:
        """Sponsored places beside an answer; what they cost is on disk when this returns. See `AdvertiseTask.answer`."""
        answer = self._ads.answer(request, organic)
        if answer.placed or answer.lost:
            self.record([answer.event()])
        return answer

    def profile(self, customer: str, session: str = "") -> Profile:
        """What the shop thinks of a customer, or of a visitor known by session; see `ProfileTask.profile`."""
        return self._profiles.profile(customer, session)

    @property
    def segments(self) -> tuple[CustomerSegment, ...]:
        """The groups of customers who are alike, empty where none were learnt."""
        return self._profiles.segments

    def record(self, events: Sequence[Event]) -> int:
        """Write events; they are on disk when this returns, and the next request sees them. Returns how many were new."""
        with self.ad_spend.charging(events) as priced:
            new = self._writer.append(priced)
        self._sessions.fold(events)
        self._note_purchases(events)
        self._mutes.note(events)
        self._floor.note(events)
        if (guard := self._guard) is not None:
            guard.note(events)
        return new

    def put(self, items: Sequence[Item]) -> Changes:
        """Add or replace items; they can be found when this returns."""
        changes = self.store.catalogue.put(items)
        self.refresh()
        return changes

    def remove(self, ids: Sequence[str]) -> Changes:
        """Take items out of the catalogue; they are gone from every path when this returns."""
        changes = self.store.catalogue.remove(ids)
        self.refresh()
        return changes

    def erase(self, customer: str, actor: str = "") -> int:
        """Delete a customer from the store and from memory; returns the number of rows deleted. `actor` is for the audit log."""
        with self._writing:  # no floor is being built that has read the customer's events already
            quoted = any(one.source != TALK for one in self.store.words.of_customer(customer, _MOST_OF_ONE))
            with self.listen.forgetting(customer), alone_with(customer):
                count = self.store.erase(customer, actor)
            self._sessions.forget(customer)
            self._bought.pop(customer, None)
            self._mutes.forget(customer)
            self._profiles.forget(customer)
            self._guard = None  # its windows hold the customer's payments
            if self._assistant is not None:
                self._assistant.forget(customer)
            if quoted:
                self._assistant = None  # its index holds what staff wrote to the customer
            self._floor.suggest.forget(customer)
            self._floor.trust.forget(customer)
            self.ad_spend.forget(customer)
            self._floor.search.forget()
            self._classify.forget()
            self._pen = None  # its summaries quote what the customer wrote
        return count

    def refresh(self) -> int:
        """Take up what changed in the store, whoever changed it; returns the number of items touched.

        Changed items are encoded and indexed in place. Behaviour is counted anew when enough has come in.
        """
        with self._writing:
            floor = self._floor
            touched = 0
            while (delta := self.store.catalogue.since(floor.catalogue)).version > floor.catalogue:
                floor.apply(delta.items, delta.removed)
                if self._assistant is not None:
                    self._assistant.apply(delta.items, delta.removed)
                floor.catalogue = delta.version
                touched += len(delta.items) + len(delta.removed)
            for position, event in self.store.events.scan(floor.seen, kinds=list(STRENGTH)):
                self._mutes.note([event])
                self._note_purchases([event])
                if self._guard is not None:
                    self._guard.note([event])
                floor.seen = position
                floor.waiting += 1
            if floor.waiting >= max(_REFIT_LEAST, _REFIT_SHARE * floor.counted):
                floor.count()
            floor.stamp()
            self._ads.refresh(self.store)
            if self._assistant is not None and time.monotonic() - self._house_read >= _HOUSE_SECONDS:
                self._house_read = time.monotonic()
                if self._house_words() != self._house:
                    self._assistant = None  # it is opened anew with what the house says now
            pen = self._pen
        if pen is not None and (touched or time.monotonic() - self._copy_read >= _COPY_SECONDS):
            self._copy_read = time.monotonic()
            pen.desk.refresh()  # pages are shown meanwhile
        return touched

    def reload(self) -> None:
        """Build everything anew from the store and the live models, aside, and swap it in."""
        with self._writing:
            self._replenishment = Replenishment(self._purchases())
            self._build()
        self.listen.renew()

    def close(self) -> None:
        """Finish what is being written and let go of the store."""
        self.listen.close()
        self.outbox.close()
        self._writer.close()
        self._sessions.close()
        self.store.close()

    def _build(self) -> None:
        """Everything that stands on a state of catalogue and models: opened aside, then put in its place at once."""

        def bought(customer: str) -> Iterable[str]:
            return tuple(self._bought.get(customer, ()))  # others add to it meanwhile

        floor = build_floor(self.settings, self.store, self.registry, self._sessions.recent, bought, self._mutes.of)
        ads = advertising(floor, self.registry, self.ad_spend, self._sessions.recent)
        people = profiles(floor, self.registry)
        encode, count = floor.encoders.passage.encode, threads(self.settings.compute)
        sorting = ClassifyTask(self.registry, self.store, self.domain, encode, count)
        self._floor, self._ads, self._profiles, self._classify = floor, ads, people, sorting
        self._guard = self._assistant = self._pen = None

    def _house_words(self) -> int:
        """Another number whenever an FAQ or a policy is another."""
        kinds = (PassageKind.FAQ, PassageKind.POLICY)
        return hash(tuple((one.id, one.title, one.text, one.language) for one in self.store.words.scan(kinds)))

    def _purchases(self) -> pl.DataFrame:
        return self.store.events.frame(kinds=[EventKind.PURCHASE])

    def _due(self, customer: str, moment: datetime) -> list[str]:
        kinds = (EventKind.PURCHASE, EventKind.RETURN)
        past = self.store.events.tail(customer=customer, kinds=kinds)
        return self._replenishment.due([event for _, event in past], moment)

    def _note_purchases(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind is EventKind.PURCHASE and event.customer and event.item:
                self._bought[event.customer].add(event.item)


def open_shop(settings: Settings) -> Shop:
    """Open the shop in `settings.home`; encodes what no cache holds yet, with progress.

    Raises:
        StoreError: The database cannot be opened.
        ModelError: A live model cannot be read.
    """
    return Shop(settings, open_store(settings.store_url))

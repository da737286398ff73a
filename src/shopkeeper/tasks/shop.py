"""The open shop: store, models, indexes and tasks, put together in one place and swapped as a whole.

Everything that serves (API, storefront, command line, benchmarks) goes through a `Shop`. What depends on the catalogue
and the live models stands in one `_Floor`; `reload` builds a new one aside and swaps it in, so no request sees half.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from shopkeeper import __version__
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import Encoders, encoders
from shopkeeper.progress import span
from shopkeeper.records import Answer, Event, EventKind, Item, Request
from shopkeeper.retrieval.histories import STRENGTH, read
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.store.protocols import Changes, Store
from shopkeeper.store.sessions import MemorySessions
from shopkeeper.store.writer import GroupWriter
from shopkeeper.tasks.behaviour import Behaviour, Parameters, fit
from shopkeeper.tasks.recommend import RecommendTask
from shopkeeper.tasks.search import SearchTask

_REFIT_SHARE, _REFIT_LEAST = 0.02, 200
"""Behaviour is counted anew once this share of new events has come in, and at least so many."""


@dataclass(slots=True)
class _Floor:
    """All that serves one state of catalogue and models."""

    shelf: Shelf
    encoders: Encoders
    index: HybridIndex
    search: SearchTask
    recommend: RecommendTask
    parameters: Parameters
    version: str
    catalogue: int
    counted: int
    """Events that behaviour was counted from."""
    seen: int
    """Position of the log up to which new events were looked for."""
    waiting: int = 0
    """Events since then that say something about taste."""


class Shop:
    """An open shop. Answers may be asked from many threads; writes take turns.

    Args:
        settings: The settings in force.
        store: The truth; closed with the shop.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.registry = Registry(settings.bundles)
        self._writing = threading.RLock()
        self._writer = GroupWriter(store.events)
        self._sessions = MemorySessions(store.events)
        self._bought: defaultdict[str, set[str]] = defaultdict(set)
        self._note_purchases(self._past_purchases())
        self._floor = self._build()

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

    def search(self, request: Request) -> Answer:
        """Find items for words typed; see `SearchTask.answer`."""
        return self._floor.search.answer(request)

    def recommend(self, request: Request) -> Answer:
        """Recommend to a customer or a session; see `RecommendTask.answer`."""
        return self._floor.recommend.answer(request)

    def similar(self, request: Request) -> Answer:
        """Items like the first of `request.items`; see `RecommendTask.similar`."""
        return self._floor.recommend.similar(request)

    def record(self, events: Sequence[Event]) -> int:
        """Write events; they are on disk when this returns, and the next request sees them. Returns how many were new."""
        new = self._writer.append(events)
        self._sessions.fold(events)
        self._note_purchases(events)
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

    def erase(self, customer: str) -> int:
        """Delete a customer from the store and from memory; returns the number of rows deleted."""
        count = self.store.erase(customer)
        self._sessions.forget(customer)
        self._bought.pop(customer, None)
        return count

    def refresh(self) -> int:
        """Take up what changed in the store, whoever changed it; returns the number of items touched.

        Changed items are encoded and indexed in place. Behaviour is counted anew when enough has come in.
        """
        with self._writing:
            floor = self._floor
            touched = 0
            while (delta := self.store.catalogue.since(floor.catalogue)).version > floor.catalogue:
                self._apply(floor, delta.items, delta.removed)
                floor.catalogue = delta.version
                touched += len(delta.items) + len(delta.removed)
            for position, _ in self.store.events.scan(floor.seen, kinds=list(STRENGTH)):
                floor.seen = position
                floor.waiting += 1
            if floor.waiting >= max(_REFIT_LEAST, _REFIT_SHARE * floor.counted):
                self._count(floor)
            return touched

    def reload(self) -> None:
        """Build everything anew from the store and the live models, aside, and swap it in."""
        with self._writing:
            self._floor = self._build()

    def close(self) -> None:
        """Finish what is being written and let go of the store."""
        self._writer.close()
        self.store.close()

    def _build(self) -> _Floor:
        catalogue, seen = self.store.catalogue.version, self.store.events.position
        with span("read catalogue", self.store.catalogue.count(), "items") as progress:
            shelf = Shelf()
            for item in self.store.catalogue.scan():
                shelf.put(item)
                progress.advance()
        relevance, fusion, learnt = (self.registry.live(task) for task in ("relevance", "search", "recommend"))
        found = encoders(self.settings, relevance, encoder_name(self.settings.models, shelf.spoken))
        vectors = found.passage.encode([item.text if item else "" for item in shelf.items])
        chosen = Fusion.from_json(fusion.parameters) if fusion else Fusion()
        limits = self.settings.search
        index = HybridIndex(found.query, chosen, exact_below=limits.exact_below, candidates=limits.candidates)
        rows = np.arange(len(shelf), dtype=np.int64)
        index.upsert(rows, [shelf.item(row) for row in range(len(shelf))], vectors)
        parameters = Parameters.from_json(learnt.parameters) if learnt else Parameters()
        names = [bundle.name for bundle in (relevance, fusion, learnt) if bundle] or [found.query.name]
        version = "+".join([f"shopkeeper-{__version__}", *names])
        behaviour, counted = self._behaviour(shelf, vectors, parameters)
        popular = behaviour.standing("popular", len(shelf))
        search = SearchTask(shelf, index, popularity=popular, model=version)
        recommend = RecommendTask(
            shelf,
            behaviour,
            self.settings.recommend,
            recent=self._sessions.recent,
            bought=lambda customer: self._bought.get(customer, ()),
            model=version,
            seed=self.settings.compute.seed,
        )
        return _Floor(shelf, found, index, search, recommend, parameters, version, catalogue, counted, seen)

    def _behaviour(self, shelf: Shelf, vectors: np.ndarray, parameters: Parameters) -> tuple[Behaviour, int]:
        frame = self.store.events.frame(kinds=list(STRENGTH))
        histories, _ = read(frame, shelf)
        until = float(histories.times.max()) if len(histories.times) else time.time()
        return fit(histories, shelf, vectors, parameters, until=until), frame.height

    def _apply(self, floor: _Floor, items: Sequence[Item], removed: Sequence[str]) -> None:
        if items:
            vectors = floor.encoders.passage.encode([item.text for item in items])
            rows = np.array([floor.shelf.put(item) for item in items], dtype=np.int64)
            floor.index.upsert(rows, items, vectors)
            floor.recommend.put(items, vectors)
        gone = [row for item in removed if (row := floor.shelf.remove(item)) is not None]
        if gone:
            floor.index.remove(np.array(gone, dtype=np.int64))

    def _count(self, floor: _Floor) -> None:
        texts = [item.text if item else "" for item in floor.shelf.items]
        behaviour, floor.counted = self._behaviour(floor.shelf, floor.encoders.passage.encode(texts), floor.parameters)
        floor.recommend.behaviour = behaviour
        floor.search.popularity = behaviour.standing("popular", len(floor.shelf))
        floor.waiting = 0

    def _past_purchases(self) -> Iterable[Event]:
        return (event for _, event in self.store.events.scan(kinds=[EventKind.PURCHASE]))

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

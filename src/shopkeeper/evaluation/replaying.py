"""A recommender asked again what it would have shown on the pages of the log, each time knowing only what was known then.

Behaviour is counted from the events before a moment, and sessions grow event by event up to the page in question. What a
bundle has learnt is beyond this: give one that was learnt from earlier events.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from shopkeeper.models.bundle import Bundle
from shopkeeper.models.registry import Registry
from shopkeeper.progress import Span
from shopkeeper.records import Event, EventKind, Filters, Request
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.store.sessions import DEEDS
from shopkeeper.store.until import Until
from shopkeeper.tasks.floor import build_floor
from shopkeeper.tasks.recommend.shelves import FILLED

OTHERS: Final = ""
"""Stands for the items that a place left to chance may show besides the one drawn."""
_HELD: Final = 500
"""Events held of each customer and session."""


class Replay:
    """A recommender at any moment of the log after `start`: an `offpolicy_log.Policy`, to be asked in the order of time.

    A place that the recommender leaves to chance counts with the chance of what was drawn; the draw is that of the request.

    Args:
        settings: Of the candidate.
        store: The shop's.
        start: Behaviour is counted from the events before it.
        version: Bundle of task ``recommend`` to examine; empty for the live one.
        progress: Advanced by every page.

    Raises:
        NotFoundError: There is no such version.
        ModelError: It cannot be read.
    """

    def __init__(
        self, settings: Settings, store: Store, start: datetime, *, version: str = "", progress: Span | None = None
    ) -> None:
        past = Until(store, start)
        self._known = _Known()
        self._known.learn(event for _, event in past.events.scan(kinds=DEEDS))
        kinds = (*DEEDS, EventKind.IMPRESSION)
        later = (event for _, event in store.events.scan(kinds=kinds, start=start))
        self._later = deque(sorted(later, key=lambda event: event.time))
        self._taken = _taken(self._later)
        registry = _Candidate(settings.bundles, version)
        self._floor = build_floor(settings, past, registry, self._known.recent, self._known.bought)
        self._progress = progress
        self.model = self._floor.version

    def __call__(self, event: Event) -> list[Mapping[str, float]]:
        """What would have stood at the places of an impression, and with which chance."""
        shown = event.impression
        assert shown is not None
        while self._later and self._later[0].time < event.time:
            self._learn(self._later.popleft())
        first, last = min(shown.positions), max(shown.positions)
        hits = self._floor.recommend.answer(
            Request(
                id=event.request,
                time=event.time,
                customer=event.customer,
                session=event.session,
                language=str(event.properties.get("language", "")),
                items=(event.item,) if event.item else (),
                filters=Filters(exclude=self._taken.get(event.request, ())),
                limit=last - first + 1,
                offset=first - 1,
                surface=shown.surface,
            )
        ).hits
        if self._progress is not None:
            self._progress.advance()
        places: list[Mapping[str, float]] = []
        for position in shown.positions:
            hit = hits[position - first] if position - first < len(hits) else None
            chances = {} if hit is None else {hit.item: hit.propensity}
            places.append(chances | {OTHERS: 1 - hit.propensity} if hit and hit.propensity < 1 else chances)
        return places

    def _learn(self, event: Event) -> None:
        if event.kind is not EventKind.SEARCH:  # nobody types here
            self._floor.note([event])  # what was looked at needs less exploring
        if event.kind is not EventKind.IMPRESSION:
            self._known.learn([event])


class _Known:
    """What customers did up to now."""

    def __init__(self) -> None:
        self._trails: defaultdict[tuple[str, str], deque[Event]] = defaultdict(lambda: deque(maxlen=_HELD))
        self._bought: defaultdict[str, set[str]] = defaultdict(set)

    def learn(self, events: Iterable[Event]) -> None:
        for event in events:
            for key in (("customer", event.customer), ("session", event.session)):
                if key[1]:
                    self._trails[key].append(event)
            if event.kind is EventKind.PURCHASE and event.customer:
                self._bought[event.customer].add(event.item)

    def recent(self, customer: str, session: str, limit: int) -> Sequence[Event]:
        keys = (("customer", customer), ("session", session))
        found = {event.id: event for key in keys if key in self._trails for event in self._trails[key]}
        return sorted(found.values(), key=lambda event: event.time)[-limit:]

    def bought(self, customer: str) -> Iterable[str]:
        return self._bought.get(customer, ())


class _Candidate(Registry):
    """The live bundles, with another one to recommend."""

    def __init__(self, folder: Path, version: str) -> None:
        super().__init__(folder)
        self._version = version

    def live(self, task: str) -> Bundle | None:
        return self.open(task, self._version) if task == "recommend" and self._version else super().live(task)


def _taken(impressions: Iterable[Event]) -> dict[str, tuple[str, ...]]:
    """Request of a home shelf -> items that the shelves before it had taken; those of one page share its moment."""
    ranks = {f"home:{kind}": rank for rank, kind in enumerate(FILLED)}
    home = [event for event in impressions if event.impression and event.impression.surface in ranks]

    def page(event: Event) -> tuple[datetime, str, str]:
        return event.time, event.customer, event.session

    found: dict[str, tuple[str, ...]] = {}
    for _, group in groupby(sorted(home, key=page), key=page):
        taken: tuple[str, ...] = ()
        for event in sorted(group, key=lambda event: ranks[event.impression.surface if event.impression else ""]):
            assert event.impression is not None
            found[event.request] = taken
            taken = (*taken, *event.impression.items)
    return found

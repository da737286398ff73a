"""What a customer did last, at hand for the next request: session state folded from the event log.

The log is the truth and this is a cache of its ends: what is not in memory is read from the log, so that a restart
loses nothing.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shopkeeper.records import Event, EventKind
from shopkeeper.store.protocols import EventLog

DEEDS = tuple(kind for kind in EventKind if kind not in (EventKind.IMPRESSION, EventKind.AD_IMPRESSION))
"""What customers do themselves; what they are shown is not part of a session's trail."""

_Place = tuple[datetime, int]
_Key = tuple[str, str]  # ("customer" | "session", id)

_ARRIVED_LATER = 2**62  # arrival numbers of folded events start after all positions of the log


class Sessions(Protocol):
    """Recent events by customer and session."""

    def fold(self, events: Iterable[Event]) -> None:
        """Take in events that the log has just acknowledged, in their order."""
        ...

    def recent(self, customer: str, session: str, limit: int = 50) -> list[Event]:
        """The last `limit` events of the customer or the session, each once, ordered by (time, arrival), newest last."""
        ...

    def forget(self, customer: str) -> None:
        """Drop everything held about a customer who was erased from the log."""
        ...


@dataclass(slots=True)
class _Trail:
    """The last events of one customer or session, ordered by (time, arrival)."""

    complete: bool = False
    places: list[tuple[_Place, str]] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)

    def add(self, arrival: int, event: Event, limit: int) -> None:
        if event.id in self.events:
            return
        self.events[event.id] = event
        insort(self.places, ((event.time, arrival), event.id))
        if len(self.places) > limit:
            _, oldest = self.places.pop(0)
            del self.events[oldest]


class MemorySessions:
    """Sessions in this process's memory, least recently used ones dropped. Safe to use from many threads.

    Args:
        log: Where to read what is not in memory.
        capacity: Most customers and sessions held, counted together.
        depth: Most events held of each.
    """

    def __init__(self, log: EventLog, capacity: int = 20_000, depth: int = 200) -> None:
        self._log = log
        self._capacity = capacity
        self._depth = depth
        self._arrivals = _ARRIVED_LATER
        self._forgotten = 0
        self._trails: OrderedDict[_Key, _Trail] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many customers and sessions are held."""
        return len(self._trails)

    def fold(self, events: Iterable[Event]) -> None:
        """Take in events that the log has just acknowledged, in their order.

        Customers and sessions that are not held stay so: the log has their events when they are asked for.
        """
        with self._lock:
            for event in events:
                if event.kind not in DEEDS:
                    continue
                self._arrivals += 1
                for key in _keys(event.customer, event.session):
                    trail = self._trails.get(key)
                    if trail is not None:
                        trail.add(self._arrivals, event, self._depth)

    def recent(self, customer: str, session: str, limit: int = 50) -> list[Event]:
        """The last `limit` events of the customer or the session, each once, ordered by (time, arrival), newest last.

        At most `depth` events reach back; empty names count for nothing.
        """
        merged: dict[str, tuple[_Place, Event]] = {}
        for key in _keys(customer, session):
            trail = self._trail(key)
            with self._lock:
                for place, id_ in trail.places:
                    known = merged.get(id_)
                    if known is None or place < known[0]:
                        merged[id_] = (place, trail.events[id_])
        ordered = sorted(merged.values(), key=lambda pair: pair[0])
        return [event for _, event in ordered[max(0, len(ordered) - limit) :]]

    def forget(self, customer: str) -> None:
        """Drop everything held about a customer who was erased from the log, their sessions included."""
        with self._lock:
            self._forgotten += 1
            self._trails.pop(("customer", customer), None)
            for key, trail in list(self._trails.items()):
                if any(event.customer == customer for event in trail.events.values()):
                    del self._trails[key]

    def _trail(self, key: _Key) -> _Trail:
        """The whole trail of a key: held, or read from the log while folds are collected beside it."""
        with self._lock:
            trail = self._trails.setdefault(key, _Trail())
            self._trails.move_to_end(key)
            if trail.complete:
                return trail
            forgotten = self._forgotten
        kind, name = key
        of = {"customer": name} if kind == "customer" else {"session": name}
        past = self._log.tail(limit=self._depth, kinds=DEEDS, **of)
        with self._lock:
            folded = [(arrival, trail.events[id_]) for (_, arrival), id_ in trail.places]
            trail.places.clear()
            trail.events.clear()
            for arrival, event in [*past, *folded]:
                trail.add(arrival, event, self._depth)
            trail.complete = forgotten == self._forgotten  # else it may hold what was erased while we read
            while len(self._trails) > self._capacity:
                self._trails.popitem(last=False)
            return trail


def _keys(customer: str, session: str) -> list[_Key]:
    named = [("customer", customer)] if customer else []
    return [*named, ("session", session)] if session else list(named)

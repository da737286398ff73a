"""What a customer did last, at hand for the next request: session state folded from the event log.

The log is the truth and this is a cache of its ends: what is not at hand is read from the log, so that a restart
loses nothing. Held in this process's memory, or in a Redis that several server processes share (`redis_sessions`).

A clock that runs more than a day ahead is not believed: its event stands right behind all that arrived before it.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from shopkeeper.errors import SettingsError
from shopkeeper.records import Event, EventKind, now
from shopkeeper.store.protocols import EventLog

DEEDS = tuple(kind for kind in EventKind if kind not in (EventKind.IMPRESSION, EventKind.AD_IMPRESSION))
"""What customers do themselves; what they are shown is not part of a session's trail."""

AHEAD = timedelta(days=1)
"""Clocks further ahead than this are not believed."""
ARRIVED_LATER = 2**52
"""Arrival numbers of folded events start here, after all positions of the log."""

Clock = Callable[[], datetime]
Key = tuple[str, str]
"""(``customer`` or ``session``, id)."""
Arrival = tuple[int, Event]
"""An event and when it arrived: its position in the log, or `ARRIVED_LATER` and more."""
_Place = tuple[datetime, int]


class Sessions(Protocol):
    """Recent events by customer and session. Safe to use from many threads."""

    @property
    def available(self) -> bool:
        """False while answers are read from the log, because what holds the sessions cannot be reached."""
        ...

    @property
    def failures(self) -> int:
        """How often it could not be reached."""
        ...

    def fold(self, events: Iterable[Event]) -> None:
        """Take in events that the log has just acknowledged, in their order."""
        ...

    def recent(self, customer: str, session: str, limit: int = 50) -> list[Event]:
        """The last `limit` events of the customer or the session, each once, ordered by (time, arrival), newest last."""
        ...

    def forget(self, customer: str) -> None:
        """Drop everything held about a customer who was erased from the log."""
        ...

    def close(self) -> None:
        """Release all connections."""
        ...


def open_sessions(url: str, log: EventLog, space: str = "shopkeeper") -> Sessions:
    """Sessions at `url`.

    Args:
        url: Empty for this process's memory, or ``redis://[user:password@]host[:port][/database]`` (``rediss://`` for
            TLS, ``unix://path`` for a socket), shared by all processes that name it.
        log: The truth.
        space: Tells shops apart that share a server.

    Raises:
        SettingsError: The URL is neither.
        ExtraMissingError: The Redis client is not installed.
    """
    if not url:
        return MemorySessions(log)
    if url.partition("://")[0] not in ("redis", "rediss", "unix"):
        raise SettingsError(
            "This is not the address of a Redis.",
            where="sessions.url",
            cure="Leave it empty, or write redis://host:6379/0.",
        )
    from shopkeeper.store.redis_sessions import RedisSessions

    return RedisSessions(url, log, space)


@dataclass(slots=True)
class _Trail:
    """The last events of one customer or session, ordered by (time, arrival)."""

    complete: bool = False
    places: list[tuple[_Place, str]] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)

    def add(self, arrival: int, event: Event, limit: int, moment: datetime) -> None:
        if event.id in self.events:
            return
        if event.time > moment + AHEAD:
            event = replace(event, time=self.places[-1][0][0] if self.places else moment)
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
        clock: What time it is.
    """

    available = True
    failures = 0

    def __init__(self, log: EventLog, capacity: int = 20_000, depth: int = 200, clock: Clock = now) -> None:
        self._log = log
        self._capacity = capacity
        self._depth = depth
        self._clock = clock
        self._arrivals = ARRIVED_LATER
        self._forgotten = 0
        self._trails: OrderedDict[Key, _Trail] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many customers and sessions are held."""
        return len(self._trails)

    def fold(self, events: Iterable[Event]) -> None:
        """Take in events that the log has just acknowledged, in their order.

        Customers and sessions that are not held stay so: the log has their events when they are asked for.
        """
        moment = self._clock()
        with self._lock:
            for event in events:
                if event.kind not in DEEDS:
                    continue
                self._arrivals += 1
                for key in keys_of(event.customer, event.session):
                    trail = self._trails.get(key)
                    if trail is not None:
                        trail.add(self._arrivals, event, self._depth, moment)

    def recent(self, customer: str, session: str, limit: int = 50) -> list[Event]:
        """The last `limit` events of the customer or the session, each once, ordered by (time, arrival), newest last.

        At most `depth` events reach back; empty names count for nothing.
        """
        found: list[Arrival] = []
        for key in keys_of(customer, session):
            trail = self._trail(key)
            with self._lock:
                found += [(arrival, trail.events[id_]) for (_, arrival), id_ in trail.places]
        return merged(found, limit)

    def close(self) -> None:
        """Nothing to release."""

    def forget(self, customer: str) -> None:
        """Drop everything held about a customer who was erased from the log, their sessions included."""
        with self._lock:
            self._forgotten += 1
            self._trails.pop(("customer", customer), None)
            for key, trail in list(self._trails.items()):
                if any(event.customer == customer for event in trail.events.values()):
                    del self._trails[key]

    def _trail(self, key: Key) -> _Trail:
        """The whole trail of a key: held, or read from the log while folds are collected beside it."""
        with self._lock:
            trail = self._trails.setdefault(key, _Trail())
            self._trails.move_to_end(key)
            if trail.complete:
                return trail
            forgotten = self._forgotten
        moment = self._clock()
        past = past_of(self._log, key, self._depth, moment)
        with self._lock:
            folded = [(arrival, trail.events[id_]) for (_, arrival), id_ in trail.places]
            trail.places.clear()
            trail.events.clear()
            for arrival, event in [*past, *folded]:
                trail.add(arrival, event, self._depth, moment)
            trail.complete = forgotten == self._forgotten  # else it may hold what was erased while we read
            while len(self._trails) > self._capacity:
                self._trails.popitem(last=False)
            return trail


def keys_of(customer: str, session: str) -> list[Key]:
    """The keys of an event or a request; empty names have none."""
    named = [("customer", customer)] if customer else []
    return [*named, ("session", session)] if session else list(named)


def past_of(log: EventLog, key: Key, depth: int, moment: datetime) -> list[Arrival]:
    """The last `depth` deeds of a key as the log has them, ordered by (time, position).

    Args:
        log: The truth.
        key: Whose.
        depth: How many at most.
        moment: The time now; see `AHEAD`.
    """
    kind, name = key
    past = log.tail(limit=depth, kinds=DEEDS, **({"customer": name} if kind == "customer" else {"session": name}))
    believed = [event.time for _, event in past if event.time <= moment + AHEAD]
    if len(believed) == len(past):
        return past
    latest = min(believed, default=moment)
    settled: list[Arrival] = []
    for position, event in sorted(past, key=lambda arrival: arrival[0]):
        shown = event if event.time <= moment + AHEAD else replace(event, time=latest)
        latest = max(latest, shown.time)
        settled.append((position, shown))
    return sorted(settled, key=_place)


def merged(found: Sequence[Arrival], limit: int) -> list[Event]:
    """The last `limit` of events from several trails, each once, at its earliest place, ordered by (time, arrival)."""
    once: dict[str, Arrival] = {}
    for arrival in found:
        known = once.setdefault(arrival[1].id, arrival)
        if _place(arrival) < _place(known):
            once[arrival[1].id] = arrival
    ordered = sorted(once.values(), key=_place)
    return [event for _, event in ordered[max(0, len(ordered) - limit) :]]


def _place(arrival: Arrival) -> _Place:
    return arrival[1].time, arrival[0]

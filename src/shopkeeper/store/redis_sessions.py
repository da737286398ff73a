"""Sessions in a Redis, shared by several server processes.

Nothing depends on Redis keeping anything: a trail that is gone is read from the log. A process that starts, that missed a
fold, or that meets a server without our scripts (it was restarted, or another took over) begins a new generation, and all
older trails are read anew; so an event that reached the log and not Redis is not lost. While Redis is away, answers are
read from the log, and it is asked again every second.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import orjson

from shopkeeper.errors import SettingsError
from shopkeeper.extras import require
from shopkeeper.records import Event, EventKind, Impression, now
from shopkeeper.store import codec
from shopkeeper.store.protocols import EventLog
from shopkeeper.store.redis_scripts import BEGIN, COMPLETE, FOLD, FORGET, READ
from shopkeeper.store.sessions import AHEAD, DEEDS, Arrival, Clock, Key, keys_of, merged, past_of

log = logging.getLogger(__name__)

T = TypeVar("T")

_CHUNK = 500
"""Events of one step."""
_PAUSE = 1.0
"""Seconds after which a Redis that was away is asked again."""
_NOBODY = "-"


class RedisSessions:
    """Sessions in a Redis 7 or newer. Safe to use from many threads.

    Args:
        url: ``redis://[user:password@]host[:port][/database]``, ``rediss://...`` or ``unix://path``.
        log: The truth.
        space: Tells shops apart that share a server.
        depth: Most events held of each customer and session.
        keep: Seconds after which a trail that nobody asked for is dropped.
        patience: Seconds that an answer of Redis may take; connecting may take half of that in addition.
        clock: What time it is.

    Raises:
        SettingsError: The URL cannot be read.
        ExtraMissingError: The Redis client is not installed.
    """

    def __init__(
        self,
        url: str,
        log: EventLog,
        space: str = "shopkeeper",
        *,
        depth: int = 200,
        keep: int = 3600,
        patience: float = 0.03,
        clock: Clock = now,
    ) -> None:
        self._redis: Any = require("redis", "redis")
        self._log = log
        self._depth = depth
        self._keep = keep
        self._clock = clock
        self._prefix = f"{{shopkeeper:{_digest(space)}}}"  # in braces: on a cluster, all on one node
        self._head = f"{self._prefix}:head"
        self._lock = threading.Lock()
        self._missed, self._caught_up = 1, 0  # what was folded just before this process began is unknown
        self._owed: set[str] = set()
        self._asked_again = 0.0
        self.available = True
        self.failures = 0
        try:
            self._client = self._redis.Redis.from_url(
                url,
                socket_timeout=patience,
                socket_connect_timeout=patience / 2,
                retry=self._redis.retry.Retry(self._redis.backoff.NoBackoff(), 0),
                protocol=2,
            )
        except ValueError as error:
            raise SettingsError(
                f"This is not the address of a Redis: {error}.",
                where="sessions.url",
                cure="Write redis://host:6379/0.",
            ) from None

    def fold(self, events: Iterable[Event]) -> None:
        """Take in events that the log has just acknowledged, in their order; what nobody asked for lately stays out."""
        deeds = [event for event in events if event.kind in DEEDS and (event.customer or event.session)]
        for start in range(0, len(deeds), _CHUNK):
            if self._ask(partial(self._fold, deeds[start : start + _CHUNK])) is None:
                with self._lock:
                    self._missed += 1

    def recent(self, customer: str, session: str, limit: int = 50) -> list[Event]:
        """The last `limit` events of the customer or the session, each once, ordered by (time, arrival), newest last.

        At most `depth` events reach back; empty names count for nothing.
        """
        keys = keys_of(customer, session)
        if not keys:
            return []
        held = self._ask(lambda: self._run(READ, [self._head, *map(self._name, keys)], [self._keep]))
        found: list[Arrival] = []
        for key, values in zip(keys, held or [None] * len(keys), strict=True):
            if values is None:
                found += past_of(self._log, key, self._depth, self._clock())
            elif len(values) == 1 and values[0].startswith(b"-"):
                found += self._complete(key, values[0])
            else:
                found += self._newest(values)
        return merged(found, limit)

    def forget(self, customer: str) -> None:
        """Drop everything held about a customer who was erased from the log, their sessions included.

        While Redis is away this is owed, and done before anything else once it is back.
        """
        with self._lock:
            self._owed.add(customer)
            self._missed += 1  # trails being read at this moment may hold what was erased
        self._ask(lambda: True)

    def close(self) -> None:
        """Release all connections."""
        self._client.close()

    def _ask(self, work: Callable[[], T]) -> T | None:
        """What Redis answers, None while it is away."""
        if not self.available and time.monotonic() < self._asked_again:
            return None
        try:
            try:
                self._catch_up()
                found = work()
            except self._redis.exceptions.NoScriptError:
                self._catch_up(anyway=True)
                found = work()
        except (self._redis.RedisError, OSError) as error:
            self._lose(error)
            return None
        if not self.available:
            self.available = True
            log.info("the Redis of the sessions is back")
        return found

    def _lose(self, error: Exception) -> None:
        with self._lock:
            before, self.available = self.available, False
            self.failures += 1
            self._asked_again = time.monotonic() + _PAUSE
        if before:
            log.warning("the Redis of the sessions is away, the event log answers in its place: %s", error)

    def _catch_up(self, *, anyway: bool = False) -> None:
        with self._lock:
            missed, owed = self._missed, list(self._owed)
        if missed == self._caught_up and not anyway:
            return
        for script in (BEGIN, READ, COMPLETE, FOLD, FORGET):
            self._client.script_load(script)
        self._run(BEGIN, [self._head], [])
        for customer in owed:
            self._drop(customer)
        with self._lock:
            self._owed.difference_update(owed)
            self._caught_up = max(self._caught_up, missed)

    def _drop(self, customer: str) -> None:
        self._client.delete(self._name(("customer", customer)))
        cursor = -1
        while cursor:
            cursor, names = self._client.scan(max(cursor, 0), match=f"{self._prefix}:session:*", count=1_000)
            if names:
                self._run(FORGET, names, [_digest(customer)])

    def _fold(self, events: Sequence[Event]) -> Any:
        moment = self._clock()
        names = [self._head]
        places: dict[Key, int] = {}
        arguments: list[str | bytes | int] = [self._depth, codec.micros(moment)]
        for event in events:
            own = []
            for key in keys_of(event.customer, event.session):
                if key not in places:
                    names.append(self._name(key))
                    places[key] = len(names)
                own.append(places[key])
            time_ = "" if event.time > moment + AHEAD else codec.micros(event.time)
            arguments += [event.id, time_, _whose(event), _packed(event), *own, *[0] * (2 - len(own))]
        return self._run(FOLD, names, arguments)

    def _complete(self, key: Key, token: bytes) -> list[Arrival]:
        """A trail read from the log, with what was folded meanwhile."""
        past = past_of(self._log, key, self._depth, self._clock())
        entries: list[str | bytes] = []
        for position, event in past:
            head = f"{codec.micros(event.time)} {position} {_whose(event)} ".encode()
            entries += [event.id, head + _packed(event)]
        arguments = [token, self._depth, *entries]
        values = self._ask(lambda: self._run(COMPLETE, [self._head, self._name(key)], arguments))
        return past if values is None else self._newest(values)

    def _newest(self, values: Sequence[bytes]) -> list[Arrival]:
        split = [value.split(b" ", 3) for value in values if b" " in value]
        ordered = sorted((int(time_), int(arrival), payload) for time_, arrival, _, payload in split)
        return [(arrival, _unpacked(time_, payload)) for time_, arrival, payload in ordered[-self._depth :]]

    def _name(self, key: Key) -> str:
        kind, name = key
        return f"{self._prefix}:{kind}:{_digest(name)}"

    def _run(self, script: str, names: Sequence[str | bytes], arguments: Sequence[object]) -> Any:
        sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        return self._client.evalsha(sha, len(names), *names, *arguments)


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _whose(event: Event) -> str:
    return _digest(event.customer) if event.customer else _NOBODY


def _packed(event: Event) -> bytes:
    shown = event.impression
    impression = shown and (shown.items, shown.positions, shown.propensities, shown.model, shown.surface)
    texts = event.id, event.kind.value, event.customer, event.session, event.item, event.query, event.request
    rest = event.value, event.quantity, dict(event.properties), impression
    return orjson.dumps((*texts, *rest), option=orjson.OPT_SERIALIZE_NUMPY)


def _unpacked(micros: int, payload: bytes) -> Event:
    id_, kind, customer, session, item, query, request, value, quantity, properties, shown = orjson.loads(payload)
    return Event(
        id=id_,
        time=codec.moment(micros),
        kind=EventKind(kind),
        customer=customer,
        session=session,
        item=item,
        query=query,
        request=request,
        value=value,
        quantity=quantity,
        properties=properties,
        impression=None
        if shown is None
        else Impression(
            items=tuple(shown[0]),
            positions=tuple(shown[1]),
            propensities=tuple(shown[2]),
            model=shown[3],
            surface=shown[4],
        ),
    )

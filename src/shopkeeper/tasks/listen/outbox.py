"""Alerts on their way: what each channel still has to be told stands in the alert's own row, and is tried until it arrives.

``delivered`` of an alert maps each channel to its ``state`` (waiting, done, dead), ``attempts``, ``next`` (ISO time) and the
last ``error``. It is written after each attempt, so whoever is killed in between sends once more (at least once).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from shopkeeper.errors import NotFoundError, ShopkeeperError
from shopkeeper.records import now as clock
from shopkeeper.store.database import SqlStore
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import alert_of, amend
from shopkeeper.tasks.listen.notice import Channel, UndeliveredError

log = logging.getLogger(__name__)

_FIRST: Final = 10.0
_LONGEST: Final = 3_600.0
ATTEMPTS: Final = 20
"""Attempts after which a channel is given up for an alert; they span about half a day."""
_POLL: Final = 2.0


class Outbox:
    """Delivers what waits.

    Args:
        store: Where the alerts are.
        channels: Ways to deliver; what waits for others is left alone.
        seed: Of the jitter between attempts.
    """

    def __init__(self, store: SqlStore, channels: Sequence[Channel], seed: int | None = None) -> None:
        self._store = store
        self._channels = {channel.name: channel for channel in channels}
        self._rng = np.random.default_rng(seed)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels, which new alerts are to carry."""
        return tuple(self._channels)

    def deliver(self, moment: datetime | None = None) -> int:
        """Try everything that is due; how many deliveries arrived."""
        arrived = 0
        with self._turn:
            for document in list(self._store.alerts.open()):
                for name, state in document.body.get("delivered", {}).items():
                    if name in self._channels and _due(state, moment or clock()):
                        arrived += self._attempt(document, self._channels[name], state, moment or clock())
        return arrived

    def start(self) -> None:
        """Deliver in a thread of its own until `close`."""
        if self._channels and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="shopkeeper-outbox", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread; what waits stays in the store."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(_POLL):
            try:
                self.deliver()
            except ShopkeeperError as error:
                log.warning("alerts could not be delivered yet", exc_info=error)

    def _attempt(self, document: Document, channel: Channel, state: Mapping[str, Any], moment: datetime) -> bool:
        attempts = int(state.get("attempts", 0)) + 1
        alert = alert_of(document)
        try:
            channel.send(alert, {"id": alert.id, **alert.body()})
        except UndeliveredError as error:
            log.info("alert %s not delivered by %s: %s", alert.id, channel.name, error)
            limit = min(_LONGEST, _FIRST * 2.0 ** min(attempts - 1, 20))
            wait = timedelta(seconds=float(self._rng.uniform(limit / 2, limit)))
            new = {
                "state": "dead" if attempts >= ATTEMPTS else "waiting",
                "attempts": attempts,
                "next": (moment + wait).isoformat(),
                "error": str(error)[:500],
            }
            self._note(alert.id, channel.name, new)
            return False
        self._note(alert.id, channel.name, {"state": "done", "attempts": attempts, "at": moment.isoformat()})
        return True

    def _note(self, alert: str, channel: str, state: Mapping[str, Any]) -> None:
        amend(self._store, alert, lambda before: _with(before, {channel: state}))


def retry(store: SqlStore, alert: str) -> int:
    """Let the dead deliveries of an alert be tried again; how many.

    Raises:
        NotFoundError: There is no such alert.
    """
    document = store.alerts.get([alert]).get(alert)
    if document is None:
        raise NotFoundError("There is no such alert.", where=alert, cure="`shopkeeper alerts list` names them.")
    dead = [name for name, state in document.body.get("delivered", {}).items() if state["state"] == "dead"]
    if dead:
        amend(store, alert, lambda before: _with(before, {name: {"state": "waiting"} for name in dead}))
    return len(dead)


def _with(document: Document | None, states: Mapping[str, Mapping[str, Any]]) -> Document:
    """The row as it is now, with some channels' states: the watch may have prolonged the alert meanwhile."""
    assert document is not None, "alerts are never deleted"
    delivered = {**document.body.get("delivered", {}), **states}
    waits = any(state["state"] == "waiting" for state in delivered.values())
    return Document(document.id, document.time, {**document.body, "delivered": delivered}, waits)


def _due(state: Mapping[str, Any], moment: datetime) -> bool:
    """Is it time? A clock that went back by more than the longest wait does not hold anything up."""
    if state["state"] != "waiting":
        return False
    following = datetime.fromisoformat(state["next"]) if "next" in state else moment
    return following <= moment or following - moment > timedelta(seconds=_LONGEST)

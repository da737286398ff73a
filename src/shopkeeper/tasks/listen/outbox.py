"""Alerts on their way: what each channel still has to tell stands in the alert's own row, and is tried until it arrives.

An alert has steps, see `listen.steps`. Each channel tells each of them, one after the other. What came of it is written after
each attempt, so whoever is killed in between sends once more; `Notice.id` is the same then, and receivers drop what they know.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from shopkeeper.errors import NotFoundError
from shopkeeper.records import now as clock
from shopkeeper.store.database import SqlStore
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.messages import Notice, told_of
from shopkeeper.tasks.listen.notice import Channel, UndeliveredError
from shopkeeper.tasks.listen.steps import steps_of, with_steps

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
                arrived += sum(self._tell(document, channel, moment) for channel in self._channels.values())
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
            except Exception as error:  # whatever it was: the next alert is to be told as well
                log.exception("alerts could not be delivered yet", exc_info=error)

    def _tell(self, document: Document, channel: Channel, moment: datetime | None) -> int:
        """Let a channel tell the steps that are due; a later one waits for those before it."""
        arrived = 0
        for place, step in enumerate(steps_of(document)):
            state = step.delivered.get(channel.name, {"state": "done"})
            time = moment or clock()
            if state["state"] != "waiting":
                continue
            if not _due(state, time) or not self._attempt(document, place, channel, time):
                break
            arrived += 1
        return arrived

    def _attempt(self, document: Document, place: int, channel: Channel, moment: datetime) -> bool:
        steps = steps_of(document)
        attempts = int(steps[place].delivered[channel.name].get("attempts", 0)) + 1
        notice = Notice(told_of(document), place, tuple(steps[: place + 1]))
        try:
            channel.send(notice)
        except Exception as error:  # a channel that breaks has not delivered
            unforeseen = None if isinstance(error, UndeliveredError) else error
            log.info("alert %s not delivered by %s: %s", notice.id, channel.name, error, exc_info=unforeseen)
            limit = min(_LONGEST, _FIRST * 2.0 ** min(attempts - 1, 20))
            wait = timedelta(seconds=float(self._rng.uniform(limit / 2, limit)))
            new = {
                "state": "dead" if attempts >= ATTEMPTS else "waiting",
                "attempts": attempts,
                "next": (moment + wait).isoformat(),
                "error": str(error)[:500],
            }
            self._note(document.id, place, channel.name, new)
            return False
        done = {"state": "done", "attempts": attempts, "at": moment.isoformat()}
        self._note(document.id, place, channel.name, done)
        return True

    def _note(self, alert: str, place: int, channel: str, state: Mapping[str, Any]) -> None:
        def noted(before: Document | None) -> Document:
            assert before is not None, "alerts are never deleted"
            steps = list(steps_of(before))
            steps[place] = steps[place].told(channel, state)
            return with_steps(before, steps)  # as it is now: the watch may have prolonged it meanwhile

        self._store.alerts.amend(alert, noted)


def retry(store: SqlStore, alert: str) -> int:
    """Let the dead deliveries of an alert be tried again; how many.

    Raises:
        NotFoundError: There is no such alert.
    """
    document = store.alerts.get([alert]).get(alert)
    if document is None:
        raise NotFoundError("There is no such alert.", where=alert, cure="`shopkeeper alerts list` names them.")
    dead: int = sum(state["state"] == "dead" for step in steps_of(document) for state in step.delivered.values())
    if dead:
        store.alerts.amend(alert, lambda before: _revived(before or document))
    return dead


def _revived(document: Document) -> Document:
    """The row with all that was given up waiting again."""
    steps = steps_of(document)
    waiting = {"state": "waiting"}
    return with_steps(
        document,
        [
            replace(
                step,
                delivered={
                    name: waiting if state["state"] == "dead" else state for name, state in step.delivered.items()
                },
            )
            for step in steps
        ],
    )


def _due(state: Mapping[str, Any], moment: datetime) -> bool:
    """Is it time? A clock that went back by more than the longest wait does not hold anything up."""
    following = datetime.fromisoformat(state["next"]) if "next" in state else moment
    return following <= moment or following - moment > timedelta(seconds=_LONGEST)

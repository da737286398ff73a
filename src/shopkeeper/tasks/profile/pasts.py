"""What customers did, as far back as a profile looks, and what they wrote."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from shopkeeper.records import Event, EventKind, Passage, PassageKind
from shopkeeper.store.protocols import EventLog, Words
from shopkeeper.store.sessions import DEEDS

LOOK_BACK: Final = 500
_RARE: Final = (EventKind.PURCHASE, EventKind.RETURN, EventKind.REVIEW)
_MUTES: Final = (EventKind.DISMISS,)
_HELD: Final = 10_000
"""Customers whose rarer deeds are held in memory; only those with more than 500 deeds are."""
_REVIEWED: Final = 20
"""Items whose reviews are looked through for the customer's own."""


class Pasts:
    """What customers did, as far back as a profile looks, read from the log.

    Of whoever did more than 500 things, older purchases, returns, reviews and mutes are held in memory and kept up from what
    is read anyhow; they are read anew when events may have been missed.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._held: OrderedDict[str, tuple[str, dict[str, Event]]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, customer: str, session: str = "") -> list[Event]:
        """Their deeds, oldest first: the last 500, the last 500 of the rarer kinds, and the last 500 mutes."""
        tail = [event for _, event in self._log.tail(customer=customer, session=session, kinds=DEEDS, limit=LOOK_BACK)]
        key = customer or f"session:{session}"
        if len(tail) < LOOK_BACK:
            self.forget(key)
            return tail
        with self._lock:
            latest, rare = self._held.get(key, ("", {}))
        if not any(event.id == latest for event in tail):
            read = [
                self._log.tail(customer=customer, session=session, kinds=kinds, limit=LOOK_BACK)
                for kinds in (_RARE, _MUTES)
            ]
            rare = {event.id: event for part in read for _, event in part}
        rare = rare | {event.id: event for event in tail if event.kind in (*_RARE, *_MUTES)}
        ordered = sorted(rare.values(), key=lambda event: event.time)
        parts = ([event for event in ordered if event.kind in kinds][-LOOK_BACK:] for kinds in (_RARE, _MUTES))
        rare = {event.id: event for part in parts for event in part}
        with self._lock:
            self._held[key] = tail[-1].id, rare
            self._held.move_to_end(key)
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        recent = {event.id for event in tail}
        older = [event for event in rare.values() if event.id not in recent]
        return sorted([*older, *tail], key=lambda event: event.time)

    def forget(self, key: str) -> None:
        """Drop what is held about somebody."""
        with self._lock:
            self._held.pop(key, None)


def written_by(words: Words, customer: str, events: Sequence[Event]) -> list[Passage]:
    """A customer's own reviews of the items they reviewed or bought last, oldest first."""
    if not customer:
        return []
    touched = [event.item for event in events if event.kind in (EventKind.REVIEW, EventKind.PURCHASE) and event.item]
    about = set(list(dict.fromkeys(reversed(touched)))[:_REVIEWED])
    own = words.of_customer(customer) if about else []
    found = [passage for passage in own if passage.kind is PassageKind.REVIEW and passage.item in about]
    return sorted(found, key=lambda passage: (passage.time or datetime.min.replace(tzinfo=UTC), passage.id))

"""The log by visitor, as columns.

A visitor is a customer, or the device that somebody who did not log in came with, or else a session.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Event, EventKind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CODE: Final = {kind: code for code, kind in enumerate(EventKind)}


@dataclass(frozen=True, slots=True)
class Visits:
    """A log as columns, in order of visitor and time.

    Attributes:
        names: Of the visitors: a customer's id, ``device:`` and a device, or ``session:`` and a session.
        sessions: The sessions in which each visitor was not logged in; what stands for an unnamed one in the log.
        items, campaigns: What the codes stand for.
        visitor, kind, item, campaign: int64 (m,); item and campaign -1 where there is none.
        time: float64 (m,), seconds since 1970.
        shown: int64 (s, 2), visitor and item of everything shown.
        ads: int64 (visitors,), sponsored items shown to each.
    """

    names: tuple[str, ...]
    sessions: tuple[frozenset[str], ...]
    items: tuple[str, ...]
    campaigns: tuple[str, ...]
    visitor: Ints
    kind: Ints
    item: Ints
    campaign: Ints
    time: Floats
    shown: Ints
    ads: Ints

    def of(self, *kinds: EventKind) -> NDArray[np.bool_]:
        """Which events are of these kinds, bool (m,)."""
        return np.isin(self.kind, [_CODE[kind] for kind in kinds])


def visitor_of(event: Event) -> str:
    """Whose event this is; empty where nobody can be told. A device that is known by its session only is that session."""
    if event.customer:
        return event.customer
    device = event.properties.get("device")
    if device and device != event.session:
        return f"device:{device}"
    return f"session:{event.session}" if event.session else ""


def visits(events: Iterable[Event]) -> Visits:
    """Read a log in one pass; about 60 bytes an event are kept.

    Events without customer, device and session are left out, repeated ids count once.
    """
    names: dict[str, int] = {}
    items: dict[str, int] = {}
    campaigns: dict[str, int] = {}
    sessions: list[set[str]] = []
    ads: list[int] = []
    rows: list[tuple[int, int, int, int, float]] = []
    shown: set[tuple[int, int]] = set()
    seen: set[str] = set()
    for event in events:
        name = visitor_of(event)
        if not name or event.id in seen:
            continue
        seen.add(event.id)
        who = names.setdefault(name, len(names))
        if who == len(sessions):
            sessions.append(set())
            ads.append(0)
        if not event.customer and event.session:
            sessions[who].add(event.session)
        if event.impression is not None:
            page = {items.setdefault(item, len(items)) for item in event.impression.items}
            shown.update((who, item) for item in page)
            ads[who] += len(page) * (event.kind is EventKind.AD_IMPRESSION)
        item = items.setdefault(event.item, len(items)) if event.item else -1
        campaign = str(event.properties.get("campaign", "")) if event.kind is EventKind.AD_CLICK else ""
        number = campaigns.setdefault(campaign, len(campaigns)) if campaign else -1
        rows.append((who, _CODE[event.kind], item, number, event.time.timestamp()))
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    table = table[np.lexsort((table[:, 4], table[:, 0]))]
    whole = table[:, :4].astype(np.int64)
    return Visits(
        tuple(names),
        tuple(frozenset(own) for own in sessions),
        tuple(items),
        tuple(campaigns),
        whole[:, 0],
        whole[:, 1],
        whole[:, 2],
        whole[:, 3],
        table[:, 4],
        np.array(sorted(shown), dtype=np.int64).reshape(-1, 2),
        np.array(ads, dtype=np.int64),
    )

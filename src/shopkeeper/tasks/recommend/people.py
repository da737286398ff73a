"""What is known of whoever asks: their history, the same step by step, and what was done with each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shopkeeper.records import Event, EventKind, Request
from shopkeeper.retrieval.histories import STRENGTH, Histories, fold
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.trails import Trails, trail_of
from shopkeeper.trust.reasons import FOCUS, Deed


@dataclass(frozen=True, slots=True)
class Person:
    """One customer or visitor at the time of a request.

    Attributes:
        request: What they ask; its items count as looked at right now.
        history: Of one user.
        trail: The same step by step.
        deeds: For each row of the history the item id and the strongest thing done with it.
        focus: int64 (n,), rows of the request's items.
    """

    request: Request
    history: Histories
    trail: Trails
    deeds: Mapping[int, tuple[str, str]]
    focus: Rows

    @property
    def known(self) -> bool:
        """Does anything speak for their taste?"""
        return bool(self.history.known[0])

    def silenced(self, row: int | None) -> Person:
        """The same, had they never touched the item at `row`; all other items keep their places in the history."""
        strengths = np.where(self.history.rows == row, np.float32(0), self.history.strengths).astype(np.float32)
        return replace(self, history=replace(self.history, strengths=strengths), trail=self._trail_without(row))

    def without(self, row: int | None) -> Person:
        """The same, had they never touched the item at `row`; the others move up."""
        return replace(self, history=self.history.keep(self.history.rows != row), trail=self._trail_without(row))

    def deed(self, row: int, shelf: Shelf) -> Deed:
        """What they did with an item of their history."""
        name, kind = self.deeds[row]
        item = shelf.items[row]
        return Deed(name, item.title if item else name, kind)

    def _trail_without(self, row: int | None) -> Trails:
        return self.trail.keep(self.trail.rows != row)


def person(request: Request, events: Sequence[Event], shelf: Shelf) -> Person:
    """Read somebody from their latest events.

    Args:
        request: Items in focus that are no longer in the shop are passed over.
        events: That say something about taste, oldest first.
        shelf: The items.
    """
    rows: list[int] = []
    strengths: list[float] = []
    times: list[float] = []
    deeds: dict[int, tuple[str, str]] = {}
    for event in events:
        row = shelf.row(event.item)
        if row is None:
            continue
        rows.append(row)
        strengths.append(STRENGTH[event.kind])
        times.append(event.time.timestamp())
        if row not in deeds or STRENGTH[event.kind] >= STRENGTH[EventKind(deeds[row][1])]:
            deeds[row] = (event.item, event.kind)
    focus = {row: item for item in request.items if (row := shelf.row(item)) is not None}
    for row, item in focus.items():
        rows.append(row)
        strengths.append(1.0)
        times.append(request.time.timestamp())
        deeds[row] = (item, FOCUS)
    looked = [Event(id="", time=request.time, kind=EventKind.VIEW, item=item) for item in focus.values()]
    return Person(
        request,
        fold([0] * len(rows), rows, strengths, times, 1),
        trail_of([*events, *looked], shelf),
        deeds,
        np.array(list(focus), dtype=np.int64),
    )

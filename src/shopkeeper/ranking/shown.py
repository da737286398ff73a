"""What searches showed and what came of it, folded from the event log: one showing for each session, query and item.

A page that is loaded twice, or that a customer comes back to, is one piece of evidence, not two; and a session that no
human would have is none at all.
"""

from __future__ import annotations

import unicodedata
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Event, EventKind

Ints = NDArray[np.int64]

KINDS: Final = (EventKind.IMPRESSION, EventKind.CLICK, EventKind.VIEW, EventKind.CART, EventKind.PURCHASE)
"""Kinds of events that matter here; a view, a cart or a purchase that names an answer implies a click in it."""

_ORDERS: Final = (EventKind.CART, EventKind.PURCHASE)
_WEEK = 7 * 86_400
_MOST_PAGES, _MOST_CLICKS = 200, 100
"""A session with more pages or more items clicked is a program."""
_EVERYTHING, _LEAST_CLICKS = 0.8, 20
"""So is one that clicks nearly everything it is shown, once it clicked so many items."""


class Showing(NamedTuple):
    """An item that a session saw in answer to a query.

    Attributes:
        query: As `query_key` writes it.
        place: 1-based, the highest place at which the session saw the item for this query.
        clicked: It was clicked, or more.
        ordered: It was put in the basket or bought.
        week: When: weeks since 1970, of its first page.
    """

    query: str
    item: str
    place: int
    clicked: bool
    ordered: bool
    week: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """Showings as columns, one entry each.

    Attributes:
        queries: Distinct queries; `query` holds places in it.
        items: Distinct item ids; `item` holds places in it.
        query, item: int64 (n,).
        place: int64 (n,), 1-based.
        clicked, ordered: bool (n,).
        week: int64 (n,), weeks since 1970.
    """

    queries: tuple[str, ...]
    items: tuple[str, ...]
    query: Ints
    item: Ints
    place: Ints
    clicked: NDArray[np.bool_]
    ordered: NDArray[np.bool_]
    week: Ints

    def __len__(self) -> int:
        """Number of showings."""
        return len(self.place)

    @property
    def places(self) -> int:
        """The lowest place seen, 0 when nothing was shown."""
        return int(self.place.max(initial=0))

    @property
    def pair(self) -> Ints:
        """int64 (n,), one number for each distinct (query, item), from 0 up."""
        keys = self.query * len(self.items) + self.item
        numbers: Ints = np.unique(keys, return_inverse=True)[1].reshape(-1)
        return numbers


@dataclass(slots=True)
class _Session:
    """What is remembered of one session.

    Attributes:
        pages: Request id to (query, week, item to place).
        reacted: Request id to items clicked, and whether ordered; also for pages not yet seen.
        showings: What counts now.
    """

    pages: dict[str, tuple[str, int, dict[str, int]]] = field(default_factory=dict)
    reacted: dict[str, dict[str, bool]] = field(default_factory=dict)
    showings: dict[tuple[str, str], Showing] = field(default_factory=dict)
    robot: bool = False

    def fold(self, event: Event) -> None:
        """Take in one event."""
        if event.kind is EventKind.IMPRESSION:
            shown = event.impression
            query = query_key(event.query)
            if shown is not None and query:
                places = dict(zip(shown.items, shown.positions, strict=True))
                self.pages[event.request or event.id] = (query, int(event.time.timestamp() // _WEEK), places)
        elif event.item and event.request:
            items = self.reacted.setdefault(event.request, {})
            items[event.item] = items.get(event.item, False) or event.kind in _ORDERS

    def count(self) -> dict[tuple[str, str], Showing]:
        """The showings of the session as it stands; none when it is a robot's."""
        found: dict[tuple[str, str], Showing] = {}
        for request, (query, week, places) in self.pages.items():
            reacted = self.reacted.get(request, {})
            for item, place in places.items():
                before = found.get((query, item))
                found[query, item] = Showing(
                    query,
                    item,
                    place if before is None else min(place, before.place),
                    item in reacted or (before is not None and before.clicked),
                    reacted.get(item, False) or (before is not None and before.ordered),
                    week if before is None else min(week, before.week),
                )
        clicks = sum(showing.clicked for showing in found.values())
        everything = clicks >= _LEAST_CLICKS and clicks > _EVERYTHING * len(found)
        self.robot = self.robot or everything or clicks > _MOST_CLICKS or len(self.pages) > _MOST_PAGES
        return {} if self.robot else found


class Sift:
    """Folds events, in the order in which they come, into showings that count.

    Args:
        sessions: How many sessions are remembered. What an older one did stays counted and changes no more.
    """

    def __init__(self, sessions: int = 50_000) -> None:
        self._most = sessions
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def fold(self, events: Iterable[Event]) -> tuple[list[Showing], list[Showing]]:
        """Take in events; a click may come before the impression it belongs to.

        Returns:
            Showings that count from now on, and showings counted before that count no more.
        """
        touched: dict[str, _Session] = {}
        for event in events:
            if event.kind not in KINDS:
                continue
            name = event.session or event.customer or event.request or event.id
            session = self._sessions.setdefault(name, _Session())
            self._sessions.move_to_end(name)
            if not session.robot:
                session.fold(event)
                touched[name] = session
        new: list[Showing] = []
        gone: list[Showing] = []
        for session in touched.values():
            counted = session.count()
            for key in session.showings.keys() | counted.keys():
                before, after = session.showings.get(key), counted.get(key)
                if before != after:
                    gone += [before] if before else []
                    new += [after] if after else []
            session.showings = counted
            if session.robot:
                session.pages.clear()
                session.reacted.clear()
        while len(self._sessions) > self._most:
            self._sessions.popitem(last=False)
        return new, gone


def read_shown(events: Iterable[Event]) -> Shown:
    """All showings of a log, at once.

    Args:
        events: In any order; other kinds than `KINDS` are passed over.
    """
    return columns(Sift(sessions=2**62).fold(events)[0])


def columns(showings: Iterable[Showing]) -> Shown:
    """Showings as arrays, in an order that does not depend on theirs."""
    ordered = sorted(showings)
    queries = {query: n for n, query in enumerate(dict.fromkeys(s.query for s in ordered))}
    items = {item: n for n, item in enumerate(sorted({s.item for s in ordered}))}
    return Shown(
        queries=tuple(queries),
        items=tuple(items),
        query=np.array([queries[s.query] for s in ordered], dtype=np.int64),
        item=np.array([items[s.item] for s in ordered], dtype=np.int64),
        place=np.array([s.place for s in ordered], dtype=np.int64),
        clicked=np.array([s.clicked for s in ordered], dtype=np.bool_),
        ordered=np.array([s.ordered for s in ordered], dtype=np.bool_),
        week=np.array([s.week for s in ordered], dtype=np.int64),
    )


def query_key(text: str) -> str:
    """What two spellings of one query have in common: letter case, widths and blanks do not count.

    >>> query_key("  Red　SHOES "), query_key("红色 鞋")
    ('red shoes', '红色 鞋')
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())

"""A customer in words: what they lately searched, looked at, bought and wrote. One function, offline and online."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shopkeeper.records import Event, EventKind

_VERBS = {
    EventKind.SEARCH: "searched",
    EventKind.VIEW: "viewed",
    EventKind.CLICK: "viewed",
    EventKind.CART: "basket",
    EventKind.PURCHASE: "bought",
    EventKind.RETURN: "returned",
    EventKind.LIKE: "liked",
    EventKind.DISMISS: "dismissed",
    EventKind.REVIEW: "wrote",
}
KINDS = tuple(_VERBS)
"""Kinds of events that have words."""
_LONGEST = 80  # characters of one title, query or review


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing a customer did, as far as words are concerned.

    Attributes:
        item: Id of the item concerned, empty for searches.
        words: What was typed: the query or the review; empty for the rest.
    """

    kind: EventKind
    item: str = ""
    words: str = ""


def deeds(events: Iterable[Event]) -> list[Deed]:
    """The deeds among events, in their order."""
    return [Deed(event.kind, event.item, event.query if event.kind is EventKind.SEARCH else "") for event in events]


def customer_words(history: Sequence[Deed], titles: Mapping[str, str], *, most: int = 10) -> str:
    """A customer in one line, most recent first; an item or a query is named once, with the weightiest deed.

    Args:
        history: What the customer did, oldest first, nothing from after the moment of decision.
        titles: Titles of the items concerned; unknown items are left out.
        most: Pieces at most.

    >>> customer_words([Deed(EventKind.SEARCH, words="rake"), Deed(EventKind.VIEW, "r1")], {"r1": "Steel rake"})
    'viewed Steel rake; searched rake'
    """
    pieces: dict[str, tuple[str, str]] = {}
    for deed in reversed(history):
        verb = _VERBS.get(deed.kind)
        what = (deed.words or titles.get(deed.item, ""))[:_LONGEST].strip()
        if verb is None or not what:
            continue
        key = what if deed.words else deed.item
        if key in pieces:
            pieces[key] = (max(pieces[key][0], verb, key=_weight), what)
        elif len(pieces) < most:
            pieces[key] = (verb, what)
    return "; ".join(f"{verb} {what}" for verb, what in pieces.values())


def _weight(verb: str) -> int:
    return ("viewed", "searched", "liked", "basket", "bought", "dismissed", "wrote", "returned").index(verb)

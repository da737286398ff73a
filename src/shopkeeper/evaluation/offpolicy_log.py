"""A shop's event log as the columns that off-policy estimators take.

Impressions carry what stood where and with which chance; clicks name their request. A new policy says for each logged
page with which probability it would show which items at the same places.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from shopkeeper.errors import InputError
from shopkeeper.evaluation.offpolicy import Logged
from shopkeeper.records import Answer, Event, EventKind, Request

Policy = Callable[[Event], Sequence[Mapping[str, float]]]
"""An impression -> for each of its places, in its order, item id to probability, summing to 1; empty: nothing is shown."""

KINDS: Final = (EventKind.IMPRESSION, EventKind.CLICK, EventKind.VIEW, EventKind.CART, EventKind.PURCHASE)
"""Kinds of events to read; a view, a cart or a purchase that names an answer implies a click in it."""
AD_KINDS: Final = (EventKind.AD_IMPRESSION, EventKind.AD_CLICK)
"""The same for sponsored places, which share their request with the page they stand beside."""

_MOST_PAGES = 200
"""A session with more is a program."""
_FOLDS = 5
_PRIOR = 2.0
"""Expected clicks that the average item weighs against an item's own."""


@dataclass(slots=True)
class Page:
    """One impression and the items of it that were clicked."""

    event: Event
    session: str
    clicked: set[str] = field(default_factory=set)


def read_pages(events: Iterable[Event], surface: str = "", *, ads: bool = False) -> list[Page]:
    """Impressions with their clicks.

    Impressions without a request id are left out, because no click can name them; so are a request's second showing of the
    same places, and sessions that look at more than 200 pages.

    Args:
        events: In any order.
        surface: Only impressions of this surface; all when empty.
        ads: Sponsored places with the clicks on them, whether charged or not, in place of all others.
    """
    kinds = AD_KINDS if ads else KINDS
    pages: dict[tuple[str, tuple[int, ...]], Page] = {}
    clicked: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.kind is kinds[0] and event.impression is not None:
            shown = event.impression
            if event.request and shown.items and surface in ("", shown.surface):
                session = event.session or event.customer or event.request
                pages.setdefault((event.request, shown.positions), Page(event, session))
        elif event.kind in kinds and event.request and event.item:
            clicked[event.request].add(event.item)
    count: dict[str, int] = defaultdict(int)
    for (request, _), page in pages.items():
        page.clicked = clicked.get(request, set())
        count[page.session] += 1
    return [page for page in pages.values() if count[page.session] <= _MOST_PAGES]


def logged(pages: Sequence[Page], policy: Policy, *, seed: int = 7) -> Logged:
    """Pages as columns, with the new policy's probabilities and a model of clicks for the doubly robust estimators.

    The model is (click rate of the place) x (how much more than its places' rates the item is clicked, drawn to 1); it is
    fitted on four fifths of the sessions for the pages of the last.

    Args:
        pages: What `read_pages` gave.
        policy: The new policy.
        seed: Of the folds.

    Raises:
        InputError: The policy fills another number of places, or its probabilities at one are negative or do not sum to 1.
    """
    folds = np.random.default_rng(seed).integers(0, _FOLDS, len(pages))
    sessions: dict[str, int] = {}
    for page, fold in zip(pages, folds.tolist(), strict=True):
        sessions.setdefault(page.session, fold)
    models = [_clicks([page for page in pages if sessions[page.session] != fold]) for fold in range(_FOLDS)]
    columns: list[tuple[float, ...]] = []
    for number, page in enumerate(pages):
        shown = page.event.impression
        assert shown is not None
        rates, lifts = models[sessions[page.session]]
        for at, (item, place, chance, places) in enumerate(
            zip(shown.items, shown.positions, shown.propensities, _checked(policy, page.event), strict=True)
        ):
            rate = rates.get(place, 0.0)
            expected = rate * sum(share * lifts.get(other, 1.0) for other, share in places.items())
            new, modelled = places.get(item, 0.0), rate * lifts.get(item, 1.0)
            # an item shown twice on a page was clicked once, at its first place
            reward = item in page.clicked and item not in shown.items[:at]
            columns.append((number, place, reward, chance, new, modelled, expected))
    table = np.array(columns, dtype=np.float64).reshape(-1, 7).T
    page_of, place_of = table[0].astype(np.int64), table[1].astype(np.int64)
    return Logged(page_of, place_of, table[2], table[3], table[4], table[5], table[6], len(pages))


def replayed(answer: Callable[[Request], Answer]) -> Policy:
    """The policy of something that answers requests the same way each time: its hits, each with probability 1.

    Args:
        answer: Must know no more than was known at the request's time (give it a store cut off there, or models trained on
            earlier events), and must not explore.
    """

    def policy(event: Event) -> list[Mapping[str, float]]:
        shown = event.impression
        assert shown is not None
        first, last = min(shown.positions), max(shown.positions)
        hits = answer(
            Request(
                query=event.query,
                customer=event.customer,
                session=event.session,
                items=(event.item,) if event.item else (),
                limit=last - first + 1,
                offset=first - 1,
                surface=shown.surface,
                id=event.request,
                time=event.time,
            )
        ).hits
        return [{hits[place - first].item: 1.0} if place - first < len(hits) else {} for place in shown.positions]

    return policy


def _checked(policy: Policy, event: Event) -> Sequence[Mapping[str, float]]:
    assert event.impression is not None
    places = policy(event)
    wanted = len(event.impression.items)
    if len(places) != wanted:
        raise InputError(
            f"The new policy fills {len(places)} places of a page of {wanted}.",
            where=f"request {event.request}",
            cure="Give one mapping for each place of the impression, empty where nothing is shown.",
        )
    for chances in places:
        if chances and not (min(chances.values()) >= 0 and abs(sum(chances.values()) - 1) <= 1e-4):
            raise InputError(
                "Probabilities of the new policy at a place are negative or do not sum to 1.",
                where=f"request {event.request}",
                cure="Give the probability of every item that could stand there, not only of the one that did.",
            )
    return places


def _clicks(pages: Sequence[Page]) -> tuple[dict[int, float], dict[str, float]]:
    """Click rate of each place, and how many times as often as its places' rates each item is clicked."""
    shown: dict[int, int] = defaultdict(int)
    clicked: dict[int, int] = defaultdict(int)
    of_item: dict[str, list[int]] = defaultdict(list)
    clicks: dict[str, int] = defaultdict(int)
    for page in pages:
        impression = page.event.impression
        assert impression is not None
        for item, place in zip(impression.items, impression.positions, strict=True):
            shown[place] += 1
            of_item[item].append(place)
            if item in page.clicked:
                clicked[place] += 1
                clicks[item] += 1
    rates = {place: clicked[place] / count for place, count in shown.items()}
    lifts = {
        item: (clicks[item] + _PRIOR) / (sum(rates[place] for place in places) + _PRIOR)
        for item, places in of_item.items()
    }
    return rates, lifts

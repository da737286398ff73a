"""What a customer is interested in, folded from what they did, and what they asked the shop to forget.

An interest is a category, a brand, an attribute or a price level. It has two shares: a recent one, in which a deed counts
half after a week, and a lasting one, half after three months. A customer who says "not interested" is believed: the interest
leaves the profile, recommendations and mail, and comes back only when they take it back.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np

from shopkeeper.errors import InputError
from shopkeeper.records import Event, EventKind, Filters, Item, Request
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.understanding.colours import SAME

MUTE: Final = "interest"
"""Property of a `dismiss` event that names what is not wanted, e.g. ``brand:Bosch``."""
UNDO: Final = "undo"
"""Property of the same that takes an earlier one back."""
KINDS: Final = ("category", "brand", "attribute", "price", "tag")
RECENT, LASTING = 7.0, 90.0
"""Half-lives in days."""
LEVELS: Final[Mapping[str, tuple[str, str]]] = {
    "low": ("low prices", "低价位"),
    "middle": ("middle prices", "中等价位"),
    "high": ("high prices", "高价位"),
}
_NAMES: Final = tuple(LEVELS)
_EDGES: Final = (0.35, 0.65)
_DAY: Final = 86_400.0
_EVIDENCE: Final = 5
_SHOWN: Final = 8
_COLOURS: Final = frozenset({"colour", "color", "颜色"})
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Interest:
    """One interest.

    Attributes:
        key: Kind and name, e.g. ``category:Kitchen > Kettles``: what "not interested" names.
        kind: ``category``, ``brand``, ``attribute`` or ``price``.
        name: To show.
        recent: Share among recent interests of the kind, in [0, 1].
        lasting: Share among lasting ones.
        evidence: Ids of the events that say most, the strongest first.
        items: Ids of the items they were about.
    """

    key: str
    kind: str
    name: str
    recent: float
    lasting: float
    evidence: tuple[str, ...]
    items: tuple[str, ...]


class PriceLevels:
    """Where an item's price stands among those of its own category and currency.

    Args:
        shelf: The items.
    """

    def __init__(self, shelf: Shelf) -> None:
        prices: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
        for item in shelf.items:
            if item is not None and item.price is not None and not item.hidden:
                prices[item.currency, *item.category].append(item.price)
        self._sorted = {key: sorted(found) for key, found in prices.items() if len(found) > 2}

    def place(self, item: Item) -> float | None:
        """Share of the category's items that cost less, equal ones half; None where it cannot be told."""
        known = self._sorted.get((item.currency, *item.category))
        if item.price is None or known is None:
            return None
        return (bisect_left(known, item.price) + bisect_right(known, item.price)) / 2 / len(known)

    def level(self, item: Item) -> str:
        """One of `LEVELS`, empty where it cannot be told."""
        place = self.place(item)
        return "" if place is None else _NAMES[bisect_right(_EDGES, place)]


def keys_of(item: Item, prices: PriceLevels) -> list[tuple[str, str, str]]:
    """(key, kind, name) of everything that liking this item may mean."""
    found = []
    if item.category:
        path = " > ".join(item.category)
        found.append((f"category:{path}", "category", path))
    if item.brand:
        found.append((f"brand:{item.brand}", "brand", item.brand))
    for name, value in item.attributes.items():
        if value and len(value) <= _LONGEST:
            name, shown = _alike(name, value)
            found.append((f"attribute:{name}={shown}", "attribute", f"{name}: {shown}"))
    if level := prices.level(item):
        found.append((f"price:{level}", "price", level))
    return found


def interests(
    events: Sequence[Event], items: Mapping[str, Item], prices: PriceLevels, moment: datetime, muted_: frozenset[str]
) -> tuple[Interest, ...]:
    """The interests that events speak of.

    Args:
        events: Of one customer, oldest first.
        items: Id to item, of those the events are about.
        prices: Of the shop.
        moment: The time now; later events count as happening now.
        muted_: Keys that are not to be told, see `muted`.

    Returns:
        At most eight of each kind, the strongest first.
    """
    weights: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    labels: dict[str, tuple[str, str]] = {}
    evidence: defaultdict[str, list[tuple[float, str, str]]] = defaultdict(list)
    keys = {name: keys_of(item, prices) for name, item in items.items()}
    for event in events:
        strength = STRENGTH.get(event.kind, 0.0)
        if event.item not in keys or not strength:
            continue
        age = max((moment - event.time).total_seconds() / _DAY, 0.0)
        recent, lasting = strength * 0.5 ** (age / RECENT), strength * 0.5 ** (age / LASTING)
        for key, kind, name in keys[event.item]:
            weights[key][0] += recent
            weights[key][1] += lasting
            labels[key] = kind, name
            if strength > 0:
                evidence[key].append((lasting, event.id, event.item))
    total: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for key, (recent, lasting) in weights.items():
        kind = labels[key][0]
        total[kind][0] += max(recent, 0.0)
        total[kind][1] += max(lasting, 0.0)
    found = []
    for key, (recent, lasting) in weights.items():
        kind, name = labels[key]
        if lasting <= 0 or any(covers(other, key) for other in muted_):
            continue
        proof = sorted(evidence[key], key=lambda one: -one[0])[:_EVIDENCE]
        now_, long = (_share(part, whole) for part, whole in zip((recent, lasting), total[kind], strict=True))
        about = tuple(dict.fromkeys(item for _, _, item in proof))
        found.append(Interest(key, kind, name, now_, long, tuple(id_ for _, id_, _ in proof), about))
    found.sort(key=lambda one: (KINDS.index(one.kind), -one.lasting, one.name))
    counts: defaultdict[str, int] = defaultdict(int)
    shown = []
    for one in found:
        counts[one.kind] += 1
        if counts[one.kind] <= _SHOWN:
            shown.append(one)
    return tuple(shown)


def muted(events: Iterable[Event]) -> frozenset[str]:
    """Keys that a customer is not interested in, from their events, oldest first: what was taken back last is not in it."""
    keys: dict[str, None] = {}
    for event in events:
        if event.kind is EventKind.DISMISS and (key := str(event.properties.get(MUTE, ""))):
            if event.properties.get(UNDO):
                keys.pop(key, None)
            else:
                keys[key] = None
    return frozenset(keys)


def muted_rows(keys: Iterable[str], shelf: Shelf, prices: PriceLevels | None = None) -> Rows:
    """Rows of the items that muted interests cover, int64 (n,), in order: what must not be recommended.

    Args:
        keys: See `muted`. Tags cover no items.
        shelf: The items.
        prices: For price levels; those cover nothing without.
    """
    mask = np.zeros(len(shelf), dtype=np.bool_)
    levels = set()
    for key in keys:
        kind, _, name = key.partition(":")
        if kind == "category":
            mask |= shelf.allowed(Filters(categories=(tuple(name.split(" > ")),), sellable=False))
        elif kind == "brand":
            mask |= shelf.allowed(Filters(brands=(name,), sellable=False))
        elif kind == "attribute":
            label, _, value = name.partition("=")
            for other, values in _spellings(label, value):
                mask |= shelf.allowed(Filters(attributes={other: values}, sellable=False))
        elif kind == "price":
            levels.add(name)
    if levels and prices is not None:
        mask |= np.array([item is not None and prices.level(item) in levels for item in shelf.items], dtype=np.bool_)
    return np.flatnonzero(mask).astype(np.int64)


class MutedItems:
    """The items that visitors want no more of, over one state of the shelf.

    Args:
        shelf: The items.
        muted: (customer, session) -> the interests that they muted; see `Mutes.of`.
    """

    def __init__(self, shelf: Shelf, muted: Callable[[str, str], Iterable[str]]) -> None:
        self._shelf = shelf
        self._muted = muted
        self._prices: PriceLevels | None = None

    def __call__(self, request: Request) -> Rows:
        """Rows that must not be shown to whoever asks, int64 (n,)."""
        keys = list(self._muted(request.customer, request.session))
        if not keys:
            return np.zeros(0, dtype=np.int64)
        if self._prices is None and any(key.startswith("price:") for key in keys):
            self._prices = PriceLevels(self._shelf)
        return muted_rows(keys, self._shelf, self._prices)


def check_key(key: str) -> str:
    """The key of an interest, when it is one.

    Raises:
        InputError: It does not begin with a kind, or names nothing.
    """
    kind, colon, name = key.strip().partition(":")
    if kind not in KINDS or not colon or not name.strip() or len(key) > 2 * _LONGEST:
        raise InputError(
            f"{key[:80]!r} is no interest.",
            where="interest",
            cure="Give one as the profile names it, such as brand:Bosch or category:Kitchen > Kettles.",
        )
    return key.strip()


def covers(key: str, other: str) -> bool:
    """Does muting `key` silence the interest `other`? A category covers those below it.

    >>> covers("category:Kitchen", "category:Kitchen > Kettles"), covers("brand:Bosch", "brand:Boschmann")
    (True, False)
    """
    return key == other or (key.startswith("category:") and other.startswith(f"{key} > "))


@dataclass(slots=True)
class Mutes:
    """What each customer is not interested in, at hand for every request; folded from the log as it comes."""

    _events: defaultdict[str, dict[str, Event]] = field(default_factory=lambda: defaultdict(dict))

    def note(self, events: Iterable[Event]) -> None:
        """Take in events, in the order in which they came; others than mutes, and repeated ones, are passed over."""
        for event in events:
            if event.kind is EventKind.DISMISS and event.properties.get(MUTE):
                self._events[event.customer or f"session:{event.session}"].setdefault(event.id, event)

    def of(self, customer: str, session: str = "") -> frozenset[str]:
        """Keys muted by a customer, or by a session that no customer is known of."""
        found = self._events.get(customer or f"session:{session}", {})
        return muted(sorted(found.values(), key=lambda event: event.time))

    def forget(self, customer: str) -> None:
        """Drop what is held about a customer who was erased."""
        self._events.pop(customer, None)


def _share(part: float, whole: float) -> float:
    return max(part, 0.0) / whole if whole > 0 else 0.0


def _alike(name: str, value: str) -> tuple[str, str]:
    """One name for a colour in both languages; all other attributes as they are."""
    if name.casefold() in _COLOURS and (same := SAME.get(value.casefold())):
        return "colour", same[0]
    return name, value


def _spellings(name: str, value: str) -> list[tuple[str, tuple[str, ...]]]:
    """The attributes, with their values, that `_alike` makes the same as this one."""
    if name.casefold() not in _COLOURS:
        return [(name, (value,))]
    same = SAME.get(value.casefold(), (value,))
    values = tuple({*same, *(word.title() for word in same), value})
    return [(other, values) for other in sorted({*_COLOURS, "Colour", "Color", name})]

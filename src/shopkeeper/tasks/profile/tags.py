"""Readable tags of a customer in English and Chinese, each with the events that it rests on.

A tag is a plain rule over counts; nothing here is learnt, so that whoever is described can check it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from shopkeeper.records import Event, EventKind, Item
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.tasks.profile.interests import PriceLevels, keys_of

_EVIDENCE: Final = 5
_LIFT: Final = 1.5
"""How much likelier than in the shop a value is among somebody's items before they are said to like it."""
_ITEMS: Final = 3
_MOST_LIKES: Final = 4
_LOOKED: Final = frozenset(
    {EventKind.VIEW, EventKind.CLICK, EventKind.CART, EventKind.PURCHASE, EventKind.LIKE, EventKind.SHARE}
)
_HOURS: Final[Mapping[str, tuple[range, str, str]]] = {
    "mornings": (range(5, 12), "mostly mornings", "多在上午"),
    "afternoons": (range(12, 17), "mostly afternoons", "多在下午"),
    "evenings": (range(17, 23), "mostly evenings", "多在晚上"),
}
_NIGHT: Final = ("nights", "mostly at night", "多在深夜")
_LANGUAGES: Final = {"en": ("reads English", "看英文"), "zh": ("reads Chinese", "看中文")}


@dataclass(frozen=True, slots=True)
class Tag:
    """One readable tag.

    Attributes:
        key: ``tag:`` and its name, e.g. ``tag:evenings``: what "not interested" names.
        text: By language, ``en`` and ``zh``.
        evidence: Ids of the latest events it rests on, newest last.
        strength: Share of what was looked at that supports it, in [0, 1].
    """

    key: str
    text: Mapping[str, str]
    evidence: tuple[str, ...]
    strength: float


@dataclass(frozen=True, slots=True)
class Usual:
    """How often attribute values occur in the shop, for telling a liking from what is common.

    Attributes:
        shares: Key of an attribute, see `interests.keys_of`, to its share among items that have the attribute.
    """

    shares: Mapping[str, float]

    @classmethod
    def of(cls, shelf: Shelf, prices: PriceLevels) -> Usual:
        """Counted over all items that are not hidden."""
        counts: Counter[str] = Counter()
        named: Counter[str] = Counter()
        for item in shelf.items:
            if item is None or item.hidden:
                continue
            keys = {key for key, kind, _ in keys_of(item, prices) if kind == "attribute"}
            counts.update(keys)
            named.update({_attribute(key) for key in keys})
        return cls({key: count / named[_attribute(key)] for key, count in counts.items()})


def tags(
    events: Sequence[Event],
    items: Mapping[str, Item],
    prices: PriceLevels,
    usual: Usual,
    *,
    language: str = "",
    zone: tzinfo = UTC,
) -> tuple[Tag, ...]:
    """All tags that hold, the strongest likings first.

    Args:
        events: Of one customer, oldest first.
        items: Id to item, of those the events are about.
        prices: Of the shop.
        usual: Of the shop.
        language: What the customer's record says; found out where it says nothing.
        zone: Where the shop's customers live, for hours of the day.
    """
    looked = [event for event in events if event.kind in _LOOKED and event.item in items]
    bought = [event for event in looked if event.kind is EventKind.PURCHASE]
    rules: Sequence[Callable[[], list[Tag]]] = (
        lambda: _likes(looked, items, prices, usual),
        lambda: _buys_for(bought, items),
        lambda: _brands(bought, items),
        lambda: _spends(looked, items, prices),
        lambda: _hours(events, zone),
        lambda: _reads(events, items, language),
        lambda: _returns(events, bought),
    )
    return tuple(tag for rule in rules for tag in rule())


def _likes(looked: Sequence[Event], items: Mapping[str, Item], prices: PriceLevels, usual: Usual) -> list[Tag]:
    touched: defaultdict[str, dict[str, str]] = defaultdict(dict)  # key -> item -> event
    named: defaultdict[str, set[str]] = defaultdict(set)
    keys = {name: keys_of(items[name], prices) for name in {event.item for event in looked}}
    for event in looked:
        for key, kind, _ in keys[event.item]:
            if kind == "attribute":
                touched[key][event.item] = event.id
                named[_attribute(key)].add(event.item)
    found = []
    for key, proof in touched.items():
        share = len(proof) / len(named[_attribute(key)])
        if len(proof) >= _ITEMS and share >= _LIFT * usual.shares.get(key, 1.0):
            value = key.partition("=")[2]
            text = {"en": f"likes {value}", "zh": f"喜欢{value}"}
            found.append(Tag(f"tag:likes {key.removeprefix('attribute:')}", text, _last(proof.values()), share))
    return sorted(found, key=lambda tag: (-len(tag.evidence), -tag.strength, tag.key))[:_MOST_LIKES]


def _buys_for(bought: Sequence[Event], items: Mapping[str, Item]) -> list[Tag]:
    rooms: defaultdict[str, list[str]] = defaultdict(list)
    for event in bought:
        if items[event.item].category:
            rooms[items[event.item].category[0]].append(event.id)
    return [
        Tag(f"tag:buys {room}", {"en": f"buys for {room}", "zh": f"常买{room}"}, _last(ids), len(ids) / len(bought))
        for room, ids in sorted(rooms.items(), key=lambda pair: -len(pair[1]))
        if len(ids) >= 2 and len(ids) / len(bought) >= 0.4
    ]


def _brands(bought: Sequence[Event], items: Mapping[str, Item]) -> list[Tag]:
    brands: defaultdict[str, list[str]] = defaultdict(list)
    for event in bought:
        if items[event.item].brand:
            brands[items[event.item].brand].append(event.id)
    return [
        Tag(f"tag:loyal {brand}", {"en": f"loyal to {brand}", "zh": f"偏爱{brand}"}, _last(ids), len(ids) / len(bought))
        for brand, ids in brands.items()
        if len(ids) >= 3 and len(ids) / len(bought) >= 0.5
    ]


def _spends(looked: Sequence[Event], items: Mapping[str, Item], prices: PriceLevels) -> list[Tag]:
    places = {
        event.item: (place, event.id) for event in looked if (place := prices.place(items[event.item])) is not None
    }
    if len(places) < 5:
        return []
    mean = sum(place for place, _ in places.values()) / len(places)
    if mean < 0.35:
        proof = [id_ for place, id_ in places.values() if place < 0.5]
        return [Tag("tag:price-conscious", {"en": "price-conscious", "zh": "看重价格"}, _last(proof), 1 - mean)]
    if mean > 0.65:
        proof = [id_ for place, id_ in places.values() if place > 0.5]
        return [Tag("tag:premium", {"en": "likes the better ones", "zh": "偏好高端"}, _last(proof), mean)]
    return []


def _hours(events: Sequence[Event], zone: tzinfo) -> list[Tag]:
    visits: dict[str, Event] = {}
    for event in events:
        visits.setdefault(event.session or event.id, event)
    if len(visits) < 5:
        return []
    when: defaultdict[str, list[str]] = defaultdict(list)
    weekends = []
    for event in visits.values():
        local = event.time.astimezone(zone)
        part = next((name for name, (hours, _, _) in _HOURS.items() if local.hour in hours), _NIGHT[0])
        when[part].append(event.id)
        if local.weekday() >= 5:
            weekends.append(event.id)
    words = {name: (english, chinese) for name, (_, english, chinese) in _HOURS.items()} | {_NIGHT[0]: _NIGHT[1:]}
    found = [
        Tag(f"tag:{part}", dict(zip(("en", "zh"), words[part], strict=True)), _last(ids), len(ids) / len(visits))
        for part, ids in when.items()
        if len(ids) / len(visits) >= 0.6
    ]
    if len(weekends) / len(visits) >= 0.6:
        text = {"en": "mostly at weekends", "zh": "多在周末"}
        found.append(Tag("tag:weekends", text, _last(weekends), len(weekends) / len(visits)))
    return found


def _reads(events: Sequence[Event], items: Mapping[str, Item], language: str) -> list[Tag]:
    spoken: defaultdict[str, list[str]] = defaultdict(list)
    for event in events:
        if event.kind is EventKind.SEARCH and event.query:
            spoken[language_of(event.query)].append(event.id)
        elif event.kind in _LOOKED and event.item in items and items[event.item].language:
            spoken[items[event.item].language[:2]].append(event.id)
    total = sum(map(len, spoken.values()))
    found = []
    for code, (english, chinese) in _LANGUAGES.items():
        share = len(spoken[code]) / total if total else 0.0
        if language[:2] == code or (total >= 3 and share >= (0.6 if not language else 0.25)):
            found.append(Tag(f"tag:{code}", {"en": english, "zh": chinese}, _last(spoken[code]), share))
    return found


def _returns(events: Sequence[Event], bought: Sequence[Event]) -> list[Tag]:
    back = [event.id for event in events if event.kind is EventKind.RETURN]
    if len(back) < 2 or not bought or len(back) / len(bought) < 0.3:
        return []
    text = {"en": "often sends things back", "zh": "常退货"}
    return [Tag("tag:returns", text, _last(back), min(len(back) / len(bought), 1.0))]


def _last(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(ids)[-_EVIDENCE:]


def _attribute(key: str) -> str:
    return key.partition("=")[0]

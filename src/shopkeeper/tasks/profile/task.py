"""Who a customer is to the shop: interests, tags, opinions, segment and what is expected of them, folded from the event log.

Nothing is kept beside the log. A profile is made when it is asked for, from the customer's last 500 deeds and the last 500 of
the rarer ones, so an event counts as soon as it is on disk, erasing the events erases the profile, and a customer with a
million events costs what any other does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

import numpy as np

from shopkeeper.models.bundle import Bundle
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import Encoders
from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import deeds_of
from shopkeeper.ranking.customers.foresight import VALUE_DAYS, Foresight, Outlook
from shopkeeper.ranking.customers.segments import CustomerSegment
from shopkeeper.records import Customer, Event, EventKind, Item, Passage, now
from shopkeeper.retrieval.aspects import ASPECTS, Feelings, sayings
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.store.protocols import EventLog, Words
from shopkeeper.tasks.floor import Floor
from shopkeeper.tasks.profile.interests import Interest, PriceLevels, covers, interests, muted
from shopkeeper.tasks.profile.pasts import Pasts, written_by
from shopkeeper.tasks.profile.tags import Tag, Usual, tags

_NEXT: Final = 5
_QUOTED: Final = 3
_VECTORS: Final = 20_000
"""Queries and sentences whose vectors and feelings are remembered."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a customer's own reviews say of one aspect.

    Attributes:
        aspect: One of `aspects.ASPECTS`.
        text: Its name by language.
        positive: Sentences of praise.
        negative: Sentences of complaint.
        evidence: Ids of the reviews, newest last.
    """

    aspect: str
    text: Mapping[str, str]
    positive: int
    negative: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """Money that a customer is expected to pay.

    Attributes:
        amount: In `currency`.
        currency: Of what they bought last; the shop's own where they bought nothing.
        days: Within how many days.
        alive: Chance that they have not left for good; None for whoever never bought.
    """

    amount: float
    currency: str
    days: int
    alive: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that the shop thinks of a customer at a moment.

    Attributes:
        customer: Id; empty for a visitor who is known by session only.
        deeds: How many of their deeds this rests on; 0 for whoever is unknown, of whom only what holds for all is said.
        language: BCP 47 primary tag, empty when unknown.
        muted: Keys of what they are not interested in; none of it stands anywhere else in the profile.
        segment: Whom they are like; None where unknown.
        chances: Target to its chance, e.g. ``purchase_7``; see `recipes.customers.propensity.TARGETS`.
        next: (category path, chance) of where they will buy next, the likeliest five.
        value: None where nothing was learnt.
        model: Name and version of what foresees; empty without.
    """

    customer: str
    time: datetime
    deeds: int = 0
    language: str = ""
    interests: tuple[Interest, ...] = ()
    tags: tuple[Tag, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    muted: tuple[str, ...] = ()
    segment: CustomerSegment | None = None
    chances: Mapping[str, float] = field(default_factory=dict)
    next: tuple[tuple[str, float], ...] = ()
    value: Expected | None = None
    model: str = ""


class ProfileTask:
    """Makes profiles. Safe to use from many threads.

    Args:
        shelf: The items, kept up to date by whoever owns it.
        log: The truth.
        words: Reviews.
        customers: Customer id to their record, None for none.
        encoders: Of items and queries.
        bundle: The live bundle ``profile``; None where nothing was learnt.
        sentiment: The live bundle ``sentiment``; None for words of praise and complaint alone.
        zone: Where customers live, for hours of the day.
    """

    def __init__(
        self,
        shelf: Shelf,
        log: EventLog,
        words: Words,
        customers: Callable[[str], Customer | None],
        encoders: Encoders,
        *,
        bundle: Bundle | None = None,
        sentiment: Bundle | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        self.shelf = shelf
        self.prices = PriceLevels(shelf)
        self._usual = Usual.of(shelf, self.prices)
        self._past = Pasts(log)
        self._words = words
        self._customers = customers
        self._encoders = encoders
        self._zone = zone
        self._model = bundle.name if bundle is not None else ""
        self.foresight = Foresight.load(bundle) if bundle is not None else None
        self._query = lru_cache(_VECTORS)(lambda text: encoders.query.encode([text], "query")[0])
        self._feelings = _feelings(sentiment) if sentiment is not None else None

    @property
    def segments(self) -> tuple[CustomerSegment, ...]:
        """All segments, empty where none were learnt."""
        grouped = self.foresight.segments if self.foresight is not None else None
        return grouped.segments if grouped is not None else ()

    def profile(self, customer: str, session: str = "", *, at: datetime | None = None) -> Profile:
        """What the shop thinks of a customer, or of the visitor of a session; whoever is unknown has an empty one.

        Args:
            customer: Id, or empty.
            session: Of a visitor whose customer id is not known.
            at: The moment; now when None.
        """
        moment = at or now()
        events = [event for event in self._past.of(customer, session) if event.time <= moment or at is None]
        items = self._items(events)
        record = self._customers(customer) if customer else None
        mutes = muted(events)
        language = record.language if record is not None and record.language else _spoken(events, items)
        reviews = written_by(self._words, customer, events)
        worn = tags(events, items, self.prices, self._usual, language=language, zone=self._zone)
        worn = tuple(tag for tag in worn if not any(_silences(key, tag.key) for key in mutes))
        profile = Profile(
            customer=customer,
            time=moment,
            deeds=sum(event.kind is not EventKind.DISMISS for event in events),
            language=language,
            interests=interests(events, items, self.prices, moment, mutes),
            tags=worn,
            opinions=self._opinions(reviews),
            muted=tuple(sorted(mutes)),
        )
        return self._foreseen(profile, events, items, reviews)

    def forget(self, customer: str) -> None:
        """Drop what is held about a customer who was erased."""
        self._past.forget(customer)

    def _items(self, events: Sequence[Event]) -> dict[str, Item]:
        rows = {event.item: self.shelf.row(event.item) for event in events if event.item}
        found = {name: self.shelf.items[row] for name, row in rows.items() if row is not None}
        return {name: item for name, item in found.items() if item is not None}

    def _opinions(self, reviews: Sequence[Passage]) -> tuple[Opinion, ...]:
        said: dict[str, list[tuple[float, str]]] = {}
        for review in reviews:
            text = f"{review.title}. {review.text}" if review.title else review.text
            for saying in sayings(text, review.rating, self._feelings):
                said.setdefault(saying.aspect, []).append((saying.feeling, review.id))
        return tuple(
            Opinion(
                aspect,
                dict(zip(("en", "zh"), ASPECTS[aspect], strict=True)),
                sum(feeling > 0 for feeling, _ in found),
                sum(feeling < 0 for feeling, _ in found),
                tuple(dict.fromkeys(id_ for _, id_ in found))[-_QUOTED:],
            )
            for aspect, found in sorted(said.items(), key=lambda pair: -len(pair[1]))
        )

    def _foreseen(
        self, profile: Profile, events: Sequence[Event], items: Mapping[str, Item], reviews: Sequence[Passage]
    ) -> Profile:
        foresight = self.foresight
        if foresight is None:
            return profile
        moment = profile.time
        told = [
            event if event.time <= moment else replace(event, time=moment) for event in events
        ]  # clocks ahead of ours
        deeds, queries = deeds_of(told, reviews, self.shelf, foresight.taxonomy)
        vectors, typed = self._vectors(foresight, deeds.items, queries)
        outlook = foresight.outlook(deeds, [moment.timestamp()], vectors, typed)
        place, grouped = int(outlook.segments[0]), foresight.segments
        return replace(
            profile,
            segment=grouped.segments[place] if grouped is not None and place >= 0 else None,
            chances={name: float(chance[0]) for name, chance in outlook.chances.items()},
            next=_following(foresight, outlook, profile.muted),
            value=_expected(foresight, float(outlook.value[0]), float(outlook.alive[0]), events, items),
            model=self._model,
        )

    def _vectors(self, foresight: Foresight, rows: Rows, queries: Sequence[str]) -> tuple[Floats, Floats]:
        """Vectors by shelf row and by query; zeros where another encoder learnt than serves now, or nothing is read of them."""
        encoder = self._encoders.query
        width = len(foresight.meaning.centre)
        if encoder.name != foresight.meaning.encoder or encoder.dimension != width:
            return np.zeros((0, width), dtype=np.float32), np.zeros((0, width), dtype=np.float32)
        touched = np.unique(rows[rows >= 0])
        vectors = np.zeros((int(touched.max(initial=-1)) + 1, width), dtype=np.float32)
        if len(touched):
            vectors[touched] = self._encoders.passage.encode([self.shelf.item(row).passage for row in touched.tolist()])
        typed = [self._query(query) for query in queries]
        return vectors, np.stack(typed) if typed else np.zeros((0, width), dtype=np.float32)


def profiles(floor: Floor, registry: Registry) -> ProfileTask:
    """The profiles of a shop's customers, with what was learnt of them."""
    return ProfileTask(
        floor.shelf,
        floor.store.events,
        floor.store.words,
        floor.segments.customer,
        floor.encoders,
        bundle=registry.live("profile"),
        sentiment=registry.live("sentiment"),
    )


def _feelings(sentiment: Bundle) -> Feelings:
    """How sentences feel to a trained model: chance of ``positive`` less that of ``negative``."""
    scorer = sentiment.scorer()
    classes = [str(name) for name in sentiment.parameters["classes"]]
    sign = np.array([(name == "positive") - float(name == "negative") for name in classes])

    @lru_cache(_VECTORS)
    def one(sentence: str) -> float:
        return float(scorer.probabilities([sentence])[0] @ sign)

    return lambda sentences: np.array([one(sentence) for sentence in sentences])


def _following(foresight: Foresight, outlook: Outlook, mutes: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """The likeliest categories that are not muted."""
    if outlook.next is None:
        return ()
    chances = outlook.next[0]
    paths = [(" > ".join(foresight.taxonomy.names[place]), float(chances[place])) for place in np.argsort(-chances)]
    heard = [(path, chance) for path, chance in paths if not any(covers(key, f"category:{path}") for key in mutes)]
    return tuple(heard[:_NEXT])


def _expected(
    foresight: Foresight, value: float, alive: float, events: Sequence[Event], items: Mapping[str, Item]
) -> Expected:
    scales = foresight.taxonomy.scales
    touched = [
        (event.kind is EventKind.PURCHASE, items[event.item].currency) for event in events if event.item in items
    ]
    spent = [currency for bought, currency in touched if bought] or [currency for _, currency in touched]
    currency = spent[-1] if spent else next((name for name in scales if name), "")
    amount = value * scales.get(currency, scales.get("", 1.0))
    return Expected(round(amount, 2), currency, VALUE_DAYS, None if np.isnan(alive) else alive)


def _spoken(events: Sequence[Event], items: Mapping[str, Item]) -> str:
    """The language that somebody searches and looks in most, empty where that says nothing."""
    counts: dict[str, int] = {}
    for event in events:
        code = language_of(event.query) if event.kind is EventKind.SEARCH and event.query else ""
        if not code and event.item in items:
            code = items[event.item].language[:2]
        if code:
            counts[code] = counts.get(code, 0) + 1
    return max(counts, key=lambda code: (counts[code], code)) if counts else ""


def _silences(key: str, tag: str) -> bool:
    """Does a mute also silence a tag: itself, or the liking of an attribute, a brand or a department?"""
    kind, _, name = key.partition(":")
    said = {"attribute": f"tag:likes {name}", "brand": f"tag:loyal {name}", "category": f"tag:buys {name}"}
    return tag in (key, said.get(kind))

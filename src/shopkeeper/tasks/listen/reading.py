"""What was read in one post: the record that series, alerts and the pages of opinions are folded from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shopkeeper.store.documents import Document

BY: Final = ("topic", "brand", "item", "source", "entity", "risk")
"""What series can be split by."""
NEGATIVE: Final = -0.25
"""Sentiment at and below which a post counts as a complaint."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that a post names.

    Attributes:
        kind: ``item``, ``brand``, ``seller`` or ``company``.
        name: Id of an item, else the name as the shop knows it.
        feeling: How the post speaks of it, from -1 to 1.
    """

    kind: str
    name: str
    feeling: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read in a post.

    Attributes:
        post: Id of the passage.
        time: When it was written.
        item: Item that the post itself says it is about.
        brand: Of that item.
        language: ``zh``, ``en`` ...; empty where it cannot be told.
        sentiment: Of the whole post, from -1 to 1.
        aspects: What it says about which aspect of a product, from -1 to 1; see `retrieval.aspects.ASPECTS`.
        topics: Keys of given topics.
        found: Id of the discovered topic, empty where the post belongs to none.
        entities: What it names.
        risk: Class of danger that it reports, empty for none.
        event: What happened to a company, in finance mode; empty for nothing known.
        duplicate_of: Id of the earlier post that it repeats, empty where it is new.
        muted: A human said of it, or of what it repeats, that it is not about us; it counts in no series.
    """

    post: str
    time: datetime
    source: str = ""
    author: str = ""
    item: str = ""
    brand: str = ""
    language: str = ""
    sentiment: float = 0.0
    aspects: Mapping[str, float] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    found: str = ""
    entities: tuple[Concern, ...] = ()
    risk: str = ""
    event: str = ""
    duplicate_of: str = ""
    muted: bool = False

    @property
    def negative(self) -> bool:
        """Is it a complaint?"""
        return self.sentiment <= NEGATIVE

    def keys(self, by: str) -> tuple[str, ...]:
        """The series that it counts in, of one of `BY`; discovered topics stand beside given ones."""
        match by:
            case "topic":
                return (*self.topics, self.found) if self.found else self.topics
            case "entity":
                return tuple(dict.fromkeys(concern.name for concern in self.entities))
            case "brand" | "item":
                named = (concern.name for concern in self.entities if concern.kind == by)
                return tuple(dict.fromkeys(name for name in (getattr(self, by), *named) if name))
            case _:
                value = str(getattr(self, by))
                return (value,) if value else ()

    def feeling(self, by: str, key: str) -> float:
        """How it speaks of that series: of what it names where it is named, else as a whole."""
        if by in ("entity", "brand", "item"):
            named = [concern.feeling for concern in self.entities if concern.name == key]
            return named[0] if named else self.sentiment
        return self.sentiment

    def document(self) -> Document:
        """For the store; `reading_of` is the inverse. What is empty is left out."""
        body: dict[str, Any] = {
            "source": self.source,
            "author": self.author,
            "item": self.item,
            "brand": self.brand,
            "language": self.language,
            "sentiment": round(self.sentiment, 4),
            "aspects": {name: round(value, 4) for name, value in self.aspects.items()},
            "topics": list(self.topics),
            "found": self.found,
            "entities": [[one.kind, one.name, round(one.feeling, 4)] for one in self.entities],
            "risk": self.risk,
            "event": self.event,
            "duplicate_of": self.duplicate_of,
            "muted": self.muted,
        }
        return Document(self.post, self.time, {name: value for name, value in body.items() if value})


def reading_of(document: Document) -> Reading:
    """The reading in a document of `Readings`."""
    body = dict(document.body)
    return Reading(
        post=document.id,
        time=document.time,
        aspects=body.pop("aspects", {}),
        topics=tuple(body.pop("topics", ())),
        entities=tuple(Concern(kind, name, float(feeling)) for kind, name, feeling in body.pop("entities", ())),
        **body,
    )

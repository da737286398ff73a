"""What profiles look like over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from shopkeeper.ranking.customers.segments import CustomerSegment
from shopkeeper.serving.schemas import OptionalId, Short, Strict
from shopkeeper.tasks.profile.interests import check_key
from shopkeeper.tasks.profile.task import Profile

Key = Annotated[Short, AfterValidator(check_key)]


class InterestOut(BaseModel):
    """An interest; `key` is what POST .../interests mutes. Shares are within its kind."""

    key: str
    kind: str
    name: str
    recent: float
    lasting: float
    evidence: list[str]
    items: list[str]


class TagOut(BaseModel):
    """A readable tag, and the events it rests on."""

    key: str
    text: dict[str, str]
    evidence: list[str]
    strength: float


class OpinionOut(BaseModel):
    """What the customer's own reviews say of an aspect; `evidence` are ids of reviews."""

    aspect: str
    text: dict[str, str]
    positive: int
    negative: int
    evidence: list[str]


class SegmentOut(BaseModel):
    """A group of customers who are alike; `share` of all who were grouped."""

    id: str
    name: dict[str, str]
    share: float


class ExpectedOut(BaseModel):
    """Money expected within `days`; `alive` is the chance that the customer has not left for good."""

    amount: float
    currency: str
    days: int
    alive: float | None


class NextOut(BaseModel):
    """A category that may be bought from next."""

    category: str
    chance: float


class ProfileOut(BaseModel):
    """All that the shop thinks of a customer; `deeds` is 0 for whoever is unknown."""

    customer: str
    time: str
    deeds: int
    language: str
    interests: list[InterestOut]
    tags: list[TagOut]
    opinions: list[OpinionOut]
    muted: list[str]
    segment: SegmentOut | None
    chances: dict[str, float]
    next: list[NextOut]
    value: ExpectedOut | None
    model: str


class TicketOut(BaseModel):
    """Where to send the browser of a customer who has signed in."""

    address: str = Field(description="On the storefront; add `&next=` for where to go on to.")
    seconds: int = Field(description="How long it is good.")


class ErasedOut(BaseModel):
    """What became of a customer's data."""

    erased: int = Field(description="Rows deleted, or of charged ad clicks made nobody's.")


class SegmentsOut(BaseModel):
    """All segments; none where nothing was learnt."""

    segments: list[SegmentOut]


class InterestsIn(Strict):
    """What a customer is not interested in, or is again. Keys are those of their profile."""

    mute: list[Key] = Field(default=[], max_length=100)
    unmute: list[Key] = Field(default=[], max_length=100)
    session: OptionalId = ""


def profile_document(profile: Profile) -> dict[str, Any]:
    """A profile as JSON."""
    document = asdict(profile)
    document["time"] = profile.time.isoformat()
    document["next"] = [{"category": category, "chance": chance} for category, chance in profile.next]
    return document


def segment_document(segment: CustomerSegment) -> dict[str, Any]:
    """A segment as JSON."""
    return {"id": segment.id, "name": dict(segment.name), "share": segment.share}

"""What the ear's endpoints take and give."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, Field

from shopkeeper.records import Passage, PassageKind, now
from shopkeeper.serving.schemas import Id, Language, OptionalId, Short, Strict, aware
from shopkeeper.tasks.listen.reading import Reading

By = Literal["topic", "brand", "item", "source", "entity", "risk"]
MOST_POSTS = 10_000
"""Posts of one batch."""


def _kept(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


Words = Annotated[str, Field(max_length=2_000_000), AfterValidator(_kept)]


class PostIn(Strict):
    """A post, a review or a piece of news. Markup is taken off; the first 100,000 characters are kept."""

    id: Id
    text: Words = ""
    title: Short = ""
    kind: Literal["post", "review"] = "post"
    source: Short = Field(default="", description="Where it was published: a forum, a feed, a network.")
    author: Short = ""
    customer: OptionalId = Field(
        default="", description="Whose words they are, so that they go when that one is erased."
    )
    item: OptionalId = Field(default="", description="Product that it is about, where the source says so.")
    thread: OptionalId = ""
    time: datetime | None = Field(default=None, description="Now when left out, and when it lies ahead.")
    rating: float | None = Field(default=None, ge=0, le=5)
    language: Language = ""

    def record(self) -> Passage:
        """The passage that this describes."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name not in ("kind", "time")}
        return Passage(kind=PassageKind(self.kind), time=aware(self.time), **given)


class TakenOut(BaseModel):
    """What became of a batch: new or changed posts, those that were there already, and how many wait to be read."""

    accepted: int
    repeated: int
    waiting: int
    rejected: list[dict[str, Any]]


class PeriodQuery(Strict):
    """A period: `days` back from `end`, or from now."""

    days: float = Field(default=30, gt=0, le=3_660)
    end: datetime | None = None

    def period(self) -> tuple[datetime, datetime]:
        """Start and end."""
        end = aware(self.end) or now()
        return end - timedelta(days=self.days), end


class SeriesQuery(PeriodQuery):
    """Counts and feelings over time."""

    by: By = "topic"
    step_hours: float = Field(default=24, gt=0, le=24 * 366)
    limit: int = Field(default=20, ge=1, le=200, description="Series at most, the largest.")


class PostsQuery(PeriodQuery):
    """Which posts."""

    by: By | Literal[""] = ""
    key: Short = Field(default="", description="Of the series that `by` names.")
    q: Short = Field(default="", description="Only posts that hold all these words.")
    negative: bool = False
    copies: bool = Field(default=False, description="Posts that repeat others as well.")
    limit: int = Field(default=50, ge=1, le=500)


class PointOut(BaseModel):
    """One step of a series."""

    time: datetime
    posts: int
    copies: int
    negative: int
    sentiment: float


class OneSeriesOut(BaseModel):
    """One series; `names` are English and Chinese."""

    key: str
    names: dict[str, str]
    posts: int
    negative: int
    points: list[PointOut]


class SeriesOut(BaseModel):
    """The largest series of a period, the largest first."""

    by: str
    start: datetime
    end: datetime
    waiting: int
    series: list[OneSeriesOut]


class ConcernOut(BaseModel):
    """Something that a post names, and how it speaks of it, from -1 to 1."""

    kind: str
    name: str
    feeling: float


class OpinionOut(BaseModel):
    """A post and what was read in it."""

    id: str
    time: datetime
    source: str
    author: str
    title: str
    text: str
    item: str
    brand: str
    language: str
    sentiment: float
    aspects: dict[str, float]
    topics: list[str]
    found: str
    entities: list[ConcernOut]
    risk: str
    event: str
    duplicate_of: str
    muted: bool


class OpinionsOut(BaseModel):
    """Posts, newest first."""

    posts: list[OpinionOut]


class FeedbackIn(Strict):
    """What a human says of a post."""

    post: Id
    task: Literal["about", "sentiment", "topic", "risk", "event"]
    label: Annotated[
        Short,
        Field(min_length=1, description="One of the task's labels, or none; several topics with bars: delivery|price."),
    ]


def opinion_document(post: Passage, reading: Reading) -> dict[str, Any]:
    """A post and what was read in it, as JSON."""
    told = (
        "time",
        "source",
        "author",
        "item",
        "brand",
        "language",
        "sentiment",
        "found",
        "risk",
        "event",
        "duplicate_of",
    )
    return {
        "id": post.id,
        "title": post.title,
        "text": post.text[:2_000],
        "aspects": dict(reading.aspects),
        "topics": list(reading.topics),
        "entities": [{"kind": one.kind, "name": one.name, "feeling": one.feeling} for one in reading.entities],
        "muted": reading.muted,
        **{name: getattr(reading, name) for name in told},
    }


def series_documents(table: pl.DataFrame, names: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Series as JSON, the largest first."""
    found = []
    for (key,), part in table.group_by(["key"], maintain_order=True):
        english, chinese = names.get(str(key), (str(key), str(key)))
        found.append(
            {
                "key": key,
                "names": {"en": english, "zh": chinese},
                "posts": int(part["posts"].sum()),
                "negative": int(part["negative"].sum()),
                "points": part.drop("key").to_dicts(),
            }
        )
    return sorted(found, key=lambda one: -one["posts"])

"""What travels over HTTP. Kept apart from `records`, so that either can change without the other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from shopkeeper.records import Availability, Event, EventKind, Filters, Impression, Item, Request, Scalar, now
from shopkeeper.tasks.profile.interests import MUTE

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUL = re.compile(r"\x00")
_SKEW = 300.0  # seconds a caller's clock may be ahead of ours


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control", "Control characters are not allowed.", {"cure": "Remove them."})
    return text


def _without_nul(text: str) -> str:
    return _NUL.sub("", text)


def _words(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


def _path(value: object) -> object:
    return [part.strip() for part in value.split(">") if part.strip()] if isinstance(value, str) else value


Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)]
OptionalId = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
Short = Annotated[str, Field(max_length=1_000), AfterValidator(_without_nul)]
Long = Annotated[str, Field(max_length=100_000), AfterValidator(_without_nul)]
Query = Annotated[str, Field(max_length=500), AfterValidator(_words)]
Path = Annotated[list[Short], Field(max_length=20), BeforeValidator(_path)]
Language = Annotated[str, Field(pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")]
Sort = Literal["relevance", "price_asc", "price_desc", "newest", "popular", "rating"]
Stars = Annotated[float | None, Field(ge=1, le=5, description="Mean stars of reviews at least.")]
Ignored = Annotated[list[Short], Field(max_length=50, description="Keys of chips that the customer took back.")]
Looks = Annotated[
    str,
    Field(max_length=4_000, pattern=r"^[A-Za-z0-9_-]*$", description="`looks` of an answer of POST /v1/search/image."),
]
WithAds = Annotated[bool, Field(description="Sponsored places beside the hits, which stay as they are.")]
Cursor = Annotated[str, Field(max_length=100, description="`cursor` of the page before; takes the place of offset.")]


class Strict(BaseModel):
    """A body or a set of parameters in which an unknown name is an error that suggests the nearest right one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_the_names(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            known = {info.alias or name for name, info in cls.model_fields.items()}
            for name in value:
                if name not in known:
                    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
                    cure = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(sorted(known))}."
                    short = str(name)[:80].encode(errors="replace").decode()
                    raise PydanticCustomError(
                        "unknown_name", "There is no field '{name}'.", {"name": short, "cure": cure}
                    )
        return value


class ItemDoc(Strict):
    """One product, in and out."""

    id: Id
    title: Annotated[Short, Field(min_length=1)]
    description: Long = ""
    brand: Short = ""
    category: Path = Field(default=[], description="Path from the department down, a list or 'A > B > C'.")
    price: float | None = Field(default=None, ge=0, le=1e12)
    currency: Annotated[str, Field(pattern=r"^([A-Za-z]{3})?$")] = ""
    availability: Availability = Availability.IN_STOCK
    attributes: dict[Short, Short] = Field(default={}, max_length=200)
    codes: list[Short] = Field(default=[], max_length=50)
    group: OptionalId = ""
    images: list[Short] = Field(default=[], max_length=50)
    videos: list[Short] = Field(default=[], max_length=50)
    link: Short = ""
    language: Language = ""
    hidden: bool = False
    created: datetime | None = None
    updated: datetime | None = Field(default=None, description="Set by the shop; what is sent is kept only when given.")

    def record(self) -> Item:
        """The item that this describes."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        for name in ("category", "codes", "images", "videos"):
            values[name] = tuple(values[name])
        for name in ("created", "updated"):
            values[name] = aware(values[name])
        return Item(**values)


class ItemsIn(Strict):
    """A batch of products to add or replace, by id."""

    items: list[ItemDoc] = Field(min_length=1, max_length=1_000)


class FiltersIn(Strict):
    """What an answer may contain; several values of one field are alternatives."""

    brands: list[Short] = Field(default=[], max_length=100)
    categories: list[Path] = Field(default=[], max_length=100)
    price_min: float | None = Field(default=None, ge=0)
    price_max: float | None = Field(default=None, ge=0)
    attributes: dict[Short, list[Short]] = Field(default={}, max_length=50)
    languages: list[Language] = Field(default=[], max_length=20)
    sellable: bool = Field(default=True, description="False shows what is sold out as well.")
    exclude: list[OptionalId] = Field(default=[], max_length=1_000)

    @model_validator(mode="after")
    def _in_order(self) -> FiltersIn:
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise PydanticCustomError(
                "price_range", "price_min is above price_max.", {"cure": "Swap them, or leave one out."}
            )
        return self

    def record(self) -> Filters:
        """The filters that this describes."""
        return Filters(
            brands=tuple(self.brands),
            categories=tuple(tuple(path) for path in self.categories if path),
            price_min=self.price_min,
            price_max=self.price_max,
            attributes={name: tuple(values) for name, values in self.attributes.items()},
            languages=tuple(self.languages),
            sellable=self.sellable,
            exclude=tuple(self.exclude),
        )


class _Asked(Strict):
    customer: OptionalId = ""
    session: OptionalId = ""
    limit: int | None = Field(
        default=None, ge=1, le=200, description="Hits at most; the shop's own page size when left out."
    )
    offset: int = Field(default=0, ge=0, le=1_000_000)
    sort: Sort = "relevance"
    language: Language = Field(
        default="", description="Language of the reasons, and of the words when it cannot be told."
    )
    surface: Short = Field(default="", description="Where this will be shown; kept with the impression.")
    explain: bool = Field(default=False, description="Fill reasons and contributions.")
    details: bool = Field(default=False, description="Put the whole item beside each hit.")


class SearchQuery(_Asked):
    """Search as parameters of an address; brand, category and attribute may be repeated."""

    q: Query = ""
    brand: list[Short] = Field(default=[], max_length=100)
    category: list[Short] = Field(default=[], max_length=100, description="'A > B'")
    attribute: list[Short] = Field(default=[], max_length=50, description="'name:value'")
    price_min: float | None = Field(default=None, ge=0)
    price_max: float | None = Field(default=None, ge=0)
    sellable: bool = True
    stars: Stars = None
    ignore: Ignored = []
    looks: Looks = ""
    cursor: Cursor = ""
    ads: WithAds = False

    @field_validator("attribute")
    @classmethod
    def _pairs(cls, values: list[str]) -> list[str]:
        for value in values:
            if ":" not in value:
                raise PydanticCustomError(
                    "pair", "An attribute filter reads name:value.", {"cure": "attribute=colour:red"}
                )
        return values

    def body(self) -> SearchIn:
        """The same as a body."""
        attributes: dict[str, list[str]] = {}
        for pair in self.attribute:
            name, _, value = pair.partition(":")
            attributes.setdefault(name, []).append(value)
        filters = FiltersIn.model_validate(
            {
                "brands": self.brand,
                "categories": self.category,
                "attributes": attributes,
                "price_min": self.price_min,
                "price_max": self.price_max,
                "sellable": self.sellable,
            }
        )
        shared = {name: getattr(self, name) for name in _Asked.model_fields}
        return SearchIn(
            query=self.q,
            filters=filters,
            stars=self.stars,
            ignore=self.ignore,
            looks=self.looks,
            cursor=self.cursor,
            ads=self.ads,
            **shared,
        )


class SearchIn(_Asked):
    """Search as a body."""

    query: Query = ""
    filters: FiltersIn = FiltersIn()
    stars: Stars = None
    ignore: Ignored = []
    looks: Looks = ""
    cursor: Cursor = ""
    ads: WithAds = False


class SuggestQuery(Strict):
    """What was typed so far."""

    q: Query = ""
    customer: OptionalId = ""
    limit: int = Field(default=5, ge=1, le=20, description="Lines of each kind at most.")


class RecommendIn(_Asked):
    """What to recommend for: a customer, a session, items in focus (a basket), a sentence, or nobody in particular."""

    query: Query = Field(
        default="", description="What is wanted, in words: a sentence, or the title of the page somebody came from."
    )
    items: list[Id] = Field(default=[], max_length=200)
    filters: FiltersIn = FiltersIn()


class SimilarQuery(_Asked):
    """Similar items as parameters of an address."""

    item: Id
    by: Literal["all", "looks"] = Field(default="all", description="looks: by the pictures alone.")


class SimilarIn(SimilarQuery):
    """Similar items as a body."""

    filters: FiltersIn = FiltersIn()


def request_record(body: SearchIn | RecommendIn | SimilarIn, limit: int, request_id: str) -> Request:
    """The request that a body describes; `limit` is the shop's own page size."""
    items: tuple[str, ...] = ()
    if isinstance(body, SimilarIn):
        items = (body.item,)
    elif isinstance(body, RecommendIn):
        items = tuple(body.items)
    return Request(
        id=request_id,
        query="" if isinstance(body, SimilarIn) else body.query,
        stars=body.stars if isinstance(body, SearchIn) else None,
        ignore=tuple(body.ignore) if isinstance(body, SearchIn) else (),
        looks=body.looks if isinstance(body, SearchIn) else "",
        items=items,
        filters=body.filters.record(),
        limit=body.limit or limit,
        **{n: getattr(body, n) for n in ("customer", "session", "offset", "surface", "sort", "language", "explain")},
    )


class ImpressionIn(Strict):
    """What was shown, when a shop renders lists of its own."""

    items: list[Id] = Field(min_length=1, max_length=500)
    positions: list[Annotated[int, Field(ge=1)]] = []
    propensities: list[Annotated[float, Field(gt=0, le=1)]] = []
    model: Short = ""
    surface: Short = ""

    def record(self) -> Impression:
        """The impression that this describes; positions count from 1 and propensities are 1 when left out.

        Raises:
            ValueError: The columns have different lengths.
        """
        count = len(self.items)
        return Impression(
            items=tuple(self.items),
            positions=tuple(self.positions) or tuple(range(1, count + 1)),
            propensities=tuple(self.propensities) or (1.0,) * count,
            model=self.model,
            surface=self.surface,
        )


_ABOUT_AN_ITEM = frozenset(EventKind) - {EventKind.SEARCH, EventKind.IMPRESSION, EventKind.AD_IMPRESSION}


class EventIn(Strict):
    """One thing that happened."""

    id: Id = Field(description="Unique; sending the same id again changes nothing.")
    kind: EventKind
    time: datetime | None = Field(
        default=None, description="ISO 8601 or seconds since 1970; UTC when no zone is given; now when left out."
    )
    customer: OptionalId = ""
    session: OptionalId = ""
    item: OptionalId = ""
    query: Query = ""
    request: OptionalId = Field(default="", description="X-Request-Id of the answer that this reacts to.")
    value: float | None = Field(default=None, description="Money for purchases and returns, stars for reviews.")
    quantity: int = Field(default=1, ge=1, le=1_000_000)
    impression: ImpressionIn | None = None
    properties: dict[Short, Scalar] = Field(default={}, max_length=50)

    @field_validator("time")
    @classmethod
    def _has_happened(cls, value: datetime | None) -> datetime | None:
        value = aware(value)
        if value is not None and (value - now()).total_seconds() > _SKEW:
            raise PydanticCustomError(
                "future", "This lies in the future.", {"cure": "Set the sender's clock, or leave time out."}
            )
        if value is not None and value.year < 1990:
            raise PydanticCustomError(
                "past", "This lies before 1990.", {"cure": "Send ISO 8601, or seconds since 1970."}
            )
        return value

    @model_validator(mode="after")
    def _complete(self) -> EventIn:
        muting = self.kind is EventKind.DISMISS and self.properties.get(MUTE)
        if self.kind in _ABOUT_AN_ITEM and not self.item and not muting:
            cure = "Send 'item', or the property 'interest'." if self.kind is EventKind.DISMISS else "Send 'item'."
            raise PydanticCustomError("item", "This kind of event needs an item.", {"cure": cure})
        if self.kind is EventKind.SEARCH and not self.query:
            raise PydanticCustomError("query", "A search needs its query.", {"cure": "Send 'query'."})
        if self.kind in (EventKind.IMPRESSION, EventKind.AD_IMPRESSION) and self.impression is None:
            raise PydanticCustomError(
                "impression", "An impression needs what was shown.", {"cure": "Send 'impression'."}
            )
        if self.impression is not None:
            try:
                self.impression.record()
            except ValueError as error:
                raise PydanticCustomError(
                    "columns", "{why}", {"why": str(error), "cure": "Send equally many."}
                ) from error
        return self

    def record(self) -> Event:
        """The event that this describes."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        values["time"] = self.time or now()
        values["impression"] = self.impression.record() if self.impression else None
        return Event(**values)


def aware(value: datetime | None) -> datetime | None:
    """The same moment in UTC; a time without a zone is taken as UTC."""
    if value is None:
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "This is no time that a calendar has.", {"cure": "Send ISO 8601."}) from None

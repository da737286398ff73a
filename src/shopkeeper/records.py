"""The nouns of the shop. Read this file first.

Everything that flows through Shopkeeper is one of these frozen records: what the shop sells (`Item`), who buys
(`Customer`), what happened (`Event`), what was written (`Passage`), what a human decided (`Judgement`, `Decision`), what was
asked (`Request`) and what was answered (`Answer` of `Hit`s with `Reason`s). Times are timezone-aware UTC.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

_FEW_ATTRIBUTES = 6

Scalar = str | int | float | bool
"""A value that survives JSON, SQL and Parquet unchanged."""


class Availability(StrEnum):
    """Whether an item can be bought now."""

    IN_STOCK = "in_stock"
    OUT_OF_STOCK = "out_of_stock"
    PREORDER = "preorder"
    BACKORDER = "backorder"

    @property
    def sellable(self) -> bool:
        """True for everything that a customer can order now."""
        return self is not Availability.OUT_OF_STOCK


class EventKind(StrEnum):
    """What a customer, or the shop towards a customer, did."""

    VIEW = "view"
    CLICK = "click"
    CART = "cart"
    UNCART = "uncart"
    PURCHASE = "purchase"
    RETURN = "return"
    REVIEW = "review"
    SHARE = "share"
    LIKE = "like"
    DISMISS = "dismiss"  # "not interested"
    SEARCH = "search"
    IMPRESSION = "impression"
    AD_IMPRESSION = "ad_impression"
    AD_CLICK = "ad_click"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing the shop sells.

    Attributes:
        id: The shop's own identifier, unique, at most 200 characters.
        category: Path from the department down, e.g. ``("Garden", "Tools", "Rakes")``.
        price: In units of `currency` (not cents); None when unknown.
        attributes: Readable names to readable values, e.g. ``{"colour": "red"}``.
        codes: SKU, GTIN, EAN, manufacturer's part number: things a customer may type verbatim.
        group: Identifier shared by the variants of one product, or empty.
        images: Addresses or paths relative to the shop's media folder; the first is the main picture.
        language: BCP 47 primary tag of the texts, ``"zh"`` or ``"en"``; empty when unknown.
        hidden: Kept and learnt from, never shown on any path.
        created: When the item first went on sale; None when unknown.
    """

    id: str
    title: str
    description: str = ""
    brand: str = ""
    category: tuple[str, ...] = ()
    price: float | None = None
    currency: str = ""
    availability: Availability = Availability.IN_STOCK
    attributes: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    group: str = ""
    images: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    link: str = ""
    language: str = ""
    hidden: bool = False
    created: datetime | None = None
    updated: datetime | None = None

    @property
    def text(self) -> str:
        """The item in one line of words, what names it first: title, brand, category, description, attributes.

        What names it comes first: whoever reads the beginning only should still know what the item is.
        """
        parts = [self.title]
        if self.brand and self.brand.casefold() not in self.title.casefold():
            parts.append(self.brand)
        if self.category:
            parts.append(" > ".join(self.category))
        if self.description:
            parts.append(self.description)
        if self.attributes:
            parts.append(", ".join(f"{name}: {value}" for name, value in self.attributes.items()))
        return ". ".join(parts)

    @property
    def passage(self) -> str:
        """What an encoder reads of the item: its text, without the attributes where there are more than a few.

        A long list of attributes is there to filter by and says little about what the item is: it cost the vectors of an
        electronics shop .05 nDCG@10.
        """
        return self.text if len(self.attributes) <= _FEW_ATTRIBUTES else replace(self, attributes={}).text

    @property
    def showable(self) -> bool:
        """May this item be shown to a customer at all (not hidden, not sold out)?"""
        return not self.hidden and self.availability.sellable


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Someone who buys, as far as the shop knows them. Attributes are only what the shop chose to keep."""

    id: str
    language: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impression:
    """What was shown: the evidence every click model and off-policy estimate needs.

    Attributes:
        items: Item ids as shown, best first.
        positions: 1-based place of each item on its surface, the same length as `items`.
        propensities: Probability with which the policy showed each item at its place, in (0, 1].
        model: Name and version of what chose them.
        surface: Where it was shown: ``search``, ``home``, ``product``, ``basket`` ...
    """

    items: tuple[str, ...]
    positions: tuple[int, ...]
    propensities: tuple[float, ...]
    model: str = ""
    surface: str = ""

    def __post_init__(self) -> None:
        """Refuse an impression whose three columns have different lengths."""
        if not len(self.items) == len(self.positions) == len(self.propensities):
            message = "items, positions and propensities of an impression must have the same length"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. Append-only: sessions, training, tests, fraud and profiles read this one log.

    Attributes:
        id: Unique; posting the same id again changes nothing.
        request: Id of the answer that this event reacts to (ties a click to its impression).
        value: Money for purchases and returns, stars for reviews, else None.
        quantity: How many pieces, for carts and purchases.
        impression: Only for impressions: what was shown.
        properties: Anything else worth keeping.
    """

    id: str
    time: datetime
    kind: EventKind
    customer: str = ""
    session: str = ""
    item: str = ""
    query: str = ""
    request: str = ""
    value: float | None = None
    quantity: int = 1
    impression: Impression | None = None
    properties: Mapping[str, Scalar] = field(default_factory=dict)


class PassageKind(StrEnum):
    """What sort of words a passage is."""

    REVIEW = "review"
    QUESTION = "question"
    DIALOGUE = "dialogue"
    POST = "post"
    FAQ = "faq"
    POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Words about the shop: a review, a question, a turn of dialogue, a post, an answer of the FAQ.

    Attributes:
        thread: The conversation or discussion it belongs to.
        source: Where it was published: a forum, a feed, a network; empty for the shop itself.
    """

    id: str
    kind: PassageKind
    text: str
    title: str = ""
    item: str = ""
    customer: str = ""
    thread: str = ""
    author: str = ""
    time: datetime | None = None
    rating: float | None = None
    language: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A human's grade of how well an item answers a query: 0 (not at all) to 3 (exactly)."""

    query: str
    item: str
    grade: float
    rater: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A question about a text that waits for a human, or what the human decided.

    Attributes:
        task: Which question it is: ``intent``, ``sentiment``, ``fraud`` ...; one human answer for each task and subject.
        subject: What it is about: the id of a passage, an item, an event.
        text: What the human reads.
        proposal: The label that a model would give, empty when none does.
        score: How much an answer is worth; the queue is worked off from the highest down.
        customer: Whose words they are, so that they go when that customer is erased.
        label: What was decided; empty while it waits.
        rater: Who decided.
        time: When it was decided; None while it waits.
    """

    task: str
    subject: str
    text: str
    proposal: str = ""
    score: float = 0.0
    customer: str = ""
    label: str = ""
    rater: str = ""
    time: datetime | None = None

    @property
    def waits(self) -> bool:
        """Has nobody decided yet?"""
        return not self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What an answer may contain. Empty fields do not restrict; several values of one field are alternatives.

    Attributes:
        categories: Category paths; an item passes when its path starts with one of them.
        sellable: True leaves out what is sold out (hidden items never pass).
        exclude: Item ids that must not appear.
    """

    brands: tuple[str, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    price_min: float | None = None
    price_max: float | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    sellable: bool = True
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something asked of the shop. One shape for search, recommendation and similar items.

    Attributes:
        query: Words typed, for search.
        looks: What a picture that was sent looks like, as `retrieval.looks.packed` writes it; empty without one.
        items: Items in focus: the product page's item, the basket.
        limit: How many hits at most.
        offset: How many hits to skip.
        surface: Where the answer will be shown.
        sort: ``relevance``, ``price_asc``, ``price_desc``, ``newest``, ``popular`` or ``rating``.
        stars: Only items that reviews give at least so many stars on average; None for all.
        ignore: Keys of what was understood that the customer took back; see `retrieval.understanding.nouns.Chip`.
        explain: Fill reasons and contributions.
    """

    query: str = ""
    looks: str = ""
    customer: str = ""
    session: str = ""
    items: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    limit: int = 20
    offset: int = 0
    surface: str = ""
    sort: str = "relevance"
    language: str = ""
    stars: float | None = None
    ignore: tuple[str, ...] = ()
    explain: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a hit is there, naming the evidence behind it.

    Attributes:
        kind: ``bought_together``, ``words``, ``query``, ``popular``, ``new`` ...
        evidence: Ids or words that carried it: event or item ids, matched terms, attribute values.
        text: Readable sentence per language tag.
    """

    kind: str
    evidence: tuple[str, ...] = ()
    text: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One item of an answer, best first."""

    item: str
    score: float
    propensity: float = 1.0
    reasons: tuple[Reason, ...] = ()
    contributions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the shop answers: hits, how many there were in all, what made them and how long it took.

    Attributes:
        total: Number of items that pass, of which `hits` is one page.
        facets: Field to value to count over all passing items.
        seconds: Wall time spent.
    """

    request: Request
    hits: tuple[Hit, ...]
    total: int
    model: str = ""
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seconds: float = 0.0

    def impression(self) -> Impression:
        """The impression to log when these hits are shown, positions counted from the request's offset."""
        offset = self.request.offset
        return Impression(
            items=tuple(hit.item for hit in self.hits),
            positions=tuple(range(offset + 1, offset + 1 + len(self.hits))),
            propensities=tuple(hit.propensity for hit in self.hits),
            model=self.model,
            surface=self.request.surface,
        )

    def shown(self, kind: EventKind, properties: Mapping[str, Scalar]) -> Event:
        """The event to log when these hits are shown: `impression`, and who asked for what."""
        request = self.request
        return Event(
            id=uuid.uuid4().hex,
            time=request.time,
            kind=kind,
            customer=request.customer,
            session=request.session,
            item=request.items[0] if request.items else "",
            query=request.query,
            request=request.id,
            impression=self.impression(),
            properties=properties,
        )


def now() -> datetime:
    """The current time, timezone-aware UTC."""
    return datetime.now(UTC)

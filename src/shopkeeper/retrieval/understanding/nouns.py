"""What is read out of a query: the words left to search for, what must hold, what is preferred, and chips that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shopkeeper.records import Filters

Sort = Literal["", "price_asc", "price_desc", "newest", "popular", "rating"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One thing that was understood, as the customer sees it; taking it away puts its words back into the search.

    Attributes:
        key: Stable name of it, e.g. ``price``, ``brand:Sony``, ``not:leather``, ``spelling``; what `Request.ignore` holds.
        kind: ``price``, ``brand``, ``category``, ``attribute``, ``quantity``, ``rating``, ``exclude``, ``sort``,
            ``spelling``, ``pinyin``, ``synonym``.
        words: The words of the query, as typed, that said so.
        text: Readable, by language tag.
    """

    key: str
    kind: str
    words: str
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A value that items should rather have: a brand, a category, an attribute.

    Attributes:
        field: ``brand``, ``category`` or the name of an attribute.
        value: As the catalogue spells it.
        certainty: In [0, 1].
    """

    field: str
    value: str
    certainty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A query as it was understood.

    Attributes:
        typed: As it came, cleaned.
        words: What is left to search for by words and by meaning once constraints are taken out.
        variants: Other wordings that may be searched beside it, each with the share its hits count, best first.
        filters: What must hold: price, sizes, what must not be there.
        exclude: Words that must not stand in an item.
        preferences: What should rather hold.
        sort: Order asked for by words such as "cheapest"; empty for relevance.
        language: ``zh``, ``en`` or what else the script says.
        chips: One for each thing understood.
    """

    typed: str
    words: str
    variants: tuple[tuple[str, float], ...] = ()
    filters: Filters = field(default_factory=Filters)
    exclude: tuple[str, ...] = ()
    preferences: tuple[Preference, ...] = ()
    sort: Sort = ""
    language: str = ""
    chips: tuple[Chip, ...] = ()

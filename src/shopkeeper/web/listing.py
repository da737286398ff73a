"""The search page's form: read leniently from an address, and written back into links."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import QueryParams

from shopkeeper.records import Filters
from shopkeeper.web.view import address

SORTS = ("relevance", "popular", "rating", "newest", "price_asc", "price_desc")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_LOOKS = re.compile(r"[A-Za-z0-9_-]{1,4000}")
_CHOICES = 12
_BRANDS = 8
_DEEPEST = 10_000
_ATTRIBUTES, _FEW = 4, 8
_OWN = ("brand", "category", "price", "rating")


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that can be ticked in the filters."""

    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead to an address of the search page, such as a filter in force and the address without it."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a price histogram.

    Attributes:
        height: In (0, 100] of the tallest; 0 where nothing is.
        inside: Whether the price filter lets some of the bar pass.
    """

    low: str
    high: str
    count: int
    height: float
    inside: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """What a visitor asked the search page for. Nonsense in the address is ignored, never an error.

    Attributes:
        looks: What a picture looks like that was sent, see `retrieval.looks.packed`.
        ignore: Keys of what was read out of the query and taken away; see `retrieval.understanding.nouns.Chip`.
        led: A rule has led here, so no other one leads away: two that name each other would go round for ever.
    """

    query: str = ""
    looks: str = ""
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    stars: int | None = None
    low: float | None = None
    high: float | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    ignore: tuple[str, ...] = ()
    sort: str = "relevance"
    page: int = 1
    led: bool = False

    @classmethod
    def read(cls, parameters: QueryParams) -> Listing:
        """The form in an address."""
        low, high = _amount(parameters.get("low", "")), _amount(parameters.get("high", ""))
        if low is not None and high is not None and low > high:
            low, high = high, low
        sort, page = parameters.get("sort", ""), parameters.get("page", "")
        return cls(
            query=_words(parameters.get("q", "")),
            looks=looks if _LOOKS.fullmatch(looks := parameters.get("looks", "")) else "",
            categories=_several(parameters.getlist("category")),
            brands=_several(parameters.getlist("brand")),
            stars=int(stars) if (stars := parameters.get("stars", "")) in ("1", "2", "3", "4") else None,
            low=low,
            high=high,
            attributes=tuple(
                (name, value) for name, _, value in _pairs(parameters.getlist("attribute")) if name and value
            ),
            ignore=_several(parameters.getlist("ignore")),
            sort=sort if sort in SORTS else "relevance",
            page=min(max(int(page), 1), _DEEPEST) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
            led=bool(parameters.get("led")),
        )

    @property
    def filters(self) -> Filters:
        """The filters in the shop's own words."""
        return Filters(
            brands=self.brands,
            categories=tuple(path_of(name) for name in self.categories),
            price_min=self.low,
            price_max=self.high,
            attributes=grouped(self.attributes),
        )

    @property
    def filtered(self) -> bool:
        """Whether any filter narrows the list."""
        return (
            bool(self.brands or self.categories or self.attributes or self.stars) or not self.low is self.high is None
        )

    def href(self, **changes: object) -> str:
        """The address of this form with some values changed; a change of anything but the page starts at page 1."""
        form = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]
        parameters = [("q", form.query)] if form.query else []
        parameters += [("looks", form.looks)] if form.looks else []
        parameters += [("category", name) for name in form.categories]
        parameters += [("brand", name) for name in form.brands]
        parameters += [
            (name, f"{amount:g}") for name, amount in (("low", form.low), ("high", form.high)) if amount is not None
        ]
        parameters += [("stars", str(form.stars))] if form.stars else []
        parameters += [("attribute", f"{name}:{value}") for name, value in form.attributes]
        parameters += [("ignore", key) for key in form.ignore]
        parameters += [("sort", form.sort)] if form.sort != "relevance" else []
        parameters += [("page", str(form.page))] if form.page > 1 else []
        return address("/search", parameters)

    def chips(self, price_label: str) -> list[Link]:
        """The filters in force, each with the way out of it."""
        chips = [
            Link(path_of(name)[-1], self.href(categories=tuple(c for c in self.categories if c != name)))
            for name in self.categories
        ]
        chips += [Link(name, self.href(brands=tuple(b for b in self.brands if b != name))) for name in self.brands]
        chips += [
            Link(value, self.href(attributes=tuple(pair for pair in self.attributes if pair != (name, value))))
            for name, value in self.attributes
        ]
        if self.stars:
            chips.append(Link("★" * self.stars + " +", self.href(stars=None)))
        if self.low is not None or self.high is not None:
            low, high = ("" if amount is None else f"{amount:g}" for amount in (self.low, self.high))
            chips.append(Link(f"{price_label} {low}–{high}", self.href(low=None, high=None)))
        return chips


def path_of(name: str) -> tuple[str, ...]:
    """``"A > B"`` as a category path."""
    return tuple(part.strip() for part in name.split(">") if part.strip())


def brand_choices(counts: Mapping[str, int], chosen: Sequence[str]) -> list[Choice]:
    """Brands to tick, the chosen ones first, then the most frequent."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    names = [*chosen, *(name for name, _ in ranked if name and name not in chosen)]
    return [Choice(name, name, counts.get(name, 0), name in chosen) for name in names[: max(_BRANDS, len(chosen))]]


def attribute_choices(
    facets: Mapping[str, Mapping[str, int]], chosen: Sequence[tuple[str, str]]
) -> dict[str, list[Choice]]:
    """Attributes to tick by name, as ``name:value``; chosen ones stay even when nothing is left of them."""
    picked = grouped(chosen)
    names = [*picked, *(name for name in facets if name not in (*_OWN, *picked))]
    found: dict[str, list[Choice]] = {}
    for name in names[:_ATTRIBUTES]:
        choices = brand_choices(facets.get(name, {}), picked.get(name, ()))[: max(_FEW, len(picked.get(name, ())))]
        found[name] = [Choice(f"{name}:{c.value}", c.label, c.count, c.chosen) for c in choices]
    return found


def price_ranges(counts: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Price ranges of a facet as (low, high, count)."""
    ranges = [(*name.partition("-")[::2], count) for name, count in counts.items()]
    return [row for row in ranges if row[0] and row[1]]


def price_bars(
    prices: Sequence[tuple[float, float, int]], low: float | None = None, high: float | None = None
) -> list[Bar]:
    """The bars of a histogram, those outside of a price filter told apart; none for fewer than two."""
    most = max((count for *_, count in prices), default=0)
    if len(prices) < 2 or not most:
        return []
    return [
        Bar(
            f"{start:g}",
            f"{end:g}",
            count,
            max(4.0, round(100 * count / most, 1)) if count else 0.0,
            (low is None or end > low) and (high is None or start <= high),
        )
        for start, end, count in prices
    ]


def grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Attribute pairs by name."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found


def category_choices(counts: Mapping[str, int], chosen: Sequence[str]) -> list[Choice]:
    """Categories to tick: the chosen ones and the level below them, or the departments when none is chosen."""
    totals: Counter[str] = Counter()
    for leaf, count in counts.items():
        path = path_of(leaf)
        for depth in range(1, len(path) + 1):
            totals[" > ".join(path[:depth])] += count
    below = [name for name in totals if _offered(path_of(name), [path_of(c) for c in chosen]) and name not in chosen]
    below.sort(key=lambda name: (-totals[name], name))
    names = [*chosen, *below[:_CHOICES]]
    return [Choice(name, (path_of(name) or ("",))[-1], totals.get(name, 0), name in chosen) for name in names]


def pages(total: int, size: int, page: int) -> tuple[int, list[int | None]]:
    """How many pages there are, and the numbers to offer; None is a gap."""
    count = max(1, math.ceil(total / size))
    near = sorted({1, count, *range(max(1, page - 1), min(count, page + 1) + 1)})
    offered: list[int | None] = []
    for number in near:
        if offered and offered[-1] is not None and number - offered[-1] > 1:
            offered.append(None)
        offered.append(number)
    return count, offered


def _offered(path: tuple[str, ...], chosen: Sequence[tuple[str, ...]]) -> bool:
    if not chosen:
        return len(path) == 1
    return any(len(path) == len(c) + 1 and path[: len(c)] == c for c in chosen)


def _words(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:200]


def _pairs(values: Sequence[str]) -> list[tuple[str, str, str]]:
    return [value.partition(":") for value in _several(values)]


def _several(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for value in values[:20] if (word := _words(value))))


def _amount(text: str) -> float | None:
    try:
        amount = float(text.replace(",", "").strip()[:20])
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None

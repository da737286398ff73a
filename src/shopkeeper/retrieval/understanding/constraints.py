"""The parts of a query that say what must hold instead of what it is: price, rating, order, and what is not wanted.

Rules over the query in lower case, in both languages. Every constraint carries the chip that shows it and the places of its
words, so that a reader can take the words out of the search or, where the customer took the chip away, leave them in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.understanding.negations import Catalogue, Negation, negations
from shopkeeper.retrieval.understanding.nouns import Chip, Sort
from shopkeeper.retrieval.understanding.prices import Bound, prices
from shopkeeper.retrieval.understanding.quantities import HAN_DIGITS, number
from shopkeeper.retrieval.understanding.script import lowered

_STARS = rf"(?P<{{}}>[1-5](?:\.\d)?|[{HAN_DIGITS[1:7]}])"
_RATING = re.compile(
    r"(?<![a-z])(?:rated |rating (?:of )?|with )?(?:at least |over |above |more than |minimum (?:of )?)?"
    rf"(?<![\d.$€£]){_STARS.format('a')}\s?(?:\+\s?stars?|[- ]?stars?\s?(?:\+|(?:and|or|&) (?:up|above|more|higher|over|better)))(?![a-z])"
    rf"|(?<![a-z])(?:(?:rated |rating (?:of )?|with )?(?:at least|over|above|more than|minimum(?: of)?)|rated) (?<![\d.]){_STARS.format('b')} stars?(?![a-z])"
    rf"|(?<![a-z])(?:rated |rating (?:of )?)(?:at least |over |above )?{_STARS.format('c')}(?:\s?\+| (?:and|or) (?:up|above|more|higher))"
    rf"|(?:评分|评价|评级)?(?:在|是)?(?<![\d.]){_STARS.format('d')}\s?颗?星级?(?:及|或)?(?:以上|\+)(?:评分|评价|好评)?的?"
    rf"|(?:评分|评价|评级|星级)(?:在|大于|高于|不低于|超过|至少|是)?{_STARS.format('e')}(?:\.0)?\s?(?:分|星)?(?:及|或)?(?:以上|\+)的?"
    rf"|(?:评分|评价|评级|星级)(?:大于|高于|不低于|超过|至少){_STARS.format('f')}\s?(?:分|星)?的?"
)
_SORTS: tuple[tuple[Sort, re.Pattern[str]], ...] = (
    (
        "price_asc",
        re.compile(
            r"(?<![\w-])(?:the )?(?:cheapest|lowest[- ]priced?|(?:sort(?:ed)? by )?price,? low(?:est)? to high(?:est)?)(?![\w-])"
            r"|(?:价格|价钱)?最便宜的?|价格最低的?|最低价格?的?|(?:按)?价格从?低到高|按价格升序"
        ),
    ),
    (
        "price_desc",
        re.compile(
            r"(?<![\w-])(?:the )?(?:most expensive|priciest|highest[- ]priced?|(?:sort(?:ed)? by )?price,? high(?:est)? to low(?:est)?)(?![\w-])"
            r"|(?:价格|价钱)?最贵的?|价格最高的?|(?:按)?价格从?高到低|按价格降序"
        ),
    ),
    (
        "rating",
        re.compile(
            r"(?<![\w-])(?:the )?(?:best|top|highest)[- ](?:rated|reviewed)(?![\w-])"
            r"|(?:评分|评价|评级|好评率?|口碑)最(?:高|好|多)的?|最好评的?"
        ),
    ),
    (
        "popular",
        re.compile(
            r"(?<![\w-])(?:the )?(?:best[- ]?sell(?:ing|ers?)|top[- ]?sell(?:ing|ers?)|most (?:popular|bought|sold))(?![\w-])"
            r"|销量(?:最高|最好|第一|最大|从高到低)的?|卖得?最好的?|最(?:畅销|热销|热卖|受欢迎)的?"
        ),
    ),
    (
        "newest",
        re.compile(
            r"(?<![\w-])(?:the )?(?:newest|latest|new(?:est)? arrivals?|most recent|just in)(?![\w-])"
            r"|(?<!20\d\d)(?<!\d年)(?<!\d年的)(?:最新款式?(?!的?\d)|最新(?:上市|上架|到货|发布|推出)|新品上市)的?|(?<![^\s])最新的|按?上架时间排序"
        ),
    ),
)
_WORLD = re.compile(r"(?:世界|全球|全国|中国|史上|天下|人间|宇宙|年度?|哪[种个款些]?.{0,6})(?:上|里)?$")
_SORT_TEXTS: Mapping[Sort, Mapping[str, str]] = {
    "price_asc": {"en": "cheapest first", "zh": "价格从低到高"},
    "price_desc": {"en": "most expensive first", "zh": "价格从高到低"},
    "newest": {"en": "newest first", "zh": "最新上架优先"},
    "popular": {"en": "most popular first", "zh": "销量从高到低"},
    "rating": {"en": "best rated first", "zh": "评分从高到低"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One thing that must hold.

    Attributes:
        chip: How it is shown.
        places: Start and end of each run of characters that says so.
        low, high: Price at least and at most.
        stars: Rating at least.
        sort: Order asked for.
        excluded: What is not wanted, in lower case.
    """

    chip: Chip
    places: tuple[tuple[int, int], ...]
    low: float | None = None
    high: float | None = None
    stars: float | None = None
    sort: Sort = ""
    excluded: str = ""


def constraints(text: str, catalogue: Catalogue) -> list[Constraint]:
    """The constraints of a cleaned query, each chip key once; their places do not overlap, except within one negation.

    >>> class Nothing:
    ...     def knows(self, words: str) -> bool: return False
    ...     def calls(self, negator: str, words: str) -> bool: return False
    >>> [found.chip.key for found in constraints("red shoes under $80 not leather", Nothing())]
    ['price', 'not:leather']
    """
    low = lowered(text)
    found: list[Constraint] = []
    for constraint in (_price(text, prices(low)), _rating(text, low), _sort(text, low)):
        if constraint and not any(_meet(constraint.places, other.places) for other in found):
            found.append(constraint)
    for start, end in (place for constraint in found for place in constraint.places):
        low = low[:start] + " " * (end - start) + low[end:]
    return [*found, *_unwanted(text, low, negations(low, catalogue), found)]


def _price(text: str, bounds: list[Bound]) -> Constraint | None:
    if not bounds:
        return None
    low = max((bound.low for bound in bounds if bound.low is not None), default=None)
    high = min((bound.high for bound in bounds if bound.high is not None), default=None)
    if low is not None and high is not None and low > high:  # two wishes that no price meets: the last one said holds
        bounds = bounds[-1:]
        low, high = bounds[0].low, bounds[0].high
    places = tuple((bound.start, bound.end) for bound in bounds)
    if low is None:
        shown = {"en": f"up to {high:,g}", "zh": f"不超过 {high:g}"}
    elif high is None:
        shown = {"en": f"from {low:,g}", "zh": f"{low:g} 以上"}
    else:
        shown = {"en": f"{low:,g} to {high:,g}", "zh": f"{low:g} 至 {high:g}"}
    shown = {"en": f"price {shown['en']}", "zh": f"价格 {shown['zh']}"}
    return Constraint(chip=_chip("price", "price", text, places, shown), places=places, low=low, high=high)


def _rating(text: str, low: str) -> Constraint | None:
    found = _RATING.search(low)
    if found is None:
        return None
    said = next(group for group in found.groups() if group)
    stars = float(said) if said.isascii() else number(said)
    places = (found.span(),)
    shown = {"en": f"rated {stars:g} and up", "zh": f"{stars:g} 星以上"}
    return Constraint(chip=_chip("rating", "rating", text, places, shown), places=places, stars=stars)


def _sort(text: str, low: str) -> Constraint | None:
    """The order that was asked for first."""
    said = [
        (found.start(), sort, found)
        for sort, pattern in _SORTS
        if (found := pattern.search(low)) and not _WORLD.search(low, max(0, found.start() - 9), found.start())
    ]
    if not said:
        return None
    _, sort, found = min(said, key=lambda each: each[0])
    places = (found.span(),)
    return Constraint(chip=_chip(f"sort:{sort}", "sort", text, places, _SORT_TEXTS[sort]), places=places, sort=sort)


def _unwanted(text: str, low: str, said: list[Negation], read: list[Constraint]) -> Iterator[Constraint]:
    """What is not wanted; not what the rest of the query asks for ("storage box without storage")."""
    rest = low
    for negation in said:
        rest = rest[: negation.start] + " " * (negation.end - negation.start) + rest[negation.end :]
    wanted = set(terms(rest))
    keys = {constraint.chip.key for constraint in read}
    for negation in said:
        if any(wanted.issuperset(terms(thing)) for thing in negation.things):
            continue
        for thing in negation.things:
            key = f"not:{thing}"
            if key in keys:
                continue
            keys.add(key)
            places = ((negation.start, negation.end),)
            shown = {"en": f"without {thing}", "zh": f"不要 {thing}"}
            yield Constraint(chip=_chip(key, "exclude", text, places, shown), places=places, excluded=thing)


def _chip(key: str, kind: str, text: str, places: tuple[tuple[int, int], ...], shown: Mapping[str, str]) -> Chip:
    words = " ".join(text[start:end].strip() for start, end in places)
    return Chip(key=key, kind=kind, words=words, text=shown)


def _meet(some: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]) -> bool:
    return any(start < until and begin < end for start, end in some for begin, until in others)

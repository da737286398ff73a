"""What to give up when nothing, or too little, is found: the one constraint or word whose going brings most."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from shopkeeper.records import Filters, Request
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.highlights import marks
from shopkeeper.retrieval.understanding.nouns import Chip, Understood

Kind = Literal["price", "brand", "category", "attribute", "quantity", "rating", "exclude", "word", "all"]

_READ: tuple[Kind, ...] = ("price", "quantity", "rating", "exclude")
"""Kinds of chips that restrict; the others only prefer."""
_COUNTS = 6
"""Searches that may be counted for one request."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A request that asks for less, and what comes of it.

    Attributes:
        kind: What was given up.
        dropped: Its values as the shop or the customer wrote them; empty for a price and for everything.
        request: The request without it, at its first page.
        count: What that finds.
        text: Readable, by language tag.
    """

    kind: Kind
    dropped: str
    request: Request
    count: int
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Way:
    """One thing to give up, with its name in both languages."""

    kind: Kind
    dropped: str
    request: Request
    en: str
    zh: str


def relaxed(
    request: Request,
    count: Callable[[Request], int],
    *,
    found: int = 0,
    understood: Understood | None = None,
    weigh: Callable[[str], float] = len,
) -> tuple[Relaxation, ...]:
    """Ways to find more by giving up one thing, the one that brings most first; at most six searches are counted.

    They are tried in this order, which also decides between equals: price, brand, category, attributes, quantities and
    stars read out of the query, excluded words, then words from the least informative one on. Where no single one helps
    and there are several constraints, all of them together are tried last.

    Args:
        request: What found too little.
        count: How many items a request finds.
        found: How many `request` itself finds; only what brings more is told.
        understood: How its query was read; what it says is given up by leaving its words out.
        weigh: How much a word says, for example `LexicalIndex.bound`; by default its length.
    """
    constraints = list(_constraints(request, understood))
    several = len(constraints) > 1
    ways = islice([*constraints, *_words(request, understood, weigh)], _COUNTS - several)
    counted = [_counted(way, count) for way in ways]
    better = sorted((one for one in counted if one.count > found), key=lambda one: -one.count)
    if several and not better:
        everything = _counted(_all(request, constraints), count)
        better = [everything] if everything.count > found else []
    return tuple(better)


def _constraints(request: Request, understood: Understood | None) -> Iterator[_Way]:
    filters = request.filters
    chips = understood.chips if understood else ()

    def ignoring(kind: Kind) -> Iterator[_Way]:
        for chip in chips:
            if chip.kind == kind and chip.key not in request.ignore:
                en, zh = (f"“{chip.text.get(language, chip.words)}”" for language in ("en", "zh"))
                yield _way(kind, chip.words, _without(request, chip), en, zh)

    def without(kind: Kind, dropped: str, left: Filters, en: str, zh: str) -> _Way:
        return _way(kind, dropped, replace(request, filters=left), en, zh)

    if filters.price_min is not None or filters.price_max is not None:
        left = replace(filters, price_min=None, price_max=None)
        yield without("price", "", left, "the price limit", "价格限制")
    yield from ignoring("price")
    if filters.brands:
        names = ", ".join(filters.brands), "、".join(filters.brands)
        yield without("brand", names[0], replace(filters, brands=()), f"the brand “{names[0]}”", f"品牌“{names[1]}”")
    if filters.categories:
        leaves = [" > ".join(path) for path in filters.categories]
        names = ", ".join(leaves), "、".join(leaves)
        left = replace(filters, categories=())
        yield without("category", names[0], left, f"the category “{names[0]}”", f"分类“{names[1]}”")
    for name, values in filters.attributes.items():
        left = replace(filters, attributes={other: v for other, v in filters.attributes.items() if other != name})
        names = f"{name}: {', '.join(values)}", f"{name}：{'、'.join(values)}"
        yield without("attribute", names[0], left, f"“{names[0]}”", f"“{names[1]}”")
    for kind in _READ[1:]:
        yield from ignoring(kind)


def _without(request: Request, chip: Chip) -> Request:
    """The request without what a chip says: its words go where they stand in one piece, else they are words again."""
    at = request.query.find(chip.words) if chip.words else -1
    if at < 0:
        return replace(request, ignore=(*request.ignore, chip.key))
    rest = f"{request.query[:at]} {request.query[at + len(chip.words) :]}"
    return replace(request, query=" ".join(rest.split()).strip(" ,;，；、"))


def _words(request: Request, understood: Understood | None, weigh: Callable[[str], float]) -> list[_Way]:
    """One way for each word that is searched for, where there are several."""
    query = request.query
    chips = [chip for chip in (understood.chips if understood else ()) if chip.kind in _READ]
    said = [(query.find(chip.words), len(chip.words)) for chip in chips if chip.key not in request.ignore]
    places = [
        (start, end)
        for start, end in marks(query, frozenset(terms(understood.words if understood else query)))
        if not any(0 <= at <= start < at + length for at, length in said)
    ]
    if len(places) < 2:
        return []
    places.sort(key=lambda place: (weigh(query[place[0] : place[1]]), place))
    ways = []
    for start, end in places:
        word, left, right = query[start:end], query[:start], query[end:]
        joint = " " if left[-1:].isspace() or right[:1].isspace() else ""
        kept = replace(request, query=(left.rstrip() + joint + right.lstrip()).strip(" ,;，；、"))
        ways.append(_way("word", word, kept, f"the word “{word}”", f"“{word}”一词"))
    return ways


def _all(request: Request, constraints: list[_Way]) -> _Way:
    filters = replace(request.filters, price_min=None, price_max=None, brands=(), categories=(), attributes={})
    ignore = tuple(dict.fromkeys(key for way in constraints for key in way.request.ignore))
    return _way("all", "", replace(request, filters=filters, ignore=ignore), "any of these limits", "所有限制")


def _way(kind: Kind, dropped: str, request: Request, en: str, zh: str) -> _Way:
    return _Way(kind, dropped, replace(request, offset=0), en, zh)


def _counted(way: _Way, count: Callable[[Request], int]) -> Relaxation:
    number = count(way.request)
    text = {
        "en": f"Without {way.en}: {number:,} {'item' if number == 1 else 'items'}",
        "zh": f"去掉{way.zh}：{number:,} 件商品",
    }
    return Relaxation(way.kind, way.dropped, way.request, number, text)

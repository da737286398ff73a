"""Goods named in a message: items by their codes, titles and brands, and whatever "this one" points at."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.highlights import located
from shopkeeper.retrieval.understanding.script import lowered
from shopkeeper.tasks.assist.turns import Mention

_LEAST: Final = 0.6
"""Share of the weight of a title's terms that must be named, to be sure of an item."""
_IN_FOCUS: Final = 0.25
"""The same for an item that is open or was just spoken of."""
_AHEAD: Final = 1.15
"""How much more than the next item, variants aside, the named one must hold."""
_LONGEST: Final = 200  # terms of a message that are looked at
_COMMON: Final = 2_000  # items with a term beyond which it names none of them
_WHOLE, _LEAST_TERMS = 0.9, 2
"""Share of a title's terms that a text must hold to name it beside others, and how many at least."""
_THIS: Final = re.compile(
    r"(?<![a-z])(?:this|that|the)\s(?:one|item|product|thing)(?![a-z])|(?<![a-z])(?:this|it)(?=\s*(?:[?.!,]|$))"
    r"|(?<![a-z])(?:does|is|will|can|has)\s(?P<it>this|it)(?![a-z])|[这那][款个件双条台](?:商品|产品|东西|宝贝)?"
)

Said = tuple[int, int, str]
"""A word of a message: where it starts and ends, and its term."""


class Goods:
    """Which items a message names. Reading beside one writer is safe.

    Args:
        items: What is in the catalogue.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._titles: dict[str, tuple[frozenset[str], str]] = {}  # id -> terms, group
        self._holding: dict[str, set[str]] = {}
        self._codes: dict[str, str] = {}
        self._brands: dict[str, str] = {}
        for item in items:
            self.put(item)

    def put(self, item: Item) -> None:
        """Learn an item, or learn it anew; hidden ones are forgotten."""
        self.drop(item.id)
        if item.hidden:
            return
        held = frozenset(terms(item.title))
        for term in held:
            self._holding.setdefault(term, set()).add(item.id)
        self._titles[item.id] = held, item.group
        for code in (item.id, *item.codes):
            self._codes[_code(code)] = item.id
        if item.brand:
            self._brands[" ".join(terms(item.brand))] = item.brand

    def drop(self, item: str) -> None:
        """Forget an item."""
        held, _ = self._titles.pop(item, (frozenset[str](), ""))
        for term in held:
            self._holding[term].discard(item)
        if held:
            self._codes = {code: name for code, name in self._codes.items() if name != item}

    def find(self, text: str, focus: Sequence[str] = ()) -> list[Mention]:
        """Items and brands that a text names, the surest first; they may overlap.

        Args:
            text: Anything.
            focus: Ids of items that are open or were spoken of, the latest first.
        """
        named = located(text)[:_LONGEST]
        found = [*self._by_code(text), *self._by_title(text, named, focus), *self._by_brand(text, named)]
        if focus and not any(mention.kind == "product" for mention in found):
            found += self._pointed_at(text, focus[0])
        return found

    def titled(self, text: str) -> list[str]:
        """Ids of the items whose titles stand in a text almost whole, those with the longest titles first."""
        said = set(terms(text))
        shared = Counter(
            item for term in said if len(self._holding.get(term, ())) <= _COMMON for item in self._holding.get(term, ())
        )
        lengths = {item: len(self._titles[item][0]) for item in shared if item in self._titles}
        whole = [
            item
            for item, length in lengths.items()
            if length >= _LEAST_TERMS and len(self._titles[item][0] & said) >= _WHOLE * length
        ]
        return sorted(whole, key=lambda item: -lengths[item])

    def _by_code(self, text: str) -> Iterator[Mention]:
        for match in re.finditer(r"[a-z0-9][a-z0-9._/-]{2,}", text, re.IGNORECASE | re.ASCII):
            written = match.group().rstrip("._/-")
            name = self._codes.get(_code(written))
            if name is not None and any(letter.isdigit() for letter in written):
                yield _mention("product", text, match.start(), match.start() + len(written), name)

    def _by_title(self, text: str, said: Sequence[Said], focus: Sequence[str]) -> Iterator[Mention]:
        weight = {term: self._weight(term) for _, _, term in said}
        named: dict[str, float] = {}
        for term, worth in weight.items():
            holders = self._holding.get(term, ())
            if worth and len(holders) <= _COMMON:
                for item in holders:
                    named[item] = named.get(item, 0.0) + worth
        near = [item for item in focus if item in self._titles]
        named |= {item: sum(weight.get(term, 0.0) for term in self._titles[item][0]) for item in near}
        pointed = [item for item in near if named[item] >= _IN_FOCUS * self._total(item)]
        best = max(pointed or named, key=lambda item: (named[item], -len(self._titles[item][0])), default=None)
        if best is None or not (pointed or self._sure(best, named, weight)):
            return
        places = [(start, end) for start, end, term in said if term in self._titles[best][0]]
        if places:
            yield _mention("product", text, places[0][0], max(end for _, end in places), best)

    def _sure(self, best: str, named: Mapping[str, float], weight: Mapping[str, float]) -> bool:
        """Is most of the best item's title named, and more of it than of any other but its variants?"""
        held, group = self._titles[best]
        alike = (
            worth for item, worth in named.items() if item != best and not (group and self._titles[item][1] == group)
        )
        many = len(held & weight.keys()) >= min(2, len(held))
        return many and named[best] >= _LEAST * self._total(best) and named[best] >= _AHEAD * max(alike, default=0.0)

    def _by_brand(self, text: str, said: Sequence[Said]) -> Iterator[Mention]:
        for first in range(len(said)):
            for width in (3, 2, 1):
                part = said[first : first + width]
                brand = self._brands.get(" ".join(term for _, _, term in part)) if len(part) == width else None
                if brand:
                    yield _mention("brand", text, part[0][0], part[-1][1], brand)
                    break

    def _pointed_at(self, text: str, item: str) -> Iterator[Mention]:
        if item in self._titles and (match := _THIS.search(lowered(text))):
            start, end = match.span("it") if match["it"] else match.span()
            yield _mention("product", text, start, end, item)

    def _weight(self, term: str) -> float:
        """Inverse document frequency of a term that stands in a title."""
        holders = len(self._holding.get(term, ()))
        return math.log1p(len(self._titles) / holders) if holders else 0.0

    def _total(self, item: str) -> float:
        return sum(self._weight(term) for term in self._titles[item][0])


def _code(written: str) -> str:
    return re.sub(r"[^a-z0-9]", "", written.lower()) or written


def _mention(kind: str, text: str, start: int, end: int, value: str) -> Mention:
    return Mention(kind=kind, text=text[start:end], start=start, end=end, value=value)

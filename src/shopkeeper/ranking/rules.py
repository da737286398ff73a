"""Merchandising rules applied to a ranked list: which ones fire, and what they make of the candidates.

Pure: rules, a situation and arrays in, arrays out. Rules are indexed by the words they wait for, so a search meets only
those that may fire. They are applied to all candidates before a page is cut, so paging stays stable.

Where rules contradict each other the stronger one holds (`Rule.strength`: priority, then the latest, then the id): for
each item whether it is pinned, hidden or filtered out; for each position who stands there; for the answer its redirect,
its banner and its query. Factors of boosts multiply.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Customer, Filters, Item, Request
from shopkeeper.store.merchandising import Banner, Rule, Then, When

Rows = NDArray[np.int64]
Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]

_FREE = Filters()


class Goods(Protocol):
    """What rules ask of the items; `retrieval.shelf.Shelf` answers it."""

    @property
    def items(self) -> Sequence[Item | None]:
        """The item of every row, None where it was removed."""
        ...

    def row(self, item: str) -> int | None:
        """Row of an item id, None when unknown."""
        ...

    def allowed(self, filters: Filters) -> Mask:
        """Bool (rows,): which rows pass the filters."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that rules look at before they fire.

    Attributes:
        query: As the customer typed it.
        categories: Paths browsed.
        customer: Attributes of the customer.
        language: Primary tag, ``zh`` or ``en``; empty when unknown.
        time: When it is, or would be.
        ranked: False when the customer chose an order of their own (price, newest): pins and boosts then rest.
    """

    query: str = ""
    categories: tuple[tuple[str, ...], ...] = ()
    customer: Mapping[str, str] = field(default_factory=dict)
    language: str = ""
    time: datetime
    ranked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """What the rules made of an answer.

    Attributes:
        rows: int64 (n,), every candidate left, in order; pages are cut from it.
        scores: float32 (n,), boosted; a pinned row has the score of the row it stands before, so the order is kept.
        banner: What to show above the hits.
        redirect: A path of the shop to go to instead, or empty.
        query: What to search for in place of what was typed, or empty.
        fired: Names of the rules that fired, strongest first.
        pinned: Rows that stand where a rule put them.
    """

    rows: Rows
    scores: Scores
    banner: Banner | None = None
    redirect: str = ""
    query: str = ""
    fired: tuple[str, ...] = ()
    pinned: frozenset[int] = frozenset()


class Rulebook:
    """Rules by what they wait for. Immutable: safe to share between threads, replaced as a whole.

    Args:
        rules: Saved ones, or some being drafted; disabled ones are left out.
        terms: The shop's analysis of words (`retrieval.analysis.terms`). A phrase is contained in a query when its terms
            stand in a row in the query's: "shoes" in "running shoe", 手机 in 手机壳 but not in 二手机器.
    """

    def __init__(self, rules: Iterable[Rule], terms: Callable[[str], Sequence[str]]) -> None:
        self.rules = tuple(sorted((rule for rule in rules if rule.enabled), key=lambda rule: rule.strength))
        self._terms = terms
        self._exact: defaultdict[str, list[int]] = defaultdict(list)
        self._phrases: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._categories: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._others: list[int] = []
        for place, rule in enumerate(self.rules):
            self._file(place, rule.when)
        self._lengths = sorted({len(phrase) for phrase in self._phrases if phrase})

    def firing(self, situation: Situation) -> tuple[Rule, ...]:
        """The rules whose conditions hold, strongest first."""
        places = set(self._others)
        if situation.query:
            places.update(self._waiting_for(situation.query))
        for path in situation.categories:
            for depth in range(1, len(path) + 1):
                places.update(self._categories.get(path[:depth], ()))
        found = (self.rules[place] for place in sorted(places))
        return tuple(rule for rule in found if _holds(rule.when, situation))

    def query(self, situation: Situation) -> str:
        """What to search for: the query of the strongest rule that replaces it, else the one typed."""
        return _query(self.firing(situation)) or situation.query

    def allowed(self, situation: Situation, shelf: Goods, mask: Mask) -> Mask:
        """Bool (rows,): `mask` without what the rules' filters leave out, to search among; pins are put back by `applied`."""
        for rule in self.firing(situation):
            if rule.then.filters != _FREE:
                more = shelf.allowed(rule.then.filters)
                width = min(len(mask), len(more))  # the shelf may have grown in between
                mask = mask[:width] & more[:width]
        return mask

    def _file(self, place: int, when: When) -> None:
        """Put a rule where the rarest of its conditions is looked up."""
        for query in when.exact:
            self._exact[_plain(query)].append(place)
        for phrase in when.contains:
            self._phrases[tuple(self._terms(phrase))].append(place)
        if not when.exact and not when.contains:
            for path in when.categories:
                self._categories[path].append(place)
            if not when.categories:
                self._others.append(place)

    def _waiting_for(self, query: str) -> Iterable[int]:
        yield from self._exact.get(_plain(query), ())
        if self._lengths:
            terms = tuple(self._terms(query))
            for length in self._lengths:
                for start in range(len(terms) - length + 1):
                    yield from self._phrases.get(terms[start : start + length], ())


def situation_of(request: Request, customer: Customer | None = None) -> Situation:
    """The situation of a request; a query with Chinese characters is Chinese when the request names no language."""
    language = request.language.partition("-")[0].lower()
    if not language and request.query:
        language = "zh" if any("\u3400" <= character <= "\u9fff" for character in request.query) else "en"
    return Situation(
        query=request.query,
        categories=request.filters.categories,
        customer=customer.attributes if customer else {},
        language=language,
        time=request.time,
        ranked=request.sort == "relevance",
    )


def applied(rules: Rulebook, situation: Situation, rows: Rows, scores: Scores, shelf: Goods, allowed: Mask) -> Ruled:
    """Let the rules have their way with the candidates.

    Args:
        rules: The rules.
        situation: Of this request.
        rows: int64 (n,), candidates, best first, each once.
        scores: float32 (n,), higher is better.
        shelf: The items.
        allowed: bool (rows of the shelf,), what this customer may see: their filters, without what is hidden or sold
            out. A pin outside it is not shown.
    """
    firing = rules.firing(situation)
    if not firing:
        return Ruled(rows=rows, scores=scores)
    found = [shelf.items[row] for row in rows.tolist()]
    alive = np.array([item is not None for item in found], dtype=np.bool_)  # the others were removed just now
    rows, scores, items = rows[alive], scores[alive], [item for item in found if item is not None]
    pins = _Pins()
    hidden: set[int] = set()
    filters: list[Filters] = []
    for rule in firing:
        if situation.ranked:
            pins.add(rule.then, hidden, filters, shelf, allowed)
        hidden.update(row for item in rule.then.hide if (row := shelf.row(item)) is not None)
        if rule.then.filters != _FREE:
            filters.append(rule.then.filters)
    keep = np.isin(rows, [*hidden, *pins.rows], invert=True)
    for wanted in filters:
        keep &= _passing(items, wanted)
    rows, scores, items = rows[keep], scores[keep], list(compress(items, keep.tolist()))
    if situation.ranked:
        rows, scores = _boosted(firing, rows, scores, items)
        rows, scores = _placed(pins.positions, rows, scores)
    return Ruled(
        rows=rows,
        scores=scores,
        banner=next((rule.then.banner for rule in firing if rule.then.banner), None),
        redirect=next((rule.then.redirect for rule in firing if rule.then.redirect), ""),
        query=_query(firing),
        fired=tuple(rule.name for rule in firing),
        pinned=frozenset(pins.rows),
    )


class _Pins:
    """The pins gathered so far, strongest first.

    Attributes:
        positions: Row by position.
        rows: Those rows.
    """

    def __init__(self) -> None:
        self.positions: dict[int, int] = {}
        self.rows: set[int] = set()
        self._next: dict[int, int] = {}

    def add(self, then: Then, hidden: set[int], filters: Sequence[Filters], shelf: Goods, allowed: Mask) -> None:
        """Take the pins of a rule that may be shown; where a stronger one stands, the next free position is taken."""
        for pin in then.pins:
            row = shelf.row(pin.item)
            if row is None or row in hidden or row in self.rows or row >= len(allowed) or not allowed[row]:
                continue
            item = shelf.items[row]
            if item is None or not item.showable or not all(_passing([item], wanted)[0] for wanted in filters):
                continue
            position = self._next.get(pin.position, pin.position)
            while position in self.positions:
                position += 1
            self._next[pin.position] = position + 1
            self.positions[position] = row
            self.rows.add(row)


def _passing(items: Sequence[Item], filters: Filters) -> Mask:
    """Bool (n,): which of some showable items pass; the few candidates are asked, not the whole shelf."""
    masks: list[list[bool]] = []
    if filters.brands:
        masks.append([item.brand in filters.brands for item in items])
    if filters.languages:
        masks.append([item.language in filters.languages for item in items])
    if filters.categories:
        paths = filters.categories
        masks.append([any(item.category[: len(path)] == path for path in paths) for item in items])
    if filters.price_min is not None:
        masks.append([item.price is not None and item.price >= filters.price_min for item in items])
    if filters.price_max is not None:
        masks.append([item.price is not None and item.price <= filters.price_max for item in items])
    for name, values in filters.attributes.items():
        masks.append([item.attributes.get(name) in values for item in items])
    if filters.exclude:
        masks.append([item.id not in filters.exclude for item in items])
    passing = np.ones(len(items), dtype=np.bool_)
    for mask in masks:
        passing &= np.array(mask, dtype=np.bool_)
    return passing


def _boosted(firing: Sequence[Rule], rows: Rows, scores: Scores, items: Sequence[Item]) -> tuple[Rows, Scores]:
    boosts = [boost for rule in firing for boost in rule.then.boosts]
    if not boosts or not len(rows):
        return rows, scores
    factors = np.ones(len(rows), dtype=np.float32)
    for boost in boosts:
        factors[_passing(items, boost.filters)] *= np.float32(boost.factor)
    lowest = np.float32(min(0.0, float(scores.min())))  # a ranker may score below 0: factors count from the lowest
    scores = (scores - lowest) * factors + lowest
    order = np.argsort(-scores, kind="stable")
    return rows[order], scores[order]


def _placed(pins: Mapping[int, int], rows: Rows, scores: Scores) -> tuple[Rows, Scores]:
    """The rows with the pinned ones at their positions, those beyond the end at the end."""
    if not pins:
        return rows, scores
    positions = sorted(pins)
    places = [min(position - 1, len(rows) + before) for before, position in enumerate(positions)]
    before = np.array(places, dtype=np.int64) - np.arange(len(places))  # how many of `rows` come first
    padded = np.append(scores, scores[-1:] if len(scores) else np.zeros(1, dtype=np.float32))
    pinned = np.array([pins[position] for position in positions], dtype=np.int64)
    return np.insert(rows, before, pinned), np.insert(scores, before, padded[before])


def _holds(when: When, situation: Situation) -> bool:
    """The conditions other than the words, which the index looked up."""
    if when.start is not None and situation.time < when.start:
        return False
    if when.end is not None and situation.time >= when.end:
        return False
    if when.languages and situation.language not in when.languages:
        return False
    if any(situation.customer.get(name) not in values for name, values in when.segments.items()):
        return False
    if not when.categories:
        return True
    return any(path[: len(wanted)] == wanted for path in situation.categories for wanted in when.categories)


def _query(firing: Sequence[Rule]) -> str:
    return next((rule.then.query for rule in firing if rule.then.query), "")


def _plain(query: str) -> str:
    """A query as whole queries are compared: NFKC, no case, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", query).casefold().split())

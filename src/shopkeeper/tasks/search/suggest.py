"""Autocomplete: what somebody who types may be on the way to: queries, products, categories, brands.

Everything is in memory and changes with every search and every item. A query is offered to others only when at least two
people asked it and it finds something, so nobody's private words are shown to anybody else.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shopkeeper.errors import InputError
from shopkeeper.records import EventKind, Item, now
from shopkeeper.retrieval.analysis import is_chinese, normalise, terms
from shopkeeper.retrieval.understanding.completion import Completions, beginnings, cut_words, pieces, slips
from shopkeeper.retrieval.understanding.pinyin import PinyinIndex
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.search.task import clean

_HALF_LIFE = 60 * 86_400.0
"""Seconds after which a search counts half."""
_ASKERS = 2
_LONGEST = 80
"""Characters of a query that is remembered."""
_TYPED = 64
"""Characters that are read of what is typed."""
_OWN, _CUSTOMERS = 50, 100_000
"""Queries remembered of a customer, customers remembered."""
_REMEMBERED = 200_000
"""Different queries remembered at most; beyond that the rare half is forgotten."""
_SLIPS_FROM = 4
_SPARE = 4
"""How many times more are looked up than are shown, for those that say the same."""
_BETWEEN = "\x1f"

_Way = list[list[str]]
"""For each thing typed, beginnings of words of which a phrase must hold one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One line of an autocomplete.

    Attributes:
        text: What is shown and, for a query, asked.
        ranges: (start, end) in `text` of what was typed, for showing it apart.
        item: Id of a product, else empty.
        category: Path of a category, else empty.
        own: Did this customer ask it before?
    """

    text: str
    ranges: tuple[tuple[int, int], ...] = ()
    item: str = ""
    category: tuple[str, ...] = ()
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """All that is offered for what was typed, the best first of each; `seconds` of wall time spent."""

    queries: tuple[Suggestion, ...] = ()
    products: tuple[Suggestion, ...] = ()
    categories: tuple[Suggestion, ...] = ()
    brands: tuple[Suggestion, ...] = ()
    seconds: float = 0.0


@dataclass(slots=True)
class _Asked:
    weight: float = 0.0
    askers: set[str] = field(default_factory=set)
    offered: bool = False


class SuggestTask:
    """Suggests while somebody types. Any thread may ask and any may tell what is new.

    Args:
        pinyin: Reads pinyin by the words of the shop; whoever owns its vocabulary fills it.
    """

    def __init__(self, pinyin: PinyinIndex) -> None:
        self.pinyin = pinyin
        self._queries, self._products = Completions(), Completions()
        self._categories, self._brands = Completions(), Completions()
        self._shown: dict[str, tuple[str, ...]] = {}
        self._product: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._asked: dict[str, _Asked] = {}
        self._own: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        self._start = 0.0
        self._lock = threading.RLock()

    def put(self, item: Item, weight: float = 1.0) -> None:
        """Offer an item, in place of what was offered under its id; one that cannot be sold is not offered.

        Args:
            item: The item.
            weight: Above 0; how much it sells, say.
        """
        with self._lock:
            self.drop(item.id)
            if not item.showable:
                return
            self._products.put(item.id, item.title, weight)
            self._product[item.id] = f"{_BETWEEN}{item.group}" if item.group else normalise(item.title)
            paths = (_BETWEEN.join(item.category[: depth + 1]) for depth in range(len(item.category)))
            groups = (*paths, *([_BETWEEN + item.brand] if item.brand else []))
            self._shown[item.id] = groups
            self._count(groups, 1)

    def drop(self, item: str) -> None:
        """Offer an item no more; categories and brands go with the last item in them."""
        with self._lock:
            self._products.drop(item)
            self._product.pop(item, None)
            self._count(self._shown.pop(item, ()), -1)

    def note(
        self, query: str, *, customer: str = "", session: str = "", found: bool = True, at: datetime | None = None
    ) -> None:
        """Take note of a search.

        Args:
            query: As typed.
            customer: Who asked; without one, the session tells people apart.
            session: In which visit.
            found: Whether it found anything; a query that finds nothing is not offered.
            at: When; now if left out. Older searches count less.
        """
        text = " ".join(clean(query).lower().split())
        if not 2 <= len(text) <= _LONGEST:
            return
        moment = (at or now()).timestamp()
        with self._lock:
            self._start = self._start or moment
            asked = self._asked.setdefault(text, _Asked())
            asked.weight += 2.0 ** (
                (moment - self._start) / _HALF_LIFE
            )  # grows instead of decaying: the order is the same
            asker = customer or session
            if asker and len(asked.askers) < _ASKERS:
                asked.askers.add(asker)
            self._offer(text, asked, found=found)
            if len(self._asked) > _REMEMBERED:
                self._forget_the_rare()
            if customer:
                own = self._own.setdefault(customer, OrderedDict())
                self._own.move_to_end(customer)
                own[text] = None
                own.move_to_end(text)
                if len(own) > _OWN:
                    own.popitem(last=False)
                if len(self._own) > _CUSTOMERS:
                    self._own.popitem(last=False)

    def learn(self, store: Store, finds: Callable[[str], bool]) -> int:
        """Take note of all searches in the log; returns how many queries may be offered.

        Args:
            store: The events.
            finds: Whether a query finds anything today; asked only of those that enough people asked.
        """
        frame = store.events.frame(kinds=[EventKind.SEARCH])
        for query, customer, session, at in frame.select("query", "customer", "session", "time").iter_rows():
            self.note(query or "", customer=customer or "", session=session or "", at=at)
        with self._lock:
            asked = [text for text, asked in self._asked.items() if len(asked.askers) >= _ASKERS]
        empty = [text for text in asked if not finds(text)]
        for text in empty:
            self._queries.put(text, text, 0.0)
        return len(asked) - len(empty)

    def settle(self) -> None:
        """File all that was put and learnt, so that nobody who types waits for it."""
        for kind in (self._queries, self._products, self._categories, self._brands):
            kind.settle()

    def forget(self, customer: str) -> None:
        """Forget what a customer asked, and that they asked."""
        with self._lock:
            self._own.pop(customer, None)
            for text, asked in self._asked.items():
                if customer in asked.askers:
                    asked.askers.discard(customer)
                    self._offer(text, asked, found=False)

    def suggest(self, typed: str, *, customer: str = "", most: int = 5) -> Suggestions:
        """What may be meant by what was typed so far: at most `most` queries, products, categories and brands each.

        Words may be typed in any order and each only begun; from the fourth letter on, a slip is forgiven where little is
        found; pinyin and initials find Chinese. A customer's own queries come first. For nothing typed, only queries come.

        Raises:
            InputError: `most` is negative.
        """
        began = time.perf_counter()
        if most < 0:
            raise InputError("most must not be negative.", where="most", cure="Count from 0.")
        parts = pieces(clean(typed[: 4 * _TYPED])[:_TYPED])
        ways = self._ways(parts)
        own = self._remembered(customer, parts, most)
        queries = [Suggestion(text=text, ranges=_marked(text, ways[:1]), own=True) for text in own]
        said = {_meaning(text) for text in own}
        for _, text, way in self._found(self._queries, ways, most):
            if len(queries) < most and _meaning(text) not in said:
                said.add(_meaning(text))
                queries.append(Suggestion(text=text, ranges=_marked(text, [way])))
        if not parts:
            return Suggestions(queries=tuple(queries), seconds=time.perf_counter() - began)
        products: dict[str, tuple[str, str, _Way]] = {}  # one line for all variants of a product
        for key, text, way in self._found(self._products, ways, most):
            products.setdefault(self._product.get(key, key), (key, text, way))
        categories = self._found(self._categories, ways, most)[:most]
        return Suggestions(
            queries=tuple(queries),
            products=tuple(
                Suggestion(text=text, ranges=_marked(text, [way]), item=key)
                for key, text, way in list(products.values())[:most]
            ),
            categories=tuple(
                Suggestion(text=text, ranges=_marked(text, [way]), category=tuple(key.split(_BETWEEN)))
                for key, text, way in categories
            ),
            brands=tuple(
                Suggestion(text=text, ranges=_marked(text, [way]))
                for _, text, way in self._found(self._brands, ways, most)[:most]
            ),
            seconds=time.perf_counter() - began,
        )

    def _offer(self, text: str, asked: _Asked, *, found: bool) -> None:
        """Let others find a query that enough people asked; what only one asked is not even filed."""
        offered = found and len(asked.askers) >= _ASKERS
        if offered or asked.offered:
            self._queries.put(text, text, asked.weight if offered else 0.0)
        asked.offered = asked.offered or offered

    def _forget_the_rare(self) -> None:
        rare = sorted(self._asked, key=lambda text: (self._asked[text].offered, self._asked[text].weight))
        for text in rare[: len(rare) // 2]:
            del self._asked[text]
            self._queries.drop(text)

    def _count(self, groups: Iterable[str], change: int) -> None:
        for group in groups:
            self._counts[group] = self._counts.get(group, 0) + change
            kind = self._brands if group.startswith(_BETWEEN) else self._categories
            if self._counts[group]:
                kind.put(group, group.rsplit(_BETWEEN, 1)[-1], float(self._counts[group]))
            else:
                del self._counts[group]
                kind.drop(group)

    def _ways(self, parts: Sequence[str]) -> list[_Way]:
        """How to look up what was typed, the surest way first: as it is or by its sound, cut into words, with a slip."""
        latin = len(parts)
        while latin and parts[latin - 1].isascii():
            latin -= 1
        plain: _Way = [[part] for part in parts]
        ways = [plain]
        sounding = self.pinyin.complete_words(" ".join(parts[latin:]))
        if len(sounding) == len(parts) - latin == 1:
            plain[latin] = [parts[latin], *sounding[0]]
        elif sounding:
            ways.append([*plain[:latin], *sounding])
        cut = [word for part in parts for word in (cut_words(part) if is_chinese(part) else [part])]
        if len(cut) > len(parts):
            ways.append([[word] for word in cut])
        forgiven = [_forgiven(part) for part in parts]
        if any(len(options) > 1 for options in forgiven):
            ways.append(forgiven)
        return ways

    def _found(self, phrases: Completions, ways: Sequence[_Way], most: int) -> list[tuple[str, str, _Way]]:
        """(key, text, way) of phrases; a way is gone only where the surer ones found too few."""
        found: dict[str, tuple[str, str, _Way]] = {}
        for way in ways:
            for key, text in phrases.find(way, _SPARE * most):
                found.setdefault(key, (key, text, way))
            if len(found) >= most:
                break
        return list(found.values())

    def _remembered(self, customer: str, parts: Sequence[str], most: int) -> list[str]:
        with self._lock:
            own = list(reversed(self._own.get(customer, ())))
        fitting: list[str] = []
        for text in own:
            if len(fitting) == most:
                break
            words = beginnings(text)
            if all(any(word.startswith(part) for word in words) for part in parts):
                fitting.append(text)
        return fitting


def _forgiven(part: str) -> list[str]:
    return [part, *slips(part)] if len(part) >= _SLIPS_FROM and part.isascii() and part.isalpha() else [part]


def _meaning(text: str) -> tuple[str, ...]:
    """What a query says whatever the form and order of its words."""
    return tuple(sorted(terms(text))) or (text,)


def _marked(text: str, ways: Sequence[_Way]) -> tuple[tuple[int, int], ...]:
    """Where the words of a text begin like one of the options that led to it, in order, without overlap."""
    options = {beginning for way in ways for options in way for beginning in options}
    lengths = sorted({len(beginning) for beginning in options}, reverse=True)
    plain = "".join((normalise(letter) or letter)[0] for letter in text)
    ranges: list[tuple[int, int]] = []
    for at, letter in enumerate(plain):
        inside = at and plain[at - 1].isalnum() and not is_chinese(letter) and not is_chinese(plain[at - 1])
        if inside or (ranges and at < ranges[-1][1]):
            continue
        length = next((length for length in lengths if plain[at : at + length] in options), 0)
        if length:
            ranges.append((at, at + length))
    return tuple(ranges)

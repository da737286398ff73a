"""Values of the catalogue named in a query: brands, categories and attributes with few values such as colours.

A word is not always the value it spells: "apple" is a brand in an electronics shop and fruit in a grocery, "orange" in
"orange juice" is no colour. How sure a reading is follows from the items that hold the word: the share of them that have
the value, in the categories the query speaks of. So these are preferences, never filters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import normalise, terms, words
from shopkeeper.retrieval.understanding.categories import CategoryCounts, Path
from shopkeeper.retrieval.understanding.colours import NO_COLOUR, SAME
from shopkeeper.retrieval.understanding.nouns import Preference

BRAND, CATEGORY = "brand", "category"
LEAST = 0.3
"""Readings less sure than this are left out."""
MOST = 8
_MOST_FIELDS = 4
_MOST_VALUES = 400
_FEW_VALUES = 20
_LONGEST_KEY = 6
_LONGEST_VALUE = 32
_DOUBT = 0.5
_NAMED_SHARE = 0.2

_NUMBER = re.compile(r"[\d\s.,/x×*%+-]*")
_FLAGS = frozenset(["yes", "no", "true", "false", "n/a", "none", "other", "是", "否", "有", "无", "其他", "其它"])
_PARTS = re.compile(r"[/|()（）]+")
_JOINTS = re.compile(r"[-./+'’&_]")
_SIZES = re.compile(r"(?:(?:shoe|clothing|apparel|us|uk|eu) )?sizes?|尺码|码数|鞋码|尺寸|规格", re.IGNORECASE)
_NEGATED = re.compile(r"(?<![\w'-])(no|not|without|non)[\s-]([a-z]+)")
_NEGATED_HAN = re.compile(r"(不含有?|不带|不要|没有|非)([\u3400-\u9fff]{1,4})")

Value = tuple[str, str]
"""A field and how the catalogue spells the value; categories as ``Garden > Tools``."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A preference and the words, normalised, that named it."""

    preference: Preference
    words: str


class Gazetteer:
    """Every value of the catalogue by the terms that name it, kept up to date item by item.

    Args:
        counts: Which items hold which terms; `put` and `drop` keep it up to date, too.
    """

    def __init__(self, counts: CategoryCounts) -> None:
        self._counts = counts
        self._named: dict[str, dict[Value, bool]] = {}
        self._items: Counter[Value] = Counter()
        self._in: dict[Value, Counter[Path]] = {}
        self._fields: dict[str, set[str]] = {}
        self._uses: Counter[str] = Counter()
        self._brands: dict[str, set[str]] = {}
        self._negated: Counter[tuple[str, str]] = Counter()

    def put(self, item: Item) -> None:
        """Learn the values of an item; an item that changed is dropped first."""
        self._counts.put(item.category, _held(item))
        self._negated.update(_negated(item.title))
        if item.brand:
            self._brands.setdefault(item.brand, set()).add(item.id)
        for value in set(_values(item)):
            if not self._items[value]:
                self._fields.setdefault(value[0], set()).add(value[1])
                for key, own in _keys(value):
                    self._named.setdefault(key, {})[value] = own
            self._items[value] += 1
            self._uses[value[0]] += 1
            self._in.setdefault(value, Counter())[item.category] += 1

    def drop(self, item: Item) -> None:
        """Forget what `put` learnt from the same item."""
        self._counts.drop(item.category, _held(item))
        self._negated.subtract(_negated(item.title))
        self._brands.get(item.brand, set()).discard(item.id)
        for value in set(_values(item)):
            self._items[value] -= 1
            self._uses[value[0]] -= 1
            self._in[value][item.category] -= 1
            if self._items[value]:
                continue
            del self._items[value], self._in[value]
            self._fields[value[0]].discard(value[1])
            for key, _ in _keys(value):
                del self._named[key][value]
                if not self._named[key]:
                    del self._named[key]

    def read(self, query: str, likely: Sequence[tuple[Path, float]] = ()) -> list[Reading]:
        """The values that a query names, longest first from the left, surest first in the answer.

        Args:
            query: Its words.
            likely: Categories it speaks of, with probabilities that add up to at most 1.
        """
        found: dict[Value, Reading] = {}
        pairs = words(query)[:64]
        place = 0
        while place < len(pairs):
            if tuple(word for _, word in pairs[place : place + 2]) in NO_COLOUR:
                place += 2
                continue
            for length in range(min(_LONGEST_KEY, len(pairs) - place), 0, -1):
                key = " ".join(term for term, _ in pairs[place : place + length])
                named = self._named.get(key)
                if named and self._read(key, named, pairs[place : place + length], likely, found):
                    place += length
                    break
            else:
                place += 1
        return sorted(found.values(), key=_sureness)[:MOST]

    def size(self, value: str) -> list[Preference]:
        """Items of a size, under the names that the catalogue has for sizes; else one guess called ``size``."""
        wanted = value.casefold()
        found = [
            Preference(field=field, value=spelt, certainty=0.8)
            for field, spellings in list(self._fields.items())
            if _SIZES.fullmatch(field)
            for spelt in sorted(spellings)
            if spelt.casefold().removeprefix("us ").removesuffix("码") == wanted
        ]
        return found[:MOST] or [Preference(field="size", value=value, certainty=0.5)]

    def brand(self, name: str) -> tuple[str, frozenset[str]] | None:
        """A brand as the catalogue spells it, with the ids of its items, or None."""
        for field, spelt in list(self._named.get(" ".join(terms(name)), {})):
            if field == BRAND:
                return spelt, frozenset(self._brands.get(spelt, ()))
        return None

    def knows(self, words: str) -> bool:
        """Whether these words are a brand or the value of an attribute with few values."""
        named = list(self._named.get(" ".join(terms(words)), {}))
        return any(field != CATEGORY and self._closed(field) for field, _ in named)

    def calls(self, negator: str, words: str) -> bool:
        """Whether titles use negator and words as a name: a fifth of those that hold the words have them together."""
        found = terms(words)
        if not found:
            return False
        together = self._negated[negator, words] or self._negated[negator, found[0]]
        return together > 0 and together >= _NAMED_SHARE * self._counts.holding(found[0])

    def _read(
        self,
        key: str,
        named: dict[Value, bool],
        pairs: Sequence[tuple[str, str]],
        likely: Sequence[tuple[Path, float]],
        found: dict[Value, Reading],
    ) -> bool:
        """Adds the readings of one key that are sure enough; says whether there is any."""
        said = " ".join(dict.fromkeys(word for _, word in pairs))
        readings = []
        for value, own in list(named.items()):
            if self._closed(value[0]):
                certainty = self._certainty(value, key.split(), likely) if own else self._alike(value, key, likely)
                if certainty >= LEAST:
                    preference = Preference(field=value[0], value=value[1], certainty=round(certainty, 3))
                    readings.append(Reading(preference, said))
        for reading in sorted(readings, key=_sureness)[:_MOST_FIELDS]:
            value = reading.preference.field, reading.preference.value
            if value not in found or found[value].preference.certainty < reading.preference.certainty:
                found[value] = reading
        return bool(readings)

    def _certainty(self, value: Value, key: list[str], likely: Sequence[tuple[Path, float]]) -> float:
        """Share of the items holding the key's rarest term that have the value, weighed over the likely categories."""
        rarest = min(key, key=self._counts.holding)
        having, holding = self._items[value], self._counts.holding(rarest)
        overall = having / (max(having, holding) + _DOUBT)
        certainty, left = 0.0, 1.0
        by_path = self._counts.by_path(rarest)
        within = self._in.get(value, Counter())
        for path, probability in likely:
            inside = (within[path] + overall) / (max(by_path.get(path, 0), within[path]) + 1)
            certainty += probability * inside
            left -= probability
        return min(1.0, certainty + max(0.0, left) * overall)

    def _alike(self, value: Value, key: str, likely: Sequence[tuple[Path, float]]) -> float:
        """The same for another name of a colour: what holds that name without being so counts against it."""
        names = [name for name, own in _keys(value) if own]
        if not names:
            return 0.0
        holding = min(map(self._counts.holding, key.split()))
        named = list(self._named.get(key, {}).items())
        meant = max((self._items[other] for other, own in named if own), default=0)
        having = self._items[value]
        return self._certainty(value, names[0].split(), likely) * having / (having + max(0, holding - meant))

    def _closed(self, field: str) -> bool:
        """Whether a field has few values: brands and categories count as such, however many there are."""
        if field in (BRAND, CATEGORY):
            return True
        distinct = len(self._fields[field])
        return distinct <= _FEW_VALUES or (distinct <= _MOST_VALUES and 2 * distinct <= self._uses[field])


def _sureness(reading: Reading) -> tuple[float, str, str]:
    return -reading.preference.certainty, reading.preference.field, reading.preference.value


def _values(item: Item) -> Iterator[Value]:
    if item.brand:
        yield BRAND, item.brand
    for depth in range(len(item.category)):
        yield CATEGORY, " > ".join(item.category[: depth + 1])
    for name, value in item.attributes.items():
        if _short(value) and (not _NUMBER.fullmatch(value) or _SIZES.fullmatch(name)):
            yield name, value


def _short(value: str) -> bool:
    return 0 < len(value) <= _LONGEST_VALUE and value.casefold() not in _FLAGS


def _held(item: Item) -> frozenset[str]:
    """The terms an item is named by; numbers among its attributes say nothing about what it is."""
    values = (value for value in item.attributes.values() if _short(value) and not _NUMBER.fullmatch(value))
    return frozenset(term for text in (item.title, item.brand, *item.category, *values) for term in _terms(text))


@lru_cache(maxsize=100_000)
def _terms(text: str) -> tuple[str, ...]:
    return tuple(terms(text))


@lru_cache(maxsize=100_000)
def _keys(value: Value) -> tuple[tuple[str, bool], ...]:
    """The keys that name a value, and whether the value itself is spelt so (or a colour is called so)."""
    field, spelt = value
    name = spelt.rsplit(" > ", 1)[-1] if field == CATEGORY else spelt
    names = [name, *_PARTS.split(name), _JOINTS.sub("", name), _JOINTS.sub(" ", name)]
    keys = dict.fromkeys((" ".join(terms(name)) for name in names), True)
    if field not in (BRAND, CATEGORY):
        for other in SAME.get(normalise(spelt), ()):
            keys.setdefault(" ".join(terms(other)), False)
    return tuple((key, own) for key, own in keys.items() if _telling(key))


def _telling(key: str) -> bool:
    """Whether a key is more than a number or one Latin letter, and not too long."""
    return not _NUMBER.fullmatch(key) and not (len(key) == 1 and key.isascii()) and key.count(" ") < _LONGEST_KEY


def _negated(title: str) -> Iterator[tuple[str, str]]:
    """Negators of a title, each with the term or the beginnings of the Chinese words behind it."""
    low = title.lower()
    for found in _NEGATED.finditer(low):
        yield found[1], terms(found[2])[0]
    for found in _NEGATED_HAN.finditer(low):
        for length in range(1, len(found[2]) + 1):
            yield found[1], found[2][:length]

"""Reads a query: cleans it, takes constraints out of its words, and says what the rest seems to prefer.

A reading is a guess that the customer sees as chips. Whatever chip was taken away is not read again: its words are words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from shopkeeper.records import Filters, Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.understanding.categories import CategoryCounts, CategoryGuess
from shopkeeper.retrieval.understanding.constraints import Constraint, constraints
from shopkeeper.retrieval.understanding.entities import BRAND, CATEGORY, Gazetteer, Reading
from shopkeeper.retrieval.understanding.nouns import Chip, Preference, Understood
from shopkeeper.retrieval.understanding.quantities import sizes
from shopkeeper.retrieval.understanding.script import clean, language_of, lowered, simplified
from shopkeeper.retrieval.understanding.tagged import Tags, weighed

SHOWN = 0.5
"""Preferences at least this sure get a chip."""
_MOST_TERMS = 32
_FIELDS = {BRAND: ("brand", "品牌"), CATEGORY: ("category", "类目")}
_RAGS = re.compile(r"^(?:[\s,;、”]|(?:and|but|or)\s)+|(?:[\s,;.、”]|\s(?:and|but|or|-))+$", re.IGNORECASE)


class QueryReader:
    """Reads queries for one catalogue, kept up to date item by item. Reading beside one writer is safe.

    Args:
        items: What is in the catalogue now.
        tagger: Trained on marked titles; helps to tell a brand from a word. None for the catalogue's values alone.
    """

    def __init__(self, items: Iterable[Item] = (), tagger: Tags | None = None) -> None:
        self.tagger = tagger
        self._items: dict[str, Item] = {}
        counts = CategoryCounts()
        self._gazetteer = Gazetteer(counts)
        self._guess = CategoryGuess(counts)
        self._traditional = 0
        self._chinese = 0
        for item in items:
            self.put(item)

    def put(self, item: Item) -> None:
        """Learn an item; one with the same id is forgotten first."""
        self.drop(item.id)
        self._items[item.id] = item
        self._gazetteer.put(item)
        self._count_script(item, 1)

    def known(self, item: str) -> Item | None:
        """What was learnt under an id."""
        return self._items.get(item)

    def drop(self, item: str) -> None:
        """Forget the item of an id; unknown ones are ignored."""
        known = self._items.pop(item, None)
        if known is not None:
            self._gazetteer.drop(known)
            self._count_script(known, -1)

    def read(self, query: str, ignore: Collection[str] = ()) -> Understood:
        """What a query means.

        Args:
            query: As typed; anything at all.
            ignore: Keys of chips that the customer took away; what they spoke of is not read.
        """
        typed = clean(query)
        if 2 * self._traditional <= self._chinese:  # a shop that writes traditional characters is searched with them
            typed = simplified(typed)
        said = constraints(typed, self._gazetteer)
        held = [constraint for constraint in said if constraint.chip.key not in ignore]
        words = _without(typed, held)
        preferences, chips = self._preferences(words, held, ignore)
        excluded, banned, exclude_chips = self._excluded(held)
        price = next((constraint for constraint in held if constraint.chip.kind == "price"), None)
        return Understood(
            typed=typed,
            words=words,
            filters=Filters(
                price_min=price.low if price else None, price_max=price.high if price else None, exclude=banned
            ),
            exclude=excluded,
            preferences=preferences,
            sort=next((constraint.sort for constraint in held if constraint.sort), ""),
            language=language_of(typed),
            chips=(*(each.chip for each in held if each.chip.kind != "exclude"), *exclude_chips, *chips),
        )

    def _preferences(
        self, words: str, held: Sequence[Constraint], ignore: Collection[str]
    ) -> tuple[tuple[Preference, ...], tuple[Chip, ...]]:
        """What items should rather have, surest first, and the chips of what is sure enough."""
        found = terms(words)[:_MOST_TERMS]
        likely = self._guess.guess(found)
        readings = self._gazetteer.read(words, likely)
        if self.tagger is not None:
            readings = weighed(readings, words, self.tagger)
        known = {(reading.preference.field, reading.preference.value) for reading in readings}
        for path, probability in likely:
            preference = Preference(field=CATEGORY, value=" > ".join(path), certainty=round(probability, 3))
            if (CATEGORY, preference.value) not in known:
                readings.append(Reading(preference, ""))
        kept: list[Preference] = []
        chips: list[Chip] = []
        for size in sizes(lowered(words)):
            key = f"size:{size.value}"
            if key not in ignore and not any(chip.key == key for chip in chips):
                kept += self._gazetteer.size(size.value)
                shown = {"en": f"size {size.value}", "zh": f"尺码 {size.value}"}
                chips.append(Chip(key=key, kind="quantity", words=words[size.start : size.end].strip(), text=shown))
        for constraint in held:
            if constraint.stars is not None:
                kept.append(Preference(field="rating", value=f"{constraint.stars:g}", certainty=1.0))
        readings.sort(key=lambda reading: -reading.preference.certainty)
        dropped = {reading.words for reading in readings if reading.words and _key(reading) in ignore}
        shown_words: set[str] = set()
        for reading in readings:
            if reading.words in dropped or _key(reading) in ignore:
                continue
            kept.append(reading.preference)
            if reading.words and reading.words not in shown_words and reading.preference.certainty >= SHOWN:
                shown_words.add(reading.words)
                chips.append(_chip(reading))
        return tuple(kept), tuple(chips)

    def _excluded(self, held: Sequence[Constraint]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Chip, ...]]:
        """Words that must not stand in an item, ids of items whose brand is not wanted, and the chips of both."""
        unwanted: list[str] = []
        banned: set[str] = set()
        chips: list[Chip] = []
        for constraint in held:
            if not constraint.excluded:
                continue
            brand = self._gazetteer.brand(constraint.excluded)
            if brand is None:
                unwanted.append(constraint.excluded)
            else:
                banned.update(brand[1])
            chips.append(constraint.chip)
        return tuple(unwanted), tuple(sorted(banned)), tuple(chips)

    def _count_script(self, item: Item, step: int) -> None:
        plain = simplified(item.title)
        if language_of(item.title) == "zh":
            self._chinese += step
            self._traditional += step * (plain != item.title)


def _without(typed: str, held: Sequence[Constraint]) -> str:
    """The words left once constraints are out; a place that several share goes unless all of them were taken back."""
    gone = {place for constraint in held for place in constraint.places}
    if not gone:
        return typed
    left = list(typed)
    for start, end in gone:
        left[start:end] = " " * (end - start)
    return _RAGS.sub("", " ".join("".join(left).split()))


def _key(reading: Reading) -> str:
    return f"{reading.preference.field}:{reading.preference.value}"


def _chip(reading: Reading) -> Chip:
    preference = reading.preference
    kind = preference.field if preference.field in (BRAND, CATEGORY) else "attribute"
    english, chinese = _FIELDS.get(preference.field, (preference.field, preference.field))
    shown = {"en": f"{english}: {preference.value}", "zh": f"{chinese}：{preference.value}"}
    return Chip(key=_key(reading), kind=kind, words=reading.words, text=shown)

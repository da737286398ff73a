"""What customers might type, made up from the catalogue alone, for shops that have no events yet.

People type short phrases that many titles share ("laptop bag"), a brand with a kind of thing, a value with a kind of
thing, a model's number, a few words of the title. Each of these is one small function of an item; `pseudo_queries`
mixes them. A word or phrase is worth typing when several items share it but not the whole shop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shopkeeper.records import Item
from shopkeeper.retrieval import analysis

_WORD = re.compile(r"[a-z0-9][a-z0-9.+&'/-]*[a-z0-9+]|[a-z0-9]|[\u3400-\u9fff]+")
_LONGEST_PHRASE = 3
_FEWEST = 3  # items that must share a phrase
_MOST = 0.2  # share of the items beyond which a phrase says nothing
_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "it",
        "of",
        "on",
        "or",
        "per",
        "the",
        "to",
        "up",
        "with",
        "w",
        "x",
        "pc",
        "pcs",
        "s",
        "的",
        "和",
        "与",
        "了",
    ]
)

Maker = Callable[[Item, "Phrases", np.random.Generator], str]


@dataclass(frozen=True, slots=True)
class Phrases:
    """How many items' words hold each phrase worth typing."""

    counts: dict[str, int]

    def within(self, text: str) -> list[str]:
        """The known phrases of a text, each once, in order of place."""
        return list(dict.fromkeys(phrase for phrase in _phrases(text) if phrase in self.counts))


def words(text: str) -> list[str]:
    """Lower-case words and numbers; Chinese runs are cut into words.

    >>> words("HP 15.6-inch Laptop, 8GB")
    ['hp', '15.6-inch', 'laptop', '8gb']
    """
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        found.extend(_cut(word) if word[0] >= "\u3400" else [word])
    return found


def learn_phrases(items: Sequence[Item]) -> Phrases:
    """Count the phrases of one to three words in titles and the heads of descriptions."""
    counts: Counter[str] = Counter()
    for item in items:
        counts.update(set(_phrases(item.title)) | set(_phrases(_first_sentence(item.description))))
    most = max(_FEWEST, _MOST * len(items))
    fewest = _FEWEST if len(items) >= 100 else 1
    return Phrases({phrase: count for phrase, count in counts.items() if fewest <= count <= most})


def phrase_query(item: Item, phrases: Phrases, rng: np.random.Generator) -> str:
    """A phrase that this item shares with others; common ones are likelier, as they are in real searches."""
    known = phrases.within(item.title) or phrases.within(_first_sentence(item.description))
    if not known:
        return ""
    odds = np.array([phrases.counts[phrase] ** 0.5 for phrase in known])
    return known[int(rng.choice(len(known), p=odds / odds.sum()))]


def brand_query(item: Item, phrases: Phrases, rng: np.random.Generator) -> str:
    """The brand and a shared phrase, or the brand and the category's last name."""
    phrase = phrase_query(item, phrases, rng) or (item.category[-1].lower() if item.category else "")
    if not item.brand or not phrase or item.brand.lower() in phrase:
        return ""
    return f"{item.brand.lower()} {phrase}"


def attribute_query(item: Item, phrases: Phrases, rng: np.random.Generator) -> str:
    """A readable attribute's value and what kind of thing it is ("black laptop bag")."""
    values = [
        value for value in item.attributes.values() if 2 <= len(value) <= 20 and not value.replace(".", "").isdigit()
    ]
    values = [value for value in values if value.lower() not in ("true", "false", "yes", "no")]
    kind = item.category[-1].lower() if item.category else phrase_query(item, phrases, rng)
    if not values or not kind:
        return ""
    value = values[int(rng.integers(len(values)))].lower()
    return kind if value in kind else f"{value} {kind}"


def title_words(item: Item, phrases: Phrases, rng: np.random.Generator) -> str:  # noqa: ARG001 - a maker by shape
    """Two to four of the title's words in their order."""
    known = [word for word in dict.fromkeys(words(item.title)) if word not in _STOP]
    if len(known) < 2:
        return " ".join(known)
    count = int(rng.integers(2, min(4, len(known)) + 1))
    places = np.sort(rng.choice(len(known), size=count, replace=False))
    return " ".join(known[place] for place in places)


def whole_title(item: Item, phrases: Phrases, rng: np.random.Generator) -> str:  # noqa: ARG001 - a maker by shape
    """The title as it is, of an item that says more than its title; what it has to find is then the rest of the item."""
    return item.title if item.description or item.attributes or item.category else ""


def category_query(item: Item, phrases: Phrases, rng: np.random.Generator) -> str:  # noqa: ARG001 - a maker by shape
    """One of the names on the category path."""
    return item.category[int(rng.integers(len(item.category)))].lower() if item.category else ""


def misspelt(query: str, rng: np.random.Generator) -> str:
    """The query with one slip of the finger in one of its longer Latin words, if it has any."""
    parts = query.split(" ")
    long = [place for place, part in enumerate(parts) if len(part) >= 5 and part.isascii() and part.isalpha()]
    if not long:
        return query
    place = long[int(rng.integers(len(long)))]
    word = parts[place]
    at = int(rng.integers(1, len(word) - 1))
    slips = (
        word[:at] + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at] + word[at:],
    )
    parts[place] = slips[int(rng.integers(len(slips)))]
    return " ".join(parts)


MIX: tuple[tuple[Maker, float], ...] = (
    (phrase_query, 0.4),
    (title_words, 0.2),
    (brand_query, 0.1),
    (attribute_query, 0.1),
    (category_query, 0.1),
    (whole_title, 0.1),
)
"""Makers and how often each is tried first."""


def pseudo_queries(
    items: Sequence[Item],
    phrases: Phrases,
    rng: np.random.Generator,
    *,
    per_item: int = 1,
    mix: Sequence[tuple[Maker, float]] = MIX,
    typos: float = 0.05,
) -> Iterator[tuple[str, str, str]]:
    """(query, item id, maker's name), up to `per_item` different ones for each item, in the items' order.

    Args:
        items: From which to make them.
        phrases: What `learn_phrases` found in the whole catalogue.
        rng: Draws makers, words and slips.
        per_item: Most queries for one item.
        mix: Makers with their weights.
        typos: Share of queries with one slip of the finger.
    """
    makers = [maker for maker, _ in mix]
    weights = np.array([weight for _, weight in mix], dtype=np.float64)
    for item in items:
        made: set[str] = set()
        for _ in range(per_item):
            for place in rng.choice(len(makers), size=len(makers), replace=False, p=weights / weights.sum()):
                query = makers[place](item, phrases, rng).strip()
                if query and query not in made:
                    made.add(query)
                    typed = makers[place] is not whole_title and rng.random() < typos
                    yield (misspelt(query, rng) if typed else query), item.id, makers[place].__name__
                    break


def _phrases(text: str) -> Iterator[str]:
    found = words(text)
    for start in range(len(found)):
        for stop in range(start + 1, min(start + _LONGEST_PHRASE, len(found)) + 1):
            first, last = found[start], found[stop - 1]
            if first in _STOP or last in _STOP or not any(_telling(word) for word in found[start:stop]):
                continue
            yield _joined(found[start:stop])


def _telling(word: str) -> bool:
    return len(word) > 1 and any(letter.isalpha() for letter in word)


def _joined(parts: Sequence[str]) -> str:
    chinese = all(part[0] >= "\u3400" for part in parts)
    return ("" if chinese else " ").join(parts)


def _first_sentence(text: str) -> str:
    return re.split(r"[.!?。！？\n]", text, maxsplit=1)[0][:120]


def _cut(run: str) -> list[str]:
    """A run of Chinese in words that do not overlap: the longest known word at each place."""
    known = {word for word, _ in analysis.words(run)}
    longest = max((len(word) for word in known), default=1)
    found, place = [], 0
    while place < len(run):
        size = next((n for n in range(min(longest, len(run) - place), 0, -1) if run[place : place + n] in known), 1)
        found.append(run[place : place + size])
        place += size
    return found

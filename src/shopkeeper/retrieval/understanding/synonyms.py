"""Synonyms: other words for what was typed, from a file, and from pairs that a human approved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shopkeeper.errors import InputError
from shopkeeper.models.chinese import dictionary
from shopkeeper.retrieval.analysis import is_chinese, normalise, terms
from shopkeeper.store.feeds.lexicon import read_lexicon
from shopkeeper.store.protocols import Labels

TASK = "synonym"
"""Name of the question in the review queue: may these two be searched for each other?"""
YES = "yes"
SAME, APPROVED = 0.8, 0.6
"""Share that hits of another wording count: from a file, from a pair that was mined and approved."""

_TOKEN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+|[^\\W\u3400-\u4dbf\u4e00-\u9fff]+")
_LONGEST = 4
"""Words of a phrase that may have synonyms."""
_MOST = 8
_ARROW = "=>"

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    key: str
    start: int
    end: int


class Synonyms:
    """Phrases and their other wordings. Forms of a word (plural, tense) are one.

    Args:
        others: By phrase, the phrases that may be searched instead, each with the share that its hits count.
    """

    def __init__(self, others: Mapping[str, Mapping[str, float]]) -> None:
        self._others: dict[_Key, dict[str, float]] = {}
        for phrase, variants in others.items():
            key = _key(phrase)
            found = self._others.setdefault(key, {})
            for variant, share in variants.items():
                if key and key != _key(variant):
                    found[variant] = max(share, found.get(variant, 0.0))

    def __len__(self) -> int:
        return len(self._others)

    @classmethod
    def read(cls, path: Path) -> Synonyms:
        """Synonyms of a file.

        A ``.txt`` file has a rule a line, as Lucene's tools write it: ``sofa, couch`` for words of one meaning,
        ``notebook => laptop, ultrabook`` for what may be searched instead of the left side but not the other way round, and
        ``#`` before remarks. All other files are read by `store.feeds.read_lexicon`.

        Raises:
            InputError: The file cannot be read, or a line of it is no rule.
        """
        if path.suffix.lower() != ".txt":
            return cls({word: dict.fromkeys(same, SAME) for word, same in read_lexicon(path).items()})
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The synonyms cannot be read ({error}).", where=str(path), cure="Use UTF-8.") from error
        others: dict[str, dict[str, float]] = {}
        for number, line in enumerate(lines, 1):
            rule = line.partition("#")[0].strip()
            if rule:
                for phrase, variants in _of_rule(rule, f"{path}, line {number}"):
                    others.setdefault(phrase, {}).update(dict.fromkeys(variants, SAME))
        return cls(others)

    def with_pairs(self, pairs: Iterable[tuple[str, str]], share: float = APPROVED) -> Synonyms:
        """The same and pairs of phrases that may be searched for each other; a share that is there already stays if higher."""
        more = Synonyms({})
        more._others = {key: dict(variants) for key, variants in self._others.items()}
        for pair in pairs:
            for phrase, other in (pair, pair[::-1]):
                if _key(phrase) and _key(phrase) != _key(other):
                    variants = more._others.setdefault(_key(phrase), {})
                    variants[other] = max(share, variants.get(other, 0.0))
        return more

    def expand(self, words: str) -> tuple[tuple[str, float], ...]:
        """Other wordings of a query, one phrase of it exchanged at a time, each with its share, best first.

        The longest phrase is taken where several begin at a word: "running shoes" before "running".
        """
        units = _units(words)
        found: dict[str, float] = {}
        place = 0
        while place < len(units):
            for length in range(min(_LONGEST, len(units) - place), 0, -1):
                taken = units[place : place + length]
                variants = self._others.get(tuple(unit.key for unit in taken))
                if variants:
                    for variant, share in variants.items():
                        text = words[: taken[0].start] + variant + words[taken[-1].end :]
                        found[text] = max(share, found.get(text, 0.0))
                    place += length - 1
                    break
            place += 1
        return tuple(sorted(found.items(), key=lambda pair: -pair[1])[:_MOST])


def approved(labels: Labels) -> tuple[tuple[str, str], ...]:
    """The mined pairs to which a human said yes."""
    pairs = []
    for decision in labels.decided(TASK):
        left, bar, right = decision.subject.partition("|")
        if decision.label == YES and bar:
            pairs.append((left, right))
    return tuple(pairs)


def _of_rule(rule: str, where: str) -> Iterable[tuple[str, Sequence[str]]]:
    left, arrow, right = rule.partition(_ARROW)
    sides = [
        [phrase.strip() for phrase in side.replace("，", ",").split(",") if phrase.strip()] for side in (left, right)
    ]
    if (arrow and not all(sides)) or (not arrow and len(sides[0]) < 2) or _ARROW in right:
        cure = f'Write "sofa, couch" or "notebook {_ARROW} laptop".'
        raise InputError(f"{rule!r} is no rule for synonyms.", where=where, cure=cure)
    if arrow:
        return [(phrase, sides[1]) for phrase in sides[0]]
    return [(phrase, [other for other in sides[0] if other != phrase]) for phrase in sides[0]]


def _units(text: str) -> list[_Unit]:
    """The words of a text and where they stand: stems of Latin ones, Chinese as the dictionary cuts it."""
    found = []
    for match in _TOKEN.finditer(text):
        start = match.start()
        if is_chinese(match.group()):
            cut = dictionary().tokenize(match.group(), HMM=False)
            found += [_Unit(word, start + begin, start + end) for word, begin, end in cut]
        else:
            found.append(_Unit(" ".join(terms(match.group())) or normalise(match.group()), start, match.end()))
    return found


def _key(phrase: str) -> _Key:
    return tuple(unit.key for unit in _units(phrase))

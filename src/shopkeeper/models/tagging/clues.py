"""Clues about each character of a text, for taggers: its neighbours, the words it lies in, and known mentions.

A clue is a word such as ``c0=红``, kept only as its hash: a table of weights by hash needs no vocabulary, and an unknown
clue has a weight near zero.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.chinese import dictionary
from shopkeeper.models.tagging.spans import Mention

Clues = NDArray[np.int64]
LONGEST = 12
"""Characters of the longest mention that the lexicon remembers."""
_EDGE = "\u2402"


class Lexicon:
    """Mentions of the training texts, and how surely a stretch of text that reads like one is one.

    Attributes:
        mentions: Surface -> kind -> how often it was marked.
        seen: Surface -> how often it occurred at all.
    """

    def __init__(self, mentions: Mapping[str, Mapping[str, int]], seen: Mapping[str, int]) -> None:
        self.mentions = {surface: dict(kinds) for surface, kinds in mentions.items()}
        self.seen = dict(seen)

    @classmethod
    def of(cls, texts: Sequence[str], mentions: Sequence[Sequence[Mention]]) -> Lexicon:
        """Learn from marked texts."""
        marked: dict[str, Counter[str]] = defaultdict(Counter)
        for text, own in zip(texts, mentions, strict=True):
            for start, end, kind in own:
                if 1 < end - start <= LONGEST:
                    marked[lowered(text[start:end])][kind] += 1
        seen: Counter[str] = Counter()
        for text in texts:
            seen.update(surface for _, surface in _stretches(lowered(text), marked))
        return cls(marked, seen)

    def clues(self, text: str, own: Sequence[Mention] | None = None) -> list[set[str]]:
        """What the lexicon says of each character.

        Args:
            text: The text.
            own: Its mentions, when it is one of the training texts: what only this text taught is then not used, as it
                would not be known of a new text.
        """
        text = lowered(text)
        found: list[set[str]] = [set() for _ in text]
        matches = list(_stretches(text, self.mentions))
        here = Counter(surface for _, surface in matches if own is not None)
        taught = Counter((text[start:end], kind) for start, end, kind in own or ())
        longest: dict[int, tuple[int, str]] = {}
        for start, surface in matches:
            occurrences = self.seen[surface] - here[surface]
            for kind, count in self.mentions[surface].items():
                left = count - taught[surface, kind]
                if left <= 0:
                    continue
                sure = f"{kind}{min(3, int(4 * left / max(1, occurrences)))}{'' if left > 1 else '?'}"
                last = len(surface) - 1
                for at in range(len(surface)):
                    place = "B" if at == 0 else "E" if at == last else "M"
                    found[start + at].add(f"x{place}{sure}")
                    if len(surface) > longest.get(start + at, (0, ""))[0]:
                        longest[start + at] = (len(surface), f"y{place}{sure}{min(last, 4)}")
        for at, (_, clue) in longest.items():
            found[at].add(clue)
        return found


def window(text: str) -> list[list[str]]:
    """Clues from the two characters on either side and from the words that jieba cuts."""
    text = lowered(text)
    c = [_EDGE] * 2 + list(text) + [_EDGE] * 2
    s = [_shape(character) for character in c]
    words = _words(text)
    found = []
    for place, (before, word, after, position) in enumerate(words):
        at = place + 2
        found.append(
            [
                *(f"c{n}={c[at + n]}" for n in range(-2, 3)),
                *(f"d{n}={c[at + n]}{c[at + n + 1]}" for n in range(-2, 2)),
                f"t-={c[at - 2]}{c[at - 1]}{c[at]}",
                f"t0={c[at - 1]}{c[at]}{c[at + 1]}",
                f"t+={c[at]}{c[at + 1]}{c[at + 2]}",
                f"s={''.join(s[at - 2 : at + 3])}",
                f"p={position}{s[at]}",
                f"w={position}{word}",
                f"u={position}{before}",
                f"v={position}{after}",
                f"l={position}{min(len(word), 6)}{s[at - 1]}{s[at + 1]}",
                f"e={position}{word[-1]}",
                f"uw={position}{before}|{word}",
                f"wv={position}{word}|{after}",
            ]
        )
    return found


def hashed(clues: Iterable[Iterable[str]], buckets: int) -> Clues:
    """Clues of each character as numbers from 1 to `buckets`, int64 (c, most), padded with 0."""
    rows = [[zlib.crc32(clue.encode("utf-8", "replace")) % buckets + 1 for clue in own] for own in clues]
    table = np.zeros((len(rows), max((len(row) for row in rows), default=0)), dtype=np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


def lowered(text: str) -> str:
    """Lower case, character by character, so that places stay where they are."""
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _stretches(text: str, known: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Start and surface of every stretch of `text` that is in `known`."""
    for start in range(len(text)):
        for end in range(start + 2, min(len(text), start + LONGEST) + 1):
            if (surface := text[start:end]) in known:
                yield start, surface


def _words(text: str) -> list[tuple[str, str, str, str]]:
    """For each character: the word before, its own, the one after, and its place in its own (b, m, e, s)."""
    words = [_EDGE, *dictionary().cut(text), _EDGE]
    found = []
    for number in range(1, len(words) - 1):
        last = len(words[number]) - 1
        for place in range(last + 1):
            position = "s" if last == 0 else "b" if place == 0 else "e" if place == last else "m"
            found.append((words[number - 1], words[number], words[number + 1], position))
    return found


@cache
def _shape(character: str) -> str:
    if character == _EDGE:
        return "|"
    category = unicodedata.category(character)
    return "9" if category == "Nd" else "a" if category in ("Ll", "Lu") else "字" if category == "Lo" else "."

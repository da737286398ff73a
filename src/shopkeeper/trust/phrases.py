"""Phrases made of words that need not stand side by side: "ignore ... previous ... instructions", in linear time."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

Span = tuple[int, int]
_WORD = "(?<![a-z])"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Parts that have to follow each other, each within `gap` characters of the end of the one before.

    Attributes:
        parts: Patterns without unbounded gaps of their own.
        gap: Characters between two parts at most.
        unless: What makes the phrase harmless where it stands in it or right beside it.
    """

    parts: tuple[re.Pattern[str], ...]
    gap: int = 24
    unless: re.Pattern[str] | None = None

    def find(self, text: str) -> Iterator[Span]:
        """Places of the phrase in a text in lower case (`lowered`); where a part could be taken twice, the nearest is."""
        places = []
        for part in self.parts:
            places.append([found.span() for found in part.finditer(text)])
            if not places[-1]:
                return
        starts = [[start for start, _ in spans] for spans in places[1:]]
        done = -1
        for start, end in places[0]:
            if start < done:
                continue
            for spans, firsts in zip(places[1:], starts, strict=True):
                at = bisect_left(firsts, end)
                if at == len(spans) or firsts[at] > end + self.gap:
                    break
                end = spans[at][1]
            else:
                if self.unless is None or not self.unless.search(text[max(0, start - 12) : end + 12]):
                    done = end
                    yield start, end


def phrase(*parts: str, gap: int = 24, unless: str = "") -> Phrase:
    """A phrase of patterns in lower case; in English ones a blank stands for any gap between two words."""
    return Phrase(tuple(re.compile(_pattern(part)) for part in parts), gap, re.compile(unless) if unless else None)


def lowered(text: str) -> str:
    """The text in lower case, every letter at its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _pattern(part: str) -> str:
    part = part.replace(" ?", r"[\s_-]?").replace(" ", r"[\s_*\"'-]{1,3}")
    return part.replace(_WORD, f"{_WORD}(?=[a-z])", 1) if part.startswith(_WORD) else part

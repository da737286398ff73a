"""What the storefront calls things: a talk is not a product, and a list no basket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal


@dataclass(frozen=True)
class Wording:
    """Phrases to put in place of others, by language.

    Attributes:
        english: Pairs of phrase and replacement; whole words. A phrase of small letters also stands for itself with a capital.
        chinese: Pairs of phrase and replacement; anywhere in a sentence.
    """

    english: tuple[tuple[str, str], ...] = ()
    chinese: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, words: Mapping[Literal["en", "zh"], Mapping[str, str]]) -> Wording:
        """From phrase to replacement, by ``en`` and ``zh``."""
        return cls(tuple(words.get("en", {}).items()), tuple(words.get("zh", {}).items()))

    def say(self, text: str, language: str) -> str:
        """A sentence with its phrases replaced, in one pass, the longest first; what stands in braces stays.

        >>> Wording((("items", "talks"), ("item", "talk"))).say("Items like this item: {items}", "en")
        'Talks like this talk: {items}'
        """
        table, pattern = self._chinese if language == "zh" else self._english
        return pattern.sub(lambda found: table[found.group()], text) if table else text

    @cached_property
    def _english(self) -> tuple[dict[str, str], re.Pattern[str]]:
        table = dict(self.english)
        for phrase, said in self.english:
            table.setdefault(_capital(phrase), _capital(said))
        return table, re.compile(rf"(?<![\w{{])(?:{_longest_first(table)})(?![\w}}])")

    @cached_property
    def _chinese(self) -> tuple[dict[str, str], re.Pattern[str]]:
        table = dict(self.chinese)
        return table, re.compile(_longest_first(table))


def _capital(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:]


def _longest_first(table: Mapping[str, str]) -> str:
    return "|".join(map(re.escape, sorted(table, key=len, reverse=True)))

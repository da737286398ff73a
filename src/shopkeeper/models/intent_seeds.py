"""The examples of intents that come with the software, in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "zh")
OUTSIDE: Final = "outside"
"""Heading of messages that are about nothing a shop deals with."""


@dataclass(frozen=True, slots=True)
class Seed:
    """One example.

    Attributes:
        text: What a customer may say.
        language: ``"en"`` or ``"zh"``.
        intents: What is wanted; empty for what is about something else.
    """

    text: str
    language: str
    intents: tuple[str, ...]


@cache
def seeds() -> Sequence[Seed]:
    """All examples, both languages."""
    folder = files("shopkeeper.models") / "data"
    return tuple(
        seed
        for language in LANGUAGES
        for seed in _read((folder / f"intents.{language}.txt").read_text(encoding="utf-8"), language)
    )


def intent_names() -> tuple[str, ...]:
    """The intents that the examples know, in alphabetical order."""
    return tuple(sorted({name for seed in seeds() for name in seed.intents}))


def _read(text: str, language: str) -> list[Seed]:
    """Lines below ``# intent`` or ``# one two``; blank lines say nothing."""
    found: list[Seed] = []
    intents: tuple[str, ...] = ()
    for line in text.splitlines():
        if line.startswith("#"):
            intents = tuple(name for name in line[1:].split() if name != OUTSIDE)
        elif line.strip():
            found.append(Seed(line.strip(), language, intents))
    return found

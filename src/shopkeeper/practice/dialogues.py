"""What the practice shop has written beside its FAQ: policies, and what its people answered in past dialogues."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from typing import Any

from shopkeeper.practice.vocabulary import DATA, LANGUAGES
from shopkeeper.records import Passage, PassageKind


def house_words(start: datetime) -> list[Passage]:
    """Policies and past dialogues; the same every time.

    Args:
        start: First day of the log; the dialogues took place from then on, one a day in each language.
    """
    return [*_policies(), *_past(start)]


def lines_of(name: str) -> dict[str, Any]:
    """A data file of the practice shop."""
    table: dict[str, Any] = tomllib.loads((DATA / f"{name}.toml").read_text("utf-8"))
    return table


def _policies() -> list[Passage]:
    return [
        Passage(
            id=f"policy-{language}-{number + 1}",
            kind=PassageKind.POLICY,
            title=line.split("|")[0],
            text=line.split("|")[1],
            language=language,
        )
        for language in LANGUAGES
        for number, line in enumerate(lines_of("policies")[language])
    ]


def _past(start: datetime) -> list[Passage]:
    found: list[Passage] = []
    for language in LANGUAGES:
        for number, line in enumerate(lines_of("past_dialogues")[language]):
            thread = f"past-{language}-{number + 1}"
            asked = start + timedelta(days=number, hours=11)
            for author, text, moment in zip(
                ("customer", "staff"), line.split("|"), (asked, asked + timedelta(minutes=7)), strict=True
            ):
                found.append(
                    Passage(
                        id=f"{thread}-{author}",
                        kind=PassageKind.DIALOGUE,
                        text=text,
                        thread=thread,
                        author=author,
                        time=moment,
                        language=language,
                    )
                )
    return found

"""Mentions in a text, such as a brand in a title, and their BIO tags by character (Ramshaw and Marcus 1995)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Mention(NamedTuple):
    """A stretch of a text that names something: characters `start` up to `end`, exclusive."""

    start: int
    end: int
    kind: str


def tag_names(kinds: Iterable[str]) -> list[str]:
    """All tags for some kinds, outside first.

    >>> tag_names(["brand"])
    ['O', 'B-brand', 'I-brand']
    """
    return [OUTSIDE, *(f"{place}-{kind}" for kind in kinds for place in "BI")]


def to_bio(length: int, mentions: Iterable[Mention]) -> list[str]:
    """One tag for each of `length` characters. Mentions must not overlap; what lies beyond the text is cut off.

    >>> to_bio(4, [Mention(1, 3, "brand")])
    ['O', 'B-brand', 'I-brand', 'O']
    """
    tags = [OUTSIDE] * length
    for start, end, kind in mentions:
        for place in range(start, min(end, length)):
            tags[place] = f"{'B' if place == start else 'I'}-{kind}"
    return tags


def from_bio(tags: Sequence[str]) -> list[Mention]:
    """The mentions that tags say, in order. An ``I`` that continues nothing of its kind starts a mention of its own.

    >>> from_bio(["O", "B-brand", "I-brand", "I-model"])
    [Mention(start=1, end=3, kind='brand'), Mention(start=3, end=4, kind='model')]
    """
    found: list[Mention] = []
    start, open_kind = 0, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        head, _, kind = tag.partition("-")
        if open_kind and (head != "I" or kind != open_kind):
            found.append(Mention(start, place, open_kind))
            open_kind = ""
        if head in "BI" and not open_kind:
            start, open_kind = place, kind
    return found

"""A text as a check reads it: compatibility forms made plain, nothing unseen, every place known in the original."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_UNSEEN = frozenset(["Cf", "Mn", "Me", "Cc", "Co", "Cn", "Cs"])
_BLANKS = frozenset("\t\n\r\v\f\x85")
_COMMA = re.compile(r"(?<=\d)[，﹐︐](?=\d)")
"""Commas between figures that are no marks of thousands, as the ASCII one may be."""
_LOOKS = (
    ("аеорсухіјԁѕ", "aeopcyxijds"),
    ("АВЕКМНОРСТХІЅ", "ABEKMHOPCTXIS"),
    ("οαν", "oav"),
    ("ΑΒΕΗΙΚΜΝΟΡΤΧ", "ABEHIKMNOPTX"),
)
_ALIKE: dict[str, str] = {
    letter: look for letters, looks in _LOOKS for letter, look in zip(letters, looks, strict=True)
}
"""Cyrillic and Greek letters that look like Latin ones."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A text with compatibility characters in their plain form (NFKC) and without characters that nobody sees.

    Attributes:
        text: The plain text; case is kept.
        places: int64 (len(text) + 1,): where in the original each character began; last, the length of the original.
    """

    text: str
    places: NDArray[np.int64]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the plain characters from `start` up to `end` stand in the original."""
        if start >= end:
            return int(self.places[start]), int(self.places[start])
        return int(self.places[start]), int(self.places[end - 1]) + 1


def fold(text: str, *, alike: bool = False) -> Folded:
    r"""Make a text plain, in time linear in its length.

    Args:
        text: Any text.
        alike: Also read Cyrillic and Greek letters as the Latin ones that they look like.

    >>> fold("Ｉｇ\u200bnore").text, fold("Ｉｇ\u200bnore").span(2, 6)
    ('Ignore', (3, 7))
    >>> fold("14，999元").text
    '14, 999元'
    """
    if text.isascii() and text.isprintable():
        return Folded(text, np.arange(len(text) + 1))
    table = {letter: _plain(letter, alike) for letter in set(text)}
    parts = [table[letter] for letter in text]
    for found in _COMMA.finditer(text):
        parts[found.start()] = ", "
    lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    places = np.append(np.repeat(np.arange(len(text)), lengths), len(text))
    return Folded("".join(parts), places)


@lru_cache(maxsize=20_000)
def _plain(letter: str, alike: bool) -> str:
    if letter in _BLANKS:
        return "\n" if letter in "\n\r\x85" else " "
    if alike and letter in _ALIKE:
        return _ALIKE[letter]
    forms = unicodedata.normalize("NFKC", letter)
    return "".join(form for form in forms if unicodedata.category(form) not in _UNSEEN)

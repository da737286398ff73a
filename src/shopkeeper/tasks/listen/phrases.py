"""Many known names and words found in a text at once, in time that grows with the text and not with their number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shopkeeper.models.tagging.clues import lowered

LONGEST: Final = 80
"""Characters of the longest phrase that is looked for."""
_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_ENDINGS: Final = re.compile(r"(?:s|es|ed|d|ing|er|ly)?(?![a-z0-9])")


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase in a text: characters `start` up to `end`, and the keys that it stands for."""

    start: int
    end: int
    keys: tuple[str, ...]


class Phrases:
    """A dictionary of phrases. At each place the longest one counts, and none begins within another.

    A place is looked up by its first two characters, then by the lengths that phrases with this beginning have: at most
    `LONGEST` steps a character whatever the text, and hardly more than one on real texts. Latin phrases match at the
    borders of words only; case and full-width forms make no difference.

    Args:
        phrases: Written form and key; one form may stand for several keys. Forms of fewer than two characters are left out.
        inflected: English words match with endings as well: "refund" in "refunded".
    """

    def __init__(self, phrases: Iterable[tuple[str, str]], *, inflected: bool = False) -> None:
        self._inflected = inflected
        self._keys: dict[str, tuple[str, ...]] = {}
        for form, key in phrases:
            folded = fold(form).strip()
            if 2 <= len(folded) <= LONGEST:
                known = self._keys.get(folded, ())
                self._keys[folded] = known if key in known else (*known, key)
        lengths: dict[str, set[int]] = {}
        for form in self._keys:
            lengths.setdefault(form[:2], set()).add(len(form))
        self._lengths: Mapping[str, tuple[int, ...]] = {
            head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()
        }

    def __len__(self) -> int:
        """How many written forms are known."""
        return len(self._keys)

    def find(self, text: str) -> Iterator[Found]:
        """The phrases of a text, in order.

        >>> [(one.start, one.keys) for one in Phrases([("refund", "service"), ("退款", "service")], inflected=True).find("Refunded, 退款了")]
        [(0, ('service',)), (10, ('service',))]
        """
        folded, lengths, keys = fold(text), self._lengths, self._keys
        start, last = 0, len(folded) - 1
        while start < last:
            if tried := lengths.get(folded[start : start + 2]):
                for length in tried:
                    own = keys.get(folded[start : start + length])
                    if own is not None and self._stands(folded, start, start + length):
                        yield Found(start, start + length, own)
                        start += length - 1
                        break
            start += 1

    def keys(self, text: str) -> dict[str, int]:
        """How often each key's phrases stand in a text."""
        counts: dict[str, int] = {}
        for found in self.find(text):
            for key in found.keys:
                counts[key] = counts.get(key, 0) + 1
        return counts

    def _stands(self, text: str, start: int, end: int) -> bool:
        if start and _latin(text[start]) and _latin(text[start - 1]):
            return False
        if end < len(text) and _latin(text[end - 1]) and _latin(text[end]):
            return self._inflected and end - start > 3 and _ENDINGS.match(text, end) is not None
        return True


def fold(text: str) -> str:
    """Lower case and half-width, character by character, so that places stay where they are."""
    text = text if text.isascii() else text.translate(_WIDE)
    low = text.lower()
    return low if len(low) == len(text) else lowered(text)


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()

"""Chinese words by their sound: a tree of pinyin syllables, walked by what somebody types of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_TWO = ("zh", "ch", "sh")
_GAPS = " '’"


class Spelt(NamedTuple):
    """A stretch of typed letters that can be read as words.

    Attributes:
        end: Where the stretch stops.
        short: How many syllables are given by their first letter or two only.
        length: How many syllables there are.
        words: What sounds like that.
    """

    end: int
    short: int
    length: int
    words: list[str]


class _Node:
    __slots__ = ("below", "words")

    def __init__(self) -> None:
        self.below: dict[str, dict[str, _Node]] = {}
        self.words: list[str] = []


class SyllableTree:
    """Words by their syllables. Words only come in; any thread may ask."""

    def __init__(self) -> None:
        self._root = _Node()

    def put(self, word: str) -> None:
        """Add a Chinese word under each of its readings; what has no reading is passed over."""
        for reading in readings(word):
            node = self._root
            for syllable in reading:
                below = node.below.setdefault(syllable[0], {})
                node = below.setdefault(syllable, _Node())
            if word not in node.words:
                node.words.append(word)

    def sounding(self, reading: tuple[str, ...]) -> list[str]:
        """The words of exactly these syllables."""
        node = self._root
        for syllable in reading:
            found = node.below.get(syllable[0], {}).get(syllable)
            if found is None:
                return []
            node = found
        return node.words

    def from_here(self, typed: str, start: int) -> Iterator[Spelt]:
        """Every stretch of `typed` from `start` on that spells words: syllables in full or by their initials, also mixed.

        Blanks and apostrophes may stand between syllables, never within one.
        """
        for node, at, short, length in self._walk(typed, start):
            if length and node.words:
                yield Spelt(at, short, length, node.words)

    def beginning(self, typed: str) -> Iterator[tuple[str, int]]:
        """Words that `typed` spells the beginning of, each with how many of its syllables are given by initials only."""
        for node, at, short, _ in self._walk(typed, 0):
            rest = typed[at:].lstrip(_GAPS)
            if not rest:
                yield from ((word, short) for word in _all(node))
                continue
            for syllable, child in list(node.below.get(rest[0], {}).items()):
                if syllable != rest and syllable.startswith(rest) and not _is_initial(syllable, rest):
                    yield from ((word, short) for word in _all(child))

    def _walk(self, typed: str, start: int) -> Iterator[tuple[_Node, int, int, int]]:
        """(node, place, syllables by initials, syllables) of all ways through the tree."""
        waiting = [(self._root, start, 0, 0)]
        while waiting:
            node, at, short, length = waiting.pop()
            yield node, at, short, length
            while length and at < len(typed) and typed[at] in _GAPS:
                at += 1
            if at == len(typed):
                continue
            for syllable, child in list(node.below.get(typed[at], {}).items()):
                if typed.startswith(syllable, at):
                    waiting.append((child, at + len(syllable), short, length + 1))
                waiting.extend(
                    (child, at + len(initial), short + 1, length + 1)
                    for initial in _initials(syllable)
                    if initial != syllable and typed.startswith(initial, at)
                )


@lru_cache(maxsize=100_000)
def readings(word: str) -> tuple[tuple[str, ...], ...]:
    """Pinyin without tones of a word: as the dictionary of phrases reads it, and character by character; ü as v and as u.

    >>> readings("连衣裙")
    (('lian', 'yi', 'qun'),)
    >>> readings("绿茶")
    (('lv', 'cha'), ('lu', 'cha'))
    """
    from pypinyin import lazy_pinyin

    whole = tuple(lazy_pinyin(word))
    single = tuple(lazy_pinyin(letter)[0] for letter in word)
    spelt = [reading for reading in (whole, single) if all(s.isascii() and s.isalpha() for s in reading)]
    spelt += [tuple(s.replace("v", "u") for s in reading) for reading in spelt]
    return tuple(dict.fromkeys(spelt))


@lru_cache(maxsize=2_000)
def _initials(syllable: str) -> tuple[str, ...]:
    return (syllable[:2], syllable[0]) if syllable.startswith(_TWO) else (syllable[0],)


def _is_initial(syllable: str, typed: str) -> bool:
    return typed in _initials(syllable)


def _all(node: _Node) -> Iterator[str]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield from node.words
        waiting.extend(child for below in list(node.below.values()) for child in list(below.values()))

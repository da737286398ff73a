"""Words near a mistyped one, found by what is left when letters are taken away (symmetric deletion, Garbe 2012).

Two words within d slips of each other become the same when at most d letters are taken from each. So the words of a
vocabulary are filed under what is left of their beginning, as 64-bit hashes in sorted arrays: 100,000 words take some 40 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.understanding.edits import distance

_BEGINNING = 7
_SHORTEST = 3
_SHORTEST_TWICE = 5
"""Words shorter than this are not filed with two letters taken away."""
_FRESH = 2_000
"""New words that stand aside at most before they go into the big file."""
_A, _LETTERS = ord("a"), 32

Ints = NDArray[np.int64]
Ids = NDArray[np.int32]


class DeletionIndex:
    """Finds words within one or two slips. Words only come in, from one thread at a time; any thread may ask."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._files = [_File(), _File()]
        self._fresh = [_File(), _File()]
        self._fresh_words = 0
        self._masks = np.zeros(0, dtype=np.uint32)
        self._lengths = np.zeros(0, dtype=np.int16)

    def put(self, words: Sequence[str]) -> None:
        """Add words that are not there yet."""
        once, twice = _Pairs(), _Pairs()
        for id_, word in enumerate(words, len(self.words)):
            beginning = word[:_BEGINNING]
            if len(beginning) < _SHORTEST:
                continue
            once.add((beginning,), id_)
            once.add(_without(beginning, 1), id_)
            if len(word) >= _SHORTEST_TWICE:
                twice.add(_without(beginning, 2), id_)
        self.words.extend(words)
        self._masks = np.append(self._masks, np.fromiter(map(_mask, words), np.uint32, len(words)))
        self._lengths = np.append(self._lengths, np.fromiter(map(len, words), np.int16, len(words)))
        fresh = [file.merged(pairs.file()) for file, pairs in zip(self._fresh, (once, twice), strict=True)]
        self._fresh_words += len(words)
        if self._fresh_words > _FRESH:
            self._files = [file.merged(more) for file, more in zip(self._files, fresh, strict=True)]
            fresh, self._fresh_words = [_File(), _File()], 0
        self._fresh = fresh

    def near(self, typed: str, most: int) -> list[tuple[str, int]]:
        """Words within `most` (1 or 2) slips of a word and the slips of each, only those with the fewest slips.

        >>> index = DeletionIndex()
        >>> index.put(["headphones", "headphone", "mouse"])
        >>> index.near("haedphones", 2)
        [('headphones', 1)]
        """
        for slips in range(1, most + 1):
            found = [(word, slips) for word in self._candidates(typed, slips) if distance(typed, word, slips) <= slips]
            if found:
                return found
        return []

    def _candidates(self, typed: str, slips: int) -> list[str]:
        keys = np.array([hash(left) for left in _left_over(typed, slips)], dtype=np.int64)
        ids = np.unique(np.concatenate([file.find(keys) for file in (*self._fresh[:slips], *self._files[:slips])]))
        letters = np.bitwise_count(self._masks[ids] ^ np.uint32(_mask(typed)))
        apart = np.abs(self._lengths[ids] - len(typed))
        return [self.words[id_] for id_ in ids[(letters <= 2 * slips) & (apart <= slips)].tolist()]


class _Pairs:
    """Hashes and ids on their way into a file."""

    def __init__(self) -> None:
        self.keys = array("q")
        self.ids = array("i")

    def add(self, left: Collection[str], id_: int) -> None:
        self.keys.extend(map(hash, left))
        self.ids.extend([id_] * len(left))

    def file(self) -> _File:
        """What was added, sorted."""
        return _File(np.array(self.keys, dtype=np.int64), np.array(self.ids, dtype=np.int32)).merged(_File())


class _File:
    """Hashes, sorted, each with the id of the word it was made from."""

    def __init__(self, keys: Ints | None = None, ids: Ids | None = None) -> None:
        self.keys = np.zeros(0, dtype=np.int64) if keys is None else keys
        self.ids = np.zeros(0, dtype=np.int32) if ids is None else ids

    def merged(self, other: _File) -> _File:
        """Both in one."""
        keys, ids = np.append(self.keys, other.keys), np.append(self.ids, other.ids)
        order = np.argsort(keys, kind="stable")
        return _File(keys[order], ids[order])

    def find(self, keys: Ints) -> Ids:
        """Ids under any of some hashes, perhaps repeated."""
        starts, stops = self.keys.searchsorted(keys, "left"), self.keys.searchsorted(keys, "right")
        full = np.flatnonzero(stops > starts).tolist()
        parts = [self.ids[starts[at] : stops[at]] for at in full]
        return np.concatenate(parts) if parts else self.ids[:0]


def _left_over(word: str, most: int) -> set[str]:
    beginning = word[:_BEGINNING]
    return {beginning}.union(*(_without(beginning, count) for count in range(1, most + 1)))


def _without(word: str, count: int) -> set[str]:
    if count == 1:
        return {word[:at] + word[at + 1 :] for at in range(len(word))}
    return {word[:a] + word[a + 1 : b] + word[b + 1 :] for a, b in combinations(range(len(word)), 2)}


def _mask(word: str) -> int:
    """One bit for each letter that occurs; letters beyond a to z share the bits that are left."""
    mask = 0
    for letter in word:
        mask |= 1 << ((ord(letter) - _A) % _LETTERS)
    return mask

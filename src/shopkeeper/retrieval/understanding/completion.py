"""Phrases by the beginnings of their words: what an autocomplete looks up on every key.

All words of all phrases stand in one sorted list; what begins alike is one stretch of it, and the phrases of the stretch one
slice of an array. Phrases that came lately stand in a small list of the same shape until they are merged.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.chinese import dictionary
from shopkeeper.retrieval.analysis import is_chinese, normalise, words
from shopkeeper.retrieval.understanding.edits import neighbours

_FRESH = 1_000
"""Phrases that stand aside at most."""
_RUN = 8
"""Characters of a Chinese run that are filed from each word's start on."""
_START = 3.0
"""How much more a phrase weighs that begins with what was typed."""
_LAST = chr(0x10FFFF)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"

Ids = NDArray[np.int32]
_Row = tuple[str, int, bool]
"""A word, the phrase it stands in, and whether it stands first there."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Sorted words, each once for every phrase that it stands in, with the phrases' ids and whether it stands first."""

    words: list[str]
    ids: Ids
    first: NDArray[np.bool_]

    def find(self, beginning: str) -> slice:
        """Where the words that begin like this stand."""
        return slice(bisect_left(self.words, beginning), bisect_left(self.words, beginning + _LAST))


class Completions:
    """Weighted phrases, each under a key, found by the beginnings of any of their words. Any thread may ask."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._keys: list[str] = []
        self._texts: list[str] = []
        self._weights = np.zeros(0, dtype=np.float64)
        self._tables = [_table([]), _table([])]
        self._fresh: list[_Row] = []
        self._merged = 0
        self._seen = 0
        self._lock = threading.RLock()

    def put(self, key: str, text: str, weight: float) -> None:
        """Add a phrase, or give it another weight; what weighs nothing is not found."""
        with self._lock:
            known = self._ids.get(key)
            if known is not None and self._texts[known] == text:
                self._weights[known] = weight
                return
            if known is not None:
                self._weights[known] = 0.0
            self._ids[key] = len(self._keys)
            self._keys.append(key)
            self._texts.append(text)
            if len(self._keys) > len(self._weights):
                self._weights = np.append(self._weights, np.zeros(len(self._weights) + 1_000))
            self._weights[self._ids[key]] = weight

    def drop(self, key: str) -> None:
        """Take a phrase away; unknown keys do nothing."""
        with self._lock:
            known = self._ids.pop(key, None)
            if known is not None:
                self._weights[known] = 0.0

    def settle(self) -> None:
        """File all that was put, so that nobody who types waits for it: about ten seconds for 200,000 phrases."""
        with self._lock:
            self._take_up()

    def find(self, options: Sequence[Sequence[str]], most: int) -> list[tuple[str, str]]:
        """(key, text) of phrases, the heaviest first.

        Args:
            options: For each thing typed, beginnings of words of which a phrase must hold one.
            most: How many phrases.
        """
        if not options:
            return []
        with self._lock:
            self._take_up()
            tables, weights, count = self._tables, self._weights, self._seen
            score = weights[:count].copy()
            for place, beginnings in enumerate(options):
                factor = np.zeros(count)
                for table in tables:
                    for at in map(table.find, beginnings):
                        if at.stop > at.start:
                            ids = table.ids[at]
                            factor[ids] = np.maximum(factor[ids], 1.0)
                            if place == 0:
                                factor[ids[table.first[at]]] = _START
                score *= factor
            kept = np.flatnonzero(score > 0)
            if len(kept) > most:
                kept = kept[np.argpartition(-score[kept], most)[:most]]
            order = kept[np.lexsort((kept, -score[kept]))]
            return [(self._keys[id_], self._texts[id_]) for id_ in order.tolist()]

    def _take_up(self) -> None:
        """File what came since the last look."""
        total = len(self._keys)
        if self._seen == total:
            return
        if total - self._merged > _FRESH:
            alive = [id_ for id_ in range(total) if self._ids.get(self._keys[id_]) == id_]
            self._keys = [self._keys[id_] for id_ in alive]
            self._texts = [self._texts[id_] for id_ in alive]
            self._weights = self._weights[alive]
            self._ids = {key: id_ for id_, key in enumerate(self._keys)}
            self._merged = self._seen = len(alive)
            self._fresh = []
            self._tables = [_table(sorted(_rows(enumerate(self._texts)))), _table([])]
            return
        self._fresh += _rows((id_, self._texts[id_]) for id_ in range(self._seen, total))
        self._fresh.sort()
        self._tables[1] = _table(self._fresh)
        self._seen = total


def beginnings(text: str) -> list[str]:
    """What a phrase is filed under: its words, and what follows from each Chinese word's start on; the first one first.

    >>> beginnings("Garden rake")
    ['garden', 'rake']
    >>> beginnings("红色连衣裙")
    ['红色连衣裙', '连衣裙', '衣裙']
    """
    return list(dict.fromkeys(word for piece in normalise(text).split() for word in _filed(piece)))


def pieces(typed: str) -> list[str]:
    """What somebody has typed so far, as beginnings to look up: words, numbers and codes, and runs of Chinese.

    >>> pieces("Men's red sho"), pieces("红色usb")
    (['men', 'red', 'sho'], ['红色', 'usb'])
    """
    found = []
    for piece in normalise(typed).split():
        for run, chinese in _runs(piece):
            found += [run[:_RUN]] if chinese else [word for _, word in words(run)[:1]]
    return found


def cut_words(run: str) -> list[str]:
    """A run of Chinese as the dictionary cuts it.

    >>> cut_words("红色连")
    ['红色', '连']
    """
    return list(dictionary().cut(run, HMM=False))


def slips(beginning: str) -> list[str]:
    """The beginnings that may have been meant by a mistyped one: one slip away, the last letter taken to be right.

    >>> "headp" in slips("haedp"), "blueto" in slips("bluto")
    (True, True)
    """
    last = len(beginning) - 1
    found = {beginning[:at] + beginning[at + 1 :] for at in range(last)}
    found.update(beginning[:at] + beginning[at + 1] + beginning[at] + beginning[at + 2 :] for at in range(last))
    found.update(
        beginning[:at] + letter + beginning[at + 1 :]
        for at in range(last)
        for letter in (_ALPHABET if beginning[at] in "aeiou" else neighbours().get(beginning[at], _ALPHABET))
    )
    found.update(beginning[:at] + letter + beginning[at:] for at in range(1, last + 1) for letter in _ALPHABET)
    found.discard(beginning)
    return sorted(found)


@lru_cache(maxsize=100_000)
def _filed(piece: str) -> tuple[str, ...]:
    """`beginnings` of a text without blanks."""
    found: list[str] = []
    for run, chinese in _runs(piece):
        if chinese:
            cut = dictionary().tokenize(run, mode="search", HMM=False)
            found += [run[start : start + _RUN] for _, start, _ in cut]
        else:
            found += [word for _, word in words(run)]
    return tuple(found)


def _rows(phrases: Iterable[tuple[int, str]]) -> list[_Row]:
    return [(word, id_, place == 0) for id_, text in phrases for place, word in enumerate(beginnings(text))]


def _table(rows: list[_Row]) -> _Table:
    ids = np.fromiter((id_ for _, id_, _ in rows), dtype=np.int32, count=len(rows))
    first = np.fromiter((first for _, _, first in rows), dtype=np.bool_, count=len(rows))
    return _Table([word for word, _, _ in rows], ids, first)


def _runs(piece: str) -> Iterator[tuple[str, bool]]:
    """A text without blanks in stretches of Chinese and of everything else."""
    if piece.isascii():
        yield piece, False
        return
    start = 0
    for at in range(1, len(piece) + 1):
        if at == len(piece) or is_chinese(piece[at]) != is_chinese(piece[start]):
            yield piece[start:at], is_chinese(piece[start])
            start = at

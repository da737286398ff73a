"""Which terms stand in which row, read by row: the exact BM25 score of any chosen rows.

An inverted index finds the best rows of a query; this tells what any other row would have got, for example the rows that
vectors found. Both count alike (k1 1.2, b 0.75, idf = ln(1 + (N - n + 0.5) / (n + 0.5))).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.shelf import Rows, Scores

K1, B = 1.2, 0.75
_SPARE = 1.5

Kind = TypeVar("Kind", bound=np.generic)


class TermCounts:
    """Terms of one field by row. Not safe for writing by two threads at a time; reading beside a writer is."""

    def __init__(self) -> None:
        self._code: dict[str, int] = {}
        self._rows_with: NDArray[np.int32] = np.zeros(1024, dtype=np.int32)
        self._start: NDArray[np.int64] = np.zeros(16, dtype=np.int64)
        self._width: NDArray[np.int64] = np.zeros(16, dtype=np.int64)
        self._length: NDArray[np.int32] = np.zeros(16, dtype=np.int32)
        self._terms: NDArray[np.int32] = np.zeros(1024, dtype=np.int32)
        self._counts: NDArray[np.uint8] = np.zeros(1024, dtype=np.uint8)
        self._end = 0
        self._total = 0
        self._alive = 0

    def put(self, row: int, terms: Sequence[str]) -> None:
        """Set the terms of a row, known or new. Nothing is overwritten: readers may still be looking at the old ones."""
        self.drop(row)
        counted = Counter(terms)
        codes = [self._code.setdefault(term, len(self._code)) for term in counted]
        self._rows_with = _fit(self._rows_with, len(self._code))
        self._start, self._width = _fit(self._start, row + 1), _fit(self._width, row + 1)
        self._length = _fit(self._length, row + 1)
        stop = self._end + len(codes)
        self._terms, self._counts = _fit(self._terms, stop), _fit(self._counts, stop)
        self._terms[self._end : stop] = codes
        self._counts[self._end : stop] = np.minimum(list(counted.values()), 255)
        self._rows_with[codes] += 1
        self._start[row], self._length[row] = self._end, len(terms)
        self._end = stop
        self._width[row] = len(codes)
        self._total += len(terms)
        self._alive += len(terms) > 0

    def drop(self, row: int) -> None:
        """Forget a row; its place is used again only by a fresh index."""
        if row >= len(self._width) or not self._width[row]:
            return
        start, width = self._start[row], self._width[row]
        self._rows_with[self._terms[start : start + width]] -= 1
        self._total -= int(self._length[row])
        self._alive -= 1
        self._width[row] = 0

    def idf(self, terms: Sequence[str]) -> dict[str, float]:
        """Inverse document frequency of those terms that occur."""
        known = {term: int(self._rows_with[self._code[term]]) for term in terms if term in self._code}
        return {term: float(np.log1p((self._alive - n + 0.5) / (n + 0.5))) for term, n in known.items() if n > 0}

    def scores(self, terms: Sequence[str], rows: Rows) -> Scores:
        """BM25 of `rows` for distinct `terms`: float32 (n,), 0 where nothing matches."""
        out = np.zeros(len(rows), dtype=np.float32)
        idf = self.idf(terms)
        if not idf or not len(rows):
            return out
        inside = np.flatnonzero(rows < len(self._width))
        start = self._start[rows[inside]]  # before the widths and the terms: a writer sets them in the other order
        width = self._width[rows[inside]]
        owner = np.repeat(inside, width)
        place = np.arange(len(owner)) + np.repeat(start - (np.cumsum(width) - width), width)
        weight = np.zeros(len(self._rows_with), dtype=np.float32)
        weight[[self._code[term] for term in idf]] = list(idf.values())
        value = weight[self._terms[place]]
        hit = np.flatnonzero(value)
        count = self._counts[place[hit]].astype(np.float32)
        long = self._length[rows[owner[hit]]] / max(self._total / max(self._alive, 1), 1e-9)
        part = value[hit] * count * (K1 + 1) / (count + K1 * (1 - B + B * long))
        return np.bincount(owner[hit], part, minlength=len(rows)).astype(np.float32)


def _fit(array: NDArray[Kind], size: int) -> NDArray[Kind]:
    if size <= len(array):
        return array
    grown = np.zeros(int(size * _SPARE) + 1, dtype=array.dtype)
    grown[: len(array)] = array
    return grown

"""Which terms stand in which row, read by row: the exact BM25 score of any chosen rows.

An inverted index finds the best rows of a query; this tells what any other row would have got, for example the rows that
vectors found. Both count alike (k1 1.2, b 0.75, idf = ln(1 + (N - n + 0.5) / (n + 0.5))).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.shelf import Rows, Scores

K1, B = 1.2, 0.75
_SPARE = 1.5

Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Matches:
    """Where terms of a query stand in rows: one entry for each term of each row that holds it.

    Attributes:
        row: int64 (m,), place among the rows that were asked about.
        term: int64 (m,), place among the terms that were asked about.
        place: int64 (m,), the term's place among the distinct terms of the row, in order of first appearance.
        bm25: float32 (m,), what the match adds to the row's score.
        distinct: int64 (n,), distinct terms of each row.
    """

    row: NDArray[np.int64]
    term: NDArray[np.int64]
    place: NDArray[np.int64]
    bm25: Scores
    distinct: NDArray[np.int64]

    def scores(self) -> Scores:
        """BM25 of each row: float32 (n,), 0 where nothing matches."""
        return np.bincount(self.row, self.bm25, minlength=len(self.distinct)).astype(np.float32)


class TermCounts:
    """Terms of one field by row. Not safe for writing by two threads at a time; reading beside a writer is."""

    def __init__(self) -> None:
        self._code: dict[str, int] = {}
        self._rows_with: NDArray[np.int32] = np.zeros(1024, dtype=np.int32)
        self._plain: NDArray[np.bool_] = np.zeros(1024, dtype=np.bool_)
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
        most = len(self._code) + len(counted)
        self._rows_with, self._plain = (
            _fit(self._rows_with, most),
            _fit(self._plain, most),
        )  # before codes are given out
        codes = [self._code.setdefault(term, len(self._code)) for term in counted]
        self._plain[codes] = [term.isalpha() for term in counted]
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

    def matches(self, terms: Sequence[str], rows: Rows) -> Matches:
        """Where at most 127 distinct `terms` stand in `rows`, int64 (n,)."""
        idf = self.idf(terms)
        inside = np.flatnonzero(rows < len(self._width))
        start = self._start[rows[inside]]  # before the widths and the terms: a writer sets them in the other order
        width = self._width[rows[inside]]
        distinct = np.zeros(len(rows), dtype=np.int64)
        distinct[inside] = width
        first = np.cumsum(width) - width
        place = np.arange(int(width.sum())) + np.repeat(start - first, width)
        asked = np.zeros(len(self._rows_with), dtype=np.int8)
        asked[[self._code[term] for term in idf]] = [1 + terms.index(term) for term in idf]
        term = asked[self._terms[place]]
        hit = np.flatnonzero(term)
        owner = np.searchsorted(first, hit, side="right") - 1
        row = inside[owner]
        term = term[hit].astype(np.int64) - 1
        weight = np.zeros(len(terms) + 1, dtype=np.float32)
        weight[[terms.index(known) for known in idf]] = list(idf.values())
        count = self._counts[place[hit]].astype(np.float32)
        long = self._length[rows[row]] / max(self._total / max(self._alive, 1), 1e-9)
        part = weight[term] * count * (K1 + 1) / (count + K1 * (1 - B + B * long))
        return Matches(row, term, hit - first[owner], part.astype(np.float32), distinct)

    def closing(self, found: Matches, term: int, rows: Rows) -> NDArray[np.bool_]:
        """Bool (n,): which rows hold a term with nothing behind it but a term with digits.

        Args:
            found: What `matches` found in `rows`.
            term: Place of the term among those that were asked about.
            rows: int64 (n,).
        """
        out = np.zeros(len(rows), dtype=np.bool_)
        of_term = np.flatnonzero(found.term == term)
        if not len(of_term):
            return out
        row, place = found.row[of_term], found.place[of_term]
        last = place + 1 >= found.distinct[row]
        after = self._start[rows[row]] + np.minimum(place + 1, found.distinct[row] - 1)
        after = np.minimum(after, len(self._terms) - 1)  # a row may have been replaced since it was matched
        out[row] = last | ~self._plain[self._terms[after]]
        return out

    def scores(self, terms: Sequence[str], rows: Rows) -> Scores:
        """BM25 of `rows` for distinct `terms`: float32 (n,), 0 where nothing matches."""
        return self.matches(terms, rows).scores()


def _fit(array: NDArray[Kind], size: int) -> NDArray[Kind]:
    if size <= len(array):
        return array
    grown = np.zeros(int(size * _SPARE) + 1, dtype=array.dtype)
    grown[: len(array)] = array
    return grown

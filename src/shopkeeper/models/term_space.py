"""Texts as sparse vectors of weighted terms, for comparing every text with every other in one product."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Analyse = Callable[[str], list[str]]
Matrix = sp.csr_array

WIDTH: Final = 1 << 18
"""Columns; terms are hashed into them, so that nothing has to be known beforehand."""


class TermSpace:
    """Weighs terms by how rare they are among some texts.

    Args:
        texts: What rarity is counted in.
        analyse: A text to its terms.

    Attributes:
        idf: float32 (WIDTH,), ln(1 + (N + 0.5) / (n + 0.5)) of each column.
    """

    def __init__(self, texts: Iterable[str], analyse: Analyse) -> None:
        self._analyse = analyse
        held: Counter[int] = Counter()
        count = 0
        for text in texts:
            count += 1
            held.update(set(self._codes(analyse(text))))
        self.idf: NDArray[np.float32] = np.full(WIDTH, np.log1p((count + 0.5) / 0.5), dtype=np.float32)
        if held:
            self.idf[list(held)] = np.log1p((count + 0.5) / (np.fromiter(held.values(), dtype=np.float32) + 0.5))

    def weights(self, texts: Sequence[str]) -> Matrix:
        """Rarity of the distinct terms of each text, sparse float32 (n, WIDTH); other columns are 0."""
        return self._matrix(texts, lambda _, codes: self.idf[codes])

    def rows(self, texts: Sequence[str]) -> Matrix:
        """TF-IDF of each text with sublinear counts, rows of length 1 or 0: sparse float32 (n, WIDTH)."""
        matrix = self._matrix(texts, lambda counts, codes: (1 + np.log(counts)) * self.idf[codes])
        lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
        scale = np.repeat(1 / np.maximum(lengths, 1e-12), np.diff(matrix.indptr))
        return sp.csr_array(
            ((matrix.data * scale).astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape
        )

    def _matrix(self, texts: Sequence[str], weigh: Callable[[NDArray[Any], NDArray[np.int64]], NDArray[Any]]) -> Matrix:
        data, columns, ends = [], [], [0]
        for text in texts:
            counted = Counter(self._codes(self._analyse(text)))
            codes = np.array(sorted(counted), dtype=np.int64)
            data.append(weigh(np.array([counted[int(code)] for code in codes], dtype=np.float32), codes))
            columns.append(codes)
            ends.append(ends[-1] + len(codes))
        values = np.concatenate(data).astype(np.float32) if data else np.zeros(0, dtype=np.float32)
        places = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
        return sp.csr_array((values, places, np.array(ends, dtype=np.int64)), shape=(len(texts), WIDTH))

    def _codes(self, analysed: Iterable[str]) -> list[int]:
        return [zlib.crc32(term.encode("utf-8", "surrogatepass")) % WIDTH for term in analysed]

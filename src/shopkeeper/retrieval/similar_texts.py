"""Texts like a text: n-grams and meaning, added up. For questions asked before, messages answered before, talks.

Cosine of TF-IDF (`models.linear.Features`) and cosine of an encoder's vectors, each brought to the scale of its own spread
over the collection, so that neither drowns the other (z-scores; Lee 1997, "Analyses of multiple evidence combination",
compares such sums). All texts are compared: below 100,000 that takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.linear import Features, grams_for
from shopkeeper.models.text import Floats

Encode = Callable[[Sequence[str]], Floats]
_BLOCK = 256  # texts compared with all others at a time
_EVEN = 1e-6


class SimilarTexts:
    """A collection of texts to be found by likeness.

    Args:
        texts: n texts; their places are what is found.
        encode: Texts to vectors of length 1, float32 (n, d); None compares n-grams alone.
        words: Share of the n-grams in the sum, in [0, 1].
        vectors: float32 (n, d) of the texts, where they are known already.
    """

    def __init__(
        self, texts: Sequence[str], encode: Encode | None, *, words: float = 0.5, vectors: Floats | None = None
    ) -> None:
        self._count = len(texts)
        self._features = Features.fit(grams_for(texts), texts) if texts else None
        self._blocks = self._features.of(texts) if self._features else None
        self._encode, self._share = encode, words if encode is not None else 1.0
        self._vectors = vectors if vectors is not None or encode is None else encode(texts)

    def __len__(self) -> int:
        """Number of texts."""
        return self._count

    def scores(self, queries: Sequence[str], vectors: Floats | None = None) -> Floats:
        """How much each text is like each query, float32 (q, n): about 0 for most, higher is more alike.

        Args:
            queries: q texts.
            vectors: float32 (q, d) of them, where they are known already.
        """
        if self._features is None or self._blocks is None or not queries:
            return np.zeros((len(queries), self._count), dtype=np.float32)
        found = np.zeros((len(queries), self._count), dtype=np.float32)
        if self._share > 0:
            alike = (self._features.of(queries) @ self._blocks.T).toarray()
            found += self._share * _spread(alike)
        if self._share < 1 and self._vectors is not None and self._encode is not None:
            asked = vectors if vectors is not None else self._encode(queries)
            found += (1 - self._share) * _spread(asked @ self._vectors.T)
        return found

    def find(self, queries: Sequence[str], k: int) -> tuple[NDArray[np.int64], Floats]:
        """The k texts most like each query, best first.

        Returns:
            Places int64 (q, min(k, n)) and their scores float32 of the same shape.
        """
        most = min(k, self._count)
        places = np.zeros((len(queries), most), dtype=np.int64)
        best = np.zeros((len(queries), most), dtype=np.float32)
        for start in range(0, len(queries), _BLOCK):
            scores = self.scores(queries[start : start + _BLOCK])
            rows = slice(start, start + len(scores))
            order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
            places[rows], best[rows] = order, np.take_along_axis(scores, order, axis=1)
        return places, best


def _spread(scores: NDArray[np.floating]) -> Floats:
    """Each row in deviations from its own mean; rows that are even everywhere become 0."""
    middle = scores.mean(axis=1, keepdims=True)
    deviation = scores.std(axis=1, keepdims=True)
    found: Floats = np.where(deviation > _EVEN, (scores - middle) / np.maximum(deviation, _EVEN), 0).astype(np.float32)
    return found

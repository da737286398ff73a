"""Search by words and by meaning at once: candidates of both, each scored by both, one weighted sum.

    score = words x bm25 / best bm25 of the query + (1 - words) x (cosine - lowest) / (highest - lowest)

Lowest, highest and best are taken over the query's candidates. A candidate that only one of the two found still gets its
true score from the other: BM25 from the terms of its row, the cosine from its vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Encoder, Floats
from shopkeeper.records import Item
from shopkeeper.retrieval.lexical import BOOSTS, LexicalIndex
from shopkeeper.retrieval.looks import Looks
from shopkeeper.retrieval.shelf import Mask, Rows, Scores
from shopkeeper.retrieval.vectors import VectorIndex

_CHANCE = 0.999
_SEEN = 50
"""Candidates that are taken from the pictures."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How words and meaning are added up.

    Attributes:
        words: Share of the words in [0, 1]; the meaning has the rest.
        boosts: How much each field of words counts.
        floor: Cosine that an item without a word of the query must reach to be found; see `HybridIndex.noise`.
    """

    words: float = 0.5
    boosts: Mapping[str, float] = field(default_factory=lambda: dict(BOOSTS))
    floor: float = -1.0

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        return {"words": self.words, "boosts": dict(self.boosts), "floor": self.floor}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Fusion:
        """Read what `to_json` wrote."""
        boosts = {name: float(boost) for name, boost in tree["boosts"].items()}
        return cls(float(tree["words"]), boosts, float(tree.get("floor", -1.0)))


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates of a query, best first; all arrays have one entry a candidate.

    Attributes:
        rows: int64 (n,).
        scores: float32 (n,), what they are ordered by; the sum of the next two.
        words: float32 (n,), what the words gave.
        meaning: float32 (n,), what the meaning gave.
        bm25: float32 (n,), what the words scored, 0 where none matches.
        cosine: float32 (n,), similarity of query and item as the encoder sees it.
    """

    rows: Rows
    scores: Scores
    words: Scores
    meaning: Scores
    bm25: Scores
    cosine: Scores

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self.rows)

    def at(self, places: NDArray[np.integer]) -> Found:
        """The candidates at some places, in that order."""
        return Found(*(getattr(self, part.name)[places] for part in fields(self)))


class HybridIndex:
    """Words and meaning over the rows of one shelf.

    Args:
        encoder: Encodes items and, by `encode`, queries.
        fusion: Tuned by `recipes.search.fusion`, or the default.
        exact_below: See `vectors.VectorIndex`.
        candidates: Taken from the vectors; five times as many from the words, which cost less.

    Attributes:
        looks: The pictures of the same rows, kept up to date by whoever owns them; None where nothing was learnt of them.
    """

    def __init__(
        self,
        encoder: Encoder,
        fusion: Fusion | None = None,
        *,
        exact_below: int = 50_000,
        candidates: int = 200,
    ) -> None:
        self.encoder = encoder
        self.fusion = fusion or Fusion()
        self.lexical = LexicalIndex(self.fusion.boosts)
        self.vectors = VectorIndex(encoder.dimension, exact_below)
        self.looks: Looks | None = None
        self._candidates = candidates

    def __len__(self) -> int:
        """Number of rows that can be found."""
        return len(self.lexical)

    def upsert(self, rows: Rows, items: Sequence[Item], vectors: Floats | None = None) -> Floats:
        """Add or replace rows; they are found by words and meaning when this returns.

        Args:
            rows: int64 (n,), distinct.
            items: The items of these rows.
            vectors: float32 (n, d) where they are at hand; encoded here when None.

        Returns:
            The vectors, float32 (n, d).
        """
        if vectors is None:
            vectors = self.encoder.encode([item.passage for item in items], "passage")
        self.vectors.upsert(rows, vectors)
        self.lexical.upsert(rows, items)
        return vectors

    def remove(self, rows: Rows) -> None:
        """Take rows out; unknown ones are ignored."""
        self.lexical.remove(rows)
        self.vectors.remove(rows)

    def encode(self, query: str) -> Floats:
        """The vector of a query, float32 (d,)."""
        vector: Floats = self.encoder.encode([query], "query")[0]
        return vector

    def noise(self, queries: Floats, sample: int = 2_000) -> float:
        """The cosine that one in a thousand items of no relation reaches by chance.

        Args:
            queries: float32 (m, d), vectors of queries.
            sample: Items looked at, spread over all.
        """
        count = len(self)
        if not count or not len(queries):
            return -1.0
        rows = np.unique(np.linspace(0, count - 1, min(sample, count)).astype(np.int64))
        return float(np.quantile(queries @ self.vectors.vectors(rows).T, _CHANCE))

    def search(
        self, query: str, vector: Floats | None = None, allowed: Mask | None = None, also: Rows | None = None
    ) -> Found:
        """All candidates of a query.

        Args:
            query: What was typed.
            vector: Its vector, float32 (d,); encoded here when None.
            allowed: bool (rows,), which rows may be found; rows beyond its end may not.
            also: int64 (m,), rows that are candidates however they score, e.g. what the customer looked at before.
        """
        if vector is None:
            vector = self.encode(query)
        by_words, _ = self.lexical.search(query, 5 * self._candidates, allowed)
        if also is not None and len(also):
            own = also if allowed is None else also[also < len(allowed)]
            by_words = np.concatenate([by_words, own if allowed is None else own[allowed[own]]])
        if self.looks is not None:
            by_words = np.concatenate([by_words, self.looks.near(self.looks.of_words(vector), _SEEN, allowed)[0]])
        rows, cosine = self.vectors.search(vector, self._candidates, allowed, by_words)
        return fuse(rows, self.lexical.scores(query, rows), cosine, self.fusion.words)


def fuse(rows: Rows, bm25: Scores, cosine: Scores, words: float) -> Found:
    """Bring both scores to one scale and add them up.

    Args:
        rows: int64 (n,), distinct.
        bm25: float32 (n,), 0 where no word matches.
        cosine: float32 (n,).
        words: Share of the words in [0, 1].

    Returns:
        The rows ordered by the sum, equal ones by row.
    """
    if not len(rows):
        return Found(rows, *(np.zeros(0, dtype=np.float32) for _ in range(5)))
    by_words = np.float32(words) * bm25 / max(float(bm25.max()), 1e-9)
    low, high = float(cosine.min()), float(cosine.max())
    by_meaning = np.float32(1 - words) * (cosine - np.float32(low)) / max(high - low, 1e-9)
    scores = by_words + by_meaning
    order = np.lexsort((rows, -scores))
    return Found(rows[order], scores[order], by_words[order], by_meaning[order], bm25[order], cosine[order])

"""From an understood query to a ranked list: candidates, their features, the ranker, the customer's taste, what is no answer.

Other wordings of a query are searched beside it. A candidate is judged by the wording that it holds most of, so a synonym
lifts what it finds and lowers nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.reranker import Reranker, passage
from shopkeeper.models.text import Floats
from shopkeeper.ranking.features import NAMES, Asked, Known, features
from shopkeeper.ranking.ranker import Confidence, Ranker, standardised
from shopkeeper.ranking.taste import taste
from shopkeeper.records import Event
from shopkeeper.retrieval.hybrid import Found, HybridIndex
from shopkeeper.retrieval.lexical import query_terms
from shopkeeper.retrieval.looks import unpacked
from shopkeeper.retrieval.shelf import Mask, Rows, Scores, Shelf
from shopkeeper.retrieval.understanding.nouns import Understood
from shopkeeper.tasks.latest import Latest
from shopkeeper.tasks.recommend.excluding import holding

DEPTH = 300
"""Candidates that the ranker judges; the rest stay behind them as the fusion put them."""
_SAID = np.float32(2)
"""What words weigh against the look of a picture that they were sent with, both in deviations."""
_REMEMBERED = 2_000
_UNWANTED = 32
"""Things not wanted of which is remembered which rows have them."""
_FUSED, _COVERAGE = NAMES.index("fused"), NAMES.index("coverage")
_PREFERRED = np.float32(0.25)
"""What all that was read out of a query adds to a candidate that has it, in deviations, where no ranker was learnt."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates of a query, best first; all arrays have one entry a candidate.

    Attributes:
        rows: int64 (n,).
        scores: float32 (n,), falling.
        words, meaning, cosine: float32 (n,), see `Found`; taken from the wording by which the candidate was judged.
        taste: float32 (n,), what the customer's taste added.
        sure: Probability that an answer is among them; None where nothing was learnt about that.
    """

    rows: Rows
    scores: Scores
    words: Scores
    meaning: Scores
    cosine: Scores
    taste: Scores
    sure: float | None = None

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Tier:
    """The last tier: a cross-encoder reads the best hits once more, as many as it manages in its time.

    Attributes:
        weight: What it weighs against the ranker, both in deviations over the hits it read.
        depth: Hits it reads.
        seconds: Its time.
    """

    reranker: Reranker
    weight: float = 1.0
    depth: int = 24
    seconds: float = 0.15

    def reordered(
        self, query: str, shelf: Shelf, rows: Rows, scores: Scores, order: NDArray[np.intp]
    ) -> tuple[Scores, NDArray[np.intp]]:
        """Scores and order of candidates, the best of them in the order of both models.

        Args:
            query: What was searched for.
            shelf: The items.
            rows: int64 (n,), candidates.
            scores: float32 (n,), the ranker's.
            order: int64 (n,), places of the candidates, best first.
        """
        texts = [passage(item) if (item := shelf.items[row]) else "" for row in rows[order[: self.depth]].tolist()]
        read = self.reranker.score(query, texts, time.perf_counter() + self.seconds)
        first, rest = order[: len(read)], order[len(read) :]
        if len(first) < 2:
            return scores, order
        joined = standardised(scores[first]) + np.float32(self.weight) * standardised(read)
        place = np.lexsort((rows[first], -joined))
        scores = scores.copy()
        scores[first[place]] = np.sort(scores[first])[::-1]  # the scores stay, falling; the hits change places
        return scores, np.concatenate([first[place], rest])


class Finder:
    """Finds and ranks over one shelf and its index.

    Args:
        shelf: The items, kept up to date by whoever owns it.
        index: Their words and meanings, over the same rows.
        ranker: Learnt by `recipes.search.finding`; None leaves the fusion's order.
        confidence: Likewise; None cuts by `index.fusion.floor` alone.
        tier: A cross-encoder for the best hits; None for none.
        personal: What the customer's taste weighs, in deviations of the score; 0 switches it off.
    """

    def __init__(
        self,
        shelf: Shelf,
        index: HybridIndex,
        *,
        ranker: Ranker | None = None,
        confidence: Confidence | None = None,
        tier: Tier | None = None,
        personal: float = 0.0,
    ) -> None:
        self.shelf = shelf
        self.index = index
        self.ranker = ranker
        self.confidence = confidence
        self.tier = tier
        self.personal = personal
        self.known = Known()
        self._vectors: Latest[Floats] = Latest(_REMEMBERED)
        self._holding: Latest[Rows] = Latest(_UNWANTED)

    def find(self, understood: Understood, mask: Mask, now: float, past: Sequence[Event] = ()) -> Ranked:
        """All candidates of a query, ranked.

        Args:
            understood: Its words, other wordings and preferences.
            mask: bool (rows,), which rows may be found.
            now: In seconds since 1970.
            past: What the customer did, newest last; the items are candidates as well.
        """
        mask = self.without(mask, understood.exclude)
        own = self.shelf.rows({event.item for event in past if event.item})
        judged = [self._judged(text, share, understood, mask, now, own) for text, share in _wordings(understood)]
        found, table = judged[0] if len(judged) == 1 else _merged(judged)
        if not len(found):
            nothing = np.zeros(0, dtype=np.float32)
            return Ranked(
                found.rows, nothing, nothing, nothing, nothing, nothing, None if self.confidence is None else 0.0
            )
        sure, keep = self._answers(found, table)
        found, table = found.at(np.flatnonzero(keep)), table[keep[: len(table)]]
        scores = self._scores(found, table)
        liking = taste(past, found.rows, self.shelf, self.index.vectors) if self.personal and past else None
        added = np.zeros(len(found), dtype=np.float32)
        if liking is not None and len(found):
            added = (np.float32(self.personal) * standardised(liking)).astype(np.float32)
            scores = scores + added
        order = np.lexsort((found.rows, -scores))
        if self.tier is not None and len(found):
            scores, order = self.tier.reordered(understood.words, self.shelf, found.rows, scores, order)
        found = found.at(order)
        return Ranked(found.rows, scores[order], found.words, found.meaning, found.cosine, added[order], sure)

    def look(self, token: str, understood: Understood, mask: Mask, now: float) -> Ranked:
        """Candidates that look like a picture, ranked.

        With words, those that answer them as well come first: what a thing is is for the words to say, and which of
        them for the picture.

        Args:
            token: What the picture looks like, see `retrieval.looks.packed`.
            understood: The words that were sent with it, if any.
            mask: bool (rows,), which rows may be found.
            now: In seconds since 1970.

        Raises:
            InputError: Nothing was learnt of the shop's pictures, or the token is no such thing.
        """
        if self.index.looks is None:
            raise InputError(
                "This shop has not learnt what its pictures look like.",
                where="looks",
                cure="Train on them: shopkeeper train pictures",
            )
        looks = self.index.looks
        place = unpacked(token, looks.sight.width)
        mask = self.without(mask, understood.exclude)
        rows, scores = looks.like(place, DEPTH, mask)
        if understood.words:
            said = self.find(replace(understood, exclude=()), mask, now)
            first = np.arange(min(len(said), DEPTH))
            both = np.union1d(rows, said.rows[first])
            by_words = np.full(len(both), said.scores[first].min(initial=0.0), dtype=np.float32)
            by_words[np.searchsorted(both, said.rows[first])] = said.scores[first]
            scores = _SAID * np.clip(standardised(by_words), -1, 1) + standardised(looks.likeness(place, both))
            order = np.lexsort((both, -scores))
            rows, scores = both[order], scores[order]
        nothing = np.zeros(len(rows), dtype=np.float32)
        return Ranked(
            rows, scores.astype(np.float32), nothing, scores.astype(np.float32), looks.cosines(place, rows), nothing
        )

    def answers(self, ranked: Ranked) -> bool:
        """Whether the candidates probably hold an answer, as far as that was learnt."""
        return self.confidence is None or ranked.sure is None or ranked.sure >= self.confidence.answer

    def without(self, mask: Mask, exclude: Sequence[str]) -> Mask:
        """A mask without the rows that have what is not wanted; the mask itself where nothing is unwanted."""
        for unwanted in exclude:
            key = f"{self.index.lexical.changes} {unwanted}"
            rows = self._holding.get(key)
            if rows is None:
                rows = holding(unwanted, self.index.lexical, self.shelf.items)
                self._holding.put(key, rows)
            mask = mask.copy()
            mask[rows[rows < len(mask)]] = False
        return mask

    def candidates(self, understood: Understood, mask: Mask) -> Rows:
        """Rows that a query might find, unranked: for counting what other choices would bring."""
        found = self.index.search(understood.words, self.vector(understood.words), mask)
        kept: Rows = found.rows[(found.bm25 > 0) | (found.cosine >= self.index.fusion.floor)]
        return kept

    def count(self, understood: Understood, mask: Mask) -> int:
        """How many rows a query would find, by its words alone: cheap, for trying what to give up."""
        mask = self.without(mask, understood.exclude)
        if not understood.words:
            return int(np.count_nonzero(mask))
        rows, _ = self.index.lexical.search(understood.words, DEPTH, mask)
        held = self.index.lexical.matches(understood.words, rows)["text"]
        wanted = len(query_terms(understood.words))
        return int(np.count_nonzero(np.bincount(held.row, minlength=len(rows)) >= wanted))

    def vector(self, text: str) -> Floats:
        """The vector of a query, float32 (d,), remembered."""
        key = text.casefold()
        vector = self._vectors.get(key)
        if vector is None:
            vector = self.index.encode(text)
            self._vectors.put(key, vector)
        return vector

    def _judged(
        self, text: str, share: float, understood: Understood, mask: Mask, now: float, own: Rows
    ) -> tuple[Found, Floats]:
        """Candidates of one wording and the features of the first `DEPTH`, weighed by the share of the wording."""
        vector = self.vector(text)
        found = self.index.search(text, vector, mask, own)
        first = found.at(np.arange(min(len(found), DEPTH)))
        asked = Asked(
            query=text,
            vector=vector,
            preferences=[(one.field, one.value, one.certainty) for one in understood.preferences],
            time=now,
            known=self.known.of(text, first.rows, self.shelf),
        )
        table = features(self.index, self.shelf, asked, first)
        if share < 1:
            table[:, [_FUSED, _COVERAGE]] *= np.float32(share)
            found = Found(
                found.rows, found.scores * np.float32(share), found.words, found.meaning, found.bm25, found.cosine
            )
        return found, table

    def _answers(self, found: Found, table: Floats) -> tuple[float | None, Mask]:
        """How sure it is that an answer is there, and which candidates may be one."""
        wordless = found.bm25 <= 0
        if self.confidence is None:
            return None, ~wordless | (found.cosine >= self.index.fusion.floor)
        chances = self.confidence.probabilities(table)
        keep = ~wordless
        keep[: len(table)] |= chances >= self.confidence.candidate
        return float(chances.max()), keep

    def _scores(self, found: Found, table: Floats) -> Scores:
        """float32 (n,): the judged ones by the ranker, the others behind them."""
        if not len(table):
            return found.scores
        if self.ranker is None:
            preferred = table[:, NAMES.index("preferred")]
            judged = standardised(table[:, _FUSED]) + _PREFERRED * preferred
        else:
            judged = self.ranker.score(table)
        rest = len(found) - len(table)
        behind = judged.min() - 1 - np.arange(rest, dtype=np.float32) / np.float32(max(rest, 1))
        return np.concatenate([judged, behind]).astype(np.float32)


def _wordings(understood: Understood) -> list[tuple[str, float]]:
    return [(understood.words, 1.0), *understood.variants]


def _merged(judged: Sequence[tuple[Found, Floats]]) -> tuple[Found, Floats]:
    """The candidates of several wordings, each as the wording saw it that it holds most of; judged ones first."""
    rows = np.concatenate([found.rows[: len(table)] for found, table in judged])
    tables = np.concatenate([table for _, table in judged])
    best = np.lexsort((-tables[:, _FUSED], -tables[:, _COVERAGE], rows))
    best = best[np.diff(rows[best], prepend=-1) > 0]
    best = best[np.argsort(-tables[best, _FUSED], kind="stable")][:DEPTH]
    taken = set(rows[best].tolist())
    parts = [
        np.concatenate([getattr(found, name)[: len(table)] for found, table in judged])[best]
        for name in ("rows", "scores", "words", "meaning", "bm25", "cosine")
    ]
    rest, _ = judged[0]
    left = np.array([row not in taken for row in rest.rows.tolist()], dtype=np.bool_)
    behind = [getattr(rest, name)[left] for name in ("rows", "scores", "words", "meaning", "bm25", "cosine")]
    joined = [np.concatenate(pair) for pair in zip(parts, behind, strict=True)]
    return Found(*joined), tables[best]

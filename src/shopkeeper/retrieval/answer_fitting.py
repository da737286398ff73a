"""Fitting `AnswerModel`: from questions whose right answer is known, and questions that nothing answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.models.intent_seeds import LANGUAGES
from shopkeeper.models.intents import IntentModel
from shopkeeper.models.logistic import logistic
from shopkeeper.models.serving import Encoders
from shopkeeper.models.text import Floats
from shopkeeper.records import Passage, PassageKind
from shopkeeper.retrieval.answer_model import AnswerModel, Comparer
from shopkeeper.retrieval.snippets import of_passages

_FOLDS: Final = 5
_PLAIN: Final = np.array([4, 2, 2, 2, 1, 1, 0, 2], dtype=np.float32)
"""Weights that choose which wrong snippets teach."""
_NEAREST: Final = 10
"""Snippets that teach of each question, besides the right one: the likeliest wrong ones."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what answers it.

    Attributes:
        question: In a customer's words.
        language: ``"en"`` or ``"zh"``.
        answers: Ids of passages that answer it; empty where none does.
    """

    question: str
    language: str
    answers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Known:
    """What an answer model is fitted to."""

    passages: Sequence[Passage]
    asked: Sequence[Asked]


@cache
def shipped() -> Known:
    """The questions and answers of an imaginary shop that come with the software, in both languages."""
    passages: list[Passage] = []
    asked: list[Asked] = []
    for language in LANGUAGES:
        text = (files("shopkeeper.models") / "data" / f"answers.{language}.txt").read_text(encoding="utf-8")
        number, answered = 0, False
        for line in filter(None, map(str.strip, text.splitlines())):
            if line.startswith("#"):
                question, _, words = (part.strip() for part in line[1:].partition("|"))
                answered = bool(words)
                if answered:
                    number += 1
                    faq = Passage(
                        id=f"{language} {number}", kind=PassageKind.FAQ, title=question, text=words, language=language
                    )
                    passages.append(faq)
            else:
                answers = frozenset(f"{other} {number}" for other in LANGUAGES) if answered else frozenset[str]()
                asked.append(Asked(line, language, answers))
    return Known(passages, asked)


def default_model(encoders: Encoders, intents: IntentModel) -> AnswerModel:
    """The model that the shipped questions give for an encoder; vectors are remembered on disk."""
    return fit_answers([shipped()], encoders, intents)


def fit_answers(known: Sequence[Known], encoders: Encoders, intents: IntentModel, *, seed: int = 0) -> AnswerModel:
    """Fit probabilities to known questions, and choose the threshold on questions that a fold did not see.

    Args:
        known: Shops, each with its own passages and questions; in all at least two questions that are answered, and at
            least one that nothing answers.
        encoders: What gives the vectors.
        intents: What is wanted; of the same encoder.
        seed: Of the folds.

    Raises:
        TrainingError: There are too few questions of either sort.
    """
    asked = [one for shop in known for one in shop.asked]
    passages = [one for shop in known for one in shop.passages]
    answered = sum(bool(one.answers) for one in asked)
    if answered < 2 or answered == len(asked):
        raise TrainingError(
            f"There are {answered} answered questions and {len(asked) - answered} without an answer.",
            where="replies",
            cure="Decide more questions: which passage answers them, or that none does.",
        )
    texts = [one.question for one in asked] + [f"{one.title} {one.text}" for one in passages]
    spoken = np.array([one.language for one in asked] + [one.language for one in passages])
    plain = AnswerModel(
        centres=_centres(encoders.passage.encode(texts), spoken),
        weights=_PLAIN,
        bias=-5.0,
        threshold=0.5,
        encoder=encoders.query.name,
    )
    lessons = [lesson for shop in known for lesson in _lessons(shop, encoders, plain, intents)]
    order = np.random.default_rng(seed).permutation(len(lessons)) % _FOLDS
    held = np.zeros(len(lessons))
    right = np.zeros(len(lessons), dtype=np.bool_)
    for fold in range(_FOLDS):
        model = _fitted(plain, [lesson for lesson, own in zip(lessons, order, strict=True) if own != fold])
        for at in np.flatnonzero(order == fold).tolist():
            scores = model.probabilities(lessons[at].table)
            best = int(scores.argmax())
            held[at], right[at] = scores[best], lessons[at].right[best]
    return replace(_fitted(plain, lessons), threshold=answer_threshold(held, right))


def answer_threshold(best: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """The least score at which the best snippet is given as the answer.

    A wrong answer costs as much as a right one gains; no answer costs nothing.

    Args:
        best: float (n,), score of the best snippet of each question.
        right: Bool (n,), does that snippet answer it?

    >>> answer_threshold(np.array([0.9, 0.8, 0.6, 0.4]), np.array([True, True, False, False]))
    0.7
    """
    order = np.argsort(-best, kind="stable")
    gains = np.concatenate([[0], np.cumsum(np.where(right[order], 1, -1))])
    at = int(gains.argmax())
    edges = np.concatenate([[1.0], best[order], [0.0]])
    return float(np.clip((edges[at] + edges[at + 1]) / 2, 0.05, 0.95))


def _centres(vectors: Floats, spoken: NDArray[np.str_]) -> Floats:
    """Mean vectors by language and of all, see `AnswerModel.centres`; a language without texts has the mean of all."""
    middle = vectors.mean(axis=0)
    own = [vectors[spoken == name].mean(axis=0) if (spoken == name).any() else middle for name in LANGUAGES]
    return np.stack([*own, middle]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """A question's nearest snippets: float32 (m, len(NAMES)), and which of them are right, bool (m,)."""

    table: Floats
    right: NDArray[np.bool_]


def _lessons(known: Known, encoders: Encoders, model: AnswerModel, intents: IntentModel) -> Iterator[_Lesson]:
    """Each question among the snippets of its own language, and among those of another one that answer it or do not."""
    snippets = of_passages(known.passages)
    comparer = Comparer([f"{one.asked}\n{one.text}" for one in snippets], encoders, model, intents)
    questions = encoders.passage.encode([one.question for one in known.asked])
    for language in sorted({one.language for one in snippets}):
        own = [one for one in snippets if one.language == language]
        shelf = comparer.shelved(own)
        ids = [one.passage.id if one.passage else "" for one in own]
        for asked, vector in zip(known.asked, questions, strict=True):
            right = np.array([name in asked.answers for name in ids])
            if asked.answers and not right.any():
                continue  # answered in the other language only: nobody knows what these snippets are to it
            table = shelf.table(comparer.question(asked.question, asked.language, vector))
            near = np.argsort(-np.where(right, np.inf, _PLAIN @ table.T), kind="stable")[:_NEAREST]
            yield _Lesson(table[near], right[near])


def _fitted(plain: AnswerModel, lessons: Sequence[_Lesson]) -> AnswerModel:
    table = np.concatenate([lesson.table for lesson in lessons])
    right = np.concatenate([lesson.right for lesson in lessons])
    weights, bias = logistic(table, right, penalty=0.3)
    return replace(plain, weights=weights, bias=bias)

"""Which of the shop's words answer a question: learnt from questions whose answer people chose.

Labels come from the review queue, task ``replies``: the text is a customer's question, the label the id of the passage that
answers it, ``none`` where no passage does. They are learnt beside the questions that come with the software, which also
keep a shop with few labels from forgetting what "no answer" looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.intents import IntentModel
from shopkeeper.models.serving import Encoders
from shopkeeper.records import Passage, PassageKind
from shopkeeper.retrieval.answer_fitting import Asked, Known, fit_answers, shipped
from shopkeeper.retrieval.answer_model import NAMES, AnswerModel
from shopkeeper.retrieval.answers import AnswerIndex
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store

REPLIES: Final = "replies"
NO_ANSWER: Final = "none"
_FEWEST: Final = 20
_FOLDS: Final = 5
_KINDS: Final = (PassageKind.FAQ, PassageKind.POLICY)


def decided_questions(store: Store) -> Known:
    """The shop's FAQ and policies, and the questions about them that people decided."""
    passages = list(store.words.scan(kinds=_KINDS))
    ids = {passage.id for passage in passages}
    asked = [
        Asked(
            decision.text,
            language_of(decision.text) or "en",
            frozenset() if decision.label == NO_ANSWER else frozenset([decision.label]),
        )
        for decision in store.labels.decided(REPLIES)
        if decision.text.strip() and decision.label in {NO_ANSWER, *ids}
    ]
    return Known(passages, asked)


def train_replies(
    store: Store, settings: Settings, folder: Path, encoders: Encoders, intents: IntentModel, *, parent: str = ""
) -> Bundle:
    """Learn when a passage answers a question, and save that as a bundle with a card.

    Args:
        store: Whose passages and decided questions teach.
        settings: The seed is taken from them.
        folder: Where the bundle goes; must not exist.
        encoders: The running shop's: the bundle holds for this encoder only.
        intents: What is wanted, the live model.
        parent: Version that this one follows.

    Raises:
        TrainingError: There are fewer than twenty decided questions.
    """
    own, seed = decided_questions(store), settings.compute.seed
    if len(own.asked) < _FEWEST:
        raise TrainingError(
            f"There are {len(own.asked)} questions with a decided answer; learning needs {_FEWEST}.",
            where=REPLIES,
            cure="Choose at the desk which passage answers a question, or that none does.",
        )
    plain = fit_answers([shipped()], encoders, intents, seed=seed)
    fold = np.random.default_rng(seed).permutation(len(own.asked)) % _FOLDS
    before, after = _Given(), _Given()
    for number in range(_FOLDS):
        held = [asked for asked, at in zip(own.asked, fold, strict=True) if at == number]
        rest = [asked for asked, at in zip(own.asked, fold, strict=True) if at != number]
        before.add(plain, own.passages, held, encoders, intents)
        after.add(_fitted(own.passages, rest, encoders, intents, seed), own.passages, held, encoders, intents)
    model = _fitted(own.passages, own.asked, encoders, intents, seed)
    arrays, values = model.save()
    card = Card(
        task=REPLIES,
        name="Answers out of the shop's own words",
        parent=parent,
        data={"passages": len(own.passages), "questions": len(own.asked), "shipped": len(shipped().asked)},
        settings={"columns": list(NAMES), "encoder": encoders.query.name, "folds": _FOLDS},
        seed=seed,
        before={"decided": before.marks()},
        after={"decided": after.marks()},
        notes="Before: as it comes. After: with the decided questions of the other folds as well.",
    )
    return save_bundle(folder, card, arrays=arrays, parameters=values)


def _fitted(
    passages: Sequence[Passage], asked: Sequence[Asked], encoders: Encoders, intents: IntentModel, seed: int
) -> AnswerModel:
    """Fitted to the shop's questions and the shipped ones, each beside its own passages."""
    return fit_answers([shipped(), Known(passages, asked)], encoders, intents, seed=seed)


class _Given:
    """What was given as an answer: 1 right, -1 wrong, 0 nothing; and whether there was an answer at all."""

    def __init__(self) -> None:
        self._gains: list[float] = []
        self._answered: list[bool] = []

    def add(
        self,
        model: AnswerModel,
        passages: Sequence[Passage],
        held: Sequence[Asked],
        encoders: Encoders,
        intents: IntentModel,
    ) -> None:
        index = AnswerIndex(passages, (), encoders, intents=intents, model=model)
        for asked in held:
            best = next(iter(index.find(asked.question, asked.language, k=1)), None)
            given = best is not None and best.score >= index.threshold
            right = best is not None and best.passage is not None and best.passage.id in asked.answers
            self._gains.append((1.0 if right else -1.0) if given else 0.0)
            self._answered.append(bool(asked.answers))

    def marks(self) -> dict[str, Any]:
        """Share answered rightly of what has an answer, share of given answers that are right, and the mean gain."""
        gains, answered = np.array(self._gains), np.array(self._answered)
        low, high = bootstrap_interval(gains)
        given = gains != 0
        return {
            "gain": {"value": float(gains.mean()), "low": low, "high": high},
            "found": float((gains[answered] > 0).mean()) if answered.any() else float("nan"),
            "precision": float((gains[given] > 0).mean()) if given.any() else float("nan"),
            "silent_rightly": float((~given[~answered]).mean()) if (~answered).any() else float("nan"),
        }

"""Texts with classes out of the store: what reviews feel, what they are about, and whatever humans decided."""

from __future__ import annotations

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.recipes.texts.labelled_texts import Texts
from shopkeeper.records import Passage, PassageKind
from shopkeeper.store.protocols import Store

_GOOD, _BAD = 4.0, 2.0
_LEAST = 20
_MOST_UNLABELLED = 10_000
_FEWEST_OF_A_CLASS = 5

SENTIMENT, TOPIC = "sentiment", "topic"


def texts_for(store: Store, task: str) -> Texts:
    """What there is to learn a task from.

    ``sentiment`` comes from the stars of reviews, ``topic`` from the department of the reviewed item, any other task
    from what humans decided under its name in the review queue; decisions count for the first two as well.

    Raises:
        TrainingError: There are too few texts, or of one class only.
    """
    pairs = [(decision.text, decision.label) for decision in store.labels.decided(task)]
    if task == SENTIMENT:
        pairs += [(text_of(review), label) for review in _reviews(store) if (label := feeling(review))]
    elif task == TOPIC:
        departments = {item.id: item.category[0] for item in store.catalogue.scan() if item.category}
        pairs += [
            (text_of(review), departments[review.item]) for review in _reviews(store) if review.item in departments
        ]
    once = {text: label for text, label in reversed(pairs) if text.strip()}
    counts: dict[str, int] = {}
    for label in once.values():
        counts[label] = counts.get(label, 0) + 1
    kept = {text: label for text, label in once.items() if counts[label] >= _FEWEST_OF_A_CLASS}
    if len(kept) < _LEAST or len(set(kept.values())) < 2:
        raise TrainingError(
            f"There are {len(kept)} texts of {len(set(kept.values()))} classes; learning needs {_LEAST} of two or more, "
            f"{_FEWEST_OF_A_CLASS} of each.",
            where=task,
            cure="Import rated reviews, or decide more questions of the review queue.",
        )
    return Texts(list(kept), list(kept.values()))


def unlabelled_for(store: Store, task: str, rng: np.random.Generator) -> list[str]:
    """Texts of the kinds that humans decided about under the task's name, but not these: at most 10,000, at random."""
    decided = {decision.subject for decision in store.labels.decided(task)}
    kinds = {passage.kind for passage in store.words.scan() if passage.id in decided}
    if not kinds:
        return []
    texts = [
        text_of(passage)
        for passage in store.words.scan(kinds=sorted(kinds))
        if passage.id not in decided and passage.text.strip()
    ]
    chosen = np.sort(rng.permutation(len(texts))[:_MOST_UNLABELLED])
    return [texts[row] for row in chosen.tolist()]


def feeling(review: Passage) -> str:
    """``positive`` from four stars, ``negative`` up to two, empty between and without stars."""
    if review.rating is None:
        return ""
    return "positive" if review.rating >= _GOOD else "negative" if review.rating <= _BAD else ""


def text_of(passage: Passage) -> str:
    """Title and text in one."""
    return f"{passage.title}. {passage.text}" if passage.title else passage.text


def _reviews(store: Store) -> list[Passage]:
    return [passage for passage in store.words.scan(kinds=[PassageKind.REVIEW]) if passage.text.strip()]

"""Self-training: a model labels the texts that nobody has labelled, and learns again from those it is sure of.

A text gets a pseudo-label where the model is confident and says the same about other wordings of it (consistency; Sohn
et al. 2020, FixMatch). Each round lets in more, class by class in the proportion of the human labels (curriculum
labelling, Cascante-Bonilla et al. 2021), so that an easy class cannot crowd out the others. The model is whatever `Learn`
makes: linear or fine-tuned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.models.text import Floats
from shopkeeper.progress import span
from shopkeeper.training.augmentation import Augmentation
from shopkeeper.training.batching import Ints

Predict = Callable[[Sequence[str]], Floats]
"""n texts -> probabilities, float32 (n, k)."""
M = TypeVar("M", bound=Predict)
Learn = Callable[[Sequence[str], Ints, Floats], M]
"""n texts, their classes int64 (n,) and weights float32 (n,) -> a model that can be called as `Predict`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTraining:
    """How to learn from texts without labels.

    Attributes:
        rounds: How often to label and learn again.
        threshold: Least probability of a class, on average over the wordings, that counts as confident.
        wordings: Ways of varying a text that must not change the model's mind; none asks for confidence alone.
        weight: How much a pseudo-label counts beside a human one, times its probability.
    """

    rounds: int = 3
    threshold: float = 0.8
    wordings: Sequence[Augmentation] = ()
    weight: float = 0.5


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did.

    Attributes:
        confident: Texts on which the model was confident and of one mind.
        taken: Those of them that were learnt from, after classes were balanced.
        score: Validation score of the model learnt; None without validation.
    """

    confident: int
    taken: int
    score: float | None


def self_train(
    learn: Learn[M],
    texts: Sequence[str],
    labels: Ints,
    unlabelled: Sequence[str],
    settings: SelfTraining,
    *,
    rng: np.random.Generator,
    validate: Callable[[M], float] | None = None,
) -> tuple[M, list[Round]]:
    """Learn from labelled texts, then again and again from them and from what the model says about the others.

    Args:
        learn: Makes a model; called once before the first round and once in each.
        texts: n labelled texts.
        labels: int64 (n,), their classes in [0, k).
        unlabelled: Texts of the same kind.
        settings: How.
        rng: Draws the wordings.
        validate: Score of a model, higher is better; with it the best model of all rounds is returned, otherwise the
            last one.

    Returns:
        The model, and what happened: the first entry is the model before the first round. It ends early when no text
        earns a pseudo-label.

    Raises:
        TrainingError: There are no labelled texts, or texts and labels differ in number.
    """
    if not len(texts) or len(texts) != len(labels):
        raise TrainingError(
            f"{len(texts)} texts with {len(labels)} labels teach nothing.",
            where="self-training",
            cure="Pass some texts, and one label for each.",
        )
    models = [learn(texts, labels, np.ones(len(texts), dtype=np.float32))]
    done = [Round(0, 0, None if validate is None else validate(models[0]))]
    with span("self-training", settings.rounds, "rounds") as progress:
        for number in range(1, settings.rounds + 1):
            views = _views(models[-1], unlabelled, settings.wordings, rng)
            found = pseudo_labels(views, settings.threshold)
            limits = _limits(labels, views, number / settings.rounds)
            rows, classes, weights = found.most_certain(limits)
            if not len(rows):
                break
            models.append(
                learn(
                    [*texts, *(unlabelled[row] for row in rows)],
                    np.concatenate([labels, classes]),
                    np.concatenate([np.ones(len(texts), dtype=np.float32), settings.weight * weights]),
                )
            )
            done.append(Round(len(found.rows), len(rows), None if validate is None else validate(models[-1])))
            progress.advance(taken=len(rows))
    best = max(range(len(done)), key=lambda n: (done[n].score or 0.0, n)) if validate is not None else len(done) - 1
    return models[best], done


@dataclass(frozen=True, slots=True)
class PseudoLabels:
    """Texts on which a model is confident, and what it says.

    Attributes:
        rows: int64 (m,), numbers of the texts, ascending.
        classes: int64 (m,).
        certainty: float32 (m,), mean probability of the class over all wordings.
    """

    rows: Ints
    classes: Ints
    certainty: Floats

    def most_certain(self, limits: NDArray[np.integer]) -> tuple[Ints, Ints, Floats]:
        """Rows, classes and certainty of at most `limits[c]` texts of each class c, the most certain ones."""
        order = np.argsort(-self.certainty, kind="stable")
        kept = [order[self.classes[order] == number][:limit] for number, limit in enumerate(limits)]
        places = np.sort(np.concatenate(kept)) if kept else order
        return self.rows[places], self.classes[places], self.certainty[places]


def pseudo_labels(views: Sequence[Floats], threshold: float) -> PseudoLabels:
    """Texts whose most probable class is the same in all views and has at least `threshold` on average.

    Args:
        views: Probabilities of the same texts in one or more wordings, each float32 (n, k).
        threshold: In [0, 1].

    >>> one, other = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]]), np.array([[0.8, 0.2], [0.9, 0.1], [0.3, 0.7]])
    >>> pseudo_labels([one, other], 0.8).rows.tolist()
    [0]
    """
    if not views:
        nothing = np.zeros(0, dtype=np.int64)
        return PseudoLabels(nothing, nothing, np.zeros(0, dtype=np.float32))
    mean = np.mean(views, axis=0)
    classes = mean.argmax(axis=1)
    certainty = mean.max(axis=1).astype(np.float32)
    agreed = np.all([view.argmax(axis=1) == classes for view in views], axis=0)
    rows = np.flatnonzero(agreed & (certainty >= threshold))
    return PseudoLabels(rows, classes[rows], certainty[rows])


def _views(
    predict: Predict, texts: Sequence[str], wordings: Sequence[Augmentation], rng: np.random.Generator
) -> list[Floats]:
    """Probabilities of the texts as they are and in each other wording."""
    if not texts:
        return []
    return [predict(texts), *(predict([wording(text, rng) for text in texts]) for wording in wordings)]


def _limits(labels: Ints, views: Sequence[Floats], share: float) -> Ints:
    """How many texts of each class may come in: `share` of all, in the proportion of the human labels."""
    if not views:
        return np.zeros(0, dtype=np.int64)
    counts = np.bincount(labels, minlength=views[0].shape[1])
    return np.array([math.ceil(share * len(views[0]) * count / len(labels)) for count in counts], dtype=np.int64)

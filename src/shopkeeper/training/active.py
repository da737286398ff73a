"""Active learning on the store's own review queue: choose what to ask, let people decide, learn, choose again.

`ask` puts questions into `Labels`, `answers` reads what was decided. `simulate` plays the whole game with labels that are
known, to measure what a strategy of `acquisition` saves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.models.text import Floats
from shopkeeper.records import Decision, Passage
from shopkeeper.store.protocols import Changes, Labels
from shopkeeper.training.acquisition import Strategy, random
from shopkeeper.training.batching import Ints

_SETTLED = 3  # rounds in a row that have to reach a goal
Fit = Callable[[Floats, Ints], Callable[[Floats], Floats]]
"""Vectors float32 (n, d) and classes int64 (n,) -> vectors (m, d) to probabilities float32 (m, k)."""


def ask(
    labels: Labels,
    task: str,
    passages: Sequence[Passage],
    probabilities: Floats,
    vectors: Floats,
    names: Sequence[str],
    strategy: Strategy,
    count: int,
    rng: np.random.Generator,
) -> Changes:
    """Put the passages that are worth most into the review queue, in place of what waited there.

    Args:
        labels: The queue.
        task: Which question is asked about each passage.
        passages: n passages.
        probabilities: float32 (n, k), what the model in force says about them.
        vectors: float32 (n, d), where they lie.
        names: Names of the k classes; the most probable one is proposed.
        strategy: What is worth most.
        count: How many questions.
        rng: Randomness.
    """
    decided = {decision.subject for decision in labels.decided(task)}
    taken = np.array([row for row, passage in enumerate(passages) if passage.id in decided], dtype=np.int64)
    chosen = strategy(probabilities, vectors, count, rng, taken)
    labels.withdraw(task)
    return labels.propose(
        Decision(
            task=task,
            subject=passages[row].id,
            text=passages[row].text,
            proposal=names[int(probabilities[row].argmax())],
            score=1.0 - rank / len(chosen),
            customer=passages[row].customer,
        )
        for rank, row in enumerate(chosen.tolist())
    )


def answers(labels: Labels, task: str, names: Sequence[str]) -> tuple[list[str], Ints]:
    """Texts that people decided about, and their classes, int64 (n,), as places in `names`; other labels are left out."""
    place = {name: number for number, name in enumerate(names)}
    found = [(decision.text, place[decision.label]) for decision in labels.decided(task) if decision.label in place]
    return [text for text, _ in found], np.array([number for _, number in found], dtype=np.int64)


def answer_all(labels: Labels, task: str, truth: Callable[[Decision], str], rater: str = "oracle") -> int:
    """Decide everything that waits as `truth` says, for simulations; how many there were."""
    done = 0
    while waiting := labels.pending(task):
        for decision in waiting:
            labels.decide(task, decision.subject, truth(decision), rater)
        done += len(waiting)
    return done


@dataclass(frozen=True, slots=True)
class Curve:
    """How good a model was after so many labels.

    Attributes:
        labels: int64 (r,), labels known in each round, ascending.
        scores: float64 (r,), accuracy on the test texts.
    """

    labels: Ints
    scores: np.typing.NDArray[np.float64]

    def needed(self, score: float) -> float:
        """Labels after which `score` was reached and not lost again on average, between rounds by a straight line.

        Scores are first smoothed to never fall (pool-adjacent-violators), so that one lucky round does not count.
        Infinite when it was not reached.
        """
        from sklearn.isotonic import IsotonicRegression

        smooth = IsotonicRegression().fit_transform(self.labels.astype(np.float64), self.scores)
        above = np.flatnonzero(smooth >= score)
        if not len(above):
            return float("inf")
        first = int(above[0])
        if first == 0:
            return float(self.labels[0])
        low, high = smooth[first - 1], smooth[first]
        share = (score - low) / (high - low)
        return float(self.labels[first - 1] + share * (self.labels[first] - self.labels[first - 1]))


def simulate(
    fit: Fit,
    vectors: Floats,
    classes: Ints,
    test: tuple[Floats, Ints],
    strategy: Strategy,
    rng: np.random.Generator,
    *,
    first: int,
    batch: int,
    most: int,
    until: float = float("inf"),
    start: Strategy = random,
) -> Curve:
    """Play active learning with known labels.

    Args:
        fit: Makes a model of what is labelled; called once a round.
        vectors: float32 (n, d), all texts that may be asked about.
        classes: int64 (n,), what an oracle would say about each.
        test: Vectors and classes on which every model is measured.
        strategy: Chooses each batch.
        rng: Randomness of the choices.
        first: Labels of the first round.
        batch: Labels added in each round after it.
        most: Labels at which to stop.
        until: Accuracy at which to stop, once three rounds in a row have reached it.
        start: Chooses the first labels, without a model: its probabilities are all even.

    Raises:
        TrainingError: There are fewer texts than first labels, or rounds without labels.
    """
    if not 0 < first <= len(vectors) or batch < 1:
        raise TrainingError(
            f"Cannot begin with {first} labels of {len(vectors)} texts and add {batch} at a time.",
            where="active learning",
            cure="Begin with at least one and at most all of them, and add at least one.",
        )
    even = np.full((len(vectors), int(classes.max()) + 1), 1.0 / (int(classes.max()) + 1), dtype=np.float32)
    taken = start(even, vectors, first, rng, np.zeros(0, dtype=np.int64))
    known: list[int] = []
    scores: list[float] = []
    while True:
        predict = fit(vectors[taken], classes[taken])
        known.append(len(taken))
        scores.append(float((predict(test[0]).argmax(axis=1) == test[1]).mean()))
        count = min(batch, most - len(taken), len(vectors) - len(taken))
        if count <= 0 or (len(scores) >= _SETTLED and min(scores[-_SETTLED:]) >= until):
            return Curve(np.array(known, dtype=np.int64), np.array(scores))
        chosen = strategy(predict(vectors), vectors, count, rng, taken)
        taken = np.concatenate([taken, chosen])

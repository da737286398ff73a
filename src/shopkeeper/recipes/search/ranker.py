"""Teaching the ranker of search: from queries whose answers are known, cross-validated over queries.

Two things are weighed against each other. Over the *full* candidate list an item that nobody judged counts as wrong,
which favours whatever system the judged items were taken from; among the *judged* items alone, junk that nobody judged
is forgiven. A ranker is chosen by the mean of both, and both are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from shopkeeper.evaluation.metrics import ideal_grades, ndcg_at
from shopkeeper.evaluation.splits import folds
from shopkeeper.models.text import Floats
from shopkeeper.progress import track
from shopkeeper.ranking.features import NAMES
from shopkeeper.ranking.ranker import SURE, Confidence, Linear, Ranker, standardised

LEAST = 40
"""Queries with known answers below which no ranker is learnt."""
UNJUDGED = (1.0, 0.3)
"""How much a candidate nobody judged counts as a wrong answer, against one that was judged."""
_FOLDS = 5
_TOP = 10
_TREES = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 20,
    "learning_rate": 0.05,
    "num_leaves": 7,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbose": -1,
    "deterministic": True,
}
_ROUNDS = 150
_STRENGTH, _CAUTION = 0.1, 0.01
_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""Weights of a cross-encoder that are tried."""
_LOST = 0.02
"""Share of right answers that the confidence may cost."""
_LEVELS = 31
"""Grades are taken in thirty-firsts of the highest, which is as fine as LightGBM's gains go."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One query: the features of its candidates, best fused first, and what is known about them.

    Attributes:
        query: The words that were searched for.
        table: float32 (n, len(NAMES)), of the candidates that the ranker would judge when serving.
        grades: float32 (n,), NaN where nobody judged.
        known: Grades of all judged items, found or not: what the best possible ranking is made of.
        trust: float32 (n,), how far each grade counts, in [0, 1].
    """

    query: str
    table: Floats
    grades: Floats
    known: Sequence[float]
    trust: Floats


@dataclass(frozen=True, slots=True)
class Kind:
    """What a ranker is made of, and how it sees candidates that nobody judged."""

    linear: bool
    trees: bool
    unjudged: float

    def __str__(self) -> str:
        """Readable, for the card."""
        parts = " and ".join(name for name, there in (("linear", self.linear), ("trees", self.trees)) if there)
        return f"{parts}, unjudged x {self.unjudged:g}"


KINDS = tuple(
    Kind(linear, trees, unjudged)
    for unjudged, (linear, trees) in product(UNJUDGED, ((True, False), (False, True), (True, True)))
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The kind of ranker that did best on queries it had not seen.

    Attributes:
        full: float64 (queries,), nDCG@10 over all candidates of each query, cross-validated.
        judged: float64 (queries,), the same among judged candidates alone.
        fused_full: The same for the fusion without a ranker.
        scores: Of the candidates of each query, by a ranker that had not seen it: float32 (n,) each.
    """

    kind: Kind
    full: NDArray[np.float64]
    judged: NDArray[np.float64]
    fused_full: NDArray[np.float64]
    fused_judged: NDArray[np.float64]
    scores: Sequence[Floats]


def choose(lessons: Sequence[Lesson], seed: int = 0) -> Chosen:
    """Cross-validate all `KINDS` over queries, five folds, and take the best by the mean of both measures."""
    fold = folds([lesson.query for lesson in lessons], _FOLDS, salt=str(seed))
    scores: dict[Kind, list[Floats]] = {kind: [np.zeros(0, dtype=np.float32)] * len(lessons) for kind in KINDS}
    parted = [number for number in range(_FOLDS) if (fold == number).any() and (fold != number).any()]
    for number in track(parted, "try rankers", len(parted), "folds"):
        taught = [lesson for lesson, own in zip(lessons, fold, strict=True) if own != number]
        for unjudged in UNJUDGED:
            whole = teach(taught, Kind(True, True, unjudged), seed)
            for linear, trees in ((True, False), (False, True), (True, True)):
                ranker = Ranker(whole.linear if linear else None, whole.trees if trees else None)
                for place in np.flatnonzero(fold == number).tolist():
                    scores[Kind(linear, trees, unjudged)][place] = ranker.score(lessons[place].table)
    values = {kind: measures(lessons, found) for kind, found in scores.items()}
    best = max(KINDS, key=lambda kind: float(sum(part.mean() for part in values[kind])))
    fused = measures(lessons, [lesson.table[:, NAMES.index("fused")] for lesson in lessons])
    return Chosen(best, *values[best], *fused, scores[best])


def teach(lessons: Sequence[Lesson], kind: Kind, seed: int = 0) -> Ranker:
    """A ranker of one kind, learnt from all `lessons`.

    The linear part tells items of at least half the highest grade from others (logistic loss); the trees learn the order
    within each query (LambdaMART, Burges 2010).
    """
    highest = max((max(lesson.known, default=0.0) for lesson in lessons), default=0.0) or 1.0
    taught = [lesson.table for lesson in lessons]
    grades = [lesson.grades for lesson in lessons]
    table, every = np.concatenate(taught), np.concatenate(grades)
    trust = np.concatenate([lesson.trust for lesson in lessons])
    weights = np.where(np.isnan(every), kind.unjudged, trust)
    every = np.nan_to_num(every) / highest
    linear = trees = None
    if kind.linear:
        linear = _linear(table, every >= 0.5, weights, strength=_STRENGTH)
    if kind.trees:
        levels = np.rint(every * (_LEVELS - 1)).astype(np.int32)
        gains = (2 ** (3 * np.arange(_LEVELS) / (_LEVELS - 1)) - 1).tolist()
        data = lightgbm.Dataset(table, levels, weight=weights, group=[len(part) for part in taught])
        trees = lightgbm.train(_TREES | {"label_gain": gains, "seed": seed, "num_threads": 2}, data, _ROUNDS)
    return Ranker(linear, trees)


def measures(lessons: Sequence[Lesson], scores: Sequence[Floats]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """nDCG@10 of each query, over all candidates and among the judged ones: float64 (queries,) each."""
    ideal = ideal_grades([{str(n): grade for n, grade in enumerate(lesson.known)} for lesson in lessons])
    full = np.zeros((len(lessons), _TOP))
    judged = np.zeros((len(lessons), _TOP))
    for place, (lesson, own) in enumerate(zip(lessons, scores, strict=True)):
        order = np.argsort(-own, kind="stable")
        found = lesson.grades[order]
        full[place, : min(_TOP, len(found))] = np.nan_to_num(found[:_TOP])
        found = found[~np.isnan(found)][:_TOP]
        judged[place, : len(found)] = found
    return np.asarray(ndcg_at(_TOP, full, ideal)), np.asarray(ndcg_at(_TOP, judged, ideal))


def teach_confidence(lessons: Sequence[Lesson], seed: int = 0) -> tuple[Confidence, NDArray[np.float64]] | None:
    """How likely a candidate is an answer: a held-back logistic model of judged candidates, every query counting alike.

    Args:
        lessons: Queries with and without an answer.
        seed: Of the folds.

    Returns:
        The model, and for each query the probability of its best candidate, cross-validated: float64 (queries,). None
        where the judgements hold right answers only, or wrong ones only.
    """
    fold = folds([lesson.query for lesson in lessons], _FOLDS, salt=str(seed))
    whole = _sure(lessons)
    if whole is None:
        return None
    best = np.zeros(len(lessons))
    right: list[Floats] = []
    for number in range(_FOLDS):
        model = _sure([lesson for lesson, own in zip(lessons, fold, strict=True) if own != number]) or whole
        for place in np.flatnonzero(fold == number).tolist():
            lesson = lessons[place]
            if len(lesson.table):
                chances = model.probabilities(lesson.table)
                best[place] = chances.max()
                right.append(chances[lesson.grades >= _half(lessons)])
    answered = np.array([max(lesson.known, default=0.0) > 0 for lesson in lessons])
    found = np.concatenate(right) if right else np.zeros(0, dtype=np.float32)
    candidate = float(np.quantile(found, _LOST)) if len(found) else 0.0
    return Confidence(whole.linear, candidate, _border(best, answered)), best


def tier_weight(lessons: Sequence[Lesson], scores: Sequence[Floats], read: Sequence[Floats]) -> float:
    """What a cross-encoder should weigh against the ranker: the best of a few by nDCG@10 over all candidates.

    Args:
        lessons: Queries with an answer.
        scores: The ranker's, of each query's candidates, cross-validated.
        read: The cross-encoder's, of the first m of each query in the order of `scores`.
    """
    best, chosen = -1.0, 0.0
    for weight in _WEIGHTS:
        joined = []
        for own, sharp in zip(scores, read, strict=True):
            out = own.copy()
            first = np.argsort(-own, kind="stable")[: len(sharp)]
            if len(first) > 1:
                mixed = standardised(own[first]) + np.float32(weight) * standardised(sharp)
                out[first[np.argsort(-mixed, kind="stable")]] = np.sort(own[first])[::-1]
            joined.append(out)
        value = float(measures(lessons, joined)[0].mean())
        if value > best + 1e-9:
            best, chosen = value, weight
    return chosen


def _sure(lessons: Sequence[Lesson]) -> Confidence | None:
    judged = [
        (lesson.table[known], lesson.grades[known]) for lesson in lessons if (known := ~np.isnan(lesson.grades)).any()
    ]
    if not judged:
        return None
    table = np.concatenate([part for part, _ in judged])[:, [NAMES.index(name) for name in SURE]]
    right = np.concatenate([grades for _, grades in judged]) >= _half(lessons)
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part, _ in judged])
    linear = _linear(table, right, weights * len(weights) / weights.sum(), strength=_CAUTION, balanced=True)
    return None if linear is None else Confidence(linear, 0.0, 0.0)


def _border(best: NDArray[np.float64], answered: NDArray[np.bool_]) -> float:
    """The probability that parts queries with an answer from those without best (Youden); 0 where all have one."""
    if answered.all() or not answered.any():
        return 0.0
    borders = np.unique(best)
    gained = [(best[answered] >= border).mean() - (best[~answered] >= border).mean() for border in borders]
    return float(borders[int(np.argmax(gained))])


def _half(lessons: Sequence[Lesson]) -> float:
    return max((max(lesson.known, default=0.0) for lesson in lessons), default=0.0) / 2 or 0.5


def _linear(
    table: Floats, right: NDArray[np.bool_], weights: NDArray[np.float64], *, strength: float, balanced: bool = False
) -> Linear | None:
    if right.all() or not right.any():
        return None
    centre, deviation = table.mean(axis=0), table.std(axis=0) + np.float32(1e-6)
    model = LogisticRegression(C=strength, max_iter=500, class_weight="balanced" if balanced else None)
    model.fit((table - centre) / deviation, right, weights)
    slopes = (model.coef_[0] / deviation).astype(np.float32)
    return Linear(centre.astype(np.float32), slopes, float(model.intercept_[0]))

"""Few labels: ten texts of each intent of BANKING77, three draws; `--set augmentation` varies texts at 10, 100 and all shots.

Intervals are Student's over the draws; where there is one draw only, bootstrap intervals over the test texts.
Self-trained rows also read the other training texts, without their labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.contract import Metric, Row
from bench.texts import banking
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.text import Floats
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.settings import Settings
from shopkeeper.training.class_contrast import Contrast, contrast
from shopkeeper.training.few_shot import Learnt, head_learner, readable
from shopkeeper.training.semi_supervised import SelfTraining, pseudo_labels, self_train
from shopkeeper.training.supervised import class_numbers

SHOTS, DRAWS = 10, 3
BLEND = 0.7
"""Share of the encoder beside TF-IDF, not tuned."""
SETTLED = SelfTraining(rounds=3, threshold=0.0)
"""The head's self-training: how many pseudo-labels come in is left to the rounds, how much they count to their certainty."""


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "shots") -> list[Row]:  # noqa: A002
    """Rows from TF-IDF over the frozen encoder to contrast with everything else that helps.

    Args:
        data: Folder of the public data sets.
        quick: One draw, few steps, a third of the test and of the texts without labels.
        seed: Of training; the draws of texts are always the same.
        set: ``shots`` or ``augmentation``.
    """
    if set == "augmentation":
        from bench.augmentation import run_augmentation

        return run_augmentation(data, quick=quick, seed=seed)
    marks: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for draw in range(1 if quick else DRAWS):
        task = _task(data, draw, quick)
        for name, (shares, spent) in _systems(task, Contrast(steps=15 if quick else 60), seed + draw).items():
            marks.setdefault(name, []).append(float((shares.argmax(axis=1) == task.truth).mean()))
            seconds.setdefault(name, []).append(spent)
    return [Row(name, {"accuracy": spread(found)}, float(np.mean(seconds[name]))) for name, found in marks.items()]


def spread(values: Sequence[float]) -> Metric:
    """Mean with Student's 95 % interval over draws or seeds; without one for a single value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Metric(mean)
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Metric(mean, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Task:
    """A draw: known texts, then the names of all classes as examples; texts without labels; the test."""

    texts: Sequence[str]
    labels: NDArray[np.int64]
    words: Sequence[str]
    others: Sequence[str]
    asked: Sequence[str]
    truth: NDArray[np.int64]

    def learn(self, backbone: Backbone, *, named: bool, self_training: bool = False) -> Learnt:
        """Logistic regression on the vectors of `backbone`, perhaps self-trained."""
        learner = head_learner(backbone, len(self.words))
        texts, labels = self.known(named=named)
        rounds = SETTLED if self_training else SelfTraining(rounds=0)
        learnt, _ = self_train(learner, texts, labels, self.others, rounds, rng=np.random.default_rng(0))
        return learnt

    def known(self, *, named: bool) -> tuple[list[str], NDArray[np.int64]]:
        """The labelled texts, with the names of the classes if wanted."""
        words = self.words if named else ()
        return [*self.texts, *words], np.concatenate([self.labels, np.arange(len(words), dtype=np.int64)])


def _systems(task: Task, settings: Contrast, seed: int) -> dict[str, tuple[Floats, float]]:
    """Probabilities on the test and seconds, by name."""
    found: dict[str, tuple[Floats, float]] = {}

    def measure(name: str, work: Callable[[], Floats]) -> Floats:
        began = time.perf_counter()
        shares = work()
        found[name] = shares, time.perf_counter() - began
        return shares

    def tuned(texts: Sequence[str], labels: NDArray[np.int64], weights: Floats | None = None) -> Backbone:
        backbone = load_backbone("minilm", Settings())
        contrast(backbone, texts, labels, settings, weights=weights, seed=seed)
        return backbone

    def again() -> Backbone:
        texts, labels = task.known(named=True)
        teacher = task.learn(named, named=True, self_training=True)
        each = np.full(len(task.words), len(task.others) // len(task.words))
        rows, classes, certainty = pseudo_labels([teacher(task.others)], 0.0).most_certain(each)
        more = [*texts, *(task.others[row] for row in rows)]
        return tuned(more, np.concatenate([labels, classes]), np.concatenate([np.ones(len(texts)), certainty]))

    linear = measure(
        "TF-IDF linear", lambda: fit_linear(task.texts, task.labels, len(task.words))[0].probabilities(task.asked)
    )
    frozen = load_backbone("minilm", Settings())
    measure("frozen + logistic", lambda: task.learn(frozen, named=False)(task.asked))
    measure("shopkeeper frozen, class names", lambda: task.learn(frozen, named=True)(task.asked))
    measure(
        "shopkeeper frozen, class names, self-training",
        lambda: task.learn(frozen, named=True, self_training=True)(task.asked),
    )
    began = time.perf_counter()
    named = tuned(*task.known(named=True))
    spent = time.perf_counter() - began
    shares = measure("shopkeeper contrast, class names", lambda: task.learn(named, named=True)(task.asked))
    measure("shopkeeper contrast, class names, TF-IDF blend", lambda: BLEND * shares + (1 - BLEND) * linear)
    measure(
        "shopkeeper contrast, class names, self-training",
        lambda: task.learn(named, named=True, self_training=True)(task.asked),
    )
    best = measure(
        "shopkeeper contrast again, class names, self-training",
        lambda: task.learn(again(), named=True, self_training=True)(task.asked),
    )
    measure(
        "shopkeeper contrast again, class names, self-training, TF-IDF blend",
        lambda: BLEND * best + (1 - BLEND) * linear,
    )
    added = {name: spent for name in found if name.startswith("shopkeeper contrast")}
    return {name: (shares, seconds + added.get(name, 0.0)) for name, (shares, seconds) in found.items()}


def _task(data: Path, draw: int, quick: bool) -> Task:
    split, everything = banking(data, SHOTS, draw=draw), banking(data).train
    names = sorted({*split.train.labels})
    known = {*split.train.texts}
    every = 3 if quick else 1
    return Task(
        split.train.texts,
        class_numbers(split.train.labels, names),
        [readable(name) for name in names],
        [text for text in everything.texts if text not in known][::every],
        split.test.texts[::every],
        class_numbers(split.test.labels, names)[::every],
    )

"""What reading the shop's texts without labels gives downstream: MiniLM on BANKING77's training texts, per objective.

Each objective reads for the same time. Then the encoder is judged by a logistic head on its frozen vectors, from ten texts
an intent (mean of three draws) and from all; and by contrast from ten texts an intent (`few-shot`), one draw.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.texts import Texts, banking, few
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.classification import accuracy
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.text import Floats, softmax
from shopkeeper.recipes.language.domain_lessons import DomainOptions, Objective, lesson_of
from shopkeeper.settings import Settings
from shopkeeper.training.class_contrast import Contrast, contrast
from shopkeeper.training.few_shot import linear_head, pooled
from shopkeeper.training.plan import FitSettings
from shopkeeper.training.supervised import class_numbers

OBJECTIVES: tuple[Objective, ...] = ("mlm", "tsdae", "simcse")
SHOTS, DRAWS = 10, 3


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """The encoder as it came, then after each objective.

    Args:
        data: Folder of the public data sets.
        quick: A tenth of the reading.
        seed: Of reading and contrast.
    """
    settings = Settings()
    set_threads(settings.compute)
    split = banking(data)
    first: list[NDArray[np.float64]] = []
    rows = []
    for objective in (None, *OBJECTIVES):
        base = load_backbone("minilm", settings)
        began = time.perf_counter()
        steps = read(base, split.train.texts, objective, 0.2 if quick else 2.0, seed) if objective else 0
        seconds = time.perf_counter() - began
        base.model.requires_grad_(requires_grad=True)
        found = judged(base, split.train, split.test, Contrast(steps=10 if quick else 60, longest=48), seed)
        first = first or found
        metrics = {}
        for name, right, before in zip(("accuracy_10", "accuracy", "contrast_10"), found, first, strict=True):
            metrics[name] = Metric.mean(right)
            if objective:
                gain = paired_difference(before, right)
                metrics[f"{name}_gain"] = Metric(gain.mean, gain.low, gain.high)
        rows.append(Row(f"shopkeeper {objective or 'as it came'}", metrics, seconds, f"{steps} steps" if steps else ""))
    return rows


def read(base: Backbone, texts: Sequence[str], objective: Objective, minutes: float, seed: int) -> int:
    """Pretrain in place; the best state by held-out texts is kept. Returns the steps taken."""
    options = DomainOptions(tokens=48)
    base.model.get_input_embeddings().requires_grad_(requires_grad=False)
    lesson = lesson_of(base, objective, texts, [], 64, options)
    rates = dict.fromkeys(lesson.heads, options.head_rate)
    return lesson.learn(FitSettings(epochs=20, minutes=minutes, rate=options.rate, rates=rates), seed, ()).steps


def judged(base: Backbone, train: Texts, test: Texts, how: Contrast, seed: int) -> list[NDArray[np.float64]]:
    """Right or not on each test text: ten labels an intent, all labels, ten labels an intent after contrast."""
    names = sorted(set(train.labels))
    labels, wanted = class_numbers(train.labels, names), class_numbers(test.labels, names)
    known, asked = (pooled(base, part.texts, bfloat16=True) for part in (train, test))

    def right(vectors: Floats, classes: NDArray[np.int64], unseen: Floats) -> NDArray[np.float64]:
        weights, bias = linear_head(vectors, classes, len(names))
        return accuracy(wanted, softmax(unseen @ weights.T + bias))

    drawn = [few(train.labels, SHOTS, draw) for draw in range(DRAWS)]
    tenth = np.mean([right(known[rows], labels[rows], asked) for rows in drawn], axis=0)
    everything = right(known, labels, asked)
    texts = [train.texts[row] for row in drawn[0].tolist()]
    contrast(base, texts, labels[drawn[0]], how, seed=seed)
    vectors, unseen = (pooled(base, part, bfloat16=True) for part in (texts, test.texts))
    return [tenth, everything, right(vectors, labels[drawn[0]], unseen)]

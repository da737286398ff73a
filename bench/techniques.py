"""Every technique of fine-tuning alone, on ten texts of each BANKING77 intent, against the same method without it.

`--set trained` varies what learns (layers, adapters), `--set steps` how it learns (attacks, averages, regularisers),
`--set optimisers` what moves the weights, `--set ensembles` three seeds that teach one model. `--set all-labels` compares adapters with everything on all of BANKING77. Each runs in a process of its own: `peak_mb` is its memory, `size_mb` what has to be kept of it on disk,
`gain` its difference to the first row over the test texts. One draw: differences below a point are noise.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.apart import apart, peak_mb
from bench.contract import Metric, Row
from bench.learning import METHODS, TASKS
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.classification import accuracy
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.adapters import save_delta
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.heads import Classifier
from shopkeeper.recipes.texts.classify import learn
from shopkeeper.settings import Settings
from shopkeeper.training.supervised import class_numbers

SETS = {
    "trained": (
        *("plain", "all", "top4", "top2", "head", "gradual", "lora", "dora", "adalora", "ia3", "prefix", "prompt"),
        "bottleneck",
    ),
    "steps": (
        *("plain", "solve", "layer-decay", "smoothing", "r-drop", "mixup", "fgm", "pgd", "freelb", "awp", "swa", "ema"),
    ),
    "optimisers": ("plain", "sgd", "adafactor", "lion"),
    "ensembles": ("plain", "members"),
    "all-labels": ("plain", "lora", "adalora"),
}


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one technique; `right` is float64 (texts,)."""

    right: NDArray[np.float64]
    share: float
    size_mb: float
    seconds: float
    peak_mb: float


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "trained") -> list[Row]:  # noqa: A002
    """One row a technique; the first is the method without any.

    Args:
        data: Folder of the public data sets.
        quick: A quarter of a minute each.
        seed: Of training; the draw of texts is always the same.
        set: One of `SETS`.
    """
    task, minutes = ("banking77", 15.0) if set == "all-labels" else ("banking77-10", 3.0)
    tried = {name: apart(_try, data, task, name, seed, 0.25 if quick else minutes) for name in SETS[set]}
    rows = []
    for name, found in tried.items():
        gain = paired_difference(tried["plain"].right, found.right)
        metrics = {
            "accuracy": Metric.mean(found.right),
            "gain": Metric(gain.mean, gain.low, gain.high),
            "trainable_share": Metric(found.share),
            "size_mb": Metric(found.size_mb),
            "peak_mb": Metric(found.peak_mb),
        }
        rows.append(Row(f"shopkeeper {name}", metrics, found.seconds))
    return rows


def _try(data: Path, which: str, name: str, seed: int, minutes: float) -> Tried:
    settings = Settings()
    set_threads(settings.compute)
    task = TASKS[which]
    split = task.split(data, 0)
    base = load_backbone(task.base, settings)
    method = METHODS[name](task.method)
    began = time.perf_counter()
    taught = learn(split.train, base, settings, method=method, minutes=minutes, seed=seed)
    seconds = time.perf_counter() - began
    scorer = replace(taught, share=1.0).scorer()
    right = accuracy(class_numbers(split.test.labels, taught.classes), scorer.probabilities(split.test.texts))
    return Tried(right, taught.learnt_share, _size(taught.classifier), seconds, peak_mb())


def _size(classifier: Classifier) -> float:
    """Megabytes to keep beside the base: the adapter's files, or every weight that learnt."""
    head = sum(part.numel() for part in classifier.linear.parameters()) * 4e-6
    if classifier.backbone.adapters is None:
        return head + sum(part.numel() for part in classifier.model.parameters() if part.requires_grad) * 4e-6
    with tempfile.TemporaryDirectory() as scratch:
        save_delta(classifier.backbone, Path(scratch) / "delta")
        return head + sum(file.stat().st_size for file in Path(scratch).rglob("*") if file.is_file()) / 1e6

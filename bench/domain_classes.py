"""Texts of a domain sorted as its office would: labels imported, `train TASK`, then `ClassifyTask`; beside tuned TF-IDF."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from bench.contract import Metric, Row
from bench.domain_texts import Set, write_labels
from bench.few_shot import spread
from bench.texts import stratified
from shopkeeper.domains import FILE, domain_file, domain_of
from shopkeeper.evaluation.classification import macro_f1
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.linear import Features, grams_for
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.curriculum import train
from shopkeeper.recipes.texts.labelled_texts import Texts
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds import import_labels
from shopkeeper.tasks.classify import MOST_TEXTS, Classified, ClassifyTask
from shopkeeper.training.supervised import class_numbers

STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Inverse penalties that cross-validation chooses from."""
_QUICK = 400
_MANY = 2_000  # rows above which three folds will do


@dataclass(slots=True)
class _Found:
    right: list[NDArray[np.float64]] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, wanted: NDArray[np.int64], said: NDArray[np.int64], count: int, seconds: float) -> None:
        self.right.append((wanted == said).astype(np.float64))
        self.f1.append(macro_f1(wanted, said, count))
        self.seconds += seconds

    def metrics(self) -> dict[str, Metric]:
        return {"accuracy": Metric.mean(np.concatenate(self.right)), "macro_f1": spread(self.f1)}


def classes(chosen: Set, *, quick: bool, seed: int, repeats: int = 0) -> list[Row]:
    """Rows `linear TF-IDF, tuned` and `shopkeeper TASK`; 80/20 by class, so many splits, the test side read once each.

    `human_share` is how much the domain leaves to people, `accuracy_alone` how right the rest is.
    """
    linear, ours = _Found(), _Found()
    alone: list[NDArray[np.float64]] = []
    left: list[NDArray[np.float64]] = []
    for number in range(1 if quick else repeats or chosen.repeats):
        texts = _few(chosen.texts, seed) if quick else chosen.texts
        test = stratified(texts.labels, 0.2, seed + number)
        known, asked = texts.take(np.flatnonzero(~test)), texts.take(np.flatnonzero(test))
        names = sorted(set(texts.labels))
        wanted = class_numbers(asked.labels, names)
        began = time.perf_counter()
        said = tuned_linear(known.texts, class_numbers(known.labels, names), asked.texts, seed)
        linear.add(wanted, said, len(names), time.perf_counter() - began)
        began = time.perf_counter()
        found = _sorted(chosen, known, asked.texts, 0.1 if quick else chosen.minutes, seed + number)
        ours.add(
            wanted,
            class_numbers([one.others[0].label for one in found], names),
            len(names),
            time.perf_counter() - began,
        )
        human = np.array([one.human for one in found])
        left.append(human.astype(np.float64))
        alone.append(ours.right[-1][~human])
    gain = paired_difference(np.concatenate(linear.right), np.concatenate(ours.right))
    more = {
        "gain": Metric(gain.mean, gain.low, gain.high),
        "human_share": Metric.mean(np.concatenate(left)),
        "accuracy_alone": Metric.mean(np.concatenate(alone)),
    }
    note = f"{len(ours.f1)} splits; macro F1 with Student's interval over splits"
    return [
        Row("linear TF-IDF, tuned", linear.metrics(), linear.seconds, note),
        Row(f"shopkeeper {chosen.task}", ours.metrics() | more, ours.seconds, f"{chosen.minutes} min a fine-tuning"),
    ]


def tuned_linear(texts: Sequence[str], labels: NDArray[np.int64], asked: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Classes int64 (q,) by a linear SVM on TF-IDF; penalty by five-fold cross-validation where classes allow, else 1."""
    features = Features.fit(grams_for(texts), texts)
    rows = features.of(texts)
    folds = min(3 if len(labels) > _MANY else 5, int(np.unique(labels, return_counts=True)[1].min()))
    marks = dict.fromkeys(STRENGTHS, 0.0)
    if folds > 1:
        parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels))
        for strength in marks:
            right = [_svm(strength).fit(rows[a], labels[a]).score(rows[b], labels[b]) for a, b in parts]
            marks[strength] = float(np.mean(right))
    strength = max(marks, key=marks.__getitem__) if folds > 1 else 1.0
    found: NDArray[np.int64] = _svm(strength).fit(rows, labels).predict(features.of(asked))
    return found


def _svm(strength: float) -> LinearSVC:
    return LinearSVC(C=strength, tol=1e-3, max_iter=3_000, random_state=0)


def _sorted(chosen: Set, known: Texts, asked: Sequence[str], minutes: float, seed: int) -> list[Classified]:
    """What the office's own answers are after `init`, `import labels` and `train`."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        shutil.copy(domain_file(chosen.name), home / FILE)
        domain = domain_of(home)
        changed = {"home": scratch, "compute.seed": seed, "models.encoder": chosen.encoder}
        settings = Settings().override(dict(domain.settings) | changed)
        store = open_store(settings.store_url)
        try:
            labels = domain.label_set(chosen.task)
            report = import_labels(
                write_labels(known, home / "labels.jsonl"), store, labels=labels, rejects=home / "rejects.jsonl"
            )
            assert not report.rejected, report.reasons
            registry = Registry(settings.bundles)
            (outcome,) = train(store, settings, registry, (chosen.task,), minutes)
            assert not outcome.skipped, outcome.skipped
            sorter = ClassifyTask(registry, store, domain, lambda texts: np.zeros((len(texts), 1), dtype=np.float32))
            parts = [asked[start : start + MOST_TEXTS] for start in range(0, len(asked), MOST_TEXTS)]
            return [one for part in parts for one in sorter.answer(chosen.task, part)]
        finally:
            store.close()


def _few(texts: Texts, seed: int) -> Texts:
    part = stratified(texts.labels, min(1.0, _QUICK / len(texts)), seed)
    return texts.take(np.flatnonzero(part))

"""Quality against latency on BANKING77: a fine-tuned MiniLM, in int8, as a student of half the layers, as a table, and none.

Latency is that of one text at a time on one thread, tokens included; size is what serving needs on disk. The student is
trained twice, with the teacher's answers and without, so that what the teacher gave can be seen.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bench.contract import Metric, Row
from bench.plots import frontier
from bench.report import RESULTS
from bench.texts import Texts, banking, stratified
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.classification import accuracy, log_loss
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.export import export_scorer
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.models.linear import LinearText
from shopkeeper.models.onnx import OnnxScorer
from shopkeeper.models.table import TableEncoder
from shopkeeper.models.text import Floats, Scorer, softmax
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.settings import Settings
from shopkeeper.training.criteria import classes
from shopkeeper.training.distillation import answers, taught
from shopkeeper.training.freezing import layer_count, open_top
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.shrinking import shrink
from shopkeeper.training.supervised import class_numbers, labelled, supervised
from shopkeeper.training.tables import distil_table
from shopkeeper.training.texts import tokenise

TOKENS = 48
BATCH = 64
STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True, slots=True)
class Part:
    """Texts with the number of each one's class."""

    texts: Sequence[str]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Exam:
    """What is learnt, what chooses, what is measured, and how long to train."""

    train: Part
    valid: Part
    test: Part
    classes: int
    settings: FitSettings
    seed: int
    asked: int

    def row(self, name: str, scorer: Scorer, megabytes: float, seconds: float, notes: str = "") -> Row:
        """Accuracy on the test, latency of single texts, size."""
        shares = scorer.probabilities(self.test.texts)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            times = [_milliseconds(scorer, text) for text in self.test.texts[: self.asked]]
        finally:
            torch.set_num_threads(threads)
        metrics = {
            "accuracy": Metric.mean(accuracy(self.test.labels, shares)),
            "p50_ms": Metric(float(np.median(times))),
            "size_mb": Metric(megabytes),
        }
        return Row(name, metrics, seconds, notes)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Every system on the official test, and the frontier as a plot.

    Args:
        data: Folder of the public data sets.
        quick: 12 training texts of an intent, two epochs, 500 test texts.
        seed: Of validation, heads and training.
    """
    settings = Settings()
    set_threads(settings.compute)
    exam = _exam(data, quick, seed)
    rows = [_words(exam)]
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        backbone = load_backbone("minilm", settings)
        backbone.max_length = TOKENS
        teacher = _fresh(backbone, exam)
        _learn(teacher, exam)
        rows += _served("teacher", teacher, exam, Path(scratch) / "teacher", time.perf_counter() - began)
        began = time.perf_counter()
        said = answers(teacher, tokenise(backbone, exam.train.texts, "", TOKENS), bfloat16=True)
        for name, lesson in (("3-layer student", said), ("3 layers without a teacher", None)):
            student = _fresh(shrink(load_backbone("minilm", settings) if lesson is None else backbone, 3), exam)
            if lesson is not None:
                student.linear.load_state_dict(teacher.linear.state_dict())
            _learn(student, exam, lesson)
            rows += _served(name, student, exam, Path(scratch) / name, time.perf_counter() - began)
            began = time.perf_counter()
        rows.append(_table(teacher.backbone, exam))
    points = {row.system: (row.metrics["p50_ms"].value, row.metrics["accuracy"].value) for row in rows}
    frontier(
        RESULTS / ("distill-quick.png" if quick else "distill.png"),
        points,
        "median time of one text on one thread, ms",
        "accuracy on BANKING77",
    )
    return rows


def _exam(data: Path, quick: bool, seed: int) -> Exam:
    split = banking(data, shots=12 if quick else 0)
    names = sorted(set(split.train.labels))
    held = stratified(split.train.labels, 0.1, seed)
    test = split.test.take(np.random.default_rng(seed).permutation(len(split.test))[: 500 if quick else None])

    def part(texts: Texts) -> Part:
        return Part(texts.texts, class_numbers(texts.labels, names))

    return Exam(
        train=part(split.train.take(np.flatnonzero(~held))),
        valid=part(split.train.take(np.flatnonzero(held))),
        test=part(test),
        classes=len(names),
        settings=FitSettings(epochs=2 if quick else 4, rate=2e-4, rates={"linear": 10.0}),
        seed=seed,
        asked=100 if quick else 400,
    )


def _fresh(backbone: Backbone, exam: Exam) -> Classifier:
    """A classifier whose layers learn and whose embeddings do not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(exam.seed)
        made = Classifier(backbone, classes=exam.classes)
    open_top(made.model, layer_count(made.model))
    return made


def _learn(model: Classifier, exam: Exam, said: torch.Tensor | None = None) -> None:
    """From labels, and from a teacher's logits where it has said something."""
    texts = tokenise(model.backbone, exam.train.texts, "", TOKENS)
    unseen = tokenise(model.backbone, exam.valid.texts, "", TOKENS)

    def validate() -> float:
        logits = answers(model, unseen, bfloat16=True)
        return -float(log_loss(exam.valid.labels, softmax(logits.numpy())).mean())

    loss = supervised(classes()) if said is None else taught(classes(), said, temperature=2.0)
    examples = labelled(texts, exam.train.labels, BATCH)
    fit(model, examples, loss, exam.settings, validate=validate, seed=exam.seed)


def _served(name: str, model: Classifier, exam: Exam, folder: Path, seconds: float) -> list[Row]:
    """As it is in PyTorch, and exported to int8."""
    full = sum(parameter.numel() for parameter in model.parameters()) * 4 / 1e6
    rows = [exam.row(f"shopkeeper {name}", TorchScorer(model), full, seconds, "PyTorch, float32")]
    began = time.perf_counter()
    agreement = export_scorer(model, folder)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    seconds += time.perf_counter() - began
    notes = f"ONNX Runtime; agrees {agreement:.4f} with PyTorch"
    return [*rows, exam.row(f"shopkeeper {name}, int8", OnnxScorer(folder), size, seconds, notes)]


def _words(exam: Exam) -> Row:
    began = time.perf_counter()
    train, valid = exam.train, exam.valid
    model, fit = fit_linear(train.texts, train.labels, exam.classes, valid.texts, valid.labels)
    return exam.row("TF-IDF linear", model, _weight(model), time.perf_counter() - began, f"C = {fit.strength:g}")


def _weight(model: LinearText) -> float:
    arrays, values = model.save()
    words = sum(len(gram.encode()) for block in values["vocabularies"] for gram in block)
    return (sum(array.nbytes for array in arrays.values()) + words) / 1e6


class _TableScorer:
    """A table of token vectors under a linear model."""

    name = "table"

    def __init__(self, encoder: TableEncoder, weights: Floats, bias: Floats) -> None:
        self._encoder, self._weights, self._bias = encoder, weights, bias

    def probabilities(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:  # noqa: ARG002
        logits = self._encoder.encode(texts_a, batch=batch) @ self._weights.T + self._bias
        return softmax(np.asarray(logits, dtype=np.float32))

    def score(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        scores: Floats = self.probabilities(texts_a, texts_b, batch)[:, -1]
        return scores


def _table(backbone: Backbone, exam: Exam) -> Row:
    began = time.perf_counter()
    encoder = distil_table(backbone, exam.train.texts)
    known, unseen = encoder.encode(exam.train.texts), encoder.encode(exam.valid.texts)
    models = [LogisticRegression(C=strength, max_iter=300).fit(known, exam.train.labels) for strength in STRENGTHS]
    losses = [float(log_loss(exam.valid.labels, model.predict_proba(unseen)).mean()) for model in models]
    chosen = models[int(np.argmin(losses))]
    scorer = _TableScorer(encoder, chosen.coef_.astype(np.float32), chosen.intercept_.astype(np.float32))
    size = encoder.megabytes + chosen.coef_.size * 4 / 1e6
    return exam.row("shopkeeper table + linear", scorer, size, time.perf_counter() - began, f"C = {chosen.C:g}")


def _milliseconds(scorer: Scorer, text: str) -> float:
    began = time.perf_counter()
    scorer.probabilities([text])
    return (time.perf_counter() - began) * 1000

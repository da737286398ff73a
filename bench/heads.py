"""Heads and fusion of tasks, at equal data and time: what a head is told about its classes, and what sharing a body costs.

Graded relevance (QBQTC, Chinese query and title, grades 0 to 2): plain classes, ordered classes, a number. Shopping
reviews: sentiment and category by a body each, by one body with two heads (fixed weights, or weights by uncertainty),
and by one head of twelve labels, several of which hold. e5-small, top two layers, frozen ones run once; nothing is tuned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import nn

from bench.contract import Metric, Row
from bench.texts import shopping
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.classification import macro_f1
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.decisions import likeliest, rank, sigmoid, value
from shopkeeper.models.heads import Classifier
from shopkeeper.models.multitask import MultiTask
from shopkeeper.models.text import Floats
from shopkeeper.settings import Settings
from shopkeeper.training.criteria import classes, number, ordered, several
from shopkeeper.training.distillation import answers
from shopkeeper.training.freezing import open_top
from shopkeeper.training.interleave import Interleaved
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.multitask import multi_task, multi_task_by_uncertainty
from shopkeeper.training.supervised import class_numbers, labelled, supervised
from shopkeeper.training.texts import TokenRows, tokenise, tokenise_pairs
from shopkeeper.training.trunk import Trunk

Ints = NDArray[np.int64]
_TOKENS, _OPEN, _BATCH = 64, 2, 32


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """One row a way of learning.

    Args:
        data: Folder of the public data sets.
        quick: A tenth of the texts.
        seed: Of heads, order and the choice of texts.
    """
    set_threads(Settings().compute)
    size = 400 if quick else 4_000
    return [*_relevance(data, size, seed), *_reviews(data, size, seed)]


@dataclass(frozen=True, slots=True)
class Desk:
    """A body, tokens that its frozen layers have read, and how long to learn."""

    backbone: Backbone
    trunk: Trunk
    tokens: TokenRows
    test: Ints
    settings: FitSettings
    seed: int

    def learn(self, model: nn.Module, batches: Any, loss: Callable[[nn.Module, Any], torch.Tensor]) -> float:
        """Fine-tune; seconds taken."""
        return fit(model, batches, loss, self.settings, seed=self.seed, name="heads").seconds

    def said(self, classifier: Classifier) -> Floats:
        """Logits of the test texts, float32 (n, k)."""
        return answers(classifier, self.tokens, self.test, bfloat16=True, within=self.trunk.using).numpy()


def _desk(tokens: Callable[[Backbone], TokenRows], test: Ints, seed: int) -> Desk:
    backbone = load_backbone("e5-small", Settings())
    open_top(backbone.model, _OPEN)
    rows = tokens(backbone)
    settings = FitSettings(epochs=3, minutes=10, rate=2e-4, rates={"linear": 10.0, "doubts": 50.0})
    return Desk(backbone, Trunk(backbone, rows), rows, test, settings, seed)


def _relevance(data: Path, size: int, seed: int) -> list[Row]:
    parts = [pl.read_parquet(data / "qbqtc" / f"{name}.parquet") for name in ("dev", "test_public")]
    known, asked = parts[0].sample(size, seed=seed), parts[1].head(size)
    frame = pl.concat([known, asked])
    grades = frame["label"].to_numpy().astype(np.int64)
    test = np.arange(len(known), len(frame))
    pairs = frame["query"].to_list(), frame["title"].to_list()
    middle, spread = float(grades[: len(known)].mean()), float(grades[: len(known)].std())
    standard = ((grades - middle) / spread).astype(np.float32)
    ways = (
        ("classes", 3, classes(), grades, likeliest),
        ("ordered classes", 2, ordered(), grades, rank),
        ("a number", 1, number(), standard, lambda said: np.clip(value(said, middle, spread).round(), 0, 2)),
    )
    rows = []
    for name, outputs, criterion, wanted, decide in ways:
        desk = _desk(lambda backbone: tokenise_pairs(backbone, *pairs, _TOKENS), test, seed)
        model = _head(desk.backbone, outputs, seed)
        learnt = desk.tokens.ids[: len(known)]
        batches = labelled(
            TokenRows(learnt, desk.tokens.types[: len(known)], desk.tokens.filler), wanted[: len(known)], _BATCH
        )
        with desk.trunk.attached():
            seconds = desk.learn(model, batches, desk.trunk.loss(supervised(criterion)))
            found = np.asarray(decide(desk.said(model))).astype(np.int64)
        rows.append(Row(f"shopkeeper relevance, {name}", _graded(found, grades[test]), seconds))
    return rows


def _graded(found: Ints, truth: Ints) -> dict[str, Metric]:
    return {
        "accuracy": Metric.mean((found == truth).astype(np.float64)),
        "macro_f1": Metric(macro_f1(truth, found, 3)),
        "absolute_error": Metric.mean(np.abs(found - truth).astype(np.float64)),
    }


def _reviews(data: Path, size: int, seed: int) -> list[Row]:
    by_label, by_category = shopping(data), shopping(data, "cat")
    label = dict(
        zip([*by_label.train.texts, *by_label.test.texts], [*by_label.train.labels, *by_label.test.labels], strict=True)
    )
    rng = np.random.default_rng(seed)
    known, asked = (part.take(rng.permutation(len(part))[:size]) for part in (by_category.train, by_category.test))
    texts = [*known.texts, *asked.texts]
    names = sorted(set(known.labels))
    wanted = {
        "sentiment": class_numbers([label[text] for text in texts], ["negative", "positive"]),
        "category": class_numbers([*known.labels, *asked.labels], names),
    }
    test = np.arange(len(known), len(texts))
    counts = {"sentiment": 2, "category": len(names)}
    both = np.concatenate([np.eye(count, dtype=np.float32)[wanted[task]] for task, count in counts.items()], axis=1)

    def desk() -> Desk:
        return _desk(lambda backbone: tokenise(backbone, texts, "query", _TOKENS), test, seed)

    def batches(own: Desk, labels: NDArray[Any]) -> Any:
        tokens = TokenRows(own.tokens.ids[: len(known)], [], own.tokens.filler)
        return labelled(tokens, labels[: len(known)], _BATCH)

    def row(name: str, found: Mapping[str, Ints], seconds: float) -> Row:
        right = {task: (found[task] == wanted[task][test]).astype(np.float64) for task in wanted}
        return Row(f"shopkeeper reviews, {name}", {task: Metric.mean(hits) for task, hits in right.items()}, seconds)

    rows: list[Row] = []
    apart: dict[str, Ints] = {}
    spent = 0.0
    for task, count in counts.items():
        own = desk()
        model = _head(own.backbone, count, seed)
        with own.trunk.attached():
            spent += own.learn(model, batches(own, wanted[task]), own.trunk.loss(supervised(classes())))
            apart[task] = likeliest(own.said(model))
    rows.append(row("a body each", apart, spent))
    for name, weigh in (
        ("one body, weights fixed", multi_task),
        ("one body, by uncertainty", multi_task_by_uncertainty),
    ):
        own = desk()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            shared = MultiTask(own.backbone, counts)
        loss = weigh({task: own.trunk.loss(supervised(classes())) for task in counts})
        turns = Interleaved({task: batches(own, wanted[task]) for task in counts})
        with own.trunk.attached():
            seconds = own.learn(shared, turns, loss)
            rows.append(row(name, {task: likeliest(own.said(shared[task])) for task in counts}, seconds))
    own = desk()
    model = _head(own.backbone, both.shape[1], seed)
    with own.trunk.attached():
        seconds = own.learn(model, batches(own, both), own.trunk.loss(supervised(several())))
        shares = sigmoid(own.said(model))
    edge = counts["sentiment"]
    rows.append(
        row(
            "one head of several labels",
            {"sentiment": likeliest(shares[:, :edge]), "category": likeliest(shares[:, edge:])},
            seconds,
        )
    )
    return rows


def _head(backbone: Backbone, outputs: int, seed: int) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(backbone, classes=outputs)

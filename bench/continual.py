"""Ten review categories one after another: how well sentiment is learnt and kept, by naive training and each remedy.

Domain-incremental: the classes (negative, positive) stay while the categories arrive. Then class-incremental: the ten
categories are the classes and arrive in pairs. Whatever keeps old texts keeps at most one in twenty of each period.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.periods import Course, gather
from bench.plots import curves
from bench.report import RESULTS
from bench.texts import Ints
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.continual import (
    average_accuracy,
    backward_transfer,
    forgetting,
    incremental_accuracy,
    plasticity,
)
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.heads import Classifier
from shopkeeper.models.text import unit
from shopkeeper.settings import Settings
from shopkeeper.training.continual import delta, grow, merge_deltas, put_back, remembering, snapshot
from shopkeeper.training.criteria import classes
from shopkeeper.training.distillation import answers
from shopkeeper.training.elastic import Anchor, ElasticPenalty, anchor, own_answers
from shopkeeper.training.freezing import open_top
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.memory import Reservoir, herding, lessons, rehearsed
from shopkeeper.training.supervised import supervised
from shopkeeper.training.texts import TokenRows, tokenise
from shopkeeper.training.trunk import Trunk

KEPT = 0.05
BATCH = 16
TOKENS = 64
OPEN = 2


@dataclass(frozen=True, slots=True)
class Method:
    """What is done against forgetting; nothing by default.

    Attributes:
        name: Of its row.
        memory: How the texts to be rehearsed are chosen.
        former: Weight of the model's own former answers.
        elastic: Strength of elastic weights.
        merging: Move only 1/t of the way that period t would go: the mean of all periods' task vectors.
    """

    name: str
    memory: Literal["", "reservoir", "herding"] = ""
    former: float = 0.0
    elastic: float = 0.0
    merging: bool = False


METHODS = (
    Method("naive"),
    Method("shopkeeper replay, reservoir", memory="reservoir"),
    Method("shopkeeper replay, herding", memory="herding"),
    Method("shopkeeper elastic weights", elastic=30_000.0),
    Method("shopkeeper without forgetting", former=1.0),
    Method("shopkeeper merging", merging=True),
    Method("shopkeeper replay + without forgetting", memory="herding", former=1.0),
    Method("shopkeeper replay + merging", memory="herding", merging=True),
)
GROWING = (METHODS[0], METHODS[2], METHODS[4], METHODS[6])


@dataclass(frozen=True, slots=True)
class School:
    """What all methods share: the body as it was before, its frozen layers run once, how long to train."""

    backbone: Backbone
    trunk: Trunk
    texts: TokenRows
    begin: dict[str, torch.Tensor]
    settings: FitSettings
    seed: int

    def beginner(self, count: int) -> Classifier:
        """The body as it was, under a new head."""
        put_back(self.backbone.model, self.begin)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return Classifier(self.backbone, classes=count)

    def right(self, model: Classifier, course: Course, rows: Ints) -> NDArray[np.float64]:
        """1 where the model is right about a text, else 0; float (len(rows),)."""
        found = answers(model, self.texts, rows, bfloat16=True, within=self.trunk.using).argmax(dim=1)
        return (found == course.wanted[torch.from_numpy(rows)]).double().numpy()


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """All methods on sentiment, then some on the growing set of categories.

    Args:
        data: Folder of the public data sets.
        quick: 60 and 40 texts a category in place of 400 and 200, one epoch in place of two.
        seed: Of the choice of texts, the order of categories and of training.
    """
    settings = Settings()
    set_threads(settings.compute)
    texts, sentiment, categories = gather(data, *((60, 40) if quick else (400, 200)), seed)
    backbone = load_backbone("e5-small", settings)
    open_top(backbone.model, OPEN)
    tokens = tokenise(backbone, texts, "query", TOKENS)
    rows: list[Row] = []
    lines: dict[str, list[float]] = {}
    fitting = FitSettings(epochs=1 if quick else 2, rate=2e-4, rates={"linear": 10.0})
    with Trunk(backbone, tokens).attached() as trunk:
        school = School(backbone, trunk, tokens, snapshot(backbone.model), fitting, seed)
        for label, course, methods in (("", sentiment, METHODS), ("categories, ", categories, GROWING)):
            rows.append(_joint(school, course, f"{label}all data kept"))
            for method in methods:
                began = time.perf_counter()
                table = attend(school, course, method)
                name = method.name.replace("shopkeeper ", f"shopkeeper {label}") if label else method.name
                name = f"{label}naive" if method.name == "naive" else name
                rows.append(_row(name, table, time.perf_counter() - began))
                if not label:
                    lines[name] = incremental_accuracy(table).tolist()
    curves(
        RESULTS / ("continual-quick.png" if quick else "continual.png"),
        lines,
        "categories learnt",
        "mean accuracy on the categories so far",
    )
    return rows


def attend(school: School, course: Course, method: Method) -> NDArray[np.float64]:
    """Learn one period after another; accuracy on each period so far after each, float (t, t), NaN above the diagonal."""
    count = len(course.train)
    table = np.full((count, count), np.nan)
    model = school.beginner(course.classes[0])
    rng = np.random.default_rng(school.seed)
    kept = np.zeros(0, dtype=np.int64)
    bowl: Anchor | None = None
    for period, new in enumerate(course.train):
        former = _answers(school, model, np.concatenate([new, kept])) if method.former and period else None
        if course.classes[period] > model.classes:
            model.linear = grow(model.linear, course.classes[period], seed=school.seed + period)
            model.classes = course.classes[period]
        before = snapshot(model)
        examples = lessons(school.texts, course.wanted, rehearsed(new, kept, rng, repeats=4), BATCH)
        loss = supervised(classes()) if former is None else remembering(classes(), former, weight=method.former)
        hooks = [ElasticPenalty(bowl, method.elastic)] if bowl is not None else []
        fit(model, examples, school.trunk.loss(loss), school.settings, hooks=hooks, seed=school.seed + period)
        if method.merging and period:
            put_back(model, merge_deltas(before, [delta(before, snapshot(model))], [1 / (period + 1)]))
        if method.memory:
            kept = np.concatenate([kept, _worth_keeping(school, model, course, new, method.memory, rng)])
        if method.elastic:
            alone = lessons(school.texts, course.wanted, new, 1)
            here = anchor(model, alone, school.trunk.loss(own_answers), most=100, seed=school.seed)
            bowl = here if bowl is None else bowl + here
        for earlier in range(period + 1):
            table[period, earlier] = school.right(model, course, course.test[earlier]).mean()
    return table


def _answers(school: School, model: Classifier, rows: Ints) -> torch.Tensor:
    """Logits of some texts at their numbers among all; the rest stays empty."""
    table = torch.zeros(len(school.texts.ids), model.classes)
    table[torch.from_numpy(rows)] = answers(model, school.texts, rows, bfloat16=True, within=school.trunk.using)
    return table


def _worth_keeping(
    school: School, model: Classifier, course: Course, new: Ints, way: str, rng: np.random.Generator
) -> Ints:
    budget = int(KEPT * len(new))
    if way == "reservoir":
        reservoir = Reservoir[int](budget, rng)
        reservoir.offer(rng.permutation(new).tolist())
        return np.array(reservoir.kept, dtype=np.int64)
    model.eval()
    vectors = []
    with torch.no_grad():
        for start in range(0, len(new), 64):
            some = new[start : start + 64]
            with school.trunk.using(some):
                vectors.append(model.pooled(*school.texts.batch(some)).float().numpy())
    return new[herding(unit(np.concatenate(vectors)), course.wanted[torch.from_numpy(new)].numpy(), budget)]


def _joint(school: School, course: Course, name: str) -> Row:
    """Everything learnt at once, every text kept: what no remedy is expected to beat."""
    began = time.perf_counter()
    model = school.beginner(course.classes[-1])
    examples = lessons(school.texts, course.wanted, np.concatenate(course.train), BATCH)
    fit(model, examples, school.trunk.loss(supervised(classes())), school.settings, seed=school.seed)
    values = [float(school.right(model, course, rows).mean()) for rows in course.test]
    return Row(name, {"average_accuracy": Metric.mean(values)}, time.perf_counter() - began, "upper bound")


def _row(name: str, table: NDArray[np.float64], seconds: float) -> Row:
    """Means over periods; the intervals are over periods as well, of which there are few."""
    measures = (average_accuracy, forgetting, backward_transfer, plasticity, incremental_accuracy)
    return Row(name, {measure.__name__: Metric.mean(measure(table)) for measure in measures}, seconds)

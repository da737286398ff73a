"""Ten review categories one after another: how well sentiment is learnt and kept, by naive training and each remedy.

Domain-incremental: the classes (negative, positive) stay while the categories arrive. Then class-incremental: the ten
categories are the classes and arrive in pairs. Whatever keeps old texts keeps at most one in twenty of each period.
How stiff elastic weights are is chosen on other texts in another order. Frozen layers run once for all methods.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.periods import Course, gather
from bench.plots import curves
from bench.report import RESULTS
from bench.school import Method, School
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.continual import (
    average_accuracy,
    backward_transfer,
    forgetting,
    incremental_accuracy,
    plasticity,
)
from shopkeeper.models.backbones import load_backbone
from shopkeeper.settings import Settings
from shopkeeper.training.continual import snapshot
from shopkeeper.training.freezing import open_top
from shopkeeper.training.loop import FitSettings
from shopkeeper.training.texts import tokenise
from shopkeeper.training.trunk import Trunk

TOKENS = 64
OPEN = 2
STRENGTHS = (1_000.0, 10_000.0, 100_000.0)
NAIVE = Method("naive")
HERDING = Method("shopkeeper replay, herding", memory="herding")
ELASTIC = Method("shopkeeper elastic weights", elastic=STRENGTHS[1])
FORMER = Method("shopkeeper without forgetting", former=1.0)
BOTH = Method("shopkeeper replay + without forgetting", memory="herding", former=1.0)
DEFAULT = Method("shopkeeper replay, gently (default)", memory="herding", gentle=True)
METHODS = (
    NAIVE,
    Method("shopkeeper replay, reservoir", memory="reservoir"),
    HERDING,
    ELASTIC,
    FORMER,
    BOTH,
    DEFAULT,
    Method("shopkeeper period adapters merged", adapters=True),
    Method("shopkeeper replay + period adapters merged", memory="herding", adapters=True),
)
GROWING = (
    NAIVE,
    replace(HERDING, name="shopkeeper replay, herding (default)"),
    FORMER,
    BOTH,
    replace(DEFAULT, name="shopkeeper replay, gently"),
)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """All methods on sentiment, then some on the growing set of categories.

    Args:
        data: Folder of the public data sets.
        quick: 40 and 40 texts a category in place of 320 and 200, one epoch in place of two.
        seed: Of the choice of texts, the order of categories and of training.
    """
    settings = Settings()
    set_threads(settings.compute)
    gathered = gather(data, *((40, 40) if quick else (320, 200)), seed)
    backbone = load_backbone("e5-small", settings)
    open_top(backbone.model, OPEN)
    tokens = tokenise(backbone, gathered.texts, "query", TOKENS)
    rows: list[Row] = []
    lines: dict[str, list[float]] = {}
    fitting = FitSettings(epochs=1 if quick else 2, rate=2e-4, rates={"linear": 10.0})
    with Trunk(backbone, tokens).attached() as trunk:
        school = School(backbone, trunk, tokens, snapshot(backbone.model), fitting, seed)
        strength = stiffness(replace(school, seed=seed + 1), gathered.rehearsal)
        for label, course, methods in (
            ("", gathered.sentiment, METHODS),
            ("categories, ", gathered.categories, GROWING),
        ):
            began = time.perf_counter()
            everything = Metric.mean(school.joint(course))
            spent = time.perf_counter() - began
            rows.append(Row(f"{label}all data kept", {"average_accuracy": everything}, spent, "upper bound"))
            for method in methods:
                chosen = replace(method, elastic=strength) if method.elastic else method
                began = time.perf_counter()
                table = school.attend(course, chosen)
                note = f"strength {strength:g}" if method.elastic else ""
                rows.append(_row(_named(method.name, label), table, time.perf_counter() - began, note))
                if not label:
                    lines[method.name] = incremental_accuracy(table).tolist()
    curves(
        RESULTS / ("continual-quick.png" if quick else "continual.png"),
        lines,
        "categories learnt",
        "mean accuracy on the categories so far",
    )
    return rows


def stiffness(school: School, rehearsal: Course) -> float:
    """The strength of elastic weights that ends with the best accuracy over all periods of another course."""
    found = {
        strength: float(average_accuracy(school.attend(rehearsal, Method("", elastic=strength))).mean())
        for strength in STRENGTHS
    }
    return max(found, key=lambda strength: found[strength])


def _named(name: str, label: str) -> str:
    ours = "shopkeeper "
    return f"{ours}{label}{name.removeprefix(ours)}" if name.startswith(ours) else f"{label}{name}"


def _row(name: str, table: NDArray[np.float64], seconds: float, notes: str = "") -> Row:
    """Means over periods; the intervals are over periods as well, of which there are few."""
    measures = (average_accuracy, forgetting, backward_transfer, plasticity, incremental_accuracy)
    return Row(name, {measure.__name__: Metric.mean(measure(table)) for measure in measures}, seconds, notes)

"""A generator that answers from evidence: what the check catches, and what fine-tuning on the shop's dialogues is worth.

First the check alone: falsehoods of each kind are planted into true sentences about the practice shop; `caught` is the
share that `unsupported` finds, `false alarms` the share of true sentences that it objects to. Then SmolLM2-135M answers
held-out questions of the practice shop (items, orders, FAQ, policies) before and after LoRA: `grounded` says nothing that
the evidence does not hold, `right` says the fact as well. No item, order or passage is on both sides. `--quick` plants
fewer and tunes for a minute, or leaves the model out where its package is missing.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from pathlib import Path

from bench.assist_exchanges import KINDS, falsehoods, practice_exchanges
from bench.contract import Metric, Row
from shopkeeper.errors import ExtraMissingError
from shopkeeper.models.generate.smollm import pack_path
from shopkeeper.practice.shop import Practice, build
from shopkeeper.recipes.language.dialogue import DialogueOptions, train_dialogue
from shopkeeper.recipes.language.dialogue_lessons import parted
from shopkeeper.settings import Settings
from shopkeeper.trust.grounding import unsupported


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001 - a bench by shape
    """The check, then the model before and after."""
    practice = build(seed, products=400 if quick else 1600, customers=40 if quick else 300, days=20 if quick else 60)
    rows = check(practice, 60 if quick else 800, seed)
    try:
        pack_path()
    except ExtraMissingError as error:
        return [*rows, Row("shopkeeper smollm2", {}, 0.0, f"left out: {error.what} {error.cure}")]
    return [*rows, *tuned(practice, quick=quick, seed=seed)]


def check(practice: Practice, count: int, seed: int) -> list[Row]:
    """Catch rate of each kind of falsehood, and false alarms on the true sentences; with and without the shop's brands."""
    planted = list(falsehoods(practice, count, seed))
    brands = sorted({item.brand for item in practice.items})
    rows = []
    for name, names in (("shopkeeper check", ()), ("shopkeeper check, brands known", brands)):
        began = time.perf_counter()
        caught: dict[str, list[bool]] = defaultdict(list)
        for one in planted:
            caught[one.kind].append(bool(unsupported(one.false, one.evidence, names=names)))
        true = list(dict.fromkeys((one.true, one.evidence) for one in planted))
        alarms = [bool(unsupported(text, evidence, names=names)) for text, evidence in true]
        metrics = {f"caught {kind}": Metric.mean(caught[kind]) for kind in KINDS if caught[kind]}
        metrics["false alarms"] = Metric.mean(alarms)
        note = ", ".join(f"{kind} {len(caught[kind])}" for kind in KINDS) + f"; true sentences {len(true)}"
        rows.append(Row(name, metrics, time.perf_counter() - began, note))
    return rows


def tuned(practice: Practice, *, quick: bool, seed: int) -> list[Row]:
    """SmolLM2 before and after LoRA on the shop's exchanges."""
    train, held = parted(practice_exchanges(practice, 60 if quick else 700, seed))
    options = DialogueOptions(examined=4 if quick else 60, answer=48, batch=4)
    settings = Settings().override({"train.epochs": 1 if quick else 3, "compute.seed": seed})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        bundle = train_dialogue(
            train, settings, Path(place) / "dialogue", test=held[: 8 if quick else 80],
            options=options, minutes=0.5 if quick else 7.0, seed=seed,
        )  # fmt: skip
    seconds = time.perf_counter() - began
    note = f"{len(train)} exchanges learnt from, {options.examined} held-out questions answered; {bundle.card.notes}"
    rows: list[Row] = []
    for name, marks in (("smollm2, as it comes", bundle.card.before), ("shopkeeper smollm2, tuned", bundle.card.after)):
        metrics = {key: Metric(**mark) for key, mark in marks["held-out questions"].items()}
        rows.append(Row(name, metrics, seconds if rows else 0.0, note if rows else ""))
    return rows

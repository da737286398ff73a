"""Classes of texts on public data: the linear model, the fine-tuned one and their blend, over seeds or folds.

`--task` chooses the data: shopping (Chinese review sentiment), topics (its ten categories), banking77, banking77-10
(ten texts an intent), phrasebank (English financial opinion, 5 folds), finfe (Chinese stock forum, unseen texts).
`--method` changes one thing against the task's own method, e.g. `lora`, `fgm`, `r-drop`: see `METHODS`. The test side
of a split is looked at once a seed. Differences are paired by test text: `gain` is blend minus linear.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.texts import Split, Texts, banking, finfe, phrasebank, shopping
from shopkeeper.evaluation.classification import accuracy, macro_f1
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.adapters import AdaLora, Bottleneck, Ia3, Lora, Prefix, Prompt
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.blended import mixed
from shopkeeper.models.heads import TorchScorer
from shopkeeper.models.text import Floats
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.texts.classify import learn
from shopkeeper.settings import Settings
from shopkeeper.training.adversarial import AWP, FGM, PGD, FreeLB
from shopkeeper.training.averaging import ExponentialAverage, StochasticWeightAveraging
from shopkeeper.training.optimisers import adafactor, lion, sgd
from shopkeeper.training.supervised import class_numbers

_QUICK = 600


@dataclass(frozen=True, slots=True)
class Task:
    """Where the texts come from and how they are learnt.

    Attributes:
        split: Data folder and number of the repeat (a seed, a draw or a fold) -> texts.
        base: Backbone.
        method: The task's own method.
        repeats: How many seeds, draws or folds.
        minutes: Budget of one fine-tuning.
    """

    split: Callable[[Path, int], Split]
    base: str
    method: Method
    repeats: int = 3
    minutes: float = 15.0


TASKS: Mapping[str, Task] = {
    "shopping": Task(
        lambda data, _: shopping(data),
        "e5-small",
        Method(open_layers=4, rate=1e-4, epochs=1, tokens=96, batch=32),
        minutes=25,
    ),
    "topics": Task(
        lambda data, _: shopping(data, "cat"),
        "e5-small",
        Method(open_layers=4, rate=1e-4, epochs=2, tokens=96, batch=32),
        repeats=1,
        minutes=25,
    ),
    "banking77": Task(
        lambda data, _: banking(data),
        "minilm",
        Method(open_layers=None, solve=True, rate=1e-4, head_rate=1.0, epochs=6, tokens=48, batch=64),
    ),
    "banking77-10": Task(
        lambda data, draw: banking(data, 10, draw=draw),
        "minilm",
        Method(open_layers=6, rate=2e-4, epochs=20, tokens=48, batch=16, patience=5),
    ),
    "phrasebank": Task(
        lambda data, fold: phrasebank(data, fold),
        "minilm",
        Method(open_layers=None, solve=True, rate=1e-4, head_rate=1.0, epochs=4, tokens=96, batch=32),
        repeats=5,
    ),
    "finfe": Task(
        lambda data, _: finfe(data),
        "e5-small",
        Method(open_layers=4, rate=1e-4, epochs=3, tokens=64, batch=32, hooks=(FGM,)),
    ),
}
METHODS: Mapping[str, Callable[[Method], Method]] = {
    "plain": lambda method: method,
    "solve": lambda method: replace(method, solve=True, head_rate=1.0),
    "refit": lambda method: replace(method, refit=True),
    "members": lambda method: replace(method, members=3),
    "head": lambda method: replace(method, open_layers=0, rate=1e-3, head_rate=1.0, epochs=20),
    "top2": lambda method: replace(method, open_layers=2),
    "top4": lambda method: replace(method, open_layers=4),
    "all": lambda method: replace(method, open_layers=None),
    "gradual": lambda method: replace(method, open_layers=None, gradual=True),
    "lora": lambda method: replace(method, adapter=Lora(rank=8), rate=1e-3, head_rate=2.0),
    "dora": lambda method: replace(method, adapter=Lora(rank=8, dora=True), rate=1e-3, head_rate=2.0),
    "adalora": lambda method: replace(method, adapter=AdaLora(rank=6, start=10), rate=2e-3, head_rate=1.0),
    "ia3": lambda method: replace(method, adapter=Ia3(), rate=5e-3, head_rate=1.0),
    "prefix": lambda method: replace(method, adapter=Prefix(20), rate=5e-3, head_rate=1.0),
    "prompt": lambda method: replace(method, adapter=Prompt(20), rate=1e-2, head_rate=1.0),
    "bottleneck": lambda method: replace(method, adapter=Bottleneck(48), rate=1e-3, head_rate=2.0),
    "sgd": lambda method: replace(method, optimiser=sgd, rate=5e-3),
    "adafactor": lambda method: replace(method, optimiser=adafactor, rate=10 * method.rate),
    "lion": lambda method: replace(method, optimiser=lion, rate=method.rate / 5),
    "layer-decay": lambda method: replace(method, layer_decay=0.8),
    "smoothing": lambda method: replace(method, smoothing=0.1),
    "r-drop": lambda method: replace(method, agree=1.0),
    "mixup": lambda method: replace(method, mix=0.4),
    "fgm": lambda method: replace(method, hooks=(FGM,)),
    "no-attack": lambda method: replace(method, hooks=()),
    "pgd": lambda method: replace(method, hooks=(PGD,)),
    "freelb": lambda method: replace(method, hooks=(FreeLB,)),
    "awp": lambda method: replace(method, hooks=(AWP,)),
    "swa": lambda method: replace(method, hooks=(StochasticWeightAveraging,)),
    "ema": lambda method: replace(method, hooks=(ExponentialAverage,)),
}


@dataclass(slots=True)
class _Found:
    """One value a test text and repeat."""

    right: list[NDArray[np.float64]] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)

    def add(self, wanted: NDArray[np.int64], shares: Floats) -> None:
        self.right.append(accuracy(wanted, shares))
        self.f1.append(macro_f1(wanted, shares.argmax(axis=1), shares.shape[1]))


def run(
    data: Path, *, task: str = "banking77", method: str = "plain", quick: bool = False, seed: int = 7, repeats: int = 0
) -> list[Row]:
    """Rows `linear TF-IDF`, `shopkeeper TASK fine-tuned`, `shopkeeper TASK` (the blend).

    Args:
        data: Folder of the public data sets.
        task: See `TASKS`.
        method: See `METHODS`.
        quick: 600 texts and one repeat.
        seed: Of the first repeat; the next ones follow.
        repeats: Seeds, draws or folds; the task's own number when 0.
    """
    chosen = TASKS[task]
    how = METHODS[method](chosen.method)
    linear, tuned, blended = _Found(), _Found(), _Found()
    shares, seconds, learnt, notes = [], 0.0, 0.0, ""
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch})
        for number in range(1 if quick else repeats or chosen.repeats):
            split = chosen.split(data, number)
            train, test = (_few(part, seed) if quick else part for part in (split.train, split.test))
            began = time.perf_counter()
            taught = learn(
                train,
                load_backbone(chosen.base, settings),
                settings,
                method=how,
                minutes=1 if quick else chosen.minutes,
                seed=seed + number,
            )
            seconds += time.perf_counter() - began
            wanted = class_numbers(test.labels, taught.classes)
            first = TorchScorer(taught.classifier, bf16=True).probabilities(test.texts)
            second = taught.linear.probabilities(test.texts)
            linear.add(wanted, second)
            tuned.add(wanted, first)
            blended.add(wanted, mixed(first, second, taught.share, taught.scales))
            shares.append(taught.share)
            learnt = taught.learnt_share
            notes = f"{taught.report.steps} steps, ended by {taught.report.stopped}, best {taught.report.best_step}"
    name = f"shopkeeper {task}" + ("" if method == "plain" else f" {method}")
    described = f"share in the blend {shares}; last run {notes}; {how.describe()}"
    return [
        Row("linear TF-IDF", dict(_metrics(linear, linear))),
        Row(f"{name} fine-tuned", dict(_metrics(tuned, linear)) | {"trainable_share": Metric(learnt)}, seconds),
        Row(name, dict(_metrics(blended, linear)), seconds, described),
    ]


def _metrics(found: _Found, first: _Found) -> Iterator[tuple[str, Metric]]:
    """Means over texts, intervals over texts; folds are put end to end, seeds averaged text by text."""
    right, base = _by_text(found.right), _by_text(first.right)
    yield "accuracy", Metric.mean(right)
    yield "macro_f1", Metric(float(np.mean(found.f1)), float(np.min(found.f1)), float(np.max(found.f1)))
    if found is not first:
        gain = paired_difference(base, right)
        yield "gain", Metric(gain.mean, gain.low, gain.high)


def _by_text(values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    if len({len(value) for value in values}) == 1 and len(values) <= 3:
        return np.asarray(np.mean(values, axis=0))
    return np.concatenate(values)


def _few(texts: Texts, seed: int) -> Texts:
    return texts.take(np.random.default_rng(seed).permutation(len(texts))[:_QUICK])

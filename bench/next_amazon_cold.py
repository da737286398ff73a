"""New items on Amazon 2014 Beauty or Toys (`--set`): a tenth of the items is hidden from learning, then asked for."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.next_amazon import opened
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.next_items import Split, measures, ranks
from shopkeeper.recipes.recommend.behaviour import Learnt, learn
from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.tasks.recommend.behaviour import Behaviour, fit

_HIDDEN = 0.1


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "beauty") -> list[Row]:  # noqa: A002
    """Text alone, item-kNN, and ours; `visible_change` is what a system loses on visible targets against itself with nothing hidden.

    Items are hidden by chance. They stand in no history that is learnt from or given, but in the catalogue with their texts,
    and validation asks for them as well: how far untouched items are lifted is tuned there.

    Args:
        data: Folder of the public data sets.
        quick: 3,000 users and no encoder.
        seed: Of what is hidden, of learning and of the bootstrap.
        set: ``beauty`` or ``toys``.
    """
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch, "compute": {"seed": seed}, "train": {"minutes": 30}})
        shelf, vectors, whole = opened(data / "amazon-2014-seqrec" / set, settings, quick=quick)
        width = len(shelf)
        hidden = np.random.default_rng(seed).random(width) < _HIDDEN
        validation, test = (moment.without(np.flatnonzero(hidden)) for moment in whole)
        split = test.split
        new = hidden[split.targets]
        plain = learn(*whole, shelf, vectors, settings)
        began = time.perf_counter()
        learnt = learn(validation, test, shelf, vectors, settings)
        seconds = time.perf_counter() - began
        full = _recalls(plain, shelf, vectors, whole[1].split)
        rows = []
        for name, values in _recalls(learnt, shelf, vectors, split).items():
            change = paired_difference(full[name][~new], values[~new], seed=seed)
            metrics = {
                "hidden_recall@10": Metric.mean(values[new], seed),
                "visible_recall@10": Metric.mean(values[~new], seed),
                "recall@10": Metric.mean(values, seed),
                "visible_change": Metric(change.mean, change.low, change.high),
            }
            notes = f"{int(new.sum())} of {len(new)} targets hidden; untouched items lifted by {learnt.parameters.untouched:.3f}"
            rows.append(Row(name, metrics, seconds, notes))
        return rows


def _recalls(learnt: Learnt, shelf: Shelf, vectors: Floats | None, split: Split) -> dict[str, NDArray[np.float64]]:
    """Recall@10 by user of two baselines and of what was measured in learning."""
    behaviour = fit(split.learn, shelf, vectors, learnt.parameters, split.until)
    return {
        "item-kNN, tuned": _alone(behaviour, "together", split, len(shelf)),
        "TF-IDF of text": _alone(behaviour, "words", split, len(shelf)),
        **{f"shopkeeper {name}": values["recall@10"] for name, values in learnt.measured.items()},
    }


def _alone(behaviour: Behaviour, name: str, split: Split, width: int) -> NDArray[np.float64]:
    source = behaviour.sources[name]
    return measures(ranks(lambda past: source.scores(past.weights(source.decay, width)), split, width), split)[
        "recall@10"
    ]

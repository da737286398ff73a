"""Will this customer buy this item? The purchase recipe on the practice shop, before and after, beside two baselines.

All rows are of the same test period, the last one by time, which neither training nor early stopping has seen.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bench.contract import Metric, Row
from shopkeeper.practice import Practice, build
from shopkeeper.recipes.customers.purchase import marks, train_purchase
from shopkeeper.recipes.customers.purchase_moments import Period, gather_periods
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store

_BATCH = 5_000


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Rows `popularity`, `tf-idf`, ours before, ours from words alone and with the item's record, and the ceiling.

    Args:
        data: Not used: the shop is simulated.
        quick: A smaller shop and one minute of training.
        seed: Of the shop and of training.
    """
    practice = build(seed, products=800, customers=400) if quick else build(seed)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch, "compute": {"seed": seed}, "train": {"epochs": 3}})
        store = open_store(f"sqlite:///{scratch}/shop.db")
        try:
            store.catalogue.put(practice.items)
            store.words.put(practice.passages)
            for start in range(0, len(practice.events), _BATCH):
                store.events.append(practice.events[start : start + _BATCH])
            began = time.perf_counter()
            periods = gather_periods(store, np.random.default_rng(seed))
            truth = marks(periods.test.labels, _true_chances(practice, periods.test))
            bundle = train_purchase(store, settings, Path(scratch) / "out", minutes=1 if quick else 8, onnx=False)
            seconds = time.perf_counter() - began
        finally:
            store.close()
    card = bundle.card
    return [
        _row("popularity", card.after["popularity"]),
        _row("tf-idf", card.after["tf-idf"]),
        _row("shopkeeper purchase, untrained head", card.before["test"]),
        _row("shopkeeper purchase, words alone", card.after["test"], seconds, card.notes),
        _row("shopkeeper purchase", card.after["with the item's own rate"], seconds, "words and the item's own rate"),
        _row("ceiling: the simulation's own probability", truth),
    ]


def _true_chances(practice: Practice, period: Period) -> NDArray[np.float64]:
    """What the simulation knows of each moment: the chance that who opened the page buys, this once."""
    chances = []
    for moment in period.moments:
        who, what, when = moment.customer, [moment.item], datetime.fromtimestamp(moment.time, UTC)
        opened = expit(practice.truth.affinity(who, what, when)[0])
        chances.append(practice.truth.purchase_probability(who, what, when)[0] / opened)
    return np.array(chances)


def _row(name: str, marks: Mapping[str, Mapping[str, Any]], seconds: float = 0.0, notes: str = "") -> Row:
    metrics = {key: Metric(mark["value"], mark.get("low"), mark.get("high")) for key, mark in marks.items()}
    return Row(name, metrics, seconds, notes)

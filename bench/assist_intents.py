"""What customers want: unknown intents on BANKING77, few and many examples on Bitext, and the shipped examples as they are.

Out of scope: a fifth of BANKING77's intents is held out of training; its test texts must be told from the others. The
threshold of every system comes from hiding another fifth of the known intents. Bitext: accuracy, 80/20 and with 5 and 10
examples an intent; then the shipped examples alone, with Bitext's intents mapped to ours.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.few_shot import spread
from bench.texts import Texts, banking, few, stratified
from shopkeeper.evaluation.classification import auc, auc_interval
from shopkeeper.evaluation.spans import f1_interval, micro_f1
from shopkeeper.models.intent_fitting import fit_intents
from shopkeeper.models.intent_seeds import seeds
from shopkeeper.models.intents import Encode
from shopkeeper.models.serving import encoders
from shopkeeper.recipes.pair_learning import f1_threshold
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.settings import Settings
from shopkeeper.training.supervised import class_numbers

Bools = NDArray[np.bool_]
Strange = Callable[[Texts, Sequence[str]], NDArray[np.floating]]
"""Texts to learn from and texts to judge -> how strange each of these is, float (n,)."""

DRAWS: Final = 3
OURS: Final[Mapping[str, str]] = {
    "track_order": "track_order", "cancel_order": "cancel_order", "check_cancellation_fee": "cancel_order",
    "change_shipping_address": "change_address", "set_up_shipping_address": "change_address",
    "check_invoice": "invoice", "get_invoice": "invoice", "check_payment_methods": "payment_question",
    "payment_issue": "payment_question", "delivery_options": "delivery_question", "delivery_period": "delivery_question",
    "complaint": "complaint", "contact_customer_service": "human", "contact_human_agent": "human",
    "get_refund": "refund_status", "track_refund": "refund_status", "check_refund_policy": "refund_status",
    "create_account": "other_question", "delete_account": "other_question", "edit_account": "other_question",
    "recover_password": "other_question", "registration_problems": "other_question", "switch_account": "other_question",
    "newsletter_subscription": "other_question",
}  # fmt: skip
"""Bitext's intents under our names; those that we have no name for are left out."""


def run(data: Path, *, quick: bool = False, seed: int = 7, encoder: str = "minilm") -> list[Row]:
    """Rows of all three parts.

    Args:
        data: Folder of the public data sets.
        quick: Ten texts an intent of BANKING77, a fifth of the tests, one draw.
        seed: Of everything random.
        encoder: Name of the encoder, which stays as it is.
    """
    with tempfile.TemporaryDirectory() as scratch:
        found = encoders(Settings.model_validate({"home": scratch}), None, encoder).passage.encode
        return [
            *_out_of_scope(data, found, quick, seed),
            *_bitext(data, found, quick, seed),
            *_shipped(data, found, quick, seed),
        ]


def _out_of_scope(data: Path, encode: Encode, quick: bool, seed: int) -> list[Row]:
    split = banking(data, 10 if quick else 0)
    names = sorted(set(split.train.labels))
    hidden = set(np.random.default_rng(seed).permutation(names)[: len(names) // 5].tolist())
    train = split.train.take([at for at, label in enumerate(split.train.labels) if label not in hidden])
    test = split.test.take(np.arange(0, len(split.test), 5 if quick else 1))
    truth = np.array([label in hidden for label in test.labels])

    def ours(known: Texts, asked: Sequence[str]) -> NDArray[np.floating]:
        return fit_intents(known.texts, [(label,) for label in known.labels], encode, seed=seed).read(asked).outside

    systems: dict[str, Strange] = {
        "banking77 out of scope: TF-IDF, least of the largest probability": _unsure,
        "shopkeeper banking77 out of scope": ours,
    }
    rows = []
    for name, strange in systems.items():
        began = time.perf_counter()
        scores = strange(train, test.texts)
        given = scores >= _hidden_threshold(strange, train, seed)
        counts = _counts(truth, given)
        low, high = auc_interval(truth, scores)
        metrics = {
            "auroc": Metric(auc(truth, scores), low, high),
            "f1": Metric(micro_f1(counts), *f1_interval(counts)),
        }
        rows.append(
            Row(name, metrics, time.perf_counter() - began, f"{len(train)} texts, {len(hidden)} intents hidden")
        )
    return rows


def _unsure(known: Texts, asked: Sequence[str]) -> NDArray[np.floating]:
    names = sorted(set(known.labels))
    valid = stratified(known.labels, 0.1, 0)
    learn, hold = known.take(np.flatnonzero(~valid)), known.take(np.flatnonzero(valid))
    classes = [class_numbers(part.labels, names) for part in (learn, hold)]
    linear, _ = fit_linear(learn.texts, classes[0], len(names), hold.texts, classes[1])
    surest: NDArray[np.floating] = linear.probabilities(asked).max(axis=1)
    return 1 - surest


def _hidden_threshold(strange: Strange, train: Texts, seed: int) -> float:
    """The threshold that is best where a fifth of the known intents is unknown."""
    names = sorted(set(train.labels))
    rng = np.random.default_rng(seed + 1)
    hidden = set(rng.permutation(names)[: len(names) // 5].tolist())
    unknown = np.array([label in hidden for label in train.labels])
    asked = unknown | stratified(train.labels, 0.2, seed + 1)
    learn, test = train.take(np.flatnonzero(~asked)), train.take(np.flatnonzero(asked))
    chosen = np.flatnonzero(~unknown[asked] | (rng.random(int(asked.sum())) < 0.2))  # as rare as in the test
    test = test.take(chosen)
    return f1_threshold(strange(learn, test.texts), unknown[asked][chosen])


def _counts(truth: Bools, given: Bools) -> NDArray[np.int64]:
    """Right, invented and missed of each row, int64 (n, 3)."""
    return np.stack([truth & given, ~truth & given, truth & ~given], axis=1).astype(np.int64)


def _read_bitext(data: Path) -> Texts:
    frame = pl.read_parquet(data / "bitext_customer_intents" / "utterances.parquet").unique(
        "utterance", maintain_order=True
    )
    return Texts(frame["utterance"].to_list(), frame["intent"].to_list())


def _bitext(data: Path, encode: Encode, quick: bool, seed: int) -> list[Row]:
    texts = _read_bitext(data)
    names = sorted(set(texts.labels))
    tested = stratified(texts.labels, 0.2, seed)
    everything, test = texts.take(np.flatnonzero(~tested)), texts.take(np.flatnonzero(tested))
    test = test.take(np.arange(0, len(test), 5 if quick else 1))
    wanted = class_numbers(test.labels, names)
    rows = []
    for shots in (5, 10) if quick else (5, 10, 0):
        right: dict[str, list[NDArray[np.float64]]] = {"linear TF-IDF": [], "shopkeeper": []}
        for draw in range(DRAWS if shots and not quick else 1):
            train = everything.take(few(everything.labels, shots, draw)) if shots else everything
            numbers = class_numbers(train.labels, names)
            linear, _ = fit_linear(train.texts, numbers, len(names))
            right["linear TF-IDF"].append((linear.probabilities(test.texts).argmax(axis=1) == wanted).astype(float))
            model = fit_intents(train.texts, [(label,) for label in train.labels], encode)
            right["shopkeeper"].append((model.read(test.texts).chances.argmax(axis=1) == wanted).astype(float))
        size = f"{shots} an intent" if shots else "four fifths"
        for name, hits in right.items():
            metric = spread([float(hit.mean()) for hit in hits]) if len(hits) > 1 else Metric.mean(hits[0])
            rows.append(
                Row(
                    f"{name} bitext, {size}" if name == "shopkeeper" else f"bitext, {size}: {name}",
                    {"accuracy": metric},
                )
            )
    return rows


def _shipped(data: Path, encode: Encode, quick: bool, seed: int) -> list[Row]:
    """The shipped examples on texts that they were not written for; the linear model reads the English ones only."""
    texts = _read_bitext(data)
    texts = texts.take([at for at, label in enumerate(texts.labels) if label in OURS])
    if quick:
        texts = texts.take(np.random.default_rng(seed).permutation(len(texts))[:400])
    wanted = [OURS[label] for label in texts.labels]
    shipped = [seed for seed in seeds() if len(seed.intents) == 1 and seed.language == "en"]
    names = sorted({seed.intents[0] for seed in shipped})
    linear, _ = fit_linear(
        [seed.text for seed in shipped], class_numbers([seed.intents[0] for seed in shipped], names), len(names)
    )
    model = fit_intents([seed.text for seed in seeds()], [seed.intents for seed in seeds()], encode)
    read = model.read(texts.texts)
    answers = {
        "bitext by shipped examples: linear TF-IDF": [
            names[at] for at in linear.probabilities(texts.texts).argmax(axis=1)
        ],
        "shopkeeper bitext by shipped examples": [model.names[at] for at in read.chances.argmax(axis=1)],
    }
    rows = [
        Row(name, {"accuracy": Metric.mean([a == b for a, b in zip(given, wanted, strict=True)])})
        for name, given in answers.items()
    ]
    kept = Metric.mean(read.outside < 0.5)
    return [rows[0], Row(rows[1].system, {**rows[1].metrics, "in_scope": kept}, notes=f"{len(texts)} texts")]

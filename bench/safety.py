"""Safety: prompt injections (smoke test), abuse in Chinese (COLD) and English (Davidson): rules, linear, ours.

`prompt_injection_synthetic`: the rules for code and disguises were written after a look at one half, the figures are of the
other; the linear model learns from the first half, with augmented
variants of an attack on the attack's side. The set is synthetic and easy: a smoke test, no proof. `zh_cold_offensive`:
official split; `en_hate_offensive`: 80/20, hate and offensive against neither. `ours` is the blend of `recipes.texts.classify`,
which `trust.safety.Safety` uses beside the rules. Macro F1 over the two classes; `anti-bias alarms` is the share of COLD's
class 3, texts against prejudice, that is taken for abuse. WARNING: the data hold offensive text; nothing of it is printed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.texts import Split, Texts, stratified
from shopkeeper.evaluation.classification import macro_f1
from shopkeeper.models.backbones import load_backbone
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.texts.classify import learn
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.settings import Settings
from shopkeeper.training.supervised import class_numbers
from shopkeeper.trust.safety import inspect

Flags = NDArray[np.bool_]
_QUICK = 600
_NAMES = ("fine", "wrong")  # in alphabetical order, as the classes of a model are


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """The three sets."""
    rows = _injection(data, quick, seed)
    cold, kinds = _cold(data)
    rows += _abuse("COLD", cold, "e5-small", quick, seed, kinds)
    return rows + _abuse("Davidson", _davidson(data, seed), "minilm", quick, seed)


def _injection(data: Path, quick: bool, seed: int) -> list[Row]:
    frame = pl.read_parquet(data / "prompt_injection_synthetic" / "prompts.parquet").unique(
        "prompt", maintain_order=True
    )
    texts, wrong = frame["prompt"].to_list(), frame["label"].to_numpy() == 1
    keys = [text[:24].lower() for text in texts]  # variants of an attack begin alike
    test = np.array([hashlib.blake2b(key.encode(), digest_size=1).digest()[0] % 2 == 1 for key in keys])
    split = Split(_texts(texts, wrong).take(np.flatnonzero(~test)), _texts(texts, wrong).take(np.flatnonzero(test)))
    rows = [_rules("injection", split.test, "injection"), _linear("injection", split, quick, seed)]
    return [Row(f"{row.system} (smoke)", row.metrics, row.seconds, row.notes) for row in rows]


def _cold(data: Path) -> tuple[Split, NDArray[np.int64]]:
    frame = pl.read_parquet(data / "zh_cold_offensive" / "cold.parquet").with_columns(pl.col("text").str.strip_chars())
    test = frame.filter(pl.col("split") == "test")
    train = frame.filter((pl.col("split") != "test") & ~pl.col("text").is_in(test["text"].implode())).unique(
        "text", maintain_order=True
    )
    sides = [_texts(part["text"].to_list(), part["label"].to_numpy() == 1) for part in (train, test)]
    return Split(*sides), test["fine_grained_label"].to_numpy().astype(np.int64)


def _davidson(data: Path, seed: int) -> Split:
    frame = pl.read_parquet(data / "en_hate_offensive" / "davidson.parquet").unique("tweet", maintain_order=True)
    found = _texts(frame["tweet"].to_list(), frame["label"].to_numpy() != "neither")
    test = stratified(found.labels, 0.2, seed)
    return Split(found.take(np.flatnonzero(~test)), found.take(np.flatnonzero(test)))


def _abuse(
    name: str, split: Split, base: str, quick: bool, seed: int, kinds: NDArray[np.int64] | None = None
) -> list[Row]:
    return [
        _rules(name, split.test, "abuse", kinds),
        _linear(name, split, quick, seed, kinds),
        _ours(name, split, base, quick, seed, kinds),
    ]


def _rules(name: str, test: Texts, kind: str, kinds: NDArray[np.int64] | None = None) -> Row:
    began = time.perf_counter()
    said = np.array([any(danger.kind == kind for danger in inspect(text)) for text in test.texts])
    return Row(f"shopkeeper rules, {name}", _metrics(test, said, kinds), time.perf_counter() - began)


def _linear(name: str, split: Split, quick: bool, seed: int, kinds: NDArray[np.int64] | None = None) -> Row:
    began = time.perf_counter()
    train = _some(split.train, 4_000 if quick else len(split.train), seed)
    held = stratified(train.labels, 0.1, seed)
    own, valid = train.take(np.flatnonzero(~held)), train.take(np.flatnonzero(held))
    known, wanted = (class_numbers(part.labels, _NAMES) for part in (own, valid))
    model, _ = fit_linear(own.texts, known, 2, valid.texts, wanted)
    said = model.probabilities(split.test.texts)[:, 1] >= 0.5
    return Row(f"TF-IDF linear, {name}", _metrics(split.test, said, kinds), time.perf_counter() - began)


def _ours(name: str, split: Split, base: str, quick: bool, seed: int, kinds: NDArray[np.int64] | None) -> Row:
    began = time.perf_counter()
    settings = Settings()
    train = _some(split.train, _QUICK if quick else len(split.train), seed)
    taught = learn(
        train, load_backbone(base, settings), settings, method=Method(), minutes=0.5 if quick else 12.0, seed=seed
    )  # fmt: skip
    said = taught.scorer().probabilities(split.test.texts)[:, 1] >= 0.5
    note = f"{base}, {len(train)} texts, share of the fine-tuned model {taught.share:.2f}; {taught.report}"
    return Row(f"shopkeeper blend, {name}", _metrics(split.test, said, kinds), time.perf_counter() - began, note)


def _metrics(test: Texts, said: Flags, kinds: NDArray[np.int64] | None) -> dict[str, Metric]:
    wrong = np.array([label == _NAMES[1] for label in test.labels])
    metrics = {
        "macro F1": _interval(wrong, said),
        "caught": Metric.mean(said[wrong]),
        "false alarms": Metric.mean(said[~wrong]),
    }
    return metrics | ({} if kinds is None else {"anti-bias alarms": Metric.mean(said[kinds == 3])})


def _interval(wrong: Flags, said: Flags, draws: int = 500) -> Metric:
    """Macro F1 with its bootstrap interval over texts."""
    rng = np.random.default_rng(0)
    rows = (rng.integers(len(wrong), size=len(wrong)) for _ in range(draws))
    found = [macro_f1(wrong[chosen], said[chosen], 2) for chosen in rows]
    return Metric(macro_f1(wrong, said, 2), float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975)))


def _texts(texts: Sequence[str], wrong: NDArray[np.bool_]) -> Texts:
    return Texts(list(texts), [_NAMES[int(flag)] for flag in wrong])


def _some(texts: Texts, most: int, seed: int) -> Texts:
    rows = np.sort(np.random.default_rng(seed).permutation(len(texts))[:most])
    return texts.take(rows)

"""Graded relevance of Chinese query and title (QBQTC): learnt from dev, measured on test_public by macro F1.

A third of the test's queries stand in dev, a quarter even with the same title and mostly the same grade: `macro_f1` is
over all of the test, as published, and `unseen_f1` over the pairs whose query dev does not hold, which is what counts.
The grades 0, 1 and 2 stand 24 : 63 : 13, so that the likeliest grade is seldom 0 or 2, and macro F1 asks for all three
alike. Where a row says "weighed", each grade's probability is multiplied by a weight that gives the best macro F1 on
validation: a seventh of dev, parted by query, which also chooses the epoch and how much each model of the blend counts.
`gain` is in `unseen_f1` over the best rival. e5-small reads both texts together; its upper half learns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import lightgbm as lgb
import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.svm import LinearSVC
from torch.nn import functional

from bench.contract import Metric, Row
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.classification import macro_f1
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.heads import Classifier
from shopkeeper.models.linear import CHINESE, Features
from shopkeeper.models.text import Floats, softmax
from shopkeeper.ranking.pair_features import Pairs, TermWeights, pair_features
from shopkeeper.recipes.method import Lesson, Method, prepare, teach
from shopkeeper.settings import Settings
from shopkeeper.training.distillation import answers
from shopkeeper.training.texts import TokenRows, tokenise_pairs

Ints = NDArray[np.int64]
_GRADES, _TOKENS, _RESAMPLES = 3, 64, 1_000
_LOGS = np.round(np.arange(-1.0, 2.6, 0.1), 1)  # logarithms of weights that are tried for the grades 0 and 2
_POWERS = np.round(np.arange(0.0, 1.41, 0.1), 1)  # of a model's probabilities in the blend
_TREES = {
    "objective": "multiclass",
    "num_class": _GRADES,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_child_samples": 50,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Exam:
    """Pairs of all parts with their grades, and which rows belong to which part; `unseen` says so of each test row."""

    queries: Sequence[str]
    titles: Sequence[str]
    grades: Ints
    train: Ints
    valid: Ints
    test: Ints
    unseen: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says: logarithms of probabilities of the validation rows and of the test rows, float (n, 3) each."""

    valid: Floats
    test: Floats
    seconds: float

    @classmethod
    def of(cls, valid: Floats, test: Floats, seconds: float) -> Said:
        """From logits or logarithms."""
        first, second = (np.log(softmax(part.astype(np.float32)) + 1e-9) for part in (valid, test))
        return cls(first, second, seconds)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Majority, words, features, e5-small, and the blend of them.

    Args:
        data: Folder of the public data sets.
        quick: A tenth of the texts, one epoch.
        seed: Of heads, order and trees.
    """
    set_threads(Settings().compute)
    exam = _exam(data, 0.08 if quick else 1.0)
    known, most = exam.grades[exam.valid], int(np.bincount(exam.grades[exam.train]).argmax())
    words, trees = _linear(exam), _boosted(exam, seed)
    found: list[tuple[str, Ints, float, str]] = [
        ("majority", np.full(len(exam.test), most), 0.0, ""),
        ("what dev says of the same pair, else majority", _looked_up(exam, most), 0.0, ""),
        ("TF-IDF of both and of what they share, linear", words.test.argmax(axis=1), words.seconds, ""),
        ("the same, weighed", *_weighed(words, known)),
    ]
    rivals = [grades for _, grades, _, _ in found]
    reader = _reader(exam, seed, epochs=1 if quick else 3)
    powers, blend = _blended((reader, trees, words), known)
    found += [
        ("shopkeeper features, LightGBM", trees.test.argmax(axis=1), trees.seconds, ""),
        ("shopkeeper features, weighed", *_weighed(trees, known)),
        ("shopkeeper e5-small reads both", reader.test.argmax(axis=1), reader.seconds, ""),
        ("shopkeeper e5-small, weighed", *_weighed(reader, known)),
        ("shopkeeper e5-small, features and TF-IDF blended", blend.test.argmax(axis=1), blend.seconds, powers),
        ("shopkeeper blend, weighed", *_weighed(blend, known)),
    ]
    truth, unseen = exam.grades[exam.test], exam.unseen
    best = max(rivals, key=lambda grades: macro_f1(truth[unseen], grades[unseen], _GRADES))
    return [Row(name, _metrics(truth, unseen, best, grades), seconds, notes) for name, grades, seconds, notes in found]


def _exam(data: Path, share: float) -> Exam:
    parts = [pl.read_parquet(data / "qbqtc" / f"{name}.parquet") for name in ("dev", "test_public")]
    dev, test = (part.head(int(share * len(part))) for part in parts)
    frame = pl.concat([dev, test])
    queries, titles = frame["query"].to_list(), frame["title"].to_list()
    held = by_hash(queries[: len(dev)], 1 / 7, salt="qbqtc")
    grades = frame["label"].to_numpy().astype(np.int64)
    rows = np.arange(len(dev), len(frame))
    asked = set(queries[: len(dev)])
    unseen = np.array([query not in asked for query in queries[len(dev) :]], dtype=np.bool_)
    return Exam(queries, titles, grades, np.flatnonzero(~held), np.flatnonzero(held), rows, unseen)


def _looked_up(exam: Exam, otherwise: int) -> Ints:
    """What dev says of the very same pair."""
    known = {(exam.queries[row], exam.titles[row]): int(exam.grades[row]) for row in range(int(exam.test[0]))}
    return np.array([known.get((exam.queries[row], exam.titles[row]), otherwise) for row in exam.test], dtype=np.int64)


def _linear(exam: Exam) -> Said:
    """The rival of words: character n-grams of the query, of the title, and of both at once; a linear SVM."""
    began = time.perf_counter()
    texts = [*exam.queries, *exam.titles]
    known = [*(exam.queries[row] for row in exam.train), *(exam.titles[row] for row in exam.train)]
    grams = sparse.csr_array(Features.fit(CHINESE, known).of(texts))
    query, title = grams[: len(exam.queries)], grams[len(exam.queries) :]
    both = sparse.csr_array(sparse.hstack([query, title, query.multiply(title).sqrt()]))
    model = LinearSVC(C=0.1, tol=1e-3, random_state=0).fit(both[exam.train], exam.grades[exam.train])
    valid, test = (np.asarray(3 * model.decision_function(both[rows])) for rows in (exam.valid, exam.test))
    return Said.of(valid, test, time.perf_counter() - began)


def _boosted(exam: Exam, seed: int) -> Said:
    began = time.perf_counter()
    rarity = TermWeights(text for row in exam.train for text in (exam.queries[row], exam.titles[row]))
    table = pair_features(Pairs(exam.queries, exam.titles), rarity)
    lessons = lgb.Dataset(table[exam.train], exam.grades[exam.train])
    model = lgb.train(_TREES | {"seed": seed}, lessons, num_boost_round=200)
    valid, test = (np.log(np.asarray(model.predict(table[rows]))) for rows in (exam.valid, exam.test))
    return Said.of(valid, test, time.perf_counter() - began)


def _reader(exam: Exam, seed: int, epochs: int) -> Said:
    """e5-small on query and title together, its upper six layers open; validation's log-loss chooses the epoch."""
    began = time.perf_counter()
    backbone = load_backbone("e5-small", Settings())
    tokens = tokenise_pairs(backbone, exam.queries, exam.titles, _TOKENS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Classifier(backbone, classes=_GRADES)
    method = Method(open_layers=6, rate=1e-4, epochs=epochs)
    prepare(model, method)
    wanted = torch.from_numpy(exam.grades[exam.valid])

    def validate() -> float:
        return -float(functional.cross_entropy(answers(model, tokens, exam.valid, bfloat16=True), wanted))

    lesson = Lesson(_some(tokens, exam.train), exam.grades[exam.train])
    teach(model, lesson, method, minutes=30, seed=seed, validate=validate, name="e5-small reads both")
    valid, test = (answers(model, tokens, rows, bfloat16=True).numpy() for rows in (exam.valid, exam.test))
    return Said.of(valid, test, time.perf_counter() - began)


def _some(tokens: TokenRows, rows: Ints) -> TokenRows:
    types = [tokens.types[row] for row in rows] if tokens.types else []
    return TokenRows([tokens.ids[row] for row in rows], types, tokens.filler)


def _blended(models: Sequence[Said], known: Ints) -> tuple[str, Said]:
    """The product of the models' probabilities, each to a power that suits the log-loss of validation best."""
    valid, test = np.stack([said.valid for said in models]), np.stack([said.test for said in models])

    def mixed(powers: Sequence[float], logs: Floats) -> Floats:
        sums: Floats = np.tensordot(np.array(powers, dtype=np.float32), logs, axes=1)
        logarithms: Floats = np.log(softmax(sums) + 1e-9)
        return logarithms

    best = min(product(_POWERS, repeat=len(models)), key=lambda powers: _log_loss(mixed(powers, valid), known))
    blend = Said.of(mixed(best, valid), mixed(best, test), sum(said.seconds for said in models))
    return "powers " + ", ".join(f"{power:.1f}" for power in best), blend


def _weighed(said: Said, known: Ints) -> tuple[Ints, float, str]:
    """Grades of the test rows with the weights that suit validation best, seconds, and what the weights are."""
    tried = product(_LOGS, _LOGS)
    best = max(tried, key=lambda logs: (_f1_with(said.valid, logs, known), -abs(logs[0]) - abs(logs[1])))
    note = (
        f"weights {np.exp(best[0]):.2f} : 1 : {np.exp(best[1]):.2f}; validation {_f1_with(said.valid, best, known):.4f}"
    )
    return (said.test + np.array([best[0], 0.0, best[1]])).argmax(axis=1), said.seconds, note


def _f1_with(logs: Floats, weights: tuple[float, float], truth: Ints) -> float:
    return macro_f1(truth, (logs + np.array([weights[0], 0.0, weights[1]])).argmax(axis=1), _GRADES)


def _log_loss(logs: Floats, truth: Ints) -> float:
    return -float(logs[np.arange(len(truth)), truth].mean())


def _metrics(truth: Ints, unseen: NDArray[np.bool_], rival: Ints, found: Ints) -> dict[str, Metric]:
    """Macro F1 over all and over unseen rows, gain over the rival, accuracy; bootstrap intervals over rows."""
    rng = np.random.default_rng(0)

    def f1(grades: Ints, rows: Ints) -> float:
        return macro_f1(truth[rows], grades[rows], _GRADES)

    def metric(rows: Ints, value: Callable[[Ints], float]) -> Metric:
        drawn = [value(rows[rng.integers(0, len(rows), len(rows))]) for _ in range(_RESAMPLES)]
        return Metric(value(rows), *np.quantile(drawn, [0.025, 0.975]).tolist())

    everything, new = np.arange(len(truth)), np.flatnonzero(unseen)
    return {
        "macro_f1": metric(everything, lambda rows: f1(found, rows)),
        "unseen_f1": metric(new, lambda rows: f1(found, rows)),
        "gain": metric(new, lambda rows: f1(found, rows) - f1(rival, rows)),
        "accuracy": Metric.mean((found == truth).astype(np.float64)),
    }

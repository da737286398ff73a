"""Which questions mean the same, and which reply follows: ATEC's question pairs and the sample of the e-commerce dialogues.

ATEC: 80/20 with no question on both sides; F1 of "the same", thresholds from validation. A fifth of the training side
blends and chooses. Dialogues: the right one of ten replies for each of 100 contexts; weights come from the training
sample's 77 contexts.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.evaluation.spans import f1_interval, micro_f1
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import TorchScorer
from shopkeeper.models.logistic import logistic
from shopkeeper.models.serving import encoders
from shopkeeper.models.term_space import TermSpace
from shopkeeper.models.text import Encoder, Floats
from shopkeeper.recipes.pair_learning import Pairs, f1_threshold, learn_pairs, parted, tune_cross, tune_encoder
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.answer_model import bigrams
from shopkeeper.retrieval.pair_features import cosines
from shopkeeper.retrieval.pair_model import cosine
from shopkeeper.settings import Settings
from shopkeeper.training.plan import FitSettings

MINUTES: Final = 12.0
_QUICK: Final = 1_200
_TEN: Final = 10
_FADE: Final = (1.0, 0.7, 0.5, 0.35, 0.25)
"""Weights of the last utterance, the one before, ... as one vector of the context."""


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "", minutes: float = MINUTES) -> list[Row]:  # noqa: A002
    """Rows of both parts.

    Args:
        data: Folder of the public data sets.
        quick: 1,200 pairs and a few seconds of fine-tuning.
        seed: Of everything random.
        set: ``pairs`` or ``dialogues`` for one part only.
        minutes: Of each fine-tuning.
    """
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch})
        raw = encoders(settings, None, "e5-small").passage
        rows: list[Row] = []
        if set != "dialogues":
            rows += _pairs(data, settings, raw, quick, seed, 0.1 if quick else minutes)
        if set != "pairs":
            rows += _dialogues(data, raw, seed)
        return rows


def read_pairs(data: Path) -> Pairs:
    """All of ATEC's first batch."""
    frame = pl.read_parquet(data / "zh_atec_question_pairs" / "train.parquet")
    return Pairs(frame["question1"].to_list(), frame["question2"].to_list(), frame["label"].to_numpy() == 1)


def _pairs(data: Path, settings: Settings, raw: Encoder, quick: bool, seed: int, minutes: float) -> list[Row]:
    everything = read_pairs(data)
    if quick:
        everything = everything.take(np.random.default_rng(seed).permutation(len(everything))[:_QUICK])
    train, test = parted(everything, 0.2, seed)
    learn, blend = parted(train, 0.2, seed + 1)
    how = FitSettings(epochs=1 if quick else 4, minutes=minutes, rate=1e-4, checks=2)
    rows: list[Row] = []

    def add(name: str, began: float, chances: Floats, threshold: float, notes: str = "") -> None:
        given = chances >= threshold
        counts = np.stack([test.same & given, ~test.same & given, test.same & ~given], axis=1).astype(np.int64)
        metrics = {
            "f1": Metric(micro_f1(counts), *f1_interval(counts)),
            "accuracy": Metric.mean(given == test.same),
        }
        rows.append(Row(name, metrics, time.perf_counter() - began, notes))

    began = time.perf_counter()
    words = TermSpace([*learn.first, *learn.second], bigrams)
    letters = [
        np.asarray(words.rows(part.first).multiply(words.rows(part.second)).sum(axis=1)).ravel()
        for part in (blend, test)
    ]
    add("atec: TF-IDF of letter pairs", began, letters[1], f1_threshold(letters[0], blend.same))
    began = time.perf_counter()
    add(
        "atec: e5-small as it came",
        began,
        cosine(raw, test.first, test.second),
        f1_threshold(cosine(raw, blend.first, blend.second), blend.same),
    )
    began = time.perf_counter()
    plain = learn_pairs(learn, blend, seed=seed)
    add("atec: features + LightGBM", began, plain.probabilities(test.first, test.second), plain.threshold)
    began = time.perf_counter()
    known = learn_pairs(learn, blend, raw=raw, seed=seed)
    add("shopkeeper atec: features and e5-small", began, known.probabilities(test.first, test.second), known.threshold)

    began = time.perf_counter()
    tuned_backbone = load_backbone("e5-small", settings)
    report = tune_encoder(tuned_backbone, learn, blend, how, seed=seed)
    tuned = TorchEncoder(tuned_backbone, bf16=True)
    threshold = f1_threshold(cosine(tuned, blend.first, blend.second), blend.same)
    add("shopkeeper atec: e5-small, tuned", began, cosine(tuned, test.first, test.second), threshold, str(report))
    began = time.perf_counter()
    model = learn_pairs(learn, blend, raw=raw, tuned=tuned, seed=seed)
    add(
        "shopkeeper atec: features, e5-small tuned",
        began,
        model.probabilities(test.first, test.second),
        model.threshold,
    )

    began = time.perf_counter()
    reader, report = tune_cross(load_backbone("e5-small", settings), learn, blend, replace(how, rate=1.5e-4), seed=seed)
    cross = TorchScorer(reader, bf16=True)
    scores = cross.score(blend.first, blend.second), cross.score(test.first, test.second)
    add("shopkeeper atec: cross-encoder", began, scores[1], f1_threshold(scores[0], blend.same), str(report))
    began = time.perf_counter()
    model = learn_pairs(learn, blend, raw=raw, tuned=tuned, cross=cross, seed=seed)
    notes = f"weights {model.weights.round(2).tolist()}; {len(learn)} learn, {len(blend)} blend, {len(test)} test"
    add("shopkeeper atec: all", began, model.probabilities(test.first, test.second), model.threshold, notes)
    return rows


@dataclass(frozen=True, slots=True)
class Dialogues:
    """n contexts with a candidate reply each.

    Attributes:
        contexts: Utterances, the oldest first.
        replies: Candidates.
        right: Bool (n,).
    """

    contexts: Sequence[Sequence[str]]
    replies: Sequence[str]
    right: NDArray[np.bool_]


def read_dialogues(data: Path, part: str) -> Dialogues:
    """``train`` (two candidates a context) or ``test`` (ten)."""
    frame = pl.read_parquet(data / "ecd_dialogue_sample" / f"{part}.parquet")
    return Dialogues(frame["context"].to_list(), frame["response"].to_list(), frame["label"].to_numpy() == 1)


def _dialogues(data: Path, raw: Encoder, seed: int) -> list[Row]:
    train, test = read_dialogues(data, "train"), read_dialogues(data, "test")
    told = [*train.replies, *(line for context in train.contexts for line in context)]
    words, letters = TermSpace(told, terms), TermSpace(told, bigrams)
    known, asked = (_compared(part, words, letters, raw) for part in (train, test))
    weights, _ = logistic(known, train.right, penalty=1.0)
    systems = {
        "dialogues: TF-IDF with the last utterance": asked[:, 0],
        "dialogues: TF-IDF with the whole context": asked[:, 1],
        "dialogues: e5-small as it came, last utterance": asked[:, 4],
        "shopkeeper dialogues": asked @ weights,
    }
    notes = f"weights {weights.round(2).tolist()}"
    return [
        Row(name, _recalls(scores, test.right, seed), notes=notes if "shopkeeper" in name else "")
        for name, scores in systems.items()
    ]


def _compared(part: Dialogues, words: TermSpace, letters: TermSpace, raw: Encoder) -> Floats:
    """What the last utterance, the whole context and a reply have in common: float32 (n, 7).

    TF-IDF of words and of letter pairs with both, cosines with both, and the logarithm of the reply's length.
    """
    last = [context[-1] for context in part.contexts]
    whole = ["\n".join(context) for context in part.contexts]
    columns: list[Any] = [_alike(space, side, part.replies) for space in (words, letters) for side in (last, whole)]
    vectors = raw.encode(list(part.replies))
    centre = vectors.mean(axis=0)
    replies = vectors - centre
    ends = raw.encode(last) - centre
    faded = np.stack([_faded(raw, context) for context in part.contexts]) - centre
    columns += [_unit_cosines(ends, replies), _unit_cosines(faded, replies)]
    columns.append(np.log1p([len(reply) for reply in part.replies]))
    return np.stack(columns, axis=1).astype(np.float32)


def _faded(raw: Encoder, context: Sequence[str]) -> Floats:
    """The context as one vector, float32 (d,): what was said last counts most."""
    lines = list(context[::-1][: len(_FADE)])
    shares = np.array(_FADE[: len(lines)], dtype=np.float32)
    found: Floats = shares @ raw.encode(lines) / shares.sum()
    return found


def _unit_cosines(one: Floats, other: Floats) -> Floats:
    return cosines(*(part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9) for part in (one, other)))


def _alike(space: TermSpace, one: Sequence[str], other: Sequence[str]) -> NDArray[Any]:
    return np.asarray(space.rows(one).multiply(space.rows(other)).sum(axis=1)).ravel()


def _recalls(scores: Floats, right: NDArray[np.bool_], seed: int) -> dict[str, Metric]:
    """R10@1, @2 and @5 over runs of ten candidates; ties are broken at random."""
    noise = np.random.default_rng(seed).random(len(scores)) * 1e-9
    table = (scores.astype(np.float64) + noise).reshape(-1, _TEN)
    own = (table * right.reshape(-1, _TEN)).sum(axis=1, keepdims=True)
    rank = (table > own).sum(axis=1)
    return {f"r10@{k}": Metric.mean(rank < k) for k in (1, 2, 5)}

"""A cross-encoder teaches a bi-encoder: Home Depot, search terms parted 80/20, order of pairs of products within a term.

The cross-encoder reads term and title together and learns the graded relevance as a number; the bi-encoder, which a search
engine can afford for every product, learns margins between titles: those of the grades, or those that the cross-encoder
sees, also between titles that nobody has graded for the term. `pair_accuracy` is the share of differently graded pairs of a
test term that stand in the right order, mean over terms. MiniLM everywhere, nothing tuned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier
from shopkeeper.settings import Settings
from shopkeeper.training.criteria import number
from shopkeeper.training.distillation import answers, parting, triples
from shopkeeper.training.freezing import open_top
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.supervised import labelled, supervised
from shopkeeper.training.texts import tokenise, tokenise_pairs

Ints = NDArray[np.int64]
Scores = NDArray[np.float32]
_TERMS = (1_500, 600)
_TOKENS, _OTHERS = 48, 3


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """The cross-encoder, and the bi-encoder as it came, taught by grades, and taught by the cross-encoder.

    Args:
        data: Folder of the public data sets.
        quick: A tenth of the terms.
        seed: Of the choice of terms, heads and order.
    """
    set_threads(Settings().compute)
    known, asked = _pairs(data, 0.1 if quick else 1.0, seed)
    began = time.perf_counter()
    cross = _cross_encoder(known, seed)
    seconds = time.perf_counter() - began
    first = _bi_encoder()
    plain = _order(asked, _cosines(first, asked))
    rows = [
        _row("shopkeeper cross-encoder", plain, _order(asked, _read(cross, asked["term"], asked["title"])), seconds),
        _row("bi-encoder as it came", plain, plain),
    ]
    lessons: tuple[tuple[str, Callable[[Ints], Scores] | None], ...] = (
        ("its grades", None),
        ("the cross-encoder", cross_margins(cross, known)),
    )
    for name, teacher in lessons:
        began = time.perf_counter()
        student = _bi_encoder()
        _teach(student, known, teacher, seed)
        right = _order(asked, _cosines(student, asked))
        rows.append(_row(f"shopkeeper bi-encoder taught by {name}", plain, right, time.perf_counter() - began))
    return rows


def cross_margins(cross: Classifier, known: pl.DataFrame) -> Callable[[Ints], Scores]:
    """For triples of row numbers (term, right, wrong), int64 (n, 3): what the cross-encoder sees between the titles."""
    terms, titles = known["term"].to_list(), known["title"].to_list()

    def margins(chosen: Ints) -> Scores:
        pairs = np.unique(np.concatenate([chosen[:, [0, 1]], chosen[:, [0, 2]]]), axis=0)
        said = _read(cross, [terms[row] for row in pairs[:, 0]], [titles[row] for row in pairs[:, 1]])
        score = {(int(term), int(title)): value for (term, title), value in zip(pairs, said, strict=True)}
        found = [score[int(term), int(right)] - score[int(term), int(wrong)] for term, right, wrong in chosen]
        return np.array(found, dtype=np.float32)

    return margins


def _pairs(data: Path, share: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Graded pairs of the training terms and of the test terms; `term`, `title`, `grade`, grades standardised."""
    frame = pl.read_parquet(data / "homedepot_relevance" / "train.parquet").select(
        term=pl.col("search_term"), title=pl.col("product_title"), grade=pl.col("relevance").cast(pl.Float32)
    )
    frame = frame.with_columns((pl.col("grade") - pl.col("grade").mean()) / pl.col("grade").std())
    terms = frame["term"].unique(maintain_order=True).to_list()
    tested = by_hash(terms, 0.2, salt="teaching")
    rng = np.random.default_rng(seed)
    sides = (
        rng.permutation(np.flatnonzero(side))[: int(share * most)]
        for side, most in zip((~tested, tested), _TERMS, strict=True)
    )
    first, second = (frame.filter(pl.col("term").is_in([terms[row] for row in side])) for side in sides)
    return first, second


def _cross_encoder(known: pl.DataFrame, seed: int) -> Classifier:
    backbone = load_backbone("minilm", Settings())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Classifier(backbone, classes=1)
    open_top(made.model, 6)
    rows = tokenise_pairs(backbone, known["term"].to_list(), known["title"].to_list(), _TOKENS)
    examples = labelled(rows, known["grade"].to_numpy(), 64)
    settings = FitSettings(epochs=3, minutes=10, rate=1e-4, rates={"linear": 10.0})
    fit(made, examples, supervised(number()), settings, seed=seed, name="cross-encoder")
    return made


def _bi_encoder() -> Backbone:
    backbone = load_backbone("minilm", Settings())
    backbone.max_length = _TOKENS
    open_top(backbone.model, 3)
    return backbone


def _teach(student: Backbone, known: pl.DataFrame, teacher: Callable[[Ints], Scores] | None, seed: int) -> None:
    """Margins of the grades between titles of one term; with a teacher also between them and titles of other terms."""
    rng = np.random.default_rng(seed)
    chosen: list[tuple[int, int, int]] = []
    places = known.with_row_index().group_by("term", maintain_order=True).agg("index")["index"].to_list()
    for own in places:
        pairs = [(own[0], one, other) for place, one in enumerate(own) for other in own[place + 1 :]]
        chosen.extend(pairs[row] for row in rng.permutation(len(pairs))[:10].tolist())
        if teacher is not None:
            chosen.extend(
                (own[0], own[int(rng.integers(len(own)))], int(rng.integers(len(known)))) for _ in range(_OTHERS)
            )
    rows = np.array(chosen, dtype=np.int64)
    grades = known["grade"].to_numpy()
    margins = grades[rows[:, 1]] - grades[rows[:, 2]] if teacher is None else teacher(rows)
    queries, passages = (
        tokenise(student, known[name].to_list(), side, _TOKENS)
        for name, side in (("term", "query"), ("title", "passage"))
    )
    settings = FitSettings(epochs=2, minutes=10, rate=1e-4)
    fit(
        student.model,
        triples(queries, passages, rows, margins, 64),
        parting(student),
        settings,
        seed=seed,
        name="bi-encoder",
    )


def _read(cross: Classifier, terms: pl.Series | list[str], titles: pl.Series | list[str]) -> Scores:
    rows = tokenise_pairs(cross.backbone, list(terms), list(titles), _TOKENS)
    said: Scores = answers(cross, rows, bfloat16=True)[:, 0].numpy()
    return said


def _cosines(student: Backbone, asked: pl.DataFrame) -> Scores:
    encoder = TorchEncoder(student, bf16=True)
    terms, titles = (
        encoder.encode(asked["term"].to_list(), "query"),
        encoder.encode(asked["title"].to_list(), "passage"),
    )
    return np.asarray((terms * titles).sum(axis=1), dtype=np.float32)


def _order(asked: pl.DataFrame, scores: Scores) -> NDArray[np.float64]:
    """Share of rightly ordered pairs of each test term with differing grades, float64 (terms,)."""
    found = []
    for own in asked.with_columns(score=pl.Series(scores)).partition_by("term", maintain_order=True):
        grade, score = own["grade"].to_numpy(), own["score"].to_numpy()
        higher = grade[:, None] > grade[None, :]
        if higher.any():
            gap = score[:, None] - score[None, :]
            found.append(float(((gap > 0) + 0.5 * (gap == 0))[higher].mean()))
    return np.array(found)


def _row(name: str, plain: NDArray[np.float64], right: NDArray[np.float64], seconds: float = 0.0) -> Row:
    gain = paired_difference(plain, right)
    return Row(name, {"pair_accuracy": Metric.mean(right), "gain": Metric(gain.mean, gain.low, gain.high)}, seconds)

"""Labelled texts of the public data sets, split as their protocols say. No text is on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.recipes.texts.labelled_texts import Texts

__all__ = ["Split", "Texts", "Titles", "banking", "finfe", "phrasebank", "shopping", "titles"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """What to learn from and what to be measured on, once. Validation is to be cut from `train`."""

    train: Texts
    test: Texts


def shopping(data: Path, column: str = "label", *, seed: int = 7) -> Split:
    """Chinese shopping reviews, 80/20 by distinct text: ``label`` (negative, positive) or ``cat`` (ten categories)."""
    frame = pl.read_parquet(data / "zh_shopping_reviews" / "online_shopping_10_cats.parquet")
    frame = frame.unique("review", keep="none", maintain_order=True)
    labels = frame[column].to_list()
    if column == "label":
        labels = ["positive" if label else "negative" for label in labels]
    found = Texts(frame["review"].to_list(), labels)
    test = stratified(found.labels, 0.2, seed)
    return Split(found.take(np.flatnonzero(~test)), found.take(np.flatnonzero(test)))


def banking(data: Path, shots: int = 0, *, draw: int = 0) -> Split:
    """BANKING77 with its official test; with `shots`, so many training texts of each intent, drawn by `draw`."""
    frame = pl.read_parquet(data / "banking77" / "banking77.parquet").with_columns(pl.col("text").str.strip_chars())
    parts = {
        name: frame.filter(pl.col("split") == name).unique("text", maintain_order=True) for name in ("train", "test")
    }
    known = parts["train"].filter(~pl.col("text").is_in(parts["test"]["text"].implode()))
    train = Texts(known["text"].to_list(), known["intent"].to_list())
    if shots:
        train = train.take(few(train.labels, shots, draw))
    return Split(train, Texts(parts["test"]["text"].to_list(), parts["test"]["intent"].to_list()))


def phrasebank(data: Path, fold: int, *, count: int = 5, seed: int = 7) -> Split:
    """Financial PhraseBank, one of `count` stratified folds; repeated sentences are dropped."""
    frame = pl.read_parquet(data / "financial_phrasebank" / "sentences_50agree.parquet")
    frame = frame.unique("sentence", keep="none", maintain_order=True)
    found = Texts(frame["sentence"].to_list(), frame["label"].to_list())
    own = stratified_folds(found.labels, count, seed) == fold
    return Split(found.take(np.flatnonzero(~own)), found.take(np.flatnonzero(own)))


def finfe(data: Path) -> Split:
    """FinFE stock-forum opinion: distinct training texts with one label, test texts that are not among them, each once."""
    frame = pl.read_parquet(data / "zh_finance_opinion" / "finfe.parquet").with_columns(
        pl.col("text").str.strip_chars()
    )
    names = {0: "negative", 1: "neutral", 2: "positive"}
    train = frame.filter(pl.col("split") == "train")
    once = train.group_by("text", maintain_order=True).agg(
        pl.col("label").mode().first(), pl.col("label").n_unique().alias("n")
    )
    test = frame.filter((pl.col("split") != "train") & ~pl.col("text").is_in(train["text"].implode()))
    test = test.unique("text", keep="first", maintain_order=True)
    return Split(
        Texts(once["text"].to_list(), [names[label] for label in once["label"]]),
        Texts(test["text"].to_list(), [names[label] for label in test["label"]]),
    )


@dataclass(frozen=True, slots=True)
class Titles:
    """Titles as characters with BIO tags."""

    tokens: Sequence[Sequence[str]]
    tags: Sequence[Sequence[str]]


def titles(data: Path) -> tuple[Titles, Titles, Titles]:
    """E-commerce titles: training, development without test titles, and the test titles that are not in training."""
    frame = pl.read_parquet(data / "zh_ecommerce_ner" / "ecommerce.parquet")
    train, dev, test = (frame.filter(pl.col("split") == name) for name in ("train", "dev", "test"))
    dev = dev.filter(~pl.col("text").is_in(test["text"].implode()))
    test = test.filter(~pl.col("text").is_in(train["text"].implode()))
    first, second, third = (Titles(part["tokens"].to_list(), part["tags"].to_list()) for part in (train, dev, test))
    return first, second, third


def stratified(labels: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Bool (n,): a share of each class, drawn at random."""
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for rows in by_class(labels):
        chosen[rng.permutation(rows)[: round(share * len(rows))]] = True
    return chosen


def stratified_folds(labels: Sequence[str], count: int, seed: int) -> Ints:
    """int64 (n,): fold of each row, every class spread evenly."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(labels), dtype=np.int64)
    for rows in by_class(labels):
        fold[rng.permutation(rows)] = np.arange(len(rows)) % count
    return fold


def few(labels: Sequence[str], shots: int, draw: int) -> Ints:
    """Rows of `shots` texts of each class."""
    rng = np.random.default_rng([draw, shots])
    return np.concatenate([rng.permutation(rows)[:shots] for rows in by_class(labels)])


def by_class(labels: Sequence[str]) -> Iterator[Ints]:
    """Rows of each class, classes in alphabetical order."""
    array = np.asarray(labels)
    for name in np.unique(array):
        yield np.flatnonzero(array == name)

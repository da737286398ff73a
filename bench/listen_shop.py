"""The ear on Chinese shopping reviews: what words alone find, what is learnt, and whether it carries over to take-away food.

Sentiment and category (ten, the linear model's .903 is the anchor), split 80/20 by distinct text: the ear by words, the
linear tier that reads every post, and the fine-tuned blend. Aspects have no labels: how often the mean feeling of a review's
aspects has the sign of its label, by words and by the learnt tier, and how many reviews have an aspect at all. `waimai` rows
are the same models on take-away reviews that they never saw.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.texts import Split, Texts, shopping
from shopkeeper.evaluation.classification import accuracy, macro_f1
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.backbones import load_backbone
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.texts.classify import Taught, learn
from shopkeeper.records import Passage, PassageKind
from shopkeeper.settings import Settings
from shopkeeper.tasks.listen.models import Judge
from shopkeeper.tasks.listen.phrases import Phrases
from shopkeeper.tasks.listen.reader import Reader
from shopkeeper.tasks.listen.reading import Reading
from shopkeeper.training.supervised import class_numbers

_QUICK = 1_000
_MOST = 12_000
_WHEN = datetime(2026, 1, 1, tzinfo=UTC)
Values = NDArray[np.float64]


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows for sentiment, aspects and categories, and for take-away reviews.

    Args:
        data: Folder of the public data sets.
        quick: 1,000 texts.
        seed: Of everything random.
    """
    most = _QUICK if quick else _MOST
    feel, sort = (_few(shopping(data, column, seed=seed), most, seed) for column in ("label", "cat"))
    away = _waimai(data, most, seed)
    method = Method(open_layers=4, rate=1e-4, epochs=1 if quick else 2, tokens=96, batch=32)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch})

        def taught(texts: Texts) -> Taught:
            base = load_backbone("e5-small", settings)
            return learn(texts, base, settings, method=method, minutes=1 if quick else 12, seed=seed)

        feelings = taught(feel.train)
        tier = Judge(tuple(feelings.classes), feelings.linear, feelings.scales[1])
        words, learnt = Reader(Phrases(())), Reader(Phrases(()), judges={"sentiment": tier})
        for name, test in (("", feel.test), ("waimai, ", away)):
            sign = np.array([1.0 if label == "positive" else -1.0 for label in test.labels])
            rows.append(_read(f"{name}words alone", words, test, sign))
            rows.append(_read(f"shopkeeper {name}linear tier", learnt, test, sign))
            rows.append(_classes(f"shopkeeper {name}sentiment", feelings, test))
        sorts = taught(sort.train)
        rows.append(_linear("linear TF-IDF, categories", sorts, sort.test))
        rows.append(_classes("shopkeeper categories", sorts, sort.test))
    return rows


def _read(name: str, reader: Reader, test: Texts, sign: Values) -> Row:
    """How often the ear has a feeling and the right one, and the same of aspects."""
    began = time.perf_counter()
    found = _readings(reader, test.texts)
    seconds = time.perf_counter() - began
    felt = np.array([np.sign(one.sentiment) for one in found])
    aspects = np.array([np.sign(sum(one.aspects.values())) for one in found])
    right = np.where(felt == 0, 0.5, felt == sign)  # no feeling is a coin's answer
    metrics = {
        "accuracy": Metric.mean(right),
        "felt": Metric.mean(felt != 0),
        "aspects_agree": Metric.mean((aspects == sign)[aspects != 0]),
        "aspects": Metric.mean(aspects != 0),
        "per_second": Metric(len(found) / seconds),
    }
    return Row(name, metrics, seconds)


def _readings(reader: Reader, texts: Sequence[str]) -> list[Reading]:
    posts = [Passage(id=str(n), kind=PassageKind.POST, text=text, time=_WHEN) for n, text in enumerate(texts)]
    return [one for start in range(0, len(posts), 500) for one in reader.read(posts[start : start + 500])]


def _classes(name: str, taught: Taught, test: Texts) -> Row:
    wanted = class_numbers(test.labels, taught.classes)
    first, shares = taught.linear.probabilities(test.texts), taught.scorer().probabilities(test.texts)
    gain = paired_difference(accuracy(wanted, first), accuracy(wanted, shares))
    metrics = {
        "accuracy": Metric.mean(accuracy(wanted, shares)),
        "macro_f1": Metric(macro_f1(wanted, shares.argmax(axis=1), shares.shape[1])),
        "gain": Metric(gain.mean, gain.low, gain.high),
        "share": Metric(taught.share),
    }
    return Row(name, metrics)


def _linear(name: str, taught: Taught, test: Texts) -> Row:
    wanted = class_numbers(test.labels, taught.classes)
    shares = taught.linear.probabilities(test.texts)
    f1 = macro_f1(wanted, shares.argmax(axis=1), shares.shape[1])
    return Row(name, {"accuracy": Metric.mean(accuracy(wanted, shares)), "macro_f1": Metric(f1)})


def _few(split: Split, most: int, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    train, test = (part.take(rng.permutation(len(part))[:most]) for part in (split.train, split.test))
    return Split(train, test)


def _waimai(data: Path, most: int, seed: int) -> Texts:
    frame = pl.read_parquet(data / "zh_shopping_reviews" / "waimai_10k.parquet").unique(
        "review", keep="none", maintain_order=True
    )
    frame = frame.sample(min(most, frame.height), seed=seed)
    return Texts(frame["review"].to_list(), ["positive" if label else "negative" for label in frame["label"]])

"""What other wordings of the training texts give at 10 and 100 shots and on all of them; part of the bench `few-shot`.

English intents (BANKING77) and Chinese shopping categories, each with the linear model of words and with logistic
regression on a frozen encoder. Chinese synonyms come from the Cilin; for English no lexicon comes with the data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.few_shot import spread
from bench.texts import Split, Texts, banking, few, shopping
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.static import StaticEncoder
from shopkeeper.models.text import Floats
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.settings import Settings
from shopkeeper.store.feeds import read_lexicon
from shopkeeper.training.augmentation import (
    Augmentation,
    augmented,
    delete,
    homophones,
    insert,
    one_of,
    swap,
    synonyms,
    typos,
)
from shopkeeper.training.few_shot import linear_head, pooled
from shopkeeper.training.supervised import class_numbers

SHOTS = {10: 3, 100: 1, 0: 1}
"""Texts of each class (0: all) and how many draws of them."""
COPIES = {10: 3, 100: 1, 0: 1}
Encode = Callable[[Sequence[str]], Floats]
Marks = dict[str, dict[str, list[NDArray[np.bool_]]]]
"""Which test texts were right, draw by draw, by system and metric."""


def run_augmentation(data: Path, *, quick: bool, seed: int) -> list[Row]:
    """One row for each data set, model and kind of augmentation; `none` is what the others have to beat."""
    lexicon = read_lexicon(data / "zh_lexicons" / "synonyms_cilin.parquet")
    english = {"none": None, "delete": delete(), "swap": swap(), "typos": typos(0.2)}
    english["one of them"] = one_of(delete(), swap(), typos(0.2))
    chinese = {"none": None, "delete": delete(), "swap": swap(), "homophones": homophones()}
    chinese |= {"synonyms": synonyms(lexicon, 0.2), "insert": insert(lexicon)}
    chinese["one of them"] = one_of(delete(), swap(), homophones(), synonyms(lexicon, 0.2), insert(lexicon))
    backbone = load_backbone("minilm", Settings())
    static = StaticEncoder(threads=2)
    shots = {10: 1} if quick else SHOTS
    rows = _task("banking77", banking(data), english, lambda t: pooled(backbone, t, bfloat16=True), shots, seed)
    return rows + _task("shopping category", _cut(shopping(data, "cat")), chinese, static.encode, shots, seed)


def _task(
    name: str,
    split: Split,
    kinds: Mapping[str, Augmentation | None],
    encode: Encode,
    shots: Mapping[int, int],
    seed: int,
) -> list[Row]:
    names = sorted(set(split.train.labels))
    truth = class_numbers(split.test.labels, names)
    unseen = encode(split.test.texts)
    marks: Marks = {}
    spent: dict[str, float] = {}
    for each, draws in shots.items():
        for draw in range(draws):
            known = split.train.take(few(split.train.labels, each, draw)) if each else split.train
            vectors = encode(known.texts)
            for kind, augmentation in kinds.items():
                began = time.perf_counter()
                texts, labels, rows = _more(known, names, augmentation, COPIES[each], seed + draw)
                linear = fit_linear(texts, labels, len(names))[0].probabilities(split.test.texts)
                more = np.concatenate([vectors, encode(texts[len(known) :])]) if len(rows) else vectors
                weights, bias = linear_head(more, labels, len(names))
                for model, shares in (("TF-IDF", linear), ("frozen encoder", unseen @ weights.T + bias)):
                    system = f"{'' if kind == 'none' else 'shopkeeper '}{kind}, {model}, {name}"
                    metric = f"accuracy_{each or 'full'}"
                    marks.setdefault(system, {}).setdefault(metric, []).append(shares.argmax(axis=1) == truth)
                    spent[system] = spent.get(system, 0.0) + time.perf_counter() - began
    return [
        Row(system, {metric: _metric(draws) for metric, draws in found.items()}, spent[system])
        for system, found in marks.items()
    ]


def _more(
    known: Texts, names: Sequence[str], augmentation: Augmentation | None, copies: int, seed: int
) -> tuple[list[str], NDArray[np.int64], list[int]]:
    """The texts and their variants, classes of all, and the number of the text behind each variant."""
    labels = class_numbers(known.labels, names)
    if augmentation is None:
        return list(known.texts), labels, []
    variants, rows = augmented(known.texts, augmentation, copies, np.random.default_rng(seed))
    return [*known.texts, *variants], np.concatenate([labels, labels[rows]]), rows


def _metric(draws: Sequence[NDArray[np.bool_]]) -> Metric:
    return Metric.mean(draws[0]) if len(draws) == 1 else spread([float(draw.mean()) for draw in draws])


def _cut(split: Split) -> Split:
    rng = np.random.default_rng(0)
    sizes = ((split.train, 8_000), (split.test, 4_000))
    return Split(*(part.take(rng.permutation(len(part))[:size]) for part, size in sizes))

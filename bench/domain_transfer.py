"""Few labels in a new domain: what an encoder that learnt relevance in a shop brings, against the raw one and TF-IDF."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Row
from bench.domain_classes import tuned_linear
from bench.domain_texts import Set
from bench.few_shot import spread
from bench.texts import by_class, stratified
from shopkeeper.evaluation.classification import macro_f1
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.text import Floats, softmax
from shopkeeper.practice import build
from shopkeeper.recipes.search.relevance import train_relevance
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.training.few_shot import linear_head, pooled
from shopkeeper.training.supervised import class_numbers

LABELS, DRAWS = (8, 32, 128), 5
BLEND = 0.7
"""Share of the encoder beside TF-IDF, not tuned; as in `bench few-shot`."""
_MOST_ASKED = 600
_TOKENS = 64
_MINUTES = 2.0
_BATCH = 5_000


def transfer(chosen: Set, *, quick: bool, seed: int, repeats: int = 0) -> list[Row]:
    """Rows of TF-IDF, the raw encoder and the shop-trained one, each with a head solved on its vectors.

    Labels are counted in all, drawn as evenly over the classes as can be, from texts that are not asked about.
    `gain@n` is the shop-trained encoder minus the raw one, over draws. Seconds: encoding, and learning in the shop.
    """
    names = sorted(set(chosen.texts.labels))
    labels = class_numbers(chosen.texts.labels, names)
    test = stratified(chosen.texts.labels, min(0.5, (60 if quick else _MOST_ASKED) / len(labels)), seed)
    asked, pool = np.flatnonzero(test), np.flatnonzero(~test)
    sizes = LABELS[:2] if quick else LABELS
    draws = [
        [pool[even(labels[pool], size, [seed, number, size])] for size in sizes]
        for number in range(1 if quick else repeats or DRAWS)
    ]
    used = np.unique(np.concatenate([asked, *(rows for draw in draws for rows in draw)]))
    texts = [chosen.texts.texts[row] for row in used.tolist()]
    place = np.full(len(labels), -1)
    place[used] = np.arange(len(used))
    began = time.perf_counter()
    raw = load_backbone(chosen.encoder, Settings())
    vectors, seconds = {"shopkeeper raw encoder": _vectors(raw, texts)}, {}
    seconds["shopkeeper raw encoder"] = time.perf_counter() - began
    began = time.perf_counter()
    trained = shop_trained(chosen.encoder, quick=quick, seed=seed)
    vectors["shopkeeper shop-trained encoder"] = _vectors(trained, texts)
    seconds["shopkeeper shop-trained encoder"] = time.perf_counter() - began
    marks: dict[str, dict[str, list[float]]] = {}
    for draw in draws:
        for size, rows in zip(sizes, draw, strict=True):
            known = [chosen.texts.texts[row] for row in rows.tolist()]
            for name, said in _systems(
                known, labels[rows], place[rows], vectors, texts, place[asked], len(names), seed
            ):
                own = marks.setdefault(name, {})
                own.setdefault(f"accuracy@{size}", []).append(float((said == labels[asked]).mean()))
                own.setdefault(f"macro_f1@{size}", []).append(macro_f1(labels[asked], said, len(names)))
    first, second = (marks[name] for name in vectors)
    for size in sizes:
        pairs = zip(first[f"accuracy@{size}"], second[f"accuracy@{size}"], strict=True)
        second[f"gain@{size}"] = [after - before for before, after in pairs]
    note = f"{len(draws)} draws, {len(asked)} texts asked, labels in all over {len(names)} classes"
    return [
        Row(name, {key: spread(values) for key, values in own.items()}, seconds.get(name, 0.0), note)
        for name, own in marks.items()
    ]


def shop_trained(encoder: str, *, quick: bool, seed: int) -> Backbone:
    """A backbone that learnt in the practice shop which items answer which queries."""
    practice = build(seed, products=300, customers=150) if quick else build(seed, products=2_000, customers=1_000)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch, "models": {"encoder": encoder}, "compute": {"seed": seed}})
        store = open_store(settings.store_url)
        try:
            store.catalogue.put(practice.items)
            past = [event for event in practice.events if event.time < practice.cut]
            for start in range(0, len(past), _BATCH):
                store.events.append(past[start : start + _BATCH])
            folder = Path(scratch) / "relevance"
            bundle = train_relevance(store, settings, folder, minutes=0.1 if quick else _MINUTES, onnx=False)
        finally:
            store.close()
        return bundle.backbone()


def even(labels: NDArray[np.int64], count: int, seed: Sequence[int]) -> NDArray[np.int64]:
    """Rows int64 of `count` labels: a text of each class in turn, classes and texts in an order drawn at random."""
    rng = np.random.default_rng(list(seed))
    rows = [rng.permutation(own) for own in by_class([f"{label:04d}" for label in labels.tolist()])]
    rounds = [
        own[turn]
        for turn in range(max(map(len, rows)))
        for own in (rows[n] for n in rng.permutation(len(rows)))
        if turn < len(own)
    ]
    return np.array(rounds[:count], dtype=np.int64)


def _vectors(backbone: Backbone, texts: Sequence[str]) -> Floats:
    """Vectors of length 1, float32 (n, d); both encoders read the same number of tokens."""
    backbone.max_length = _TOKENS
    found = pooled(backbone, texts, bfloat16=True)
    scaled: Floats = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return scaled


def _systems(
    known: Sequence[str],
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    vectors: dict[str, Floats],
    texts: Sequence[str],
    asked: NDArray[np.int64],
    count: int,
    seed: int,
) -> list[tuple[str, NDArray[np.int64]]]:
    """Name and classes said of the texts asked, int64 (q,)."""
    questions = [texts[row] for row in asked.tolist()]
    said = [("linear TF-IDF, tuned", tuned_linear(known, labels, questions, seed))]
    words = fit_linear(known, labels, count)[0].probabilities(questions)
    for name, own in vectors.items():
        matrix, bias = linear_head(own[rows], labels, count)
        shares = softmax(own[asked] @ matrix.T + bias)
        said.append((name, shares.argmax(axis=1)))
        said.append((f"{name} + TF-IDF", (BLEND * shares + (1 - BLEND) * words).argmax(axis=1)))
    return said

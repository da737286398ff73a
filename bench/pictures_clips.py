"""Clips of the practice shop: what they tell of an item, by the mean of their frames and by attention, and what they cost.

A third of each clip is about something else (a brand's card, other products), as in advertisements. Bridge and fusion are
learnt from words and drawings; the frames of held-out items are new to them. `recall@10` is words finding the clip among
all held-out ones; the others are shares of held-out items of which category and attributes are told rightly.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.models.pictures.encoders import SAMPLES, open_gallery
from shopkeeper.models.pictures.gallery import samples
from shopkeeper.models.pictures.modes import Modes, modes_of
from shopkeeper.models.pictures.sight import Sight
from shopkeeper.models.serving import encoders
from shopkeeper.practice import build
from shopkeeper.practice.clips import film_all
from shopkeeper.practice.pictures import draw_all
from shopkeeper.practice.vocabulary import vocabulary
from shopkeeper.recipes.pictures.bridging import reciprocal_ranks
from shopkeeper.recipes.pictures.looks import alike, parted, train_pictures
from shopkeeper.records import Item
from shopkeeper.settings import Settings

_NEAR = 10


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Rows for words, picture and clip alone and together, with both ways of pooling frames.

    Args:
        data: Unused: the shop is simulated.
        quick: Half as many items.
        seed: Of the shop and of learning.
    """
    practice = build(seed, products=400 if quick else 1_000, customers=10, days=20)
    goods = practice.truth.behaviour.goods
    goods = replace(goods, filmed=np.ones(len(goods.ids), dtype=np.bool_))
    items = [replace(item, videos=(f"practice/{item.id}.webm",)) for item in practice.items]
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch, "compute": {"seed": seed}, "train": {"minutes": 3}})
        draw_all(vocabulary(), goods, settings.media, seed)
        film_all(vocabulary(), goods, settings.media, seed)
        found = encoders(settings, None, "use-multilingual")
        text = found.passage.encode([item.passage for item in items])
        titles = found.passage.encode([item.title for item in items], "query")
        gallery = open_gallery(settings, lambda side: samples(items, settings.media, side, SAMPLES))
        still = gallery.shots([replace(item, videos=()) for item in items])
        began = time.perf_counter()
        shots = gallery.shots([replace(item, images=()) for item in items])
        seconds = time.perf_counter() - began
        size = sum(file.stat().st_size for file in (settings.media / "practice").glob("*.webm"))
        bundle = train_pictures(items, text, titles, still, gallery.encoder.name, settings, Path(scratch) / "pictures")
        sight = Sight.load(bundle, gallery.encoder.name)
        test = parted(np.arange(len(items)), alike(items, still), items, seed).test
    pictures = modes_of(text, still)
    pooled = {
        "mean of frames": modes_of(text, shots),
        "attention": modes_of(text, shots, (sight.text, sight.picture)),
    }
    rows = [
        _row("words alone", sight, items, pictures.only(0), test, seed),
        _row("picture alone", sight, items, pictures.only(1), test, seed),
    ]
    first: dict[str, NDArray[np.float64]] = {}
    for name, modes in pooled.items():
        ours = "shopkeeper " if name == "attention" else ""
        told = _told(sight, items, modes.only(2), test)
        own = sight.text(titles[test]) @ sight.picture(modes.video[test]).T
        told["recall@10"] = (reciprocal_ranks(own, np.eye(len(test), dtype=np.bool_)) >= 1 / _NEAR).astype(np.float64)
        metrics = {label: Metric.mean(values, seed) for label, values in told.items()}
        for label, values in told.items():
            if label in first:
                change = paired_difference(first[label], values, seed=seed)
                metrics[f"{label}_gain"] = Metric(change.mean, change.low, change.high)
        first = first or told
        rows.append(Row(f"{ours}clip alone, {name}", metrics))
        both = Modes(modes.text, pictures.picture, modes.video, np.ones_like(modes.seen))
        rows.append(_row(f"{ours}words and clip, {name}", sight, items, modes.only(0, 2), test, seed))
        rows.append(_row(f"{ours}words, picture and clip, {name}", sight, items, both, test, seed))
    cost = {
        "seconds_per_1000": Metric(1_000 * seconds / len(items)),
        "frames": Metric(len(shots) / len(items)),
        "kb_a_clip": Metric(size / len(items) / 1_000),
        "index_kb_a_clip": Metric(len(shots) * gallery.record_bytes / len(items) / 1_000),
    }
    return [*rows, Row("shopkeeper encoding clips", cost, seconds)]


def _row(name: str, sight: Sight, items: list[Item], modes: Modes, test: NDArray[np.int64], seed: int) -> Row:
    told = _told(sight, items, modes, test)
    return Row(name, {label: Metric.mean(values, seed) for label, values in told.items()})


def _told(sight: Sight, items: list[Item], modes: Modes, test: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Per question 1 where the held-out item's own word is the likeliest, over those that have one."""
    right: dict[str, NDArray[np.float64]] = {}
    for name, (values, _) in sight.said(modes.at(test)).items():
        own = [items[row] for row in test.tolist()]
        words = [" > ".join(i.category) if name == "category" else i.attributes.get(name, "") for i in own]
        pairs = [(said, word) for said, word in zip(values, words, strict=True) if word]
        right[name] = np.array([said == word for said, word in pairs], dtype=np.float64)
    return right

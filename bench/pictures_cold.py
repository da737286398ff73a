"""New items with and without their pictures: in the practice shop, whose tastes are known, and among fashion photos.

Practice shop: a tenth of the items has no event. Recommendation is learnt from the others and asked for what customers took
next; search is judged by the hidden truth. Once items are described by their words, once by words and drawings; all else is
the same. Fashion: simulated customers want one kind of product in one colour for one sex; five products of theirs are known,
and of all held-out ones the right ones are to be found by the mean of what was liked. `short titles` leaves colours and sexes
out of the titles, as hurried sellers do.
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.fashion import fashion
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.metrics import ndcg_at
from shopkeeper.models.pictures.bridge import Span
from shopkeeper.models.pictures.colours import NAMED
from shopkeeper.models.pictures.encoders import SAMPLES, open_gallery
from shopkeeper.models.pictures.gallery import samples
from shopkeeper.models.pictures.modes import modes_of
from shopkeeper.models.pictures.sight import Sight
from shopkeeper.models.serving import encoders
from shopkeeper.models.text import Encoder, Floats
from shopkeeper.practice import Practice, build
from shopkeeper.practice.pictures import draw_all
from shopkeeper.practice.vocabulary import vocabulary
from shopkeeper.recipes.pictures.looks import train_pictures
from shopkeeper.recipes.recommend.behaviour import learn
from shopkeeper.recipes.recommend.moments import moments
from shopkeeper.records import Item
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.hybrid import HybridIndex
from shopkeeper.retrieval.looks import Looks
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store

_HIDDEN, _BATCH = 0.1, 5_000
_CUSTOMERS, _LIKED, _NEAR = 500, 5, 10
_SAID = re.compile(rf"\b({'|'.join(NAMED)}|men|women|man|woman|boys?|girls?|unisex|kids?)('s)?\b", re.IGNORECASE)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows `practice ...` and `fashion ...`.

    Args:
        data: Folder of the public data sets.
        quick: A small shop and 600 photos.
        seed: Of the shop, of what is hidden and of learning.
    """
    return [*_practice(quick, seed), *_fashion(data, quick, seed)]


def _practice(quick: bool, seed: int) -> list[Row]:
    practice = build(seed, products=600, customers=300) if quick else build(seed)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch, "compute": {"seed": seed}, "train": {"minutes": 4}})
        draw_all(vocabulary(), practice.truth.behaviour.goods, settings.media, seed)
        store = open_store(settings.store_url)
        try:
            store.catalogue.put(practice.items)
            for start in range(0, len(practice.events), _BATCH):
                store.events.append(practice.events[start : start + _BATCH])
            shelf = Shelf(store.catalogue.scan())
            frame = store.events.frame(kinds=list(STRENGTH))
        finally:
            store.close()
        items = [shelf.item(row) for row in range(len(shelf))]
        found = encoders(settings, None, "use-multilingual" if quick else "e5-small")
        text = found.passage.encode([item.passage for item in items])
        titles = found.passage.encode([item.title for item in items], "query")
        gallery = open_gallery(settings, lambda side: samples(items, settings.media, side, SAMPLES))
        began = time.perf_counter()
        shots = gallery.shots(items)
        bundle = train_pictures(items, text, titles, shots, gallery.encoder.name, settings, Path(scratch) / "pictures")
        seconds = time.perf_counter() - began
        looks = Looks(gallery, Sight.load(bundle, gallery.encoder.name))
        told = looks.upsert(np.arange(len(items)), items, text)
        hidden = np.random.default_rng(seed).random(len(shelf)) < _HIDDEN
        parts = [moment.without(np.flatnonzero(hidden)) for moment in moments(frame, shelf, "last", repeats=True)]
        rows: list[Row] = []
        first: dict[str, NDArray[np.float64]] = {}
        for name, vectors in (("words", text), ("words and pictures", told)):
            learnt = learn(parts[0], parts[1], shelf, vectors, settings)
            new = hidden[parts[1].split.targets]
            system = "ranker" if "ranker" in learnt.measured else "blend"
            values = learnt.measured[system]["recall@10"]
            change = paired_difference(first.get("all", values), values, seed=seed)
            cold = paired_difference(first.get("all", values)[new], values[new], seed=seed)
            first.setdefault("all", values)
            metrics = {
                "cold_recall@10": Metric.mean(values[new], seed),
                "recall@10": Metric.mean(values, seed),
                "cold_gain": Metric(cold.mean, cold.low, cold.high),
                "gain": Metric(change.mean, change.low, change.high),
            }
            rows.append(
                Row(
                    f"{_ours(name)}practice recommend, {name}",
                    metrics,
                    seconds,
                    f"{int(new.sum())} of {len(new)} targets new; {system}",
                )
            )
        return rows + _searched(practice, shelf, found.query, text, looks, seed)


def _searched(practice: Practice, shelf: Shelf, encoder: Encoder, text: Floats, looks: Looks, seed: int) -> list[Row]:
    """nDCG@10 by the hidden truth with no behaviour at all: words and meaning, and the same with the cosine of pictures."""
    index = HybridIndex(encoder)
    index.upsert(np.arange(len(shelf)), [shelf.item(row) for row in range(len(shelf))], text)
    showable = shelf.showable()
    halves: dict[float, list[float]] = {weight: [] for weight in (0.0, 0.1, 0.2, 0.4, 0.8)}
    for query in practice.truth.queries:
        vector = index.encode(query.text)
        found = index.search(query.text, vector, showable)
        seen = looks.cosines(looks.of_words(vector), found.rows)
        grades = {item: float(grade) for item, grade in practice.truth.relevance(query.id).items()}
        grades = {
            item: grade for item, grade in grades.items() if (row := shelf.row(item)) is not None and showable[row]
        }
        for weight, values in halves.items():
            order = np.argsort(-(found.scores + np.float32(weight) * seen), kind="stable")[:_NEAR]
            ranking = [grades.get(shelf.item(int(row)).id, 0.0) for row in found.rows[order]]
            values.append(float(ndcg_at(_NEAR, [ranking], [sorted(grades.values(), reverse=True) or [0.0]])[0]))
    table = {weight: np.array(values) for weight, values in halves.items()}
    choosing = np.arange(len(practice.truth.queries)) % 2 == 0
    best = max(table, key=lambda weight: float(table[weight][choosing].mean()))
    shown = ~choosing
    gain = paired_difference(table[0.0][shown], table[best][shown], seed=seed)
    return [
        Row("practice search, words", {"ndcg@10": Metric.mean(table[0.0][shown], seed)}),
        Row(
            "shopkeeper practice search, words and pictures",
            {"ndcg@10": Metric.mean(table[best][shown], seed), "gain": Metric(gain.mean, gain.low, gain.high)},
            notes=f"weight {best:g} of {tuple(table)}, chosen on the other half of the queries",
        ),
    ]


def _ours(what: str) -> str:
    return "" if what in ("words", "pictures") else "shopkeeper "


def _fashion(data: Path, quick: bool, seed: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        shop = fashion(data, Path(scratch) / "shop", quick=quick, seed=seed)
        settings = Settings.model_validate({"home": Path(scratch) / "shop", "compute": {"seed": seed}})
        encoder = encoders(settings, None, "minilm").passage
        rows = []
        for name, clipped in (("full titles", False), ("short titles", True)):
            titles = [_SAID.sub("", item.title) if clipped else item.title for item in shop.items]
            text = encoder.encode(titles)
            learnt = train_pictures(
                shop.items, text, text, shop.shots, shop.gallery.encoder.name, settings, Path(scratch) / name, minutes=4
            )
            sight = Sight.load(learnt, shop.gallery.encoder.name)
            bridge: tuple[Span, Span] = (sight.text, sight.picture)
            modes = modes_of(text, shop.shots, bridge)
            spaces = {"words": text, "pictures": sight.picture(modes.picture), "fused": sight.fused(modes)}
            spaces["words and fused"] = np.hstack([spaces["words"], spaces["fused"]])
            values = {what: _wanted(shop.items, shop.parts.test, vectors, seed) for what, vectors in spaces.items()}
            for what, own in values.items():
                gain = paired_difference(values["words"], own, seed=seed)
                metrics = {"precision@10": Metric.mean(own, seed), "gain": Metric(gain.mean, gain.low, gain.high)}
                rows.append(Row(f"{_ours(what)}fashion, {name}, {what}", metrics))
        return rows


def _wanted(items: list[Item], rows: NDArray[np.int64], vectors: Floats, seed: int) -> NDArray[np.float64]:
    """Share of right ones among the ten best of a customer who liked five, float64 (customers,)."""
    rng = np.random.default_rng(seed)
    told = [tuple(sorted((n, v) for n, v in items[row].attributes.items() if n != "season")) for row in rows.tolist()]
    kinds = np.unique([str(one) for one in told], return_inverse=True)[1]
    many = np.flatnonzero(np.bincount(kinds) >= _LIKED + 3)
    own = vectors[rows] / np.maximum(np.linalg.norm(vectors[rows], axis=1, keepdims=True), 1e-9)
    out = []
    for kind in rng.choice(many, _CUSTOMERS):
        members = rng.permutation(np.flatnonzero(kinds == kind))
        liked, right = members[:_LIKED], members[_LIKED:]
        scores = own @ own[liked].mean(axis=0)
        scores[liked] = -np.inf
        best = np.argsort(-scores, kind="stable")[:_NEAR]
        out.append(np.isin(best, right).sum() / min(_NEAR, len(right)))
    return np.array(out)

"""Search in the practice shop against its hidden relevance, Chinese and English apart, trained on what happened before the cut.

`liked@10` is what a customer would like among the first ten hits: nDCG with relevance times the hidden chance of a click as
gain, for 600 (customer, query) pairs; the customer's past up to the cut is known. The weight of the taste is chosen on half
of the customers and shown on the other half.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.contract import Metric, Row
from bench.search_chorus import Ask, plain_bm25
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.metrics import graded, ideal_grades, ndcg_at
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.serving import TOKENS
from shopkeeper.models.text import Encoder, Floats
from shopkeeper.practice import Practice, build
from shopkeeper.recipes.search.finding import train_search
from shopkeeper.recipes.search.relevance import train_relevance
from shopkeeper.records import Event, Item
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.floor import ranker_of
from shopkeeper.tasks.known import known_from
from shopkeeper.tasks.search.finding import Finder

_BATCH = 5_000
_ASKED, _LEAST_DEEDS, _PAST = 600, 5, 50
_WEIGHTS = (0.0, 0.15, 0.3, 0.6, 1.0, 1.5)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """BM25, the encoder as it comes, ours before and after; all 480 evaluation queries, full catalogue.

    Args:
        data: Not used: the shop is simulated.
        quick: A smaller shop and one minute of training.
        seed: Of the shop and of training.
    """
    practice = build(seed, products=800, customers=400) if quick else build(seed)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"home": scratch, "compute": {"seed": seed}, "train": {"epochs": 2}})
        store = open_store(f"sqlite:///{scratch}/shop.db")
        try:
            store.catalogue.put(practice.items)
            store.labels.put(practice.judgements)
            past = [event for event in practice.events if event.time < practice.cut]
            for start in range(0, len(past), _BATCH):
                store.events.append(past[start : start + _BATCH])
            shelf = Shelf(store.catalogue.scan())
            rows = [_row("BM25 (bm25s), stemmed", practice, shelf, plain_bm25(_items(shelf), stemmed=True))]
            backbone = load_backbone("e5-small", settings)
            backbone.max_length = TOKENS
            before = TorchEncoder(backbone)
            index = _index(shelf, before, Fusion())
            rows.append(_row("shopkeeper words", practice, shelf, lambda q, m: index.lexical.search(q, 200, m)[0]))
            rows.append(
                _row(
                    "e5-small zero-shot", practice, shelf, lambda q, m: index.vectors.search(index.encode(q), 200, m)[0]
                )
            )
            rows.append(_row("shopkeeper zero-shot", practice, shelf, lambda q, m: index.search(q, None, m).rows))
            began = time.perf_counter()
            bundle = train_relevance(
                store, settings, Path(scratch) / "relevance", minutes=1 if quick else 5, onnx=False
            )
            after = bundle.encoder("torch")
            vectors = after.encode([item.passage for item in _items(shelf)])
            fusion = train_search(store, after, shelf, vectors, settings, Path(scratch) / "search")
            seconds = time.perf_counter() - began
            adapted = _index(shelf, after, Fusion.from_json(fusion.parameters))
            finder = _finder(shelf, after, vectors, fusion, store)
            language = Language(_items(shelf), support=finder.index.lexical.support)
        finally:
            store.close()
        rows.append(
            _row(
                "shopkeeper adapted, meaning alone",
                practice,
                shelf,
                lambda q, m: adapted.vectors.search(adapted.encode(q), 200, m)[0],
            )
        )
        rows.append(
            _row(
                "shopkeeper adapted",
                practice,
                shelf,
                lambda q, m: adapted.search(q, None, m).rows,
                seconds,
                f"{bundle.card.notes} {fusion.card.notes}",
            )
        )
        now = practice.cut.timestamp()

        def served(query: str, mask: Mask | None) -> Rows:
            allowed = shelf.showable() if mask is None else mask
            found: Rows = finder.find(language.read(query)[0], allowed, now).rows
            return found

        rows.append(_row("shopkeeper ranker", practice, shelf, served, seconds, fusion.card.notes))
        return rows + _personal(practice, shelf, finder, language, past, seed)


def _personal(
    practice: Practice, shelf: Shelf, finder: Finder, language: Language, past: Sequence[Event], seed: int
) -> list[Row]:
    """What customers would like of the first ten hits, without and with their taste."""
    rng = np.random.default_rng(seed)
    deeds: defaultdict[str, list[Event]] = defaultdict(list)
    for event in past:
        deeds[event.customer].append(event)
    known = sorted(customer for customer, own in deeds.items() if customer and len(own) >= _LEAST_DEEDS)
    chosen = [known[place] for place in rng.integers(0, len(known), _ASKED)]
    queries = [practice.truth.queries[place] for place in rng.integers(0, len(practice.truth.queries), _ASKED)]
    gains = [_liked(practice, shelf, customer, query.id) for customer, query in zip(chosen, queries, strict=True)]
    values = {}
    for weight in _WEIGHTS:
        finder.personal = weight
        rankings = []
        for customer, query in zip(chosen, queries, strict=True):
            read = language.read(query.text)[0]
            found = finder.find(read, shelf.showable(), practice.cut.timestamp(), deeds[customer][-_PAST:])
            rankings.append([shelf.item(int(row)).id for row in found.rows[:10]])
        values[weight] = np.asarray(ndcg_at(10, graded(rankings, gains), ideal_grades(gains)))
    half = by_hash(chosen, 0.5, salt="personal")
    best = max(_WEIGHTS, key=lambda weight: float(values[weight][half].mean()))
    shown = ~half
    gain = paired_difference(values[0.0][shown], values[best][shown], seed=seed)
    rows = [Row("shopkeeper ranker, no taste", {"liked@10": Metric.mean(values[0.0][shown])})]
    notes = (
        f"weight {best:g} of {_WEIGHTS} by the other half of the customers; "
        f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
    )
    return [*rows, Row("shopkeeper ranker, with taste", {"liked@10": Metric.mean(values[best][shown])}, 0.0, notes)]


def _liked(practice: Practice, shelf: Shelf, customer: str, query: str) -> dict[str, float]:
    """Item id to relevance (0 to 1) times the hidden chance of a click at the first place."""
    showable = shelf.showable()
    grades = {
        item: grade
        for item, grade in practice.truth.relevance(query).items()
        if (row := shelf.row(item)) is not None and showable[row]
    }
    log_odds = practice.truth.affinity(customer, list(grades), practice.cut)
    return {
        item: float(grade / 3 / (1 + np.exp(-odds)))
        for (item, grade), odds in zip(grades.items(), log_odds.tolist(), strict=True)
    }


def _finder(shelf: Shelf, encoder: Encoder, vectors: Floats, bundle: Bundle, store: Store) -> Finder:
    index = HybridIndex(encoder, Fusion.from_json(bundle.parameters))
    index.upsert(np.arange(len(shelf)), _items(shelf), vectors)
    ranker, confidence = ranker_of(bundle)
    finder = Finder(shelf, index, ranker=ranker, confidence=confidence)
    finder.known = known_from(store, shelf)
    return finder


def _items(shelf: Shelf) -> list[Item]:
    return [shelf.item(row) for row in range(len(shelf))]


def _index(shelf: Shelf, encoder: Encoder, fusion: Fusion) -> HybridIndex:
    index = HybridIndex(encoder, fusion)
    index.upsert(np.arange(len(shelf)), _items(shelf))
    return index


def _row(name: str, practice: Practice, shelf: Shelf, ask: Ask, seconds: float = 0.0, notes: str = "") -> Row:
    showable = shelf.showable()
    queries = practice.truth.queries
    grades = [{item: float(g) for item, g in practice.truth.relevance(query.id).items()} for query in queries]
    shown = [
        {item: grade for item, grade in known.items() if (row := shelf.row(item)) is not None and showable[row]}
        for known in grades
    ]
    rankings = [[shelf.item(int(row)).id for row in ask(query.text, showable)[:10]] for query in queries]
    values = np.asarray(ndcg_at(10, graded(rankings, shown), ideal_grades(shown)))
    metrics = {"ndcg@10": Metric.mean(values)}
    for language in ("en", "zh"):
        metrics[f"ndcg@10_{language}"] = Metric.mean(values[[query.language == language for query in queries]])
    for split in ("head", "fresh", "unseen"):
        metrics[f"ndcg@10_{split}"] = Metric.mean(values[[query.split == split for query in queries]])
    return Row(name, metrics, seconds, notes)

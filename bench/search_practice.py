"""Search in the practice shop against its hidden relevance, Chinese and English apart, trained on what happened before the cut."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from bench.contract import Metric, Row
from bench.search_chorus import Ask, plain_bm25
from shopkeeper.evaluation.metrics import graded, ideal_grades, ndcg_at
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.serving import TOKENS
from shopkeeper.models.text import Encoder
from shopkeeper.practice import Practice, build
from shopkeeper.recipes.relevance import train_relevance
from shopkeeper.recipes.search import train_search
from shopkeeper.records import Item
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store

_BATCH = 5_000


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
            vectors = after.encode([item.text for item in _items(shelf)])
            fusion = train_search(store, after, shelf, vectors, settings, Path(scratch) / "search")
            seconds = time.perf_counter() - began
            adapted = _index(shelf, after, Fusion.from_json(fusion.parameters))
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
        return rows


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

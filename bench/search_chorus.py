"""Search on the Chorus electronics shop: full catalogue, 116 queries with a relevant product, trained on the catalogue alone.

Every system ranks all 19,406 products for each query. `judged_ndcg@10` ranks the judged products only: the judgements
were pooled from one lexical engine, so the full figure favours lexical systems and the judged one forgives junk.
`no_result_auc` asks how well the best BM25 score over the query's length tells the 19 queries without an answer.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.data import chorus_items, chorus_judgements
from bench.ranked import Exam as Asked
from bench.ranked import Folded, cross_encoder, slips, timed
from shopkeeper.evaluation.classification import auc
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.metrics import graded, ideal_grades, judged_at, ndcg_at, recall_at
from shopkeeper.evaluation.splits import folds
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.serving import TOKENS
from shopkeeper.models.text import Encoder, Floats
from shopkeeper.recipes.search.fusion import SHARES, chosen_share
from shopkeeper.recipes.search.relevance import train_relevance
from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.hybrid import HybridIndex, fuse
from shopkeeper.retrieval.shelf import Mask, Rows
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store

Ask = Callable[[str, Mask | None], Rows]
"""Query and allowed rows -> rows, best first."""
_DEEP = 200


@dataclass(frozen=True, slots=True)
class Exam(Asked):
    """The queries, and the catalogue by place."""

    ids: Sequence[str]
    row: Mapping[str, int]


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """BM25 by bm25s, MiniLM as it comes, ours before and after training on the catalogue alone, and the learnt ranker.

    `typos_ndcg@10` has one random slip in every word of four letters or more. The ranker, its confidence, and what the
    cross-encoder weighs come from the other four folds of the queries; everything is chosen inside those.

    Args:
        data: Folder of the public data sets.
        quick: 3,000 products (all judged ones among them), one minute of training.
        seed: Of training and of the folds.
    """
    exam, items = prepare(data, 3_000 if quick else None)
    typos = slips(exam.queries, seed)
    rows = [
        _row("BM25 (bm25s)", exam, plain_bm25(items, stemmed=False)),
        _row("BM25 (bm25s), stemmed", exam, plain_bm25(items, stemmed=True), typos=typos),
    ]
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate(
            {"home": scratch, "compute": {"seed": seed}, "models": {"encoder": "minilm"}, "train": {"epochs": 1}}
        )
        began = time.perf_counter()
        backbone = load_backbone("minilm", settings)
        backbone.max_length = TOKENS
        before = _index(items, TorchEncoder(backbone, bf16=True))
        encoding = time.perf_counter() - began
        rows.append(_row("MiniLM zero-shot", exam, _meaning(before), encoding, typos=typos))
        rows.append(_row("shopkeeper words", exam, lambda query, mask: before.lexical.search(query, _DEEP, mask)[0]))
        rows.append(
            _row("shopkeeper zero-shot", exam, _fused(before, 0.5), encoding, notes="words and meaning half each")
        )
        rows.append(_tuned("shopkeeper zero-shot, tuned", exam, before, encoding, seed))
        began = time.perf_counter()
        store = open_store(f"sqlite:///{scratch}/shop.db")
        store.catalogue.put(items)
        bundle = train_relevance(store, settings, Path(scratch) / "bundle", minutes=1 if quick else 5, onnx=False)
        store.close()
        after = _index(items, TorchEncoder(bundle.backbone(), bf16=True))
        training = time.perf_counter() - began
        vectors = after.vectors.vectors(np.arange(len(items)))
        learnt = _learnt(exam, items, vectors, TorchEncoder(bundle.backbone()), typos, seed, training)
    rows.append(_row("shopkeeper adapted, meaning alone", exam, _meaning(after), training))
    rows.append(_row("shopkeeper adapted, untuned", exam, _fused(after, 0.5), training, notes=bundle.card.notes))
    rows.append(_tuned("shopkeeper adapted", exam, after, training, seed))
    return rows + learnt


def prepare(data: Path, most: int | None) -> tuple[Exam, list[Item]]:
    """The catalogue and its exam; with `most`, all judged products and others up to that many."""
    grades: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for judgement in chorus_judgements(data):
        grades[judgement.query][judgement.item] = judgement.grade
    items = chorus_items(data)
    if most is not None:
        judged = {item for known in grades.values() for item in known}
        items = sorted(items, key=lambda item: item.id not in judged)[:most]
    answered = {query: known for query, known in grades.items() if max(known.values()) > 0}
    ids = [item.id for item in items]
    row = {item: place for place, item in enumerate(ids)}
    empty = [query for query in grades if query not in answered]
    none = [grades[query] for query in empty]
    return Exam(list(answered), list(answered.values()), empty, none, ids, row), items


def plain_bm25(items: Sequence[Item], *, stemmed: bool) -> Ask:
    """The rival: bm25s over title and description in one text, k1 1.5, b 0.75."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english") if stemmed else None

    def cut(texts: list[str]) -> object:
        return bm25s.tokenize(texts, stopwords=None, stemmer=stemmer, show_progress=False)

    engine = bm25s.BM25(k1=1.5, b=0.75)
    engine.index(cut([f"{item.title} {item.brand} {item.description}" for item in items]), show_progress=False)

    def ask(query: str, mask: Mask | None) -> Rows:
        weights = None if mask is None else mask.astype(np.float32)
        found, scores = engine.retrieve(cut([query]), k=_DEEP, weight_mask=weights, show_progress=False)
        kept: Rows = found[0][scores[0] > 0].astype(np.int64)
        return kept

    return ask


def _index(items: Sequence[Item], encoder: Encoder) -> HybridIndex:
    index = HybridIndex(encoder)
    index.upsert(np.arange(len(items)), items)
    return index


def _meaning(index: HybridIndex) -> Ask:
    return lambda query, mask: index.vectors.search(index.encode(query), _DEEP, mask)[0]


def _fused(index: HybridIndex, share: float, known: dict[str, Floats] | None = None) -> Ask:
    """Ours with a given share of the words; `known` keeps the vectors of queries asked many times."""

    def ask(query: str, mask: Mask | None) -> Rows:
        vector: Floats = index.encode(query) if known is None else known[query]
        rows = index.search(query, vector, mask).rows
        return fuse(rows, index.lexical.scores(query, rows), index.vectors.scores(vector, rows), share).rows

    return ask


def _tuned(name: str, exam: Exam, index: HybridIndex, seconds: float, seed: int) -> Row:
    """Five folds over queries: each query is ranked with the share that the recipe's own rule picks on the other folds."""
    known = {query: index.encode(query) for query in exam.queries}
    by_share = {share: _measure(exam, _fused(index, share, known)) for share in SHARES}
    fold = folds(list(exam.queries), 5, salt=str(seed))
    of_fold = {
        number: chosen_share({share: by_share[share]["ndcg@10"][fold != number] for share in SHARES}, seed)
        for number in set(fold.tolist())
    }
    chosen = [of_fold[number] for number in fold.tolist()]
    values = {
        metric: np.array([by_share[share][metric][place] for place, share in enumerate(chosen)])
        for metric in by_share[SHARES[0]]
    }
    notes = f"share of the words by 5-fold cross-validation over queries: {sorted(set(chosen))}"
    metrics = {name: Metric.mean(found) for name, found in values.items()}
    best: dict[str, float] = {query: float(index.lexical.search(query, 1)[1].sum()) for query in exam.empty}
    best |= {query: float(index.lexical.search(query, 1)[1].sum()) for query in exam.queries}
    sure = [best[query] / max(len(terms(query)), 1) for query in (*exam.queries, *exam.empty)]
    labels = [1] * len(exam.queries) + [0] * len(exam.empty)
    metrics["no_result_auc"] = Metric(float(auc(labels, sure)))
    return Row(name, {**metrics, "p95_ms": _p95(exam, _fused(index, 0.5))}, seconds, notes)


def _learnt(
    exam: Exam,
    items: Sequence[Item],
    vectors: Floats,
    encoder: Encoder,
    typos: Mapping[str, str],
    seed: int,
    seconds: float,
) -> list[Row]:
    """The ranker without and with a cross-encoder, each with the shop's language; paired against what it is built on."""
    rows = []
    baseline = _measure(exam, plain_bm25(items, stemmed=True))["ndcg@10"]
    for tier in (False, True) if cross_encoder() else (False,):
        began = time.perf_counter()
        folded = Folded(exam, items, vectors, encoder, seed, tier=tier)
        values = _measure(exam, folded.ask(), folded.judged)
        plain = _measure(exam, folded.ask(read=False), folded.judged)["ndcg@10"]
        slipped = _measure(exam, folded.ask(typos=typos), folded.judged)["ndcg@10"]
        gain = paired_difference(baseline, values["ndcg@10"], seed=seed)
        loss = paired_difference(plain, values["ndcg@10"], seed=seed)
        metrics = {name: Metric.mean(found) for name, found in values.items()} | {
            "typos_ndcg@10": Metric.mean(slipped),
            "candidates_recall": Metric(folded.union),
            "no_result_auc": Metric(folded.no_result_auc()),
            "p95_ms": Metric(float(np.percentile(timed(folded.ask(), exam.queries), 95))),
        }
        notes = (
            f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) on BM25 stemmed; reading the query changes clean "
            f"queries by {loss.mean:+.4f}; kinds by fold: {'; '.join(sorted(set(folded.kinds)))}"
        )
        name = "shopkeeper ranker" + (" + cross-encoder" if tier else "")
        rows.append(Row(name, metrics, seconds + time.perf_counter() - began, notes))
    return rows


def _row(
    name: str, exam: Exam, ask: Ask, seconds: float = 0.0, notes: str = "", typos: Mapping[str, str] | None = None
) -> Row:
    metrics = {metric: Metric.mean(values) for metric, values in _measure(exam, ask).items()}
    if typos is not None:
        slipped = _measure(exam, lambda query, mask: ask(typos[query], mask))["ndcg@10"]
        metrics["typos_ndcg@10"] = Metric.mean(slipped)
    return Row(name, {**metrics, "p95_ms": _p95(exam, ask)}, seconds, notes)


def _p95(exam: Exam, ask: Ask) -> Metric:
    took = []
    for query in exam.queries:
        began = time.perf_counter()
        ask(query, None)
        took.append(time.perf_counter() - began)
    return Metric(float(np.percentile(took, 95)) * 1000)


def _measure(exam: Exam, ask: Ask, judged: Ask | None = None) -> dict[str, NDArray[np.float64]]:
    """The figures of each query; `judged` ranks the judged products where that is another way than `ask`."""
    full, among = [], []
    for query, known in zip(exam.queries, exam.grades, strict=True):
        mask = np.zeros(len(exam.ids), dtype=np.bool_)
        mask[[exam.row[item] for item in known]] = True
        full.append([exam.ids[row] for row in ask(query, None)[:_DEEP].tolist()])
        among.append([exam.ids[row] for row in (judged or ask)(query, mask)[:_DEEP].tolist()])
    ideal = ideal_grades(exam.grades)
    everywhere = graded(full, exam.grades)
    known_at = [
        [float(item in known) for item in ranking[:10]] for ranking, known in zip(full, exam.grades, strict=True)
    ]
    padded = np.array([row + [0.0] * (10 - len(row)) for row in known_at])
    return {
        "ndcg@10": np.asarray(ndcg_at(10, everywhere, ideal)),
        "judged_ndcg@10": np.asarray(ndcg_at(10, graded(among, exam.grades), ideal)),
        "judged@10": np.asarray(judged_at(10, padded)),
        "recall@200": np.asarray(recall_at(_DEEP, everywhere, (ideal > 0).sum(axis=1))),
    }

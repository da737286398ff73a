"""Search libraries side by side with ours on the Chorus electronics shop: same texts, same machine, same run, one thread.

The rivals are bm25s, and LanceDB and txtai with MiniLM from the same weights as ours, each in an environment of its own
under ``.peers/`` (``make peers``). A row that is ``tuned`` had its settings chosen for each fifth of the queries on the other
four, ours by the same rule; nothing is tuned on misspelt queries. The rivals' vectors are of title, brand and description,
which rank better here than all texts with the attributes; their words are of either, as the tuning finds. Ours, plain, is
as a shop without any training has it.

`judged_ndcg@10` ranks the judged products alone, as in `search-chorus`. Rows with ``typos`` have one random slip in every
word of four letters or more. Times are from the typed query, its encoding included, to 200 ids (ours: to a page of 24 hits
with facets and highlights); `build_s` is from texts to an index that answers; `rss_mb` is the most memory
the process held until then.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import ROOT, Metric, Row
from bench.data import chorus_items, chorus_judgements
from bench.peers.exchange import DEPTH, Answer, Query, Ranked, read_answer, write_exam
from shopkeeper.evaluation.metrics import graded, ideal_grades, ndcg_at, recall_at
from shopkeeper.evaluation.splits import folds
from shopkeeper.records import Item
from shopkeeper.store.feeds.exporting import item_cells
from shopkeeper.training.slips import typos

PEERS = ("bm25s", "lancedb", "txtai")
"""Rivals: each a module of `bench.peers` and an environment under ``.peers/``."""
Values = NDArray[np.float64]
_FOLDS = 5
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
    "LANCE_CPU_THREADS",
)
_LONG_WORD = re.compile(r"[A-Za-z]{4,}")


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str | None = None) -> list[Row]:  # noqa: A002
    """Two rows a system and way of asking it: as typed, and with typos.

    Args:
        data: Folder of the public data sets.
        quick: 12 queries and 1,000 products.
        seed: Of the folds and the slips.
        set: Folder of a trained relevance bundle, under ``runs/``; adds our rows with that encoder.
    """
    queries, items = exam(data, seed)
    if quick:
        queries = queries[:12]
        known = {item for query in queries for item in query.grades}
        items = sorted(items, key=lambda item: item.id not in known)[:1_000]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_exam(folder, [_cells(item) for item in items], queries)
        answers = [_answer(folder, peer, interpreter(peer), peer) for peer in PEERS if interpreter(peer).exists()]
        answers.append(_answer(folder, "ours", Path(sys.executable), "shopkeeper-zero-shot"))
        if set is not None:
            answers.append(
                _answer(folder, "ours", Path(sys.executable), "shopkeeper-trained", str(ROOT / "runs" / set))
            )
    for peer in PEERS:
        if not interpreter(peer).exists():
            print(f"{peer} is left out: its environment is missing. Make it with: make peers", file=sys.stderr)
    return [
        row
        for answer in answers
        for name, ranked in answer.rows.items()
        for row in _rows(name, ranked, answer, queries)
    ]


def interpreter(peer: str) -> Path:
    """Python of a rival's environment, there or not."""
    return ROOT / ".peers" / peer / "bin" / "python"


def exam(data: Path, seed: int) -> tuple[list[Query], list[Item]]:
    """All 135 queries and the whole catalogue."""
    grades: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for judgement in chorus_judgements(data):
        grades[judgement.query][judgement.item] = judgement.grade
    fold = folds(list(grades), _FOLDS, salt=str(seed)).tolist()
    rng = np.random.default_rng(seed)
    queries = [
        Query(query, slipped(query, rng), known, number)
        for (query, known), number in zip(grades.items(), fold, strict=True)
    ]
    return queries, chorus_items(data)


def slipped(query: str, rng: np.random.Generator) -> str:
    """The query with one slip of the finger in every word of four letters or more."""
    slip = typos(1.0)
    return _LONG_WORD.sub(lambda word: slip(word.group(), rng), query)


def _cells(item: Item) -> Mapping[str, object]:
    return {**item_cells(item), "names": f"{item.title} {item.brand} {item.description}", "whole": item.text}


def _answer(folder: Path, module: str, python: Path, name: str, *arguments: str) -> Answer:
    alone = dict.fromkeys(_ONE_THREAD, "1") | {"TOKENIZERS_PARALLELISM": "false", "RUST_LOG": "error"}
    command = [str(python), "-W", "ignore", "-m", f"bench.peers.{module}", str(folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | alone, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"bench.peers.{module} failed:\n{done.stderr[-4000:]}")
    return read_answer(folder, name)


def _rows(name: str, ranked: Ranked, answer: Answer, queries: Sequence[Query]) -> list[Row]:
    p50, p95 = np.percentile(ranked.ms, [50, 95])
    metrics = {
        "ndcg@10": Metric.mean(_ndcg(ranked.plain, queries)),
        "judged_ndcg@10": Metric.mean(_ndcg(ranked.judged, queries)),
        "recall@200": Metric.mean(_recall(ranked.plain, queries)),
        "p50_ms": Metric(float(p50)),
        "p95_ms": Metric(float(p95)),
        "build_s": Metric(answer.build),
        "rss_mb": Metric(answer.rss_mb),
    }
    misspelt = {
        "ndcg@10": Metric.mean(_ndcg(ranked.slipped, queries)),
        "recall@200": Metric.mean(_recall(ranked.slipped, queries)),
    }
    tuned = f"chosen: {'; '.join(ranked.settings)}" if "tuned" in name else ""
    notes = " ".join(part for part in (tuned, answer.notes) if part)
    return [Row(name, metrics, notes=notes), Row(f"{name}, typos", misspelt)]


def _ndcg(rankings: Sequence[Sequence[str]], queries: Sequence[Query]) -> Values:
    """Of each query that has a relevant product."""
    grades = [query.grades for query in queries]
    ideal = ideal_grades(grades)
    values: Values = ndcg_at(10, graded(rankings, grades), ideal)[ideal.max(axis=1) > 0]
    return values


def _recall(rankings: Sequence[Sequence[str]], queries: Sequence[Query]) -> Values:
    """Of each query that has a relevant product."""
    grades = [query.grades for query in queries]
    relevant = (ideal_grades(grades) > 0).sum(axis=1)
    values: Values = recall_at(DEPTH, graded(rankings, grades), relevant)[relevant > 0]
    return values

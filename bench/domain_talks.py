"""Talks by content and interest: related talks and cold viewers judged by tags that no system sees; tags told from text."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from sklearn.svm import LinearSVC

from bench.contract import Metric, Row
from bench.domain_texts import talks
from shopkeeper.domains import domain_file, domain_of
from shopkeeper.evaluation.metrics import ndcg_at, recall_at
from shopkeeper.models.intent_fitting import fit_intents
from shopkeeper.models.linear import Features, grams_for
from shopkeeper.models.serving import encoders
from shopkeeper.models.text import Floats
from shopkeeper.records import Request
from shopkeeper.retrieval.similar_texts import SimilarTexts
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds import import_products
from shopkeeper.tasks.shop import Shop, open_shop

Grades = NDArray[np.float64]
Rank = Callable[[Sequence[int]], Floats]
"""Rows of liked talks -> how well each talk goes with them, float (n,)."""

_EVENTS = frozenset({"TEDx", "TED Fellows", "TED Prize", "TED-Ed", "TEDYouth", "TED Brain Trust", "TED Books"})
"""Tags that say where a talk was held, not what it is about."""
_K, _LIKED = 10, 3
_VIEWERS, _NARROW, _WIDE = 300, 15, 150
_RARE = 20


def related(data: Path, *, quick: bool, seed: int) -> list[Row]:
    """Related talks: grade 1 for two shared tags, 2 for three, 3 for four or more; tags stand in no text.

    `ndcg@10` over all talks that have a related one; `recall@10` of those that share three tags or more.
    """
    frame = _frame(quick, data)
    truth = _shared(frame)
    queries = np.random.default_rng(seed).permutation(frame.height)[: 60 if quick else 600]
    queries = queries[(truth[queries] > 0).any(axis=1)]
    with _library(frame, seed) as shop:
        return [
            _row(name, [_best(rank([row]), [row]) for row in queries.tolist()], truth[queries], note)
            for name, rank, note in _systems(frame, shop)
        ]


def cold_viewers(data: Path, *, quick: bool, seed: int) -> list[Row]:
    """Viewers nobody knows, of whom three liked talks of one theme are known; the theme's other talks are to be found.

    Themes are tags of 15 to 150 talks. `by sentence` types the theme's name instead of liking anything.
    """
    frame = _frame(quick, data)
    rng = np.random.default_rng(seed)
    held = _tags(frame)
    sizes = np.asarray(held[0].sum(axis=0)).ravel()
    themes = np.flatnonzero((sizes >= (6 if quick else _NARROW)) & (sizes <= _WIDE))
    chosen = rng.choice(themes, 40 if quick else _VIEWERS)
    table = held[0].toarray()
    liked = [rng.choice(np.flatnonzero(table[:, theme]), _LIKED, replace=False).tolist() for theme in chosen.tolist()]
    truth = table[:, chosen].T.astype(np.float64)
    for viewer, own in enumerate(liked):
        truth[viewer, own] = 0
    rows = []
    with _library(frame, seed) as shop:
        for name, rank, note in _systems(frame, shop):
            rows.append(_row(f"{name}, 3 liked", [_best(rank(own), own) for own in liked], truth, note))
        place = {name: row for row, name in enumerate(frame["talk_id"].to_list())}
        names = [held[1][theme] for theme in chosen.tolist()]
        found = []
        for name, own in zip(names, liked, strict=True):
            answer = shop.search(Request(query=name, limit=_K + _LIKED))
            found.append([place[hit.item] for hit in answer.hits if place[hit.item] not in own][:_K])
        rows.append(_row("shopkeeper search, by sentence", found, truth, "the theme's name, typed"))
    return rows


def tags(data: Path, *, quick: bool, seed: int) -> list[Row]:
    """Tags of talks from their text: micro F1 over tags of 20 talks or more, 80/20, thresholds chosen in training."""
    frame = _frame(quick, data)
    texts = _texts(frame)
    table, names = _tags(frame)
    frequent = np.asarray(table.sum(axis=0)).ravel() >= _RARE
    held, names = table.toarray()[:, frequent] > 0, [name for name, kept in zip(names, frequent, strict=True) if kept]
    order = np.random.default_rng(seed).permutation(len(texts))
    known, asked = order[len(order) // 5 :], order[: len(order) // 5]
    began = time.perf_counter()
    said = _linear_tags([texts[row] for row in known], held[known], [texts[row] for row in asked], seed)
    rows = [_f1_row("linear TF-IDF, tuned", said, held[asked], time.perf_counter() - began)]
    began = time.perf_counter()
    encode = encoders(Settings(), None, "minilm").query.encode
    wanted = [{names[place] for place in np.flatnonzero(held[row]).tolist()} for row in known.tolist()]
    model = fit_intents([texts[row] for row in known], wanted, encode, seed=seed)
    chances = model.read([texts[row] for row in asked]).chances
    columns = [model.names.index(name) if name in model.names else -1 for name in names]
    said = np.where(np.array(columns) < 0, 0.0, chances[:, columns]) >= model.threshold
    return [*rows, _f1_row("shopkeeper tags", said, held[asked], time.perf_counter() - began)]


def _linear_tags(known: Sequence[str], held: NDArray[np.bool_], asked: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """One SVM a tag; penalty and the one threshold by micro F1 on a fifth of training."""
    features = Features.fit(grams_for(known), known)
    rows, unseen = features.of(known), features.of(asked)
    order = np.random.default_rng(seed + 1).permutation(len(known))
    valid, train = order[: len(order) // 5], order[len(order) // 5 :]
    best = (-1.0, 1.0, 0.0)
    for strength in (0.1, 0.3, 1.0):
        margins = _margins(rows[train], held[train], rows[valid], strength)
        for border in np.quantile(margins, 1 - np.linspace(0.01, 0.12, 23)).tolist():
            mark = _micro_f1(margins >= border, held[valid])
            best = max(best, (mark, strength, border))
    found: NDArray[np.bool_] = _margins(rows, held, unseen, best[1]) >= best[2]
    return found


def _margins(rows: sparse.csr_matrix, held: NDArray[np.bool_], asked: sparse.csr_matrix, strength: float) -> Floats:
    """float32 (q, k); a tag that training does not hold gets -9."""
    found = np.full((asked.shape[0], held.shape[1]), -9.0, dtype=np.float32)
    for tag in np.flatnonzero(held.any(axis=0)).tolist():
        model = LinearSVC(C=strength, tol=1e-2, random_state=0).fit(rows, held[:, tag])
        found[:, tag] = model.decision_function(asked)
    return found


def _systems(frame: pl.DataFrame, shop: Shop) -> Iterator[tuple[str, Rank, str]]:
    """Words, the encoder as it comes, their even sum, and the shop's own recommendation."""
    texts = _texts(frame)
    backbone = encoders(shop.settings, None, "minilm").passage
    vectors = backbone.encode(texts)
    for name, words in (("TF-IDF", 1.0), ("MiniLM, raw", 0.0), ("shopkeeper similar texts", 0.5)):
        index = SimilarTexts(texts, backbone.encode, words=words, vectors=vectors)
        whole = index.scores(texts, vectors)
        yield name, partial(_added, whole), ""
    place = {name: row for row, name in enumerate(frame["talk_id"].to_list())}
    names = frame["talk_id"].to_list()

    def recommended(liked: Sequence[int]) -> Floats:
        items = tuple(names[row] for row in liked)
        request = Request(items=items, limit=_K + len(items))
        answer = shop.similar(request) if len(items) == 1 else shop.recommend(request)
        scores = np.full(frame.height, -1e9, dtype=np.float32)
        for rank, hit in enumerate(answer.hits):
            scores[place[hit.item]] = -rank
        return scores

    yield "shopkeeper recommend", recommended, "through `Shop`, no events"


@contextmanager
def _library(frame: pl.DataFrame, seed: int) -> Iterator[Shop]:
    """The talks in a shop of the domain media, imported without tags."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        file = home / "talks.jsonl"
        columns = frame.select("talk_id", "name", "description", pl.col("speakers").list.join(", ").alias("brand"))
        rows = (
            {"id": id_, "title": name, "description": text, "brand": who, "language": "en"}
            for id_, name, text, who in columns.iter_rows()
        )
        file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        domain = domain_of(domain_file("media"))
        calm = {"recommend.diversity": 0.0, "recommend.explore": 0.0}  # measured is what is liked, not how varied it is
        settings = Settings().override(dict(domain.settings) | calm | {"home": scratch, "compute.seed": seed})
        store = open_store(settings.store_url)
        report = import_products(file, store, rejects=home / "rejects.jsonl")
        store.close()
        assert not report.rejected, report.reasons
        shop = open_shop(settings)
        try:
            yield shop
        finally:
            shop.close()


def _frame(quick: bool, data: Path) -> pl.DataFrame:
    frame = talks(data)
    return frame.head(300) if quick else frame


def _texts(frame: pl.DataFrame) -> list[str]:
    return [f"{name}. {text}" for name, text in frame.select("name", "description").iter_rows()]


def _tags(frame: pl.DataFrame) -> tuple[sparse.csr_matrix, list[str]]:
    """Which talk has which tag, 0/1 (n, k), and the tags."""
    own = [sorted(set(found) - _EVENTS) for found in frame["tags"].to_list()]
    names = sorted({name for found in own for name in found})
    place = {name: column for column, name in enumerate(names)}
    rows = [row for row, found in enumerate(own) for _ in found]
    columns = [place[name] for found in own for name in found]
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(own), len(names))), names


def _shared(frame: pl.DataFrame) -> Grades:
    """Grades float (n, n) by how many tags two talks share; 0 with itself."""
    table, _ = _tags(frame)
    grades: Grades = np.clip((table @ table.T).toarray() - 1, 0, 3)
    np.fill_diagonal(grades, 0)
    return grades


def _added(whole: Floats, liked: Sequence[int]) -> Floats:
    """How well each talk goes with all of the liked ones, float32 (n,)."""
    found: Floats = whole[list(liked)].sum(axis=0)
    return found


def _best(scores: Floats, without: Sequence[int]) -> list[int]:
    scores = np.array(scores, dtype=np.float64)
    scores[list(without)] = -np.inf
    best: list[int] = np.argsort(-scores, kind="stable")[:_K].tolist()
    return best


def _row(name: str, found: Sequence[Sequence[int]], truth: Grades, note: str) -> Row:
    shown = np.zeros((len(found), _K))
    for query, places in enumerate(found):
        shown[query, : len(places)] = truth[query, list(places)]
    strict = truth.max() > 1
    near = truth >= 2 if strict else truth > 0
    hits = np.where(shown >= 2, 1.0, 0.0) if strict else shown
    asked = near.any(axis=1)
    recall = recall_at(_K, hits[asked], np.minimum(near[asked].sum(axis=1), _K))
    metrics = {"ndcg@10": Metric.mean(ndcg_at(_K, shown, truth)), "recall@10": Metric.mean(recall)}
    return Row(name, metrics, notes=note)


def _micro_f1(said: NDArray[np.bool_], held: NDArray[np.bool_]) -> float:
    return 2 * float((said & held).sum()) / max(1, int(said.sum() + held.sum()))


def _f1_row(name: str, said: NDArray[np.bool_], held: NDArray[np.bool_], seconds: float) -> Row:
    """Micro F1 with a bootstrap interval over talks."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(held), len(held)) for _ in range(500)]
    marks = np.array([_micro_f1(said[rows], held[rows]) for rows in draws])
    low, high = np.quantile(marks, (0.025, 0.975)).tolist()
    return Row(name, {"micro_f1": Metric(_micro_f1(said, held), low, high)}, seconds, f"{held.shape[1]} tags")

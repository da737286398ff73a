"""What is planted in the practice shop and what is found: mistakes in the catalogue, robots, fraud, and what they cost."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score

from bench.contract import Metric, Row
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.next_items import Scorer, measures, ranks, split_time
from shopkeeper.models.static import StaticEncoder
from shopkeeper.models.text import Floats
from shopkeeper.practice import Practice, build
from shopkeeper.practice.mischief import GOODS, VISITORS, Mischief, plant
from shopkeeper.ranking.visits.visitors import NAMES
from shopkeeper.ranking.visits.visits import visits
from shopkeeper.records import Event, Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.histories import read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.protocols import Store
from shopkeeper.store.trusted import Trusted
from shopkeeper.tasks.guard.catalogue_check import Findings as CatalogueFindings
from shopkeeper.tasks.guard.catalogue_check import check as check_catalogue
from shopkeeper.tasks.guard.catalogue_likeness import bare
from shopkeeper.tasks.guard.visitor_check import PERSON, ROBOT, SUSPICIONS, flagged
from shopkeeper.tasks.guard.visitor_check import check as check_visitors
from shopkeeper.tasks.recommend.behaviour import Behaviour, Parameters, fit

_RESAMPLES = 400
_BATCH = 5_000
_DOUBT = {"wrong_category": "category", "keyword_stuffing": "title", "price_error": "price", "near_duplicate": "double"}
_SUSPECTED = {
    "scraper": "copying",
    "stealth_scraper": "copying",
    "monitor": "clockwork",
    "booster": "pushing",
    "click_fraud": "clicking",
}
_SOURCES = ("after", "together", "popular")


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Average precision by kind against simple baselines; then next purchases learnt from clean, dirty and cleaned logs.

    Nothing is tuned on this shop: thresholds and weights are the defaults. The seed of the shop differs from the one that
    they were made with.

    Args:
        data: Not used: the shop is simulated.
        quick: A small shop.
        seed: Of the shop, of the mischief and of the bootstrap.
    """
    sizes = (
        {"products": 600, "customers": 300, "days": 40} if quick else {"products": 2000, "customers": 1600, "days": 90}
    )
    honest = build(seed + 100, **sizes)
    dirty, mischief = plant(honest, seed + 100)
    return [*_goods(dirty, mischief, seed), *_visitors(dirty, mischief, seed), *_learning(dirty, mischief, seed)]


def _goods(shop: Practice, mischief: Mischief, seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    items = [shop.items[place] for place in rng.permutation(len(shop.items))]
    vectors = StaticEncoder().encode([bare(item) for item in items])
    began = time.process_time()
    found = check_catalogue(items, vectors)
    seconds = time.process_time() - began
    texts = TfidfVectorizer(analyzer=terms, sublinear_tf=True).fit_transform([bare(item) for item in items])
    near = np.asarray((texts @ texts.T).todense(), dtype=np.float32)
    np.fill_diagonal(near, -1)
    baselines = {
        "wrong_category": ("TF-IDF kNN", _disagreement(items, near)),
        "keyword_stuffing": ("title length", np.array([len(terms(item.title)) for item in items], dtype=np.float64)),
        "price_error": ("z-score in category", _z_price(items)),
        "near_duplicate": ("equal words", _equal_words(items)),
    }
    more = {"near_duplicate": ("TF-IDF cosine", near.max(axis=1).astype(np.float64))}
    ours = _scores(items, found)
    rows: list[Row] = []
    for kind in GOODS:
        truth = np.array([item.id in mischief.of(kind) for item in items])
        if kind == "near_duplicate":  # either listing of a pair is a find
            truth |= np.isin([item.id for item in items], list(mischief.of(kind).values()))
        doubted = {doubt.item for doubt in found.doubts if doubt.kind == _DOUBT[kind]}
        doubted |= {doubt.other for doubt in found.doubts if doubt.kind == _DOUBT[kind]}
        sure = np.array([item.id in doubted for item in items])
        for name, score in (baselines[kind], *([more[kind]] if kind in more else [])):
            rows.append(Row(f"{name} ({kind})", _ranking(truth, score, seed)))
        extra = {"precision": Metric.mean(truth[sure], seed), "recall": Metric.mean(sure[truth], seed)}
        rows.append(
            Row(
                f"shopkeeper ({kind})",
                _ranking(truth, ours[kind], seed) | extra,
                seconds,
                f"{int(truth.sum())} planted",
            )
        )
    return rows


def _scores(items: Sequence[Item], found: CatalogueFindings) -> dict[str, NDArray[np.float64]]:
    double = np.zeros(len(items))
    np.maximum.at(double, found.pairs[:, 0], found.pair_scores)
    np.maximum.at(double, found.pairs[:, 1], found.pair_scores)
    return {
        "wrong_category": found.votes.score,
        "keyword_stuffing": found.wording.score,
        "price_error": found.pricing.score,
        "near_duplicate": double,
    }


def _disagreement(items: Sequence[Item], near: Floats) -> NDArray[np.float64]:
    """Share of the ten nearest by words that stand in another category."""
    shelf = np.unique([" > ".join(item.category) for item in items], return_inverse=True)[1].reshape(-1)
    ten = np.argpartition(near, -10, axis=1)[:, -10:]
    return np.asarray((shelf[ten] != shelf[:, None]).mean(axis=1))


def _z_price(items: Sequence[Item]) -> NDArray[np.float64]:
    """How many standard deviations a log price is from its category's mean."""
    frame = pl.DataFrame(
        {"shelf": [" > ".join(item.category) for item in items], "price": [np.log(item.price or 1.0) for item in items]}
    )
    price = pl.col("price")
    z = (price - price.mean().over("shelf")) / price.std().over("shelf")
    return frame.select(z.abs().fill_nan(0.0).fill_null(0.0)).to_series().to_numpy()


def _equal_words(items: Sequence[Item]) -> NDArray[np.float64]:
    """1 where another title has the same words in any order."""
    keys = [" ".join(sorted(terms(item.title))) for item in items]
    _, code, times = np.unique(keys, return_inverse=True, return_counts=True)
    return (times[code.reshape(-1)] > 1).astype(np.float64)


def _visitors(shop: Practice, mischief: Mischief, seed: int) -> list[Row]:
    shelves = {item.id: item.category for item in shop.items}
    began = time.process_time()
    log = visits(shop.events)
    found = check_visitors(log, shelves, seed=seed)
    seconds = time.process_time() - began
    bad = mischief.of(*VISITORS)
    guilty = np.array([name in bad for name in found.traces.names])
    rng = np.random.default_rng(seed)
    asked = rng.permutation(len(guilty))[: len(guilty) // 2]
    decided = {found.traces.names[row]: ROBOT if guilty[row] else PERSON for row in asked.tolist()}
    taught = check_visitors(log, shelves, decided, seed=seed)
    rest = np.ones(len(guilty), dtype=np.bool_)
    rest[asked] = False
    ruled = {suspect.visitor for suspect in found.suspects if suspect.rules}
    sure = np.array([name in ruled for name in found.traces.names])
    rate = found.traces.table[:, NAMES.index("rate")]
    systems = {
        "event rate": rate,
        "number of events": found.traces.counts.astype(np.float64),
        "clicks on ads": found.traces.table[:, NAMES.index("one_campaign")],
        "shopkeeper": found.score,
    }
    rows = []
    for kind in ("all", *VISITORS):
        truth = guilty if kind == "all" else np.array([name in mischief.of(kind) for name in found.traces.names])
        fair = truth | ~guilty
        for name, score in systems.items():
            metrics = _ranking(truth[fair], score[fair], seed)
            if name == "shopkeeper":
                metrics |= {"recall": Metric.mean(sure[truth], seed)}
                metrics |= {"precision": Metric.mean(guilty[sure], seed)} if kind == "all" else {}
            note = f"{int(truth.sum())} of {len(truth)} visitors" if name == "shopkeeper" else ""
            rows.append(Row(f"{name} ({kind} visitors)", metrics, seconds if note else 0.0, note))
    for kind, suspicion in _SUSPECTED.items():
        truth = np.array([name in mischief.of(kind) for name in found.traces.names])
        fair = truth | ~guilty
        column = found.suspicions[:, list(SUSPICIONS).index(suspicion)]
        rows.append(
            Row(f"shopkeeper suspicion: {suspicion} ({kind} visitors)", _ranking(truth[fair], column[fair], seed))
        )
    for name, score in (("before answers", found.score), ("after answers", taught.score)):
        rows.append(
            Row(
                f"shopkeeper {name} (all visitors, the half not asked about)", _ranking(guilty[rest], score[rest], seed)
            )
        )
    return rows


def _ranking(truth: NDArray[np.bool_], score: NDArray[np.floating], seed: int) -> dict[str, Metric]:
    """Average precision, and precision among as many as were planted, with intervals over items or visitors."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(truth))
    truth, score = truth[order], np.asarray(score, dtype=np.float64)[order]
    first = np.argsort(-score, kind="stable")[: int(truth.sum())]
    draws = []
    for _ in range(_RESAMPLES):
        some = rng.integers(0, len(truth), len(truth))
        if truth[some].any():
            draws.append(average_precision_score(truth[some], score[some]))
    low, high = np.quantile(draws, [0.025, 0.975])
    average = Metric(float(average_precision_score(truth, score)), float(low), float(high))
    return {"average_precision": average, "precision@planted": Metric.mean(truth[first], seed)}


def _learning(shop: Practice, mischief: Mischief, seed: int) -> list[Row]:
    """Next purchases of honest customers after the cut, by co-occurrence and popularity."""
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(f"sqlite:///{Path(scratch) / 'shop.db'}")
        try:
            return _learnt(store, shop, mischief, seed)
        finally:
            store.close()


def _learnt(store: SqlStore, shop: Practice, mischief: Mischief, seed: int) -> list[Row]:
    store.catalogue.put(shop.items)
    _post(store, shop.events)
    before = [event for event in shop.events if event.time < shop.cut]
    found = check_visitors(visits(before), {item.id: item.category for item in shop.items}, seed=seed)
    names = flagged(found)
    forged = {event.id for event in before if event.id in mischief.events}
    shelf = Shelf(store.catalogue.scan())
    bad = mischief.of(*VISITORS)
    frame = store.events.frame()
    honest = frame.filter(~pl.col("id").is_in(list(mischief.events)) & ~pl.col("customer").is_in(list(bad)))
    end = shop.events[-1].time.timestamp() + 1
    split = split_time(honest.filter(pl.col("customer") != ""), shelf, shop.cut.timestamp(), end)
    boosted = shelf.rows(item for item in mischief.of("booster").values())
    per_user: dict[str, dict[str, NDArray[np.float64]]] = {}
    rows = []
    views: Mapping[str, Store] = {
        "shopkeeper, flagged left out": Trusted(store, names),
        "shopkeeper, flagged thinned to a tenth": Trusted(store, names, keep=0.1),
    }
    logs = {
        "clean log": frame.filter(~pl.col("id").is_in(list(forged))),
        "dirty log": frame,
        **{name: view.events.frame() for name, view in views.items()},
    }
    for name, log in logs.items():
        learn, _ = read(log.filter(pl.col("time") < shop.cut), shelf)
        behaviour = fit(learn, shelf, None, Parameters(), shop.cut.timestamp())
        blend = replace(behaviour.parameters.blend, parts={n: behaviour.parameters.blend.parts[n] for n in _SOURCES})
        behaviour.parameters = replace(behaviour.parameters, blend=blend)
        scored = behaviour.blended(split.past, len(shelf))
        values = measures(ranks(_scorer(behaviour, len(shelf)), split, len(shelf)), split, (10,))
        top = np.argpartition(scored, -10, axis=1)[:, -10:]
        pushed = np.isin(top, boosted).sum(axis=1).astype(np.float64)
        per_user[name] = {**values, "pushed_in_top_10": pushed}
        means = {key: Metric.mean(value, seed) for key, value in per_user[name].items()}
        rows.append(Row(f"{name} (next purchases)", means))
    for name in per_user:
        if name != "dirty log":
            gains = {
                key: paired_difference(per_user["dirty log"][key], values, seed=seed)
                for key, values in per_user[name].items()
            }
            metrics = {key: Metric(gain.mean, gain.low, gain.high) for key, gain in gains.items()}
            rows.append(Row(f"gain over the dirty log: {name} (next purchases)", metrics))
    caught = sum(event.id in forged for event in before if _of(event) in names)
    lost = sum(event.id not in forged for event in before if _of(event) in names)
    note = f"{caught} of {len(forged)} forged events and {lost} of {len(before) - len(forged)} honest ones left out"
    rows.append(
        Row("shopkeeper, flagged left out (events)", {"recall": Metric(caught / max(len(forged), 1))}, notes=note)
    )
    return rows


def _scorer(behaviour: Behaviour, width: int) -> Scorer:
    return lambda past: behaviour.blended(past, width)


def _of(event: Event) -> str:
    return event.customer or f"session:{event.session}"


def _post(store: SqlStore, events: Sequence[Event]) -> None:
    for first in range(0, len(events), _BATCH):
        store.events.append(events[first : first + _BATCH])

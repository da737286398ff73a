"""Fake reviewers on Amazon by user folds, and an average attack on FilmTrust: who is found, and what the attack moves.

`amazon-spam-reviewers` (labelled reviewers; text and time are not in it). Every fifth of the users is scored by what was
learnt from the other four, so each fold is an 80/20 split; graph and popularity see all ratings but only training labels.
Borders for F1 are chosen on training users alone. The 153 labelled users without ratings stay in: they have no signs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.contract import Metric, Row
from bench.guard_reviews_served import served
from shopkeeper.models.text import Floats
from shopkeeper.ranking.raters.graph import SPREAD_NAMES, blocks, spread
from shopkeeper.ranking.raters.model import drawn_folds, trust
from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values
from shopkeeper.ranking.raters.signs import GROUPS, NAMES, rater_table
from shopkeeper.recipes.guard.raters import Learnt, best_border, grow_trees, learn_raters
from shopkeeper.retrieval.collaborative import Neighbours, together
from shopkeeper.retrieval.ease import ease
from shopkeeper.retrieval.histories import fold
from shopkeeper.tasks.guard.review_check import item_means

_FOLDS = 5
_SAMPLES = 200
_INNER = 3
"""Folds of the training users on which a baseline chooses its border."""
_TOP = 10
_PUSHED = 20
"""Films that the attack pushes: no other film has a five."""
_SITE = 4.0
"""The most that anybody but the attackers gives on FilmTrust: a five would give them away."""
_DEGREESAD = ("popular", "popular_least", "popular_low", "popular_high", "popular_most", "count")

Detector = Callable[[Values], tuple[Values, float]]
"""Labels, NaN where hidden, to the scores of all users and a border chosen on what was given."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a detector said of each user when their label was hidden, and from where on it called them fake."""

    score: Values
    border: Values


@dataclass(frozen=True, slots=True)
class _Case:
    """Ratings whose raters are labelled, and the folds of the raters."""

    name: str
    ratings: Ratings
    labels: Values
    fold: Ints
    pushed: Ints
    table: Floats
    learnt: Learnt


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Detection against six baselines on the same folds, the gain of each kind of evidence, and the attack's reach.

    Args:
        data: Folder with `amazon-spam-reviewers`.
        quick: FilmTrust only.
        seed: Of folds, models and the bootstrap.
    """
    home = data / "amazon-spam-reviewers"
    rows: list[Row] = []
    if not quick:
        amazon = _case("Amazon", home / "ratings.parquet", home / "labels.parquet", "spam", seed)
        rows += _detection(amazon, seed, gains=True)
    for name, most in (("FilmTrust", np.inf), ("FilmTrust, clipped", _SITE)):
        ratings, labels = (home / f"filmtrust_average_attack_{part}.parquet" for part in ("ratings", "labels"))
        film = _case(name, ratings, labels, "attacker", seed, most)
        rows += [*_detection(film, seed), *_reach(film, seed)]
        rows += served(name, film.ratings, film.labels == 1, film.pushed, np.flatnonzero(film.fold == 0), seed)
    return rows


def _case(name: str, ratings: Path, labels: Path, column: str, seed: int, most: float = np.inf) -> _Case:
    table = pl.read_parquet(ratings).sample(fraction=1.0, shuffle=True, seed=seed)  # the files' order says nothing
    people = pl.read_parquet(labels).sample(fraction=1.0, shuffle=True, seed=seed)
    stars = table["rating"].to_numpy().astype(np.float64)
    users, items = (table[side].cast(pl.String).to_list() for side in ("user", "item"))
    names = people["user"].cast(pl.String).to_list()
    rated = Ratings.of(users, items, np.minimum(stars, most), also=names)
    known = dict(zip(names, people[column].to_list(), strict=True))
    truth = np.array([known[rater] for rater in rated.raters], dtype=np.float64)
    parted = np.zeros(len(truth), dtype=np.int64)
    for number, (_, test) in enumerate(StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(truth, truth)):
        parted[test] = number
    learnt = learn_raters(rated, np.full(len(truth), np.nan), seed)
    return _Case(name, rated, truth, parted, _pushed(rated, stars, truth), rater_table(rated, seed), learnt)


def _detection(case: _Case, seed: int, *, gains: bool = False) -> list[Row]:
    """One row a detector; ours has `gain` as well, its AP less that of the best baseline on the same resamples."""
    rows = []
    best: NDArray[np.float64] = np.zeros(_SAMPLES)
    for name, detector in _detectors(case, seed, gains=gains):
        began = time.perf_counter()
        found = _cross(case, detector)
        seconds = time.perf_counter() - began
        measured = _measured(case, found, seed)
        metrics = {key: _metric(values) for key, values in measured.items()}
        if name == "shopkeeper":
            metrics["gain"] = _metric(measured["ap"] - best)
        elif not name.startswith("shopkeeper") and measured["ap"][0] > best[0]:
            best = measured["ap"]
        system = f"{name} ({case.name})" if name.startswith("shopkeeper") else f"{case.name}: {name}"
        rows.append(Row(system, metrics, seconds))
    return rows


def _detectors(case: _Case, seed: int, *, gains: bool) -> Iterator[tuple[str, Detector]]:
    """Baselines first, ours last."""
    classic = np.nan_to_num(case.table[:, [NAMES.index(name) for name in _DEGREESAD]])
    counted = sp.csr_array(
        (np.ones(len(case.ratings)), (case.ratings.rater, case.ratings.item)),
        shape=(len(case.ratings.raters), len(case.ratings.items)),
    )
    tfidf = TfidfTransformer(sublinear_tf=True).fit_transform(counted)
    shrunk = TruncatedSVD(100, random_state=seed).fit_transform(tfidf)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    yield "DegreeSAD, logistic regression", _fitted(logistic, classic)
    yield "DegreeSAD, random forest", _fitted(RandomForestClassifier(200, random_state=seed), classic)
    yield "TF-IDF + SVD 100 + logistic regression", _fitted(LogisticRegression(C=100.0, max_iter=500), shrunk)
    yield "TF-IDF + logistic regression", _fitted(LogisticRegression(C=10.0, max_iter=500), tfidf)
    yield "label propagation", _propagated(case, seed)
    density = blocks(case.ratings)[0]
    yield "no labels: densest block (Fraudar)", lambda _: (density, float(density.max()))
    yield "shopkeeper, no labels", _unlabelled(case, seed)
    if gains:
        for upto in range(3):
            names = [name for group in ("ratings", "popularity", "graph")[: upto + 1] for name in GROUPS[group]]
            said = " + ".join(("ratings", "popularity", "graph")[: upto + 1])
            yield f"shopkeeper, trees: {said}", _grown(case, [NAMES.index(name) for name in names], seed)
        yield "shopkeeper, trees: all + known raters", _grown(case, range(len(NAMES) + len(SPREAD_NAMES)), seed)
    yield "shopkeeper", _ours(case, seed)


def _fitted(model: BaseEstimator, table: Floats | sp.csr_matrix) -> Detector:
    def detect(labels: Values) -> tuple[Values, float]:
        known = np.flatnonzero(~np.isnan(labels))
        inner = cross_val_predict(model, table[known], labels[known], cv=_INNER, method="predict_proba")
        score = model.fit(table[known], labels[known]).predict_proba(table)[:, 1]
        return score, best_border(labels[known], np.asarray(inner)[:, 1])

    return detect


def _propagated(case: _Case, seed: int) -> Detector:
    def detect(labels: Values) -> tuple[Values, float]:
        known = ~np.isnan(labels)
        far = spread(case.ratings, labels, drawn_folds(len(labels), seed))[:, SPREAD_NAMES.index("far")]
        return far.astype(np.float64), best_border(labels[known], far[known])

    return detect


def _grown(case: _Case, columns: Sequence[int], seed: int) -> Detector:
    """Our trees over some of the signs."""

    def detect(labels: Values) -> tuple[Values, float]:
        known, parts = ~np.isnan(labels), drawn_folds(len(labels), seed)
        table = np.concatenate([case.table, spread(case.ratings, labels, parts)], axis=1)[:, list(columns)]
        inner = np.zeros(len(labels))
        for number in range(int(parts.max()) + 1):
            inside, outside = known & (parts != number), known & (parts == number)
            inner[outside] = np.asarray(grow_trees(table[inside], labels[inside], seed).predict(table[outside]))
        score = grow_trees(table[known], labels[known], seed).predict(table)
        return np.asarray(score), best_border(labels[known], inner[known])

    return detect


def _unlabelled(case: _Case, seed: int) -> Detector:
    model = case.learnt.model
    suspicion = model.score(case.ratings, np.full(len(case.labels), np.nan), seed).suspicion
    return lambda _: (suspicion, model.border)


def _ours(case: _Case, seed: int) -> Detector:
    def detect(labels: Values) -> tuple[Values, float]:
        model = learn_raters(case.ratings, labels, seed, case.learnt).model
        return model.score(case.ratings, labels, seed).suspicion, model.border

    return detect


def _cross(case: _Case, detector: Detector) -> _Found:
    """Score every fold by what was learnt from the others."""
    score, border = np.zeros(len(case.labels)), np.zeros(len(case.labels))
    for number in range(_FOLDS):
        own = case.fold == number
        said, limit = detector(np.where(own, np.nan, case.labels))
        score[own], border[own] = said[own], limit
    return _Found(score, border)


def _measured(case: _Case, found: _Found, seed: int) -> dict[str, NDArray[np.float64]]:
    """Each measure on all users, then on resamples of them: float64 (samples,)."""
    everyone = np.arange(len(case.labels))
    draws = np.random.default_rng(seed).integers(0, len(everyone), (_SAMPLES, len(everyone)))
    draws[0] = everyone

    def precise(rows: Ints) -> float:
        """Mean over the folds, whose scores come from different models."""
        parts = (rows[case.fold[rows] == number] for number in range(_FOLDS))
        return float(np.mean([average_precision_score(case.labels[part], found.score[part]) for part in parts]))

    truth, said = case.labels == 1, found.score >= found.border
    hits = (truth & said)[draws].sum(axis=1)
    called, there = np.maximum(said[draws].sum(axis=1), 1), truth[draws].sum(axis=1)
    return {
        "ap": np.array([precise(rows) for rows in draws]),
        "f1": 2 * hits / (called + there),
        "precision": hits / called,
        "recall": hits / there,
    }


def _metric(values: NDArray[np.float64]) -> Metric:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Metric(float(values[0]), float(low), float(high))


def _reach(case: _Case, seed: int) -> list[Row]:
    """How many honest users meet a pushed film in their ten best, and how far its mean moves.

    What is pushed is known from the labels and used for measuring only.
    """
    ratings, honest, pushed = case.ratings, case.labels == 0, case.pushed
    known = _cross(case, _ours(case, seed))
    blind = _cross(case, _unlabelled(case, seed))
    arms = {
        "without the attack": honest.astype(np.float64),
        "attacked": np.ones(len(honest)),
        "attacked, down-weighted without labels": trust(blind.score, blind.border),
        "attacked, down-weighted by folds": trust(known.score, known.border),
    }
    clean = item_means(ratings, arms["without the attack"])[pushed]
    rows = []
    for name, weight in arms.items():
        began = time.perf_counter()
        metrics = {"shift_of_means": Metric.mean(item_means(ratings, weight)[pushed] - clean, seed)}
        for source, met in _meetings(ratings, weight, honest, pushed, seed).items():
            metrics[f"users_met_{source}"] = Metric.mean(met, seed)
        rows.append(Row(f"reach on {case.name}: {name}", metrics, time.perf_counter() - began))
    return rows


def _pushed(ratings: Ratings, stars: Values, labels: Values) -> Ints:
    """The films that attackers most often give the most they can, before any clipping."""
    top = (labels[ratings.rater] == 1) & (stars >= stars.max())
    return np.argsort(-np.bincount(ratings.item[top], minlength=len(ratings.items)), kind="stable")[:_PUSHED]


def _meetings(
    ratings: Ratings, weight: Values, honest: NDArray[np.bool_], pushed: Ints, seed: int
) -> dict[str, NDArray[np.bool_]]:
    """For each recommender, which honest users have a pushed film among their ten best that they did not rate."""
    order = np.random.default_rng(seed).permutation(len(ratings))
    lowest, highest = ratings.scale
    liking = 2 * (ratings.rating - lowest) / (highest - lowest) - 1
    histories = fold(ratings.rater[order], ratings.item[order], liking[order], np.zeros(len(order)), len(honest))
    weighted = replace(histories, strengths=histories.strengths * weight[histories.users].astype(np.float32))
    width = len(ratings.items)
    sources: dict[str, Neighbours] = {
        "ease": ease(weighted, width, decay=1.0, seed=seed),
        "together": together(weighted, width, decay=1.0),
    }
    users = np.flatnonzero(honest)
    mine = histories.take(users)
    found = {}
    for name, source in sources.items():
        scores = source.scores(mine.weights(1.0, width))
        scores[mine.users, mine.rows] = -np.inf
        best = np.argpartition(-scores, _TOP, axis=1)[:, :_TOP]
        found[name] = np.asarray(np.isin(best, pushed).any(axis=1))
    return found

"""What variety, calibration and less popularity cost in accuracy, on Amazon 2014 Beauty or Toys (`--set`): one knob at a time."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import ROOT, Metric, Row
from bench.next_amazon import opened
from bench.plots import lines
from shopkeeper.evaluation.beyond import coverage, exposure, gini, intra_list_diversity, miscalibration, novelty
from shopkeeper.ranking.blend import tune
from shopkeeper.ranking.pages.calibration import memberships
from shopkeeper.recipes.recommend.moments import Moment
from shopkeeper.recipes.recommend.source_tuning import examples, tune_sources
from shopkeeper.records import Request
from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.leading import best
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import trail_of
from shopkeeper.settings import RecommendSettings, Settings
from shopkeeper.tasks.recommend.behaviour import Behaviour, Parameters, fit
from shopkeeper.tasks.recommend.people import Person
from shopkeeper.tasks.recommend.shaping import SHAPED, Shaper

_K = 10
_USERS = 4_000
_KNOBS: Mapping[str, Sequence[Mapping[str, float | str]]] = {
    "plain": [{}],
    "MMR": [{"diversity": theta} for theta in (0.1, 0.3, 0.5, 0.7, 0.9)],
    "DPP": [{"diversity": theta, "diversity_by": "volume"} for theta in (0.1, 0.3, 0.5, 0.7, 0.9)],
    "calibration": [{"calibration": theta} for theta in (0.1, 0.3, 0.5, 0.7, 0.9)],
    "less popular": [{"popularity": beta} for beta in (-0.2, 0.1, 0.2, 0.4, 0.8)],
}
_START = {"after": 1.0, "together": 0.5, "words": 0.4, "meaning": 0.4, "popular": 0.05}


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "beauty") -> list[Row]:  # noqa: A002
    """Our blend's pages of ten for 4,000 test customers, shaped by the code that serves; `diversity` is 1 - cosine on a page.

    The blend (no sequence model, no ranker) is tuned on validation. `miscalibration` is the divergence, in nats, of a page's
    departments from those of the customer's history; `gini` and `coverage` are over all pages.

    Args:
        data: Folder of the public data sets.
        quick: 3,000 users and no encoder.
        seed: Of the customers and of the bootstrap.
        set: ``beauty`` or ``toys``.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = data / "amazon-2014-seqrec" / set
        shelf, vectors, (validation, test) = opened(folder, Settings(home=Path(scratch)), quick=quick)
    rng = np.random.default_rng(seed)
    sample = validation.take(np.sort(rng.permutation(len(validation.past))[:_USERS]).astype(np.int64))
    asked = test.take(np.sort(rng.permutation(len(test.past))[:_USERS]).astype(np.int64))
    behaviour = _tuned(sample, asked, shelf, vectors)
    scores, lists = _ranked(behaviour, asked, len(shelf), rng)
    judge = _Judge(shelf, asked, behaviour, seed)
    rows: list[Row] = []
    drawn: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, settings in _KNOBS.items():
        for knobs in settings:
            began = time.perf_counter()
            shaper = Shaper(shelf, RecommendSettings.model_validate(knobs), seed=seed)
            pages = np.stack(
                [
                    shaper.page(_person(asked, user), behaviour, ranked, scored).rows
                    for user, (ranked, scored) in enumerate(zip(lists, scores, strict=True))
                ]
            )
            metrics = judge(pages)
            values = [float(value) for value in knobs.values() if not isinstance(value, str)]
            label = f"shopkeeper {name}" + (f" {values[0]:g}" if values else "")
            rows.append(Row(label, metrics, time.perf_counter() - began))
            drawn[name].append((metrics["diversity"].value, metrics["recall@10"].value))
    if not quick:
        ways = {name: sorted([*drawn["plain"], *points]) for name, points in drawn.items() if name != "plain"}
        lines(ROOT / f"bench/results/trade-offs-{set}.png", ways, "diversity of a page (1 - cosine)", "recall@10")
    return rows


class _Judge:
    """Measures pages."""

    def __init__(self, shelf: Shelf, asked: Moment, behaviour: Behaviour, seed: int) -> None:
        self._seed, self._asked, self._width = seed, asked, len(shelf)
        self._vectors = behaviour.vectors(np.arange(len(shelf)))
        codes = {
            name: code
            for code, name in enumerate(dict.fromkeys(shelf.item(row).category[1:2] for row in range(len(shelf))))
        }
        labels = [[codes[name]] if (name := shelf.item(row).category[1:2]) else [] for row in range(len(shelf))]
        self._belongs = memberships(labels, len(codes))
        past = asked.split.past
        own = past.weights(1.0, len(shelf)) @ self._belongs
        total = np.asarray(own.sum(axis=1)).ravel()[:, None]
        self._wanted = own.toarray() / np.maximum(total, 1e-9)
        learn = asked.split.learn
        self._users = np.bincount(learn.rows, minlength=len(shelf)), len(learn)

    def __call__(self, pages: NDArray[np.int64]) -> dict[str, Metric]:
        split = self._asked.split
        hit = pages[split.users] == split.targets[:, None]
        gain = (hit / np.log2(np.arange(2, _K + 2))).sum(axis=1)
        users, count = self._users
        return {
            "recall@10": Metric.mean(hit.any(axis=1), self._seed),
            "ndcg@10": Metric.mean(gain, self._seed),
            "diversity": Metric.mean(intra_list_diversity(pages, self._vectors), self._seed),
            "miscalibration": Metric.mean(miscalibration(pages, self._belongs, self._wanted), self._seed),
            "novelty": Metric.mean(novelty(pages, users, count), self._seed),
            "coverage": Metric(coverage(pages, self._width)),
            "gini": Metric(gini(exposure(pages, self._width))),
        }


def _tuned(sample: Moment, asked: Moment, shelf: Shelf, vectors: Floats | None) -> Behaviour:
    parameters: Parameters = tune_sources(sample.split, len(shelf))
    behaviour = fit(sample.split.learn, shelf, vectors, parameters, sample.split.until)
    start = {name: weight for name, weight in _START.items() if name in behaviour.names}
    parameters = replace(
        parameters, blend=tune(examples(behaviour, sample, len(shelf)), start, cold=("words", "meaning"))
    )
    return fit(asked.split.learn, shelf, vectors, parameters, asked.split.until)


def _ranked(
    behaviour: Behaviour, asked: Moment, width: int, rng: np.random.Generator
) -> tuple[list[Floats], list[NDArray[np.int64]]]:
    """Scores and rows of the best `SHAPED` + 10 of every customer, what they own left out."""
    places = rng.permutation(width)
    scores, lists = [], []
    for user in range(len(asked.past)):
        part = asked.split.take(np.array([user], dtype=np.int64))
        dense = behaviour.blended(part.past, width)[0]
        dense[part.owned.indices] = -np.inf
        rows = best(dense, SHAPED + _K, places)
        scores.append(dense[rows])
        lists.append(rows)
    return scores, lists


def _person(asked: Moment, user: int) -> Person:
    past = asked.split.past.take(np.array([user], dtype=np.int64))
    return Person(Request(limit=_K), past, trail_of((), Shelf()), {}, np.zeros(0, dtype=np.int64))

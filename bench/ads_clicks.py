"""Chances of clicks and sales in the practice shop: learnt from the older pages, examined on the latest fifth of them.

Everything predicts the click at the place where an item stood, after it learnt from pages before: the mean rate, the rate
of the place, the item's own rate, linear, boosted trees, DCN-v2, and their mean. Items that came in the period of the
examination are told apart. The practice shop knows the true chance of a click at place one on home pages and on pages of
graded queries: there, predictions are correlated with it, and `truth_gap` is what they lose against it in log-loss. The
simulation makes clicks as looks times wishes, which is what the models assume of places; the gap is that of the wish.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import spearmanr

from bench.contract import Metric, Row
from shopkeeper.evaluation.classification import auc, auc_interval, calibration_error, log_loss
from shopkeeper.models.static import StaticEncoder
from shopkeeper.models.text import Floats
from shopkeeper.practice import Practice, build
from shopkeeper.practice.behaviour import GRADE_PULL, examination
from shopkeeper.ranking.ads.features import NAMES, TEXTUAL, Moment
from shopkeeper.ranking.ads.model import TARGETS
from shopkeeper.ranking.shown import query_key
from shopkeeper.recipes.ads.clicks import guesses
from shopkeeper.recipes.ads.cross_learning import CrossOptions, cross_logits, learn_cross
from shopkeeper.recipes.ads.learning import Learnt, blank, learn, learn_trees, straight
from shopkeeper.recipes.ads.lessons import Lessons, gather_lessons
from shopkeeper.recipes.ads.periods import Examples, Period, examples
from shopkeeper.records import Event
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.vectors import VectorIndex
from shopkeeper.store.database import open_store
from shopkeeper.tasks.advertise.chances import AdChances

Values = NDArray[np.float64]

_ADS = 200
_LABELS = {"linear": "linear", "trees": "LightGBM", "cross": "DCN-v2", "mean": "mean of the three"}


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Guesses, models, models without words, and what is served.

    Args:
        data: Not used: the shop is simulated.
        quick: A small shop, and little time to learn.
        seed: Of the shop and of all learning.
    """
    size = (
        {"products": 500, "customers": 250, "days": 30} if quick else {"products": 1600, "customers": 800, "days": 60}
    )
    practice, encoder = build(seed, **size), StaticEncoder()
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(f"sqlite:///{Path(scratch) / 'shop.db'}")
        try:
            store.catalogue.put(practice.items)
            store.customers.put(practice.customers)
            store.events.append(practice.events)
            shelf = Shelf(store.catalogue.scan())
            vectors = encoder.encode([item.passage for item in shelf.items if item])
            index = VectorIndex(vectors.shape[1])
            index.upsert(np.arange(len(shelf)), vectors)
            lessons = gather_lessons(store, shelf, index, lambda texts: encoder.encode(texts, "query"), seed=seed)
        finally:
            store.close()
    minutes = 0.2 if quick else 1.5
    began = time.perf_counter()
    learnt = learn(lessons.train, lessons.valid, vectors, minutes=minutes, seed=seed)
    seconds = time.perf_counter() - began
    served = AdChances(shelf, index, lessons.record, learnt.model)
    truth = _Truth(practice, shelf, lessons.test)
    rows: list[Row] = []
    for place, target in enumerate(TARGETS):
        tested = examples(lessons.test, target)
        fresh = (shelf.created[lessons.test.row] >= lessons.test.events[0].time.timestamp())[tested.chosen]
        found = _predicted(lessons, learnt, vectors, place, minutes, seed)
        for name, logits in found.items():
            given = np.clip(tested.looked * expit(logits), 1e-9, 1 - 1e-9)
            metrics = _marks(tested.hit, given, fresh, seed)
            if target == "click":
                metrics |= truth.marks(logits, given)
            rows.append(Row(_label(target, name), metrics, seconds if "shopkeeper" in name else 0.0))
        if target == "click":
            rows += [Row("click: the truth", truth.best(seed))]
    rows.append(Row(f"shopkeeper chances of {_ADS} ads", {"ms": _speed(served, vectors, seed)}, notes=_kept(learnt)))
    return rows


def _predicted(
    lessons: Lessons, learnt: Learnt, vectors: Floats, place: int, minutes: float, seed: int
) -> dict[str, Values]:
    """Logits of a look at the test's showings, or of a sale of its clicks, by name: float64 (n,)."""
    target = TARGETS[place]
    train, valid, test = (examples(part, target) for part in (lessons.train, lessons.valid, lessons.test))
    crossed = cross_logits(learnt.network, lessons.test, vectors)[test.chosen, place]
    found = {
        f"{name} rate": logit(np.clip(given / test.looked, 1e-9, 1 - 1e-9))
        for name, given in guesses(lessons, target).items()
    }
    parts = {name: mix.logits(test.table, crossed.astype(np.float32)) for name, mix in learnt.alone[target].items()}
    found |= {f"shopkeeper {_LABELS[name]}": logits for name, logits in parts.items()}
    if len(parts) > 1:
        found["shopkeeper mean of the three"] = np.mean(list(parts.values()), axis=0)
        wordless = [n for n, name in enumerate(NAMES) if any(word in name for word in TEXTUAL)]
        trees = learn_trees(train, valid, seed, columns=wordless)
        found["shopkeeper LightGBM without words"] = _straight(
            trees.score(valid.table), trees.score(blank(test.table, wordless)), valid
        )
    if target == "click":
        plain, _ = learn_cross(
            lessons.train, lessons.valid, vectors, minutes=minutes, seed=seed, options=CrossOptions(vectors=False)
        )
        before, after = (cross_logits(plain, part, vectors)[:, place] for part in (lessons.valid, lessons.test))
        found["shopkeeper DCN-v2 without vectors"] = _straight(before, after, valid)
    return found


def _kept(learnt: Learnt) -> str:
    return "; ".join(f"{target}: {', '.join(found.chosen)} kept" for target, found in learnt.judged.items())


def _straight(before: Values, after: Values, valid: Examples) -> Values:
    slope, shift = straight(before, valid)
    return slope * after + shift


def _label(target: str, name: str) -> str:
    ours = name.startswith("shopkeeper ")
    return f"{'shopkeeper ' if ours else ''}{target}: {name.removeprefix('shopkeeper ')}"


def _marks(hit: Values, given: Values, fresh: NDArray[np.bool_], seed: int) -> dict[str, Metric]:
    metrics = {
        "auc": Metric(auc(hit, given), *auc_interval(hit, given, seed=seed)),
        "log_loss": Metric.mean(log_loss(hit, given), seed),
        "ece": Metric(calibration_error(hit, given)),
    }
    if fresh.any() and 0 < hit[fresh].mean() < 1:
        metrics["new_auc"] = Metric(auc(hit[fresh], given[fresh]), *auc_interval(hit[fresh], given[fresh], seed=seed))
        metrics["new_log_loss"] = Metric.mean(log_loss(hit[fresh], given[fresh]), seed)
    return metrics


class _Truth:
    """The hidden chance of a click at place one, of the test's showings where the simulation can be asked."""

    def __init__(self, practice: Practice, shelf: Shelf, test: Period) -> None:
        self._graded = {query_key(query.text): query.id for query in practice.truth.queries}
        self._practice = practice
        pages = [self._page(event) for event in test.events]
        self._known = np.array([pages[page] is not None for page in test.page], dtype=np.bool_)
        ids = shelf.ids
        self.logits = np.array(
            [
                pages[page][ids[row]]
                for page, row in zip(test.page.tolist(), test.row.tolist(), strict=True)
                if pages[page]
            ]
        )
        self._clicked = test.clicked[self._known].astype(np.float64)
        looked = examination(test.place[self._known])
        self._losses = log_loss(self._clicked, looked * expit(self.logits))
        self._chances = looked * expit(self.logits)

    def _page(self, event: Event) -> dict[str, float] | None:
        """Item id to the true logit; None where the need behind the page is not known."""
        shown, model = event.impression, self._practice.truth.behaviour
        assert shown is not None
        logits = self._practice.truth.affinity(event.customer, shown.items, event.time)
        key = self._graded.get(query_key(event.query)) if event.query else None
        if shown.surface == "home":
            logits = logits - 0.4
        elif key is not None:
            grades = self._practice.truth.relevance(key)
            who = self._practice.truth.tastes.ids.index(event.customer)
            rows = np.array([model.goods.ids.index(item) for item in shown.items])
            pull = GRADE_PULL[[grades.get(item, 0) for item in shown.items]]
            logits = logits - model.need_pull(who, rows, model.day(event.time)) + pull
        else:
            return None
        return dict(zip(shown.items, logits.tolist(), strict=True))

    def marks(self, logits: Values, given: Values) -> Mapping[str, Metric]:
        """Rank correlation with the truth, and what is lost against it."""
        gap = log_loss(self._clicked, given[self._known]) - self._losses
        own = logits[self._known]
        correlation = float(spearmanr(own, self.logits).statistic) if np.ptp(own) > 0 else 0.0
        return {"truth_correlation": Metric(correlation), "truth_gap": Metric.mean(gap)}

    def best(self, seed: int) -> dict[str, Metric]:
        """What knowing everything gives, on the showings where it is known."""
        return {
            "auc": Metric(auc(self._clicked, self._chances), *auc_interval(self._clicked, self._chances, seed=seed)),
            "log_loss": Metric.mean(self._losses, seed),
            "showings": Metric(float(len(self._losses))),
        }


def _speed(served: AdChances, vectors: Floats, seed: int) -> Metric:
    """Median milliseconds for all chances of some ads, and the span that holds nine tenths."""
    rng = np.random.default_rng(seed)
    taken = []
    for _ in range(200):
        rows = rng.choice(len(vectors), min(_ADS, len(vectors)), replace=False)
        around = vectors[rng.integers(len(vectors), size=2)]
        past = rng.integers(len(vectors), size=30)
        moment = Moment("garden chair 椅子", around[0], around[1], None, "search", 12, 2, "en", past)
        began = time.perf_counter()
        served.chances(rows, moment)
        taken.append(1e3 * (time.perf_counter() - began))
    warm = taken[100:]
    return Metric(float(np.median(warm)), float(np.quantile(warm, 0.05)), float(np.quantile(warm, 0.95)))

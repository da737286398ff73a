"""The chances of a click and of a sale, for ads and for whatever else is shown, learnt from the shop's own pages.

Pages are parted by time. Three models learn from the oldest: a linear one, boosted trees, and DCN-v2 that also reads the
text vectors themselves; the next period straightens them, and takes the best or their mean; the last tells how good that
is, beside three guesses: the mean rate, the rate of the place, the item's own rate. Ads and what is not paid for teach one model,
which is told which is which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shopkeeper.compute.cores import threads
from shopkeeper.compute.device import set_threads
from shopkeeper.evaluation.classification import auc, auc_interval, calibration_error, log_loss
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.models.cross_scorer import CrossScorer
from shopkeeper.models.text import Floats
from shopkeeper.ranking.ads.features import NAMES
from shopkeeper.ranking.ads.model import TARGETS, Mix
from shopkeeper.ranking.item_record import everybody
from shopkeeper.recipes.ads.cross_learning import CrossOptions
from shopkeeper.recipes.ads.learning import Judged, learn
from shopkeeper.recipes.ads.lessons import MOST_PAGES, Lessons, gather_lessons
from shopkeeper.recipes.ads.periods import Examples, Period, examples
from shopkeeper.recipes.card_plots import class_plots, learning_plots
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.vectors import VectorIndex
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.advertise.chances import TASK
from shopkeeper.training.hooks import Hook

Values = NDArray[np.float64]

_PLACE_PRIOR = 20.0
"""Showings that the mean rate weighs against a place's own."""


def train_ad_clicks(
    store: Store,
    encode: Callable[[Sequence[str]], Floats],
    shelf: Shelf,
    vectors: Floats,
    settings: Settings,
    folder: Path,
    *,
    minutes: float | None = None,
    most: int = MOST_PAGES,
    options: CrossOptions | None = None,
    hooks: Sequence[Hook] = (),
    trust: Callable[[str], float] = everybody,
) -> Bundle:
    """Learn all this and save it as a bundle of task ``ads``, for `tasks.advertise.chances.AdChances`.

    Args:
        store: Impressions, clicks, purchases, reviews, customers.
        encode: Queries to unit vectors, float32 (n, d).
        shelf: The items of the store, none of them dead.
        vectors: Their unit vectors, float32 (rows, d).
        settings: Compute and training settings.
        folder: Where the bundle goes; must not exist.
        minutes: Wall-time budget of DCN-v2; `settings.train.minutes` when None.
        most: Pages to learn from and to be examined on, at most.
        options: What may be varied of DCN-v2.
        hooks: What else happens in its loop.
        trust: How far the stars of a customer count, in [0, 1].

    Raises:
        TrainingError: There are too few impressions or clicks.
    """
    seed = settings.compute.seed
    set_threads(settings.compute)
    index = VectorIndex(vectors.shape[1])
    index.upsert(np.arange(len(vectors), dtype=np.int64), vectors)
    lessons = gather_lessons(store, shelf, index, encode, most=most, seed=seed, trust=trust)
    budget = settings.train.minutes if minutes is None else minutes
    learnt = learn(
        lessons.train,
        lessons.valid,
        vectors,
        minutes=budget,
        seed=seed,
        threads=threads(settings.compute),
        options=options,
        hooks=hooks,
    )
    model = learnt.model
    crossed = scored(model.cross, lessons.test, vectors)
    before, after = _compared(lessons, model.mixes, crossed)
    arrays, values = model.save()
    counted, record = lessons.record.save()
    click = examples(lessons.test, "click")
    said = click.looked * expit(model.mixes["click"].logits(click.table, _column(crossed, click, 0)))
    card = Card(
        task=TASK,
        name="Will it be clicked, and then bought?",
        data=fingerprint(store) | _counts(lessons),
        settings={"minutes": budget, "pages": most, "features": len(NAMES)},
        seed=seed,
        before=before,
        after=after,
        notes=_notes(learnt.judged, str(learnt.report)),
    )
    return save_bundle(
        folder,
        card,
        arrays=arrays | counted,
        parameters={"model": values, "record": record, "position": lessons.position},
        plots=learning_plots(learnt.report, "minus loss") | class_plots(click.hit, said, ("not clicked", "clicked")),
    )


def scored(cross: CrossScorer | None, period: Period, vectors: Floats) -> Floats | None:
    """Logits of DCN-v2 for all showings of a period, page by page as they are served: float32 (n, 2); None without it."""
    if cross is None:
        return None
    found = np.zeros((len(period), len(TARGETS)), dtype=np.float32)
    bounds = np.searchsorted(period.page, np.arange(len(period.around) + 1))
    for page, around in enumerate(period.around):
        own = slice(bounds[page], bounds[page + 1])
        found[own] = cross.logits(period.table[own], vectors[period.row[own]], around.astype(np.float32))
    return found


def marks(hit: NDArray[np.number], given: Values) -> dict[str, Any]:
    """AUC and log-loss with 95 % intervals, and the expected calibration error, of probabilities at the places shown."""
    found: dict[str, Any] = {"ece": {"value": calibration_error(hit, given)}}
    low, high = auc_interval(hit, given)
    found["auc"] = {"value": auc(hit, given), "low": low, "high": high}
    values = log_loss(hit, given)
    low, high = bootstrap_interval(values, resamples=500)
    found["log_loss"] = {"value": float(values.mean()), "low": low, "high": high}
    return found


def guesses(lessons: Lessons, target: str) -> dict[str, Values]:
    """What needs no model, for the showings of the test period that concern a target: float64 (n,) by name."""
    train, test = examples(lessons.train, target), examples(lessons.test, target)
    mean = float(train.hit.mean())
    own = expit(test.table[:, NAMES.index("click_rate" if target == "click" else "sale_rate")].astype(np.float64))
    found = {"mean": np.full(len(test.hit), mean), "item": np.clip(own * test.looked, 1e-6, 1 - 1e-6)}
    if target == "click":
        most = 1 + int(max(lessons.train.place.max(), lessons.test.place.max()))
        shown = np.bincount(lessons.train.place, minlength=most)
        clicks = np.bincount(lessons.train.place, train.hit, minlength=most)
        found["place"] = ((clicks + _PLACE_PRIOR * mean) / (shown + _PLACE_PRIOR))[lessons.test.place]
    return found


def _compared(
    lessons: Lessons, mixes: Mapping[str, Mix], crossed: Floats | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for place, target in enumerate(TARGETS):
        rows = examples(lessons.test, target)
        if not len(rows.hit):
            continue
        for name, given in guesses(lessons, target).items():
            before[target if name == "item" else f"{target}, {name} rate"] = marks(rows.hit, given)
        logits = mixes[target].logits(rows.table, _column(crossed, rows, place))
        after[target] = marks(rows.hit, np.clip(rows.looked * expit(logits), 1e-9, 1 - 1e-9))
    return before, after


def _column(crossed: Floats | None, rows: Examples, place: int) -> Floats | None:
    return None if crossed is None else crossed[rows.chosen, place]


def _counts(lessons: Lessons) -> dict[str, Any]:
    parts = {"train": lessons.train, "valid": lessons.valid, "test": lessons.test}
    return {
        name: {
            "pages": len(part.events),
            "shown": len(part),
            "clicked": int(part.clicked.sum()),
            "bought": int(part.bought.sum()),
            "paid": int(part.paid.sum()),
        }
        for name, part in parts.items()
    }


def _notes(judged: Mapping[str, Judged], run: str) -> str:
    told = []
    for target, found in judged.items():
        figures = ", ".join(f"{name} {value:.4f}" for name, value in found.losses.items())
        told.append(f"{target.capitalize()}: {' and '.join(found.chosen)} kept; loss on validation: {figures}.")
    return " ".join([*told, f"DCN-v2: {run}.", "Before is the item's own rate, counted up to each page."])

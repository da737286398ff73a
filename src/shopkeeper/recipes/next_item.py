"""What comes next, learnt from the order of what customers did: the recipe of the sequence model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.evaluation.next_items import measures, places_of, ranks
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.moments import Moment, moments
from shopkeeper.recipes.next_learning import NextModel, NextOptions, fit_next
from shopkeeper.retrieval.histories import STRENGTH, Floats
from shopkeeper.retrieval.popularity import Standing, popularity
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import KINDS, Ints, read_trails
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.training.hooks import Hook

_SAMPLE = 5_000
"""Validation users that choose the state that is kept."""
_HALF_LIVES = (7.0, 30.0, 120.0, 3650.0)
"""Days, of which popularity as the baseline takes what validation likes best."""


def train_next(
    store: Store,
    vectors: Floats | None,
    shelf: Shelf,
    settings: Settings,
    folder: Path,
    *,
    protocol: str = "time",
    parent: str = "",
    minutes: float | None = None,
    refit: bool = False,
    options: NextOptions | None = None,
    hooks: Sequence[Hook] = (),
) -> Bundle:
    """Fit a sequence model on the store's log and save it.

    Args:
        store: Where the events are.
        vectors: Encoder vectors of the shelf's rows, float32 (rows, t), or None to go by behaviour alone.
        shelf: The items of the store.
        settings: Device, threads, seed and time of training.
        folder: Where the bundle goes; must not exist yet.
        protocol: ``time`` or ``last``, see `recipes.moments.splits`.
        parent: Version of the bundle that this one follows.
        minutes: Wall-time budget; `settings.train.minutes` when None.
        refit: Learn once more from the whole log, for as many epochs as validation chose, and save that: for a live
            shop, whose last weeks count most. The card speaks of the model before.
        options: What may be varied.
        hooks: What else happens in the loop, such as tracking.

    Returns:
        A bundle of task ``next`` that `retrieval.next_items.NextItems.load` opens. Its card compares popularity (before)
        with the model (after) on a test that training has not seen.

    Raises:
        TrainingError: There is not enough behaviour to learn from.
    """
    options = options or NextOptions()
    frame = store.events.frame(kinds=list(STRENGTH))
    validation, test = moments(frame, shelf, protocol)
    width, seed = len(shelf), settings.compute.seed
    sample = np.random.default_rng(seed).permutation(len(validation.past))[:_SAMPLE].astype(np.int64)
    asked = validation.take(sample)

    def judge(model: NextModel) -> float:
        return float(foreseen(model, asked, width, vectors)["ndcg@10"].mean())

    model, report = fit_next(
        validation.learn, vectors, settings, options=options, judge=judge, minutes=minutes, hooks=hooks
    )
    after = foreseen(model, test, width, vectors)
    if refit:
        model = refitted(model, frame, shelf, vectors, settings, options, minutes=minutes)
    half_life = max(_HALF_LIVES, key=lambda days: popular(asked, width, days)["ndcg@10"].mean())
    card = Card(
        task="next",
        name="Next item",
        parent=parent,
        data=fingerprint(store) | {"validation_users": len(validation.past), "test_users": len(test.past)},
        settings=asdict(options) | {"protocol": protocol, "refit": refit},
        seed=seed,
        before={"popularity": _means(popular(test, width, half_life), seed)},
        after={"sequence": _means(after, seed)},
        notes=f"{report}; state of step {report.best_step} kept, NDCG@10 on validation {report.best or 0:.4f}.",
    )
    arrays, parameters = sequence_arrays(model, shelf)
    return save_bundle(folder, card, arrays=arrays, parameters=parameters)


def sequence_arrays(model: NextModel, shelf: Shelf) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What a bundle has to hold, of whatever task, for `retrieval.next_items.NextItems.load`.

    Args:
        model: What `fit_next` gave.
        shelf: The items it was fitted on; the bundle names them by their ids.

    Returns:
        Arrays and parameters for `models.bundle.save_bundle`.
    """
    arrays: dict[str, NDArray[Any]] = {"items": model.items, "graph": np.frombuffer(model.graph(), dtype=np.uint8)}
    if (text := model.text) is not None:
        arrays |= {"text.matrix": text.matrix, "text.shift": text.shift}
    ids = shelf.ids
    return arrays, {
        "items": [ids[row] for row in model.rows.tolist()],
        "kinds": [kind.value for kind in KINDS],
        "length": model.model.body.shape.length,
    }


def refitted(
    model: NextModel,
    frame: pl.DataFrame,
    shelf: Shelf,
    vectors: Floats | None,
    settings: Settings,
    options: NextOptions | None = None,
    *,
    minutes: float | None = None,
) -> NextModel:
    """A model learnt from the whole log, for as many epochs as were best for `model`: what a live shop serves.

    Args:
        model: Fitted on a part of the log, with validation.
        frame: All events, see `EventLog.frame`.
        shelf: The items.
        vectors: As for `fit_next`.
        settings: As for `fit_next`.
        options: Those of `model`.
        minutes: As for `fit_next`.
    """
    options = replace(options or NextOptions(), epochs=max(1, model.epochs))
    return fit_next(read_trails(frame, shelf)[0], vectors, settings, options=options, minutes=minutes)[0]


def foreseen(model: NextModel, asked: Moment, width: int, vectors: Floats | None) -> dict[str, NDArray[np.float64]]:
    """``recall@k`` and ``ndcg@k`` of a model, one value a user; see `evaluation.next_items.measures`."""
    table = model.table(width, vectors)
    states, unknown = model.states(asked.past, table), np.flatnonzero(~table.any(axis=1))

    def scores_of(users: Ints) -> Floats:
        scores: Floats = states[users] @ table.T
        scores[:, unknown] = -1
        return scores

    return measures(places_of(scores_of, asked.split, width), asked.split)


def popular(asked: Moment, width: int, half_life: float) -> dict[str, NDArray[np.float64]]:
    """The same for popularity, of which half is forgotten after so many days."""
    source = Standing("popular", popularity(asked.split.learn, width, half_life=half_life, until=asked.split.until))
    return measures(ranks(lambda past: source.scores(past.weights(1.0, width)), asked.split, width), asked.split)


def _means(values: Mapping[str, NDArray[np.float64]], seed: int) -> dict[str, dict[str, float]]:
    found = {}
    for name, per_user in values.items():
        low, high = bootstrap_interval(per_user, seed=seed)
        found[name] = {"value": float(per_user.mean()), "low": low, "high": high}
    return found

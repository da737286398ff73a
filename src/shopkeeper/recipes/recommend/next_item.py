"""The sequence model as the recipe of recommendation uses it: judged on validation, learnt anew, put into a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.evaluation.next_items import measures, places_of
from shopkeeper.recipes.recommend.moments import Moment
from shopkeeper.recipes.recommend.next_learning import NextModel, NextOptions, fit_next
from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import KINDS, Ints, read_trails
from shopkeeper.settings import Settings


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
) -> NextModel:
    """A model learnt from the whole log, for as many epochs as were best for `model`: what a live shop serves.

    Args:
        model: Fitted on a part of the log, with validation.
        frame: All events, see `EventLog.frame`.
        shelf: The items.
        vectors: As for `fit_next`.
        settings: As for `fit_next`.
        options: Those of `model`.
    """
    options = replace(options or NextOptions(), epochs=max(1, model.epochs))
    return fit_next(read_trails(frame, shelf)[0], vectors, settings, options=options)[0]


def foreseen(model: NextModel, asked: Moment, width: int, vectors: Floats | None) -> dict[str, NDArray[np.float64]]:
    """``recall@k`` and ``ndcg@k`` of a model, one value a user; see `evaluation.next_items.measures`."""
    table = model.table(width, vectors)
    states, unknown = model.states(asked.past, table), np.flatnonzero(~table.any(axis=1))

    def scores_of(users: Ints) -> Floats:
        scores: Floats = states[users] @ table.T
        scores[:, unknown] = -1
        return scores

    return measures(places_of(scores_of, asked.split, width), asked.split)

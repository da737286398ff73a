"""What behaviour says about items whoever asks, read from the event log: for the ranker, in training and in serving alike."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.ranking.clicks import click_statistics
from shopkeeper.ranking.examination import examination
from shopkeeper.ranking.features import Known
from shopkeeper.ranking.shown import KINDS as SHOWN
from shopkeeper.ranking.shown import read_shown
from shopkeeper.records import EventKind
from shopkeeper.retrieval.histories import STRENGTH, present, read
from shopkeeper.retrieval.popularity import popularity
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.protocols import Store
from shopkeeper.store.trusted import TRUST

_HALF_LIFE = 30.0
"""Days after which an event counts half in an item's popularity."""


def known_from(store: Store, shelf: Shelf) -> Known:
    """Popularity as of the last event, and click rates cleaned of the places at which items stood."""
    histories, _ = read(store.events.frame(kinds=list(STRENGTH)), shelf)
    if not len(histories.times):
        return Known()
    popular = popularity(histories, len(shelf), half_life=_HALF_LIFE, until=present(histories.times))
    events = [event for _, event in store.events.scan(kinds=list(SHOWN))]
    return Known(popular, click_statistics(events, examination(read_shown(events))))


def ratings_from(store: Store, shelf: Shelf) -> NDArray[np.float32]:
    """Mean stars of every row by its reviews, NaN where none counts: float32 (rows,).

    Args:
        store: Where it says how far customers are trusted (`store.trusted.Trusted`), their stars weigh as much.
        shelf: The items.
    """
    total, count = np.zeros(len(shelf)), np.zeros(len(shelf))
    frame = store.events.frame(kinds=[EventKind.REVIEW])
    trust = pl.col(TRUST) if TRUST in frame.columns else pl.lit(1.0)
    for item, stars, weight in frame.select("item", "value", trust.alias(TRUST)).drop_nulls().iter_rows():
        if (row := shelf.row(item)) is not None:
            total[row] += weight * stars
            count[row] += weight
    means: NDArray[np.float32] = np.divide(total, count, out=np.full(len(shelf), np.nan), where=count > 0).astype(
        np.float32
    )
    return means

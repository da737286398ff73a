"""What one customer would rather have among the answers to a query: nearness to what they looked at, put in the basket, bought.

    taste(item) = cosine to the customer, 0 to 1 over the candidates
                  + share of the customer's past with the item's brand + share with its category

The customer is the mean vector of their latest items, an older one counting less. Rows of all candidates are judged, not
those of one page, so what fits is found wherever it stood.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shopkeeper.models.text import Floats
from shopkeeper.records import Event
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.vectors import VectorIndex

_DECAY = 0.9
"""What an item one step further back counts."""
_MOST = 50


def taste(events: Sequence[Event], rows: Rows, shelf: Shelf, vectors: VectorIndex) -> Floats | None:
    """How much each candidate is to a customer's liking.

    Args:
        events: What the customer did, newest last.
        rows: int64 (n,), the candidates.
        shelf: The items.
        vectors: Of the same rows.

    Returns:
        float32 (n,), in [0, 1] after division by its three parts; None when nothing is known of the customer.
    """
    liked = [(event, row) for event in events if event.kind in STRENGTH and (row := shelf.row(event.item)) is not None]
    liked = [(event, row) for event, row in liked[-_MOST:] if STRENGTH[event.kind] > 0]
    if not liked or not len(rows):
        return None
    past = np.array([row for _, row in liked], dtype=np.int64)
    weight = np.array([STRENGTH[event.kind] for event, _ in liked], dtype=np.float32)
    weight *= _DECAY ** np.arange(len(liked) - 1, -1, -1, dtype=np.float32)
    weight /= weight.sum()
    cosine = vectors.scores(weight @ vectors.vectors(past), rows)
    near = (cosine - cosine.min()) / np.float32(max(float(np.ptp(cosine)), 1e-6))
    brands, categories = shelf.brand_codes, shelf.category_codes
    same = (_shares(brands[past], brands[rows], weight) + _shares(categories[past], categories[rows], weight)) / 2
    found: Floats = ((near + same) / 2).astype(np.float32)
    return found


def _shares(past: np.ndarray, own: np.ndarray, weight: Floats) -> Floats:
    """The weight of the past that has each candidate's own code; the unknown code has none."""
    share: Floats = ((own[:, None] == past[None]) & (own[:, None] > 0)) @ weight
    return share

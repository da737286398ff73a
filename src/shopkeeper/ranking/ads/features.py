"""What a model of clicks and sales sees of items that may be shown: one function for training and for serving.

Nothing here depends on the place of an item, on what else may be shown, or on how many candidates there are: a chance is
that of the item at place one, and must be comparable over candidates and pages, as auctions multiply it with money.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from shopkeeper.models.text import Floats
from shopkeeper.ranking.item_record import ItemRecord
from shopkeeper.records import Event
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.vectors import VectorIndex

SURFACES: Final = ("search", "home", "product", "basket")
"""Surfaces told apart; all others count as one."""
TEXTUAL: Final = ("query_cosine", "query_words", "query_all", "taste_cosine", "focus_cosine", "best_cosine")
"""Columns that are read from words."""
_PLAIN: Final = (
    *TEXTUAL,
    "asked",  # there is a query
    "known",  # something is known of the customer's taste
    "focused",  # the page is about an item
    "seen",  # the customer looked at this very item lately
    "brand_share",  # share of what the customer looked at that is of the item's brand
    "category_share",
    "dearer",  # log price above that of what the customer looked at
    "price",  # log price above the median of the category
    "popularity",
    "youth",  # halves with every 30 days since the item was new
    "stars",
    "reviews",
    "language",  # 1 the customer's, -1 another one, 0 unknown
    "click_rate",  # logit of the item's own smoothed rate
    "click_evidence",
    "sale_rate",
    "sale_evidence",
    "hour_sine",
    "hour_cosine",
    "weekend",
    "paid",  # labelled as an advertisement
    *(f"on_{surface}" for surface in SURFACES),
)
_CROSSED: Final = (
    ("query_cosine", "on_search"),
    ("query_words", "click_rate"),
    ("query_words", "language"),
    ("query_cosine", "query_words"),
    ("taste_cosine", "on_home"),
    ("taste_cosine", "query_words"),
    ("focus_cosine", "on_product"),
    ("category_share", "on_home"),
    ("dearer", "dearer"),
    ("price", "price"),
    ("youth", "click_evidence"),
    ("click_rate", "click_evidence"),
    ("sale_rate", "sale_evidence"),
)
NAMES: Final = (*_PLAIN, *(f"{first} x {second}" for first, second in _CROSSED))
"""Columns of `ad_features`; the products are there for the linear model."""
BLOCKS: Final = ("item", "words", "taste", "focus")
"""Rows of `ad_vectors`."""

_CROSSED_AT: Final = np.array([[_PLAIN.index(first), _PLAIN.index(second)] for first, second in _CROSSED])
_MONTH = 30 * 86_400.0
_DECAY = 0.9
"""What an item one step further back counts for the taste."""
RECENT: Final = 50
"""Things done that the taste is read from at most."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known when items are about to be shown.

    Attributes:
        query: As typed; empty where nothing was.
        words: float32 (d,), unit vector of the query, or None.
        taste: float32 (d,), unit vector of the customer's recent items, see `taste_of`, or None.
        focus: float32 (d,), unit vector of the item that the page is about, or None.
        surface: ``search``, ``home``, ``product`` ...
        hour: 0 to 23, UTC.
        weekday: 0 (Monday) to 6.
        language: Of the customer, empty when unknown.
        past: int64 (m,), shelf rows of what the taste was read from, oldest first, or None.
        time: Seconds since 1970; 0 is right after the newest event.
        paid: What is shown is labelled as an advertisement.
    """

    query: str = ""
    words: Floats | None = None
    taste: Floats | None = None
    focus: Floats | None = None
    surface: str = ""
    hour: int = 12
    weekday: int = 0
    language: str = ""
    past: Rows | None = None
    time: float = 0.0
    paid: bool = False


def taste_of(events: Iterable[Event], shelf: Shelf, vectors: VectorIndex) -> tuple[Floats | None, Rows]:
    """A customer as the mean of what they looked at, put in the basket or bought lately.

    Args:
        events: What they did, oldest first; only the last `RECENT` that speak for an item count.
        shelf: The items.
        vectors: Of the same rows.

    Returns:
        The unit vector float32 (d,), None where nothing is known; and the rows, int64 (m,), oldest first.
    """
    liked = [(row, STRENGTH[event.kind]) for event in events if STRENGTH.get(event.kind, 0.0) > 0
             and (row := shelf.row(event.item)) is not None][-RECENT:]  # fmt: skip
    rows = np.array([row for row, _ in liked], dtype=np.int64)
    if not liked:
        return None, rows
    weight = np.array([strength for _, strength in liked]) * _DECAY ** np.arange(len(liked) - 1, -1, -1)
    mean = weight.astype(np.float32) @ vectors.vectors(rows)
    length = float(np.linalg.norm(mean))
    return (mean / np.float32(length) if length > 0 else None), rows


def ad_features(shelf: Shelf, vectors: VectorIndex, rows: Rows, moment: Moment, record: ItemRecord) -> Floats:
    """The features of n items at a moment.

    Args:
        shelf: The items.
        vectors: Unit vectors of the same rows.
        rows: int64 (n,), living rows.
        moment: Who is about to see them, and where.
        record: What is known of the items, counted up to the moment.

    Returns:
        float32 (n, len(NAMES)), finite.
    """
    n = len(rows)
    known = record.at(rows, moment.time)
    items, around = ad_vectors(vectors, rows, moment)
    cosines = items @ around.T
    held = _overlap(moment.query, rows, record)
    angle = 2 * np.pi * moment.hour / 24
    columns: dict[str, NDArray[np.floating] | float] = {
        "query_cosine": cosines[:, 0],
        "query_words": held,
        "query_all": (held >= 1).astype(np.float32),
        "taste_cosine": cosines[:, 1],
        "focus_cosine": cosines[:, 2],
        "best_cosine": cosines.max(axis=1),
        "asked": float(bool(moment.query)),
        "known": float(moment.taste is not None),
        "focused": float(moment.focus is not None),
        **_of_past(shelf, rows, moment.past),
        "price": known.price,
        "popularity": known.popularity,
        "youth": _youth(shelf, rows, moment.time or record.latest),
        "stars": known.stars - 4,
        "reviews": known.reviews,
        "language": _spoken(shelf, rows, moment.language),
        "click_rate": logit(known.clicks),
        "click_evidence": known.click_evidence,
        "sale_rate": logit(known.sales),
        "sale_evidence": known.sale_evidence,
        "hour_sine": np.sin(angle),
        "hour_cosine": np.cos(angle),
        "weekend": float(moment.weekday >= 5),
        "paid": float(moment.paid),
        **{f"on_{surface}": float(moment.surface == surface) for surface in SURFACES},
    }
    table = np.empty((n, len(NAMES)), dtype=np.float32)
    for place, name in enumerate(_PLAIN):
        table[:, place] = columns[name]
    table[:, len(_PLAIN) :] = table[:, _CROSSED_AT[:, 0]] * table[:, _CROSSED_AT[:, 1]]
    return table


def ad_vectors(vectors: VectorIndex, rows: Rows, moment: Moment) -> tuple[Floats, Floats]:
    """The vectors themselves: of the items, float32 (n, d), and of the moment, float32 (3, d), zeros where unknown."""
    around = np.zeros((len(BLOCKS) - 1, vectors.dimension), dtype=np.float32)
    for place, name in enumerate(BLOCKS[1:]):
        if (vector := getattr(moment, name)) is not None:
            around[place] = vector
    return vectors.vectors(rows), around


def _overlap(query: str, rows: Rows, record: ItemRecord) -> Floats:
    """Share of the query's terms that each item's words hold: float32 (n,)."""
    wanted = frozenset(terms(query)) if query else frozenset()
    if not wanted:
        return np.zeros(len(rows), dtype=np.float32)
    held = [len(wanted & record.words(row)) for row in rows.tolist()]
    return np.array(held, dtype=np.float32) / np.float32(len(wanted))


def _of_past(shelf: Shelf, rows: Rows, past: Rows | None) -> dict[str, NDArray[np.floating]]:
    if past is None or not len(past):
        nothing = np.zeros(len(rows), dtype=np.float32)
        return dict.fromkeys(("seen", "brand_share", "category_share", "dearer"), nothing)
    brand, category = shelf.brand_codes, shelf.category_codes
    price, paid = (np.log(np.maximum(shelf.prices[some], np.float32(0.01))) for some in (rows, past))
    usual = paid[np.isfinite(paid)].mean() if np.isfinite(paid).any() else np.float32(np.nan)
    return {
        "seen": (rows[:, None] == past[None]).any(axis=1).astype(np.float32),
        "brand_share": _share(brand[rows], brand[past]),
        "category_share": _share(category[rows], category[past]),
        "dearer": np.clip(np.nan_to_num(price - usual, posinf=0.0, neginf=0.0), -5, 5),
    }


def _share(own: NDArray[np.int32], past: NDArray[np.int32]) -> NDArray[np.floating]:
    """The share of the past that has each item's code; the unknown code has none."""
    same: NDArray[np.floating] = ((own[:, None] == past[None]) & (own[:, None] > 0)).mean(axis=1)
    return same


def _youth(shelf: Shelf, rows: Rows, time: float) -> NDArray[np.floating]:
    created = shelf.created[rows]
    return np.where(created > 0, 0.5 ** np.clip((time - created) / _MONTH, 0, 60), 0.0)


def _spoken(shelf: Shelf, rows: Rows, language: str) -> NDArray[np.floating]:
    own = shelf.language_codes[rows]
    if not language:
        return np.zeros(len(rows))
    return np.where(own == 0, 0.0, np.where(np.isin(own, shelf.languages.known([language])), 1.0, -1.0))

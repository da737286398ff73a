"""What a ranker of recommendations sees of a customer's candidates: one function for learning and for serving.

Every feature is a plain number of one candidate; 0 is what a candidate has of which nothing is known. Neither the number of
an item nor its place in the catalogue is among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.ranking.pool import Pool
from shopkeeper.retrieval.histories import Floats, Histories
from shopkeeper.retrieval.shelf import Shelf

SOURCES = (
    "next",
    "after",
    "together",
    "ease",
    "words",
    "meaning",
    "graph",
    "again",
    "habit",
    "popular",
    "trending",
    "new",
)
"""Sources that may name candidates; one that is missing says 0 of all."""
LATEST = ("after", "together", "words", "meaning")
"""Sources that are asked once more about the newest item alone: what is wanted now."""
NAMES = (
    *SOURCES,
    *(f"{name}_share" for name in SOURCES),  # of what the source says of the customer's best candidate
    *(f"{name}_rank" for name in SOURCES),  # 1 the best, falling with the logarithm of the rank, 0 without a word
    *(f"{name}_latest" for name in LATEST),
    "blend",
    "blend_rank",
    "agreeing",  # share of the sources that have it among their twenty best
    "evidence",  # logarithm of how much was done with the item
    "known",  # logarithm of how many items speak for the customer's taste
    "brand_share",  # of the customer's history
    "category_share",
    "category_latest",  # 1 when the newest item is of the same category
    "price_gap",  # logarithm of the price less that of the history, whichever way
    "dearer",  # the same with its sign
)
"""Columns of `customer_features`."""

_FEW = 20
_FADE = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the sources say of the candidates of n users.

    Attributes:
        scores: Source to float32 (n, most).
        latest: The same for the sources of `LATEST`, asked about the newest item alone.
        blend: float32 (n, most), the weighted sum.
        evidence: float32 (n, most).
        known: float32 (n, 1), items that speak for the taste of each.
    """

    scores: Mapping[str, Floats]
    latest: Mapping[str, Floats]
    blend: Floats
    evidence: Floats
    known: Floats


def customer_features(pool: Pool, judged: Judged, histories: Histories, shelf: Shelf) -> Floats:
    """The features of all candidates of n users.

    Args:
        pool: The candidates.
        judged: What the sources say of them.
        histories: Of the same users.
        shelf: The items.

    Returns:
        float32 (n, most, len(NAMES)), finite; padding holds anything.
    """
    n, most = pool.rows.shape
    nothing = np.zeros((n, most), dtype=np.float32)
    said = np.stack([np.maximum(judged.scores.get(name, nothing), 0) for name in SOURCES])
    ranks = _rank(np.concatenate([said, judged.blend[None]]), pool.valid)
    shares = _share(said, pool.valid)
    among_best = ranks[: len(SOURCES)] >= 1 / np.log2(2 + _FEW)
    columns: dict[str, NDArray[np.floating]] = {
        **dict(zip(SOURCES, said, strict=True)),
        **{f"{name}_share": share for name, share in zip(SOURCES, shares, strict=True)},
        **{f"{name}_rank": rank for name, rank in zip(SOURCES, ranks[: len(SOURCES)], strict=True)},
        **{f"{name}_latest": judged.latest.get(name, nothing) for name in LATEST},
        "blend": judged.blend,
        "blend_rank": ranks[len(SOURCES)],
        "agreeing": np.count_nonzero(among_best, axis=0) / len(SOURCES),
        "evidence": np.log1p(judged.evidence),
        "known": np.broadcast_to(np.log1p(judged.known), (n, most)),
        **_of_catalogue(pool, histories, shelf),
    }
    return np.stack([columns[name] for name in NAMES], axis=2).astype(np.float32)


def _of_catalogue(pool: Pool, histories: Histories, shelf: Shelf) -> dict[str, Floats]:
    weights = np.maximum(histories.faded(_FADE), 0)
    users, rows = histories.users, histories.rows
    brand, category = shelf.brand_codes, shelf.category_codes
    paid = _log_price(shelf.prices[rows])
    told = np.isfinite(paid) * weights
    total = np.bincount(users, told, minlength=len(histories))
    mean = np.bincount(users, told * np.nan_to_num(paid), minlength=len(histories)) / np.maximum(total, 1e-9)
    gap = _log_price(pool.per(shelf.prices)) - np.where(total > 0, mean, np.nan)[:, None]
    newest = np.full(len(histories), -1, dtype=np.int64)
    some = histories.lengths > 0
    newest[some] = category[rows[histories.indptr[1:][some] - 1]]
    own = pool.per(category)
    return {
        "brand_share": _held(brand, len(shelf.brands.values), users, rows, weights, pool),
        "category_share": _held(category, len(shelf.categories.values), users, rows, weights, pool),
        "category_latest": ((own == newest[:, None]) & (own > 0)).astype(np.float32),
        "price_gap": np.nan_to_num(np.abs(gap)).astype(np.float32),
        "dearer": np.nan_to_num(gap).astype(np.float32),
    }


def _log_price(prices: Floats) -> Floats:
    found: Floats = np.log(np.maximum(prices, np.float32(0.01)))
    return found


def _held(
    codes: NDArray[np.int32],
    count: int,
    users: NDArray[np.int64],
    rows: NDArray[np.int64],
    weights: Floats,
    pool: Pool,
) -> Floats:
    """Share of each history that has the code of each candidate; the unknown code counts as none."""
    n = len(pool)
    mix = np.bincount(users * count + codes[rows], weights, minlength=n * count).reshape(n, count)
    mix[:, 0] = 0
    total = np.bincount(users, weights, minlength=n)
    held = np.take_along_axis(mix, pool.per(codes).astype(np.int64), axis=1)
    return np.asarray(held / np.maximum(total, 1e-9)[:, None], dtype=np.float32)


def _share(scores: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Scores, float32 (..., n, most), over the best among the candidates of each user."""
    best = np.where(valid, scores, 0).max(axis=-1, keepdims=True)
    return np.asarray(scores / np.maximum(best, 1e-9), dtype=np.float32)


def _rank(scores: Floats, valid: NDArray[np.bool_]) -> Floats:
    """1 / log2(1 + rank) among the candidates of each user, equal ones sharing the best; 0 where nothing is said.

    Args:
        scores: float32 (..., n, most).
        valid: bool (n, most).
    """
    standing = np.where(valid, scores, -np.inf)
    order = np.argsort(-standing, axis=-1)
    sorted_ = np.take_along_axis(standing, order, axis=-1)
    new = np.ones(scores.shape, dtype=np.bool_)
    new[..., 1:] = sorted_[..., 1:] != sorted_[..., :-1]
    steps = np.arange(scores.shape[-1])
    place = np.maximum.accumulate(np.where(new, steps, 0), axis=-1)
    rank = np.empty(scores.shape, dtype=np.float32)
    np.put_along_axis(rank, order, (1 / np.log2(2 + steps)).astype(np.float32)[place], axis=-1)
    return np.where(scores > 0, rank, np.float32(0))

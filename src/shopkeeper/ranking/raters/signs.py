"""Who rates, as numbers: what a customer's ratings, their times, words and purchases say about whether they are honest.

Every rater is one row of a table, every column one well-known sign of fake reviews or of rating attacks ("shilling"):
deviation from others (RDMA, WDMA and LengthVar of Chirita, Nejdl and Zamfir 2005), the gap between promoted and filler
items (FMTD and MeanVar of Burke, Mobasher, Williams and Bhaumik 2006), popularity of what is rated (DegreeSAD of Li et
al. 2016), bursts and early reviews (Mukherjee, Liu and Glance 2012; Fei et al. 2013). A kind of evidence that the shop
does not have leaves its columns NaN, which trees take.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.ranking.raters.graph import GRAPH_NAMES, graph_signs
from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values, share_by
from shopkeeper.ranking.raters.texts import TEXT_NAMES, text_signs

GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ratings": (
            *("count", "length_variance", "mean", "spread", "entropy", "lowest", "highest"),
            *("distance", "shift", "rdma", "wdma", "target_gap", "filler_distance"),
        ),
        "popularity": ("popular", "popular_least", "popular_low", "popular_high", "popular_most", "alone"),
        "time": ("bursty", "busiest_day", "span", "early", "crowded"),
        "text": TEXT_NAMES,
        "purchase": ("bought",),
        "graph": GRAPH_NAMES,
    }
)
"""Columns of the table by the kind of evidence they need."""

NAMES: Final = tuple(name for names in GROUPS.values() for name in names)
_DAY = 86_400.0
_DOUBT = 2.0
"""Ratings that the median of all weighs against an item's own."""
_FIRST = 3
"""So many first ratings of an item count as early."""


def rater_table(ratings: Ratings, seed: int = 0) -> NDArray[np.float32]:
    """The signs of every rater: float32 (raters, len(NAMES)), NaN where nothing is known.

    Args:
        ratings: All of the shop; a rater is seen against the others.
        seed: Of the shingles' hashes.
    """
    parts = (
        _rating_signs(ratings),
        _popularity_signs(ratings),
        _time_signs(ratings),
        text_signs(ratings, seed),
        share_by(ratings.bought, ratings.rater, len(ratings.raters))[:, None],
        graph_signs(ratings),
    )
    return np.concatenate(parts, axis=1).astype(np.float32)


def others_rating(ratings: Ratings) -> Values:
    """What the others give the same item: the median without the own rating, float64 (r,).

    The median of an item with few other ratings is drawn towards the median of all.
    """
    order = np.lexsort((ratings.rating, ratings.item))
    value, count = ratings.rating[order], ratings.raised
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    own, size = ratings.item[order], count[ratings.item[order]]
    place, first = np.arange(len(order)) - starts[own], starts[own]
    low, high = np.maximum(size - 2, 0) // 2, np.maximum(size - 1, 0) // 2
    last = np.maximum(size - 1, 0)
    of_others = [value[first + np.minimum(middle + (middle >= place), last)] for middle in (low, high)]
    median = (of_others[0] + of_others[1]) / 2
    overall = float(np.median(ratings.rating)) if len(order) else 0.0
    drawn = (median * (size - 1) + overall * _DOUBT) / (size - 1 + _DOUBT)
    found = np.empty(len(order))
    found[order] = drawn
    return found


def _rating_signs(ratings: Ratings) -> Values:
    who, count = ratings.rater, len(ratings.raters)
    given = np.bincount(who, minlength=count).astype(np.float64)
    lowest, highest = ratings.scale
    others = others_rating(ratings)
    away = ratings.rating - others
    rated = ratings.raised[ratings.item].astype(np.float64)
    top = ratings.rating >= highest
    mean = share_by(ratings.rating, who, count)
    spread = np.sqrt(np.maximum(share_by(ratings.rating**2, who, count) - mean**2, 0.0))
    rest = np.where(top, np.nan, ratings.rating)
    columns = (
        np.log1p(given),
        (given - given.mean()) ** 2 / max(float(given.var()), 1e-9) if count else given,
        mean,
        spread,
        _entropy(ratings),
        share_by((ratings.rating <= lowest).astype(np.float64), who, count),
        share_by(top.astype(np.float64), who, count),
        share_by(np.abs(away), who, count),
        share_by(away, who, count),
        share_by(np.abs(away) / rated, who, count),
        share_by(np.abs(away) / rated**2, who, count),
        highest - share_by(rest, who, count),
        share_by(np.where(top, np.nan, away**2), who, count),
    )
    return np.stack(columns, axis=1)


def _entropy(ratings: Ratings) -> Values:
    """Shannon entropy of the stars that each rater gives, in nats: float64 (raters,), NaN without ratings."""
    levels, level = np.unique(ratings.rating, return_inverse=True)
    counts = np.zeros((len(ratings.raters), max(len(levels), 1)))
    np.add.at(counts, (ratings.rater, level), 1.0)
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.ones_like(counts), where=total > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.where(total[:, 0] > 0, -(shares * logs).sum(axis=1), np.nan)


def _popularity_signs(ratings: Ratings) -> Values:
    who, count = ratings.rater, len(ratings.raters)
    rated = ratings.raised[ratings.item].astype(np.float64)
    logs = np.log1p(rated)
    given = np.bincount(who, minlength=count)
    starts = np.concatenate([[0], np.cumsum(given)])[:-1]
    ordered = logs[np.lexsort((logs, who))]
    columns = [share_by(logs, who, count)]
    for share in (0.0, 0.25, 0.75, 1.0):
        place = starts + np.floor(share * np.maximum(given - 1, 0)).astype(np.int64)
        found = np.full(count, np.nan)
        found[given > 0] = ordered[place[given > 0]]
        columns.append(found)
    columns.append(share_by((rated == 1).astype(np.float64), who, count))
    return np.stack(columns, axis=1)


def _time_signs(ratings: Ratings) -> Values:
    who, count = ratings.rater, len(ratings.raters)
    timed = np.flatnonzero(~np.isnan(ratings.time))
    signs = np.full((count, len(GROUPS["time"])), np.nan)
    if not len(timed):
        return signs
    user, moment, item = who[timed], ratings.time[timed], ratings.item[timed]
    order = np.lexsort((moment, user))
    gap = np.diff(moment[order])
    inside = np.diff(user[order]) == 0
    after = user[order][1:][inside]
    mean = share_by(gap[inside], after, count)
    deviation = np.sqrt(np.maximum(share_by(gap[inside] ** 2, after, count) - mean**2, 0.0))
    total = deviation + mean
    signs[:, 0] = np.divide(deviation - mean, total, out=np.where(np.isnan(mean), np.nan, 1.0), where=total > 0)
    known = np.bincount(user, minlength=count)
    days, inverse = np.unique(np.stack([user, (moment // _DAY).astype(np.int64)]), axis=1, return_inverse=True)
    busiest = np.zeros(count)
    np.maximum.at(busiest, days[0], np.bincount(inverse.ravel(), minlength=days.shape[1]).astype(np.float64))
    signs[:, 1] = np.divide(busiest, known, out=np.full(count, np.nan), where=known > 0)
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, user, moment)
    np.maximum.at(last, user, moment)
    signs[known > 0, 2] = np.log1p((last - first)[known > 0] / _DAY)
    place, near = _among(item, moment)
    signs[:, 3] = share_by((place < _FIRST).astype(np.float64), user, count)
    signs[:, 4] = share_by(near, user, count)
    return signs


def _among(item: Ints, moment: Values) -> tuple[Ints, Values]:
    """For each rating, how many of its item came before it, and what share of the item's others within a day of it.

    Returns:
        int64 (r,), and float64 (r,), NaN for an item's only rating.
    """
    order = np.lexsort((moment, item))
    apart = 10 * _DAY + (moment.max() - moment.min())
    line = item[order] * apart + (moment[order] - moment.min())  # items one after the other, never within a day
    size = np.bincount(item)[item[order]]
    left = np.searchsorted(item[order], item[order])
    within = np.searchsorted(line, line + _DAY, "right") - np.searchsorted(line, line - _DAY) - 1
    place, near = np.empty(len(item), dtype=np.int64), np.empty(len(item))
    place[order] = np.arange(len(item)) - left
    near[order] = np.divide(within, size - 1, out=np.full(len(item), np.nan), where=size > 1)
    return place, near

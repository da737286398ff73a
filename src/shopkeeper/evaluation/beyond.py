"""What accuracy does not see of recommended pages: variety, reach, surprise, balance, as plain functions on arrays.

Every function takes ``pages``, int (users, k): row u holds the item numbers shown to user u, best place first, -1 where a
place stayed empty. Where a figure makes sense for one user it comes back one a user, so that intervals and paired
comparisons are the caller's (`evaluation.intervals`); reach and concentration belong to all pages together. Empty pages
have the value 0.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from shopkeeper.models.text import Floats
from shopkeeper.ranking.pages.calibration import divergence
from shopkeeper.retrieval.histories import Matrix

Values = NDArray[np.float64]
Pages = NDArray[np.int64]


def intra_list_diversity(pages: ArrayLike, vectors: Floats) -> Values:
    """Mean of 1 - cosine over the pairs of items on a page (Ziegler et al. 2005 measure the same pairs' likeness).

    Args:
        pages: int (users, k).
        vectors: float32 (items, d), each of length 1.

    Returns:
        float64 (users,), in [0, 2]; 0 for pages with fewer than two items.

    >>> intra_list_diversity([[0, 1], [0, -1]], np.eye(2, dtype=np.float32)).tolist()
    [1.0, 0.0]
    """
    table = _pages(pages)
    totals = np.zeros((len(table), vectors.shape[1]))
    squares = np.zeros(len(table))
    for column in table.T:  # a column at a time: all vectors of all pages at once may not fit
        own = np.where(column[:, None] >= 0, vectors[column], 0).astype(np.float64)
        totals += own
        squares += (own**2).sum(axis=1)
    count = (table >= 0).sum(axis=1)
    pairs = (count * (count - 1)).astype(np.float64)
    return np.maximum(_ratio(pairs - ((totals**2).sum(axis=1) - squares), pairs), 0.0)


def exposure(pages: ArrayLike, items: int) -> Values:
    """How much each item is seen: places count 1 / log2(1 + place), summed over pages. float64 (items,)."""
    table = _pages(pages)
    weights = np.broadcast_to(1 / np.log2(np.arange(2, table.shape[1] + 2)), table.shape)
    shown = table >= 0
    return np.bincount(table[shown], weights[shown], minlength=items).astype(np.float64)


def coverage(pages: ArrayLike, items: int) -> float:
    """Share of the catalogue's `items` that is on any page.

    >>> coverage([[0, 1], [1, -1]], items=4)
    0.5
    """
    table = _pages(pages)
    return len(np.unique(table[table >= 0])) / items if items else 0.0


def gini(exposures: ArrayLike) -> float:
    """How unequal exposure is: 0 when all have the same, 1 - 1/n when one has all; 0 when nobody has any.

    >>> gini([1, 1, 1, 1]), gini([0, 0, 0, 4])
    (0.0, 0.75)
    """
    rising = np.sort(np.asarray(exposures, dtype=np.float64))
    total, count = float(rising.sum()), len(rising)
    if total <= 0:
        return 0.0
    return float(((2 * np.arange(1, count + 1) - count - 1) @ rising) / (count * total))


def novelty(pages: ArrayLike, users_of_item: ArrayLike, users: int) -> Values:
    """Mean self-information of what is shown, -log2 of the share of users who know an item (Zhou et al. 2010).

    Args:
        pages: int (shown, k).
        users_of_item: int (items,), how many users ever touched each; an item nobody touched counts as one with half a user.
        users: How many users there are.

    Returns:
        float64 (shown,), in bits.

    >>> novelty([[0, 1]], [8, 2], users=8).tolist()
    [1.0]
    """
    share = np.clip(np.maximum(np.asarray(users_of_item, dtype=np.float64), 0.5) / max(users, 1), 0, 1)
    return _mean_shown(_pages(pages), -np.log2(share))


def serendipity(pages: ArrayLike, relevant: ArrayLike, primitive: ArrayLike) -> Values:
    """Share of a page that is relevant and that a primitive recommender would not have shown (Ge et al. 2010).

    Args:
        pages: int (users, k).
        relevant: bool (users, k), whether the user wanted what stands there.
        primitive: int (users, j), pages of the primitive recommender, for instance the most popular items.

    Returns:
        float64 (users,), in [0, 1].

    >>> serendipity([[0, 1, 2]], [[True, True, False]], [[0, 5, 6]]).round(2).tolist()
    [0.33]
    """
    table, plain = _pages(pages), _pages(primitive)
    if len(table) != len(plain) or np.shape(relevant) != table.shape:
        raise ValueError("pages, relevance and primitive pages must be of the same users")
    width = max(int(table.max(initial=0)), int(plain.max(initial=0))) + 1
    user = np.arange(len(table))[:, None] * width
    unexpected = (table >= 0) & ~np.isin(user + table, (user + plain)[plain >= 0])
    return _ratio((unexpected & np.asarray(relevant, dtype=np.bool_)).sum(axis=1), (table >= 0).sum(axis=1))


def mixes(pages: ArrayLike, belongs: Matrix) -> Values:
    """Proportions of each page: float64 (users, g) from the sparse (items, g) of `ranking.pages.calibration.memberships`."""
    table = _pages(pages)
    shown = table >= 0
    lengths = shown.sum(axis=1)
    parts = np.repeat(1 / np.maximum(lengths, 1), lengths)
    page = sp.csr_array(
        (parts, table[shown], np.concatenate([[0], np.cumsum(lengths)])), (len(table), belongs.shape[0])
    )
    return np.asarray((page @ belongs).toarray(), dtype=np.float64)


def miscalibration(pages: ArrayLike, belongs: Matrix, wanted: ArrayLike) -> Values:
    """Kullback-Leibler divergence of each page's proportions from those its user wants, see `ranking.pages.calibration`.

    Args:
        pages: int (users, k).
        belongs: Sparse float32 (items, g).
        wanted: float (users, g), rows that sum to 1.

    Returns:
        float64 (users,), in nats, 0 when calibrated.
    """
    return divergence(wanted, mixes(pages, belongs))


def fresh_share(pages: ArrayLike, ages: ArrayLike, *, days: float) -> Values:
    """Share of a page that went on sale within the last `days`: float64 (users,).

    Args:
        pages: int (users, k).
        ages: float (items,), days since each went on sale; NaN where unknown, which does not count as new.
        days: What counts as new.
    """
    return _mean_shown(_pages(pages), (np.asarray(ages, dtype=np.float64) <= days).astype(np.float64))


def supplier_shares(pages: ArrayLike, suppliers: ArrayLike, count: int) -> Values:
    """Share of all exposure that each supplier has: float64 (count,), summing to 1 at most.

    Args:
        pages: int (users, k).
        suppliers: int (items,), in [0, count), -1 for none.
        count: How many suppliers there are.
    """
    owner = np.asarray(suppliers, dtype=np.int64)
    seen = exposure(pages, len(owner))
    known = owner >= 0
    shares = np.bincount(owner[known], seen[known], minlength=count)
    return _ratio(shares, np.full(count, seen.sum()))


def _pages(pages: ArrayLike) -> Pages:
    table = np.asarray(pages, dtype=np.int64)
    if table.ndim != 2 or table.min(initial=0) < -1:
        raise ValueError(f"pages must be one row a user of item numbers or -1, got an array of shape {table.shape}")
    return table


def _mean_shown(table: Pages, values: Values) -> Values:
    shown = table >= 0
    return _ratio(np.where(shown, values[table], 0.0).sum(axis=1), shown.sum(axis=1))


def _ratio(part: ArrayLike, whole: ArrayLike) -> Values:
    above, below = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    ratio: Values = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return ratio

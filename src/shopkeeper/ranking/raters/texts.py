"""Reviews written twice: near-duplicate texts of the same rater and of different raters.

Texts are sets of character shingles, which suits Chinese and English alike. Their Jaccard similarity is estimated by
MinHash (Broder 1997), candidates are found by banding (Leskovec, Rajaraman and Ullman, "Mining of massive datasets",
chapter 3): time and memory grow with the number of texts, not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values, share_by

TEXT_NAMES: Final = ("copies_own", "copies_others", "length", "length_spread", "written", "disagreement")
_SHINGLE = 4
_LEAST = 12
"""Characters below which a text is nobody's own: `very good` is written by many."""
_BANDS, _ROWS = 16, 4
_ALIKE = 0.7
"""Estimated Jaccard similarity from which two texts are one."""
_PRIME = np.uint64((1 << 31) - 1)
_BATCH = 5_000


def text_signs(ratings: Ratings, seed: int = 0) -> Values:
    """Columns `TEXT_NAMES` of every rater, float64 (raters, 6), NaN where nobody wrote.

    Shares of the rater's texts that nearly repeat another of their own, and one of somebody else; mean and deviation of
    log length; share of ratings with words; how far praise in words and stars are apart.
    """
    count = len(ratings.raters)
    signs = np.full((count, len(TEXT_NAMES)), np.nan)
    who = ratings.rater
    lowest, highest = ratings.scale
    if highest > lowest:
        stars = (ratings.rating - lowest) / (highest - lowest)
        signs[:, 5] = share_by(np.abs(ratings.praise - stars), who, count)
    if not len(ratings.texts):
        return signs
    length = np.array([len(text) for text in ratings.texts], dtype=np.float64)
    long = np.flatnonzero(length >= _LEAST)
    group = near_copies([ratings.texts[row] for row in long.tolist()], seed)
    alike = np.bincount(group)
    pair = group * count + who[long]
    _, place, same = np.unique(pair, return_inverse=True, return_counts=True)
    own = same[place]
    signs[:, 0] = share_by((own > 1).astype(np.float64), who[long], count)
    signs[:, 1] = share_by((alike[group] > own).astype(np.float64), who[long], count)
    logs = np.where(length > 0, np.log1p(length), np.nan)
    signs[:, 2] = share_by(logs, who, count)
    signs[:, 3] = np.sqrt(np.maximum(share_by(logs**2, who, count) - signs[:, 2] ** 2, 0.0))
    signs[:, 4] = share_by((length > 0).astype(np.float64), who, count)
    return signs


def near_copies(texts: Sequence[str], seed: int = 0) -> Ints:
    """Groups of texts that are nearly the same: int64 (n,), equal numbers for one group.

    Args:
        texts: n texts.
        seed: Of the hashes.
    """
    if not len(texts):
        return np.zeros(0, dtype=np.int64)
    marks = _signatures(texts, seed)
    rows: list[Ints] = []
    heads: list[Ints] = []
    for band in range(_BANDS):
        piece = np.ascontiguousarray(marks[:, band * _ROWS : (band + 1) * _ROWS])
        _, first, bucket = np.unique(piece, axis=0, return_index=True, return_inverse=True)
        head = first[bucket.ravel()]
        linked = np.flatnonzero((marks == marks[head]).mean(axis=1) >= _ALIKE)
        rows.append(linked)
        heads.append(head[linked])
    row, head = np.concatenate(rows), np.concatenate(heads)
    links = sp.coo_array((np.ones(len(row), dtype=np.int8), (row, head)), shape=(len(texts), len(texts)))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _signatures(texts: Sequence[str], seed: int) -> NDArray[np.uint32]:
    """MinHash signatures, uint32 (n, bands x rows); texts without a shingle never agree."""
    rng = np.random.default_rng(seed)
    factor = rng.integers(1, int(_PRIME), _BANDS * _ROWS, dtype=np.uint64)
    offset = rng.integers(0, int(_PRIME), _BANDS * _ROWS, dtype=np.uint64)
    shingles = HashingVectorizer(
        analyzer="char_wb", ngram_range=(_SHINGLE, _SHINGLE), binary=True, norm=None, alternate_sign=False
    )
    marks = np.empty((len(texts), len(factor)), dtype=np.uint32)
    for start in range(0, len(texts), _BATCH):
        found = shingles.transform(texts[start : start + _BATCH]).tocsr()
        empty = np.diff(found.indptr) == 0
        columns = found.indices.astype(np.uint64)
        edges = found.indptr[:-1][~empty]
        stop = start + len(empty)
        marks[start:stop][empty] = rng.integers(0, int(_PRIME), (int(empty.sum()), len(factor)), dtype=np.uint32)
        for number in range(len(factor)):
            hashed = (columns * factor[number] + offset[number]) % _PRIME
            if len(edges):
                marks[start:stop, number][~empty] = np.minimum.reduceat(hashed, edges)
    return marks

"""One product listed twice in other words. Variants of one product are none, nor is what differs in size or colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import normalise
from shopkeeper.tasks.guard.catalogue_doubt import Doubt
from shopkeeper.tasks.guard.catalogue_likeness import Likeness, bare

Floats = NDArray[np.float64]

_LOOSE = 0.45
"""Mean cosine from which a pair is looked at closely."""
_PRICES = np.log(1.25)
_SHINGLE = 4
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def pairs(items: Sequence[Item], alike: Likeness) -> tuple[NDArray[np.int64], Floats]:
    """Pairs of listings of what may be one product.

    Args:
        items: n items.
        alike: Of the same.

    Returns:
        int64 (m, 2), the later listing first; and how alike they are, float64 (m,), in [0, 1]: the mean of the cosines of
        vectors and words, and of the share of the shorter text's shingles that the other one has.
    """
    count, width = alike.rows.shape
    first, second = np.repeat(np.arange(count), width), alike.rows.ravel()
    cosine = alike.both.ravel().astype(np.float64)
    near = (second >= 0) & (cosine >= _LOOSE)
    first, second, cosine = first[near], second[near], cosine[near]
    price = np.array([np.log(item.price) if item.price and item.price > 0 else np.nan for item in items])
    apart = np.abs(price[first] - price[second])
    close = ~(apart > _PRICES)
    first, second, cosine = first[close], second[close], cosine[close]
    key, place = np.unique(np.minimum(first, second) * count + np.maximum(first, second), return_index=True)
    kept, scores = [], []
    shingles: dict[int, frozenset[str]] = {}
    for low, high, likeness in zip(
        (key // count).tolist(), (key % count).tolist(), cosine[place].tolist(), strict=True
    ):
        if not _may_be_one(items[low], items[high]):
            continue
        for row in (low, high):
            if row not in shingles:
                shingles[row] = _shingles(bare(items[row]))
        shared = len(shingles[low] & shingles[high])
        held = shared / max(1, min(len(shingles[low]), len(shingles[high])))
        older, newer = sorted((low, high), key=lambda row: items[row].created or _EVER)
        kept.append((newer, older))
        scores.append((likeness + held) / 2)
    return np.array(kept, dtype=np.int64).reshape(-1, 2), np.array(scores, dtype=np.float64)


def _may_be_one(one: Item, other: Item) -> bool:
    """Nothing readable says that these are two products, or two variants of one."""
    if one.group and one.group == other.group:
        return False
    if one.brand and other.brand and one.brand.casefold() != other.brand.casefold():
        return False
    if one.currency != other.currency or (one.language and other.language and one.language != other.language):
        return False
    return all(other.attributes.get(name, value) == value for name, value in one.attributes.items())


def _shingles(text: str) -> frozenset[str]:
    letters = "".join(character for character in normalise(text) if character.isalnum())
    return frozenset(letters[place : place + _SHINGLE] for place in range(max(1, len(letters) - _SHINGLE + 1)))


def doubled(items: Sequence[Item], found: NDArray[np.int64], scores: Floats, least: float = 0.5) -> Iterator[Doubt]:
    """A doubt for every pair from `least` on: about the later listing, to be merged into the earlier.

    Args:
        items: n items.
        found: int64 (m, 2), see `pairs`.
        scores: float64 (m,).
        least: See above.
    """
    for (newer, older), score in zip(found.tolist(), scores.tolist(), strict=True):
        if score >= least:
            yield Doubt(
                "double",
                items[newer].id,
                float(score),
                {
                    "en": f"looks like the same product as {items[older].title!r} ({items[older].id})",
                    "zh": f"与“{items[older].title}”（{items[older].id}）像是同一商品",
                },
                items[older].id,
                items[older].id,
            )

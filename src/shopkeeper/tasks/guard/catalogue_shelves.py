"""Items that stand on the wrong shelf: what is like them stands elsewhere.

The vote of an item's neighbours, which leaves the item itself out, gives the chance of each shelf. An item is doubted when
another shelf is likelier than its own, and that shelf is as likely as it usually is to its own items (confident learning:
Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels"). Shelves that share their
kind of thing answer for it: the more items of one shelf look like another's, the less one more of them says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Item
from shopkeeper.tasks.guard.catalogue_doubt import Doubt
from shopkeeper.tasks.guard.catalogue_likeness import Likeness

Floats = NDArray[np.float64]

_VOTERS = 12
_LEAST = 4
"""Other items that a shelf must have to be believed, or to be missed in."""
_SHARP = 6.0
"""Power of the cosine by which neighbours vote."""
CLAIMED = 0.25
"""Score from which another shelf claims an item."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Where the neighbours of n items stand.

    Attributes:
        own: float64 (n,), share of the vote for the item's own shelf.
        best: int64 (n,), the other shelf with most votes, -1 where nobody votes.
        share: float64 (n,), its share.
        score: float64 (n,), how sure it is that the item belongs there, 0 where nothing speaks for it.
    """

    own: Floats
    best: NDArray[np.int64]
    share: Floats
    score: Floats


def shelves_of(items: Sequence[Item]) -> tuple[NDArray[np.int64], list[tuple[str, ...]]]:
    """The shelf of each item, int64 (n,), -1 without a category, and the paths that the numbers stand for."""
    paths = sorted({item.category for item in items if item.category})
    number = {path: code for code, path in enumerate(paths)}
    return np.array([number.get(item.category, -1) for item in items], dtype=np.int64), paths


def votes(shelf: NDArray[np.int64], group: NDArray[np.int64], alike: Likeness) -> Votes:
    """Let neighbours vote; variants of one product do not vote for each other.

    Args:
        shelf: int64 (n,), see `shelves_of`.
        group: int64 (n,), equal for variants of one product.
        alike: Of the same items.
    """
    count = len(shelf)
    near = alike.rows[:, :_VOTERS]
    theirs = np.where(near >= 0, shelf[near], -1)
    weight = alike.both[:, :_VOTERS].astype(np.float64) ** _SHARP
    weight[(theirs < 0) | (group[near] == group[:, None])] = 0.0
    total = np.maximum(weight.sum(axis=1), 1e-12)
    own = np.sum(weight * (theirs == shelf[:, None]), axis=1) / total
    together = np.stack([np.sum(weight * (theirs == theirs[:, [j]]), axis=1) for j in range(near.shape[1])], axis=1)
    together[(theirs == shelf[:, None]) | (weight == 0)] = -1.0
    place = np.argmax(together, axis=1)
    here = np.arange(count)
    best = np.where(together[here, place] > 0, theirs[here, place], -1)
    share = np.maximum(together[here, place], 0.0) / total
    return Votes(own, best, share, _scores(shelf, own, best, share))


def _scores(shelf: NDArray[np.int64], own: Floats, best: NDArray[np.int64], share: Floats) -> Floats:
    known = shelf >= 0
    size = np.bincount(shelf[known], minlength=int(shelf.max(initial=-1)) + 1)
    if not len(size):
        return np.zeros(len(shelf))
    usual = np.bincount(shelf[known], weights=own[known], minlength=len(size)) / np.maximum(size, 1)
    moved = known & (best >= 0) & (share > own)
    enough = np.where(moved, (size[best] >= _LEAST) & (size[shelf] > _LEAST), False)
    confident = np.where(moved, share >= np.minimum(usual[best], 0.9), False)
    pair = shelf * len(size) + best
    _, code, same = np.unique(np.where(moved, pair, -1), return_inverse=True, return_counts=True)
    confused = np.where(moved, (same[code.ravel()] - 1) / np.maximum(size[shelf] - 1, 1), 0.0)
    score = np.clip(share - own, 0, 1) * np.maximum(0.0, 1 - 2 * confused)
    return np.where(enough, np.where(confident, score, score / 2), 0.0)


def misplaced(items: Sequence[Item], alike: Likeness, found: Votes, paths: list[tuple[str, ...]]) -> Iterator[Doubt]:
    """A doubt for every item that another shelf claims.

    Args:
        items: n items.
        alike: Of the same.
        found: What `votes` gave for them.
        paths: What its numbers stand for.
    """
    for row in np.flatnonzero(found.score >= CLAIMED).tolist():
        path = " > ".join(paths[found.best[row]])
        example = items[alike.rows[row, 0]].title
        yield Doubt(
            "category",
            items[row].id,
            float(found.score[row]),
            {
                "en": f"{found.share[row]:.0%} of what is like it is in {path}, {found.own[row]:.0%} in its own"
                f" category; most like it: {example}",
                "zh": f"相似商品有{found.share[row]:.0%}在“{path}”，只有{found.own[row]:.0%}在本类目；最相似的是：{example}",
            },
            path,
        )

"""What somebody unknown is shown: the popular and the new, with places kept for items nobody has tried.

Every fifth place goes to an item drawn evenly from a pool of untried ones, so the chance of each at its place is exactly
1 / pool; all other places are certain. Logged with the impression, this is what off-policy estimates need.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from shopkeeper.records import Request
from shopkeeper.retrieval.leading import best_allowed
from shopkeeper.retrieval.shelf import Mask, Rows, Scores

_EVERY = 5
_POOL = 50


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the page: the row shown, its standing, and the chance with which it got there."""

    row: int
    score: float
    propensity: float
    explored: bool


def welcome(
    request: Request, standing: Scores, fresh: Scores, evidence: Scores, mask: Mask, places: Rows
) -> list[Place]:
    """One page for somebody unknown.

    Args:
        request: Its customer or session (or id) and its day decide the draw, so that pages of one visit fit together.
        standing: float32 (rows,), popular and new.
        fresh: float32 (rows,), how new.
        evidence: float32 (rows,), how much was ever done with each.
        mask: bool (rows,), what may be shown.
        places: int64 (rows,), distinct: of equal ones the lower place comes first.
    """
    count = int(np.count_nonzero(mask))
    pool = best_allowed(fresh + np.float32(1) / (1 + evidence), mask, min(_POOL, count // _EVERY), places)
    rest = mask.copy()
    rest[pool] = False
    certain = best_allowed(standing, rest, min(request.offset + request.limit, count - len(pool)), places)
    drawn = np.random.default_rng(_seed(request)).permutation(pool)
    page = []
    for position in range(request.offset, min(request.offset + request.limit, count)):
        slot = position // _EVERY
        if position % _EVERY == _EVERY - 1 and slot < len(drawn):
            row = int(drawn[slot])
            page.append(Place(row, float(standing[row]), 1 / len(pool), explored=True))
        else:
            row = int(certain[position - min(slot, len(drawn))])
            page.append(Place(row, float(standing[row]), 1.0, explored=False))
    return page


def _seed(request: Request) -> int:
    who = request.customer or request.session or request.id
    digest = hashlib.blake2b(f"{who}|{request.time:%Y-%m-%d}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")

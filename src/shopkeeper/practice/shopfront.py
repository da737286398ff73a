"""The shop as it was before Shopkeeper: a word-matching search, a popularity shelf, and an honest logging policy.

Three pages in four show the ranking as it is. On the fourth each block of four places is filled at random from the
eight candidates that belong to it, so that the probability of every item at every place is known exactly.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shopkeeper.practice.goods import Floats, Goods, Ints
from shopkeeper.records import Item

POLICY = "practice-popularity-1"
EXPLORE = 0.25
BLOCK, POOL = 4, 8

_ENGLISH = re.compile(r"[a-z0-9][a-z0-9\-']*")
_CHINESE = re.compile(r"[一-鿿]+")


@dataclass(frozen=True, slots=True)
class Page:
    """What was shown: rows, best first, and the probability of each at its place."""

    rows: Ints
    propensities: Floats


@cache
def propensities(places: int) -> Floats:
    """The policy: probability of showing each of the 2 x `places` best candidates at each place, (2 x places, places)."""
    table = np.zeros((2 * places, places))
    table[np.arange(places), np.arange(places)] += 1.0 - EXPLORE
    for place in range(places):
        block = place // BLOCK
        table[block * POOL : (block + 1) * POOL, place] += EXPLORE / POOL
    table.setflags(write=False)
    return table


def show(ranked: Ints, places: int, rng: np.random.Generator) -> Page:
    """Fill a page from the 2 x `places` best candidates.

    Args:
        ranked: int64 (at least 2 x places,), candidates, best first.
        places: How many are shown, a multiple of 4.
        rng: Its state decides whether and how the page is shuffled.
    """
    if rng.random() < EXPLORE:
        slots = np.concatenate([block * POOL + rng.permutation(POOL)[:BLOCK] for block in range(places // BLOCK)])
    else:
        slots = np.arange(places)
    return Page(ranked[slots], propensities(places)[slots, np.arange(places)])


def tokens(text: str) -> list[str]:
    """English words with a plain plural cut, Chinese as overlapping pairs of characters."""
    text = text.lower()
    found = [word.removesuffix("s") if len(word) > 3 else word for word in _ENGLISH.findall(text)]
    for run in _CHINESE.findall(text):
        found += [run[n : n + 2] for n in range(len(run) - 1)] or [run]
    return found


class WordSearch:
    """Sums the rarity of the words that title, brand, shelf and attributes share with the query. No synonyms."""

    def __init__(self, items: tuple[Item, ...]) -> None:
        postings: dict[str, list[int]] = {}
        for row, item in enumerate(items):
            text = " ".join([item.title, item.brand, *item.category, *item.attributes.values(), *item.codes])
            for token in Counter(tokens(text)):
                postings.setdefault(token, []).append(row)
        self._count = len(items)
        self._rows = {token: np.array(rows) for token, rows in postings.items()}

    def scores(self, query: str) -> NDArray[np.float64]:
        """float64 (n,): 0 where no word matches."""
        total = np.zeros(self._count)
        for token in tokens(query):
            rows = self._rows.get(token)
            if rows is not None:
                total[rows] += np.log(1.0 + self._count / len(rows))
        return total


class Popularity:
    """Clicks and purchases that fade by half every ten days."""

    def __init__(self, goods: Goods) -> None:
        self._weight = np.zeros(len(goods.ids))
        self._day = 0.0

    def add(self, row: int, weight: float, day: float) -> None:
        """Count an action on an item."""
        self._fade(day)
        self._weight[row] += weight

    def level(self, day: float) -> Floats:
        """Log of one plus the faded actions, float64 (n,)."""
        self._fade(day)
        return np.log1p(self._weight)

    def _fade(self, day: float) -> None:
        if day > self._day:
            self._weight *= 0.5 ** ((day - self._day) / 10.0)
            self._day = day


def best(scores: Floats, count: int) -> Ints:
    """Rows of the `count` highest scores, best first."""
    top = np.argpartition(-scores, count)[:count]
    return np.asarray(top[np.argsort(-scores[top], kind="stable")])

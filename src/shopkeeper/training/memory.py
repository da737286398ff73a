"""A small memory of old examples, to be rehearsed while new ones are learnt: which to keep, and how often to show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from shopkeeper.training.batching import Buckets, Ints
from shopkeeper.training.supervised import Labelled
from shopkeeper.training.texts import TokenRows

T = TypeVar("T")


class Reservoir(Generic[T]):
    """An even sample of everything that was ever offered, without knowing beforehand how much that will be.

    Algorithm R of Vitter 1985: at any time each arrival so far is kept with the same chance, budget / seen. A memory of
    the same share of every period is one reservoir a period.

    Attributes:
        budget: Most that is kept.
        kept: The sample.
        seen: How much was offered.
    """

    def __init__(self, budget: int, rng: np.random.Generator) -> None:
        self.budget, self._rng = budget, rng
        self.kept: list[T] = []
        self.seen = 0

    def offer(self, arrivals: Iterable[T]) -> None:
        """Let arrivals take the place of what is kept, each with the chance that keeps the sample even."""
        for arrival in arrivals:
            self.seen += 1
            if len(self.kept) < self.budget:
                self.kept.append(arrival)
                continue
            place = int(self._rng.integers(self.seen))
            if place < self.budget:
                self.kept[place] = arrival


def herding(vectors: ArrayLike, labels: ArrayLike, budget: int) -> Ints:
    """Examples whose mean stays close to the mean of their class, classes in turn (iCaRL, Rebuffi et al. 2017).

    Args:
        vectors: float (n, d), best of length 1: what the model makes of each example.
        labels: (n,), class of each.
        budget: How many to keep.

    Returns:
        int64 (min(budget, n),), row numbers. The first ones are the best: a smaller memory is a shorter prefix, in which
        classes are as even as in the whole.

    >>> herding([[0.0], [1.0], [2.0], [9.0]], ["a", "a", "a", "b"], 2).tolist()
    [1, 3]
    """
    points, classes = np.asarray(vectors, dtype=np.float64), np.asarray(labels)
    orders = [_nearing_the_mean(points, np.flatnonzero(classes == name)) for name in np.unique(classes)]
    turns = (row for turn in zip_longest(*orders) for row in turn if row is not None)
    return np.fromiter(islice(turns, budget), dtype=np.int64)


def rehearsed(new: Ints, kept: Ints, rng: np.random.Generator, *, share: float = 0.5, repeats: int = 8) -> Ints:
    """What one epoch goes through: everything new once, and old examples repeated until they have their share.

    Args:
        new: int64 (n,), numbers of new examples.
        kept: int64 (m,), numbers of the examples in memory.
        rng: Draws which old ones are shown once more than others.
        share: Wanted share of old examples in the epoch, below 1.
        repeats: How often an old example is shown at most; a tiny memory would be learnt by heart.

    Returns:
        int64 (n + old,), the new ones first.
    """
    wanted = min(round(len(new) * share / (1 - share)), repeats * len(kept))
    rounds = [rng.permutation(kept) for _ in range(-(-wanted // max(1, len(kept))))]
    return np.concatenate([new, *rounds])[: len(new) + wanted].astype(np.int64)


def lessons(texts: TokenRows, wanted: Tensor, rows: Ints, size: int) -> Buckets[Labelled]:
    """Batches of some of the examples, which keep their numbers (`Labelled.rows`) among all: for a trunk, or a teacher.

    Args:
        texts: All texts, of every period.
        wanted: What is wanted of each of them, see `Labelled`.
        rows: int64 (n,), numbers of those to learn, with repetitions; see `rehearsed`.
        size: Examples in a batch.
    """

    def collate(chosen: Ints) -> Labelled:
        own = rows[chosen]
        return Labelled(texts.batch(own), wanted[torch.from_numpy(own)], torch.ones(len(own)), own)

    return Buckets(texts.lengths[rows], size, collate)


def _nearing_the_mean(points: NDArray[np.float64], members: Ints) -> Iterator[int]:
    """The `members` among points (n, d), each next one chosen so that the mean of the chosen is closest to that of all."""
    own = points[members]
    mean, squares = own.mean(axis=0), (own**2).sum(axis=1)
    total = np.zeros_like(mean)
    free = np.ones(len(members), dtype=np.bool_)
    for count in range(1, len(members) + 1):
        gaps = np.where(free, squares - 2 * own @ (count * mean - total), np.inf)
        place = int(gaps.argmin())
        free[place] = False
        total += own[place]
        yield int(members[place])

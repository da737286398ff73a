"""Which category a query speaks of: naive Bayes over the words that items of each category are named by.

A category scores ``log n(c) + sum over terms of log((n(t, c) + m p(t)) / (n(c) + m))``, n counting items, p(t) being the
share of all items that hold t (Dirichlet smoothing; Zhai & Lafferty 2004). Counts change with every item that comes or goes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

Path = tuple[str, ...]

MASS = 10.0
"""m: how many imagined items of average wording each category has."""
MOST = 3
_LEAST = 0.05
_STEPS = 4_000
"""Pairs of term and category looked at for one query; the commonest terms, which tell least, come last."""


class CategoryCounts:
    """How many items of each category hold each term. Reading beside one writer is safe."""

    def __init__(self) -> None:
        self.paths: Counter[Path] = Counter()
        self.total = 0
        self._holding: dict[str, dict[Path, int]] = {}
        self._holders: dict[str, int] = {}

    def put(self, path: Path, terms: Collection[str]) -> None:
        """Count an item by its category and its distinct terms."""
        self._add(path, terms, 1)

    def drop(self, path: Path, terms: Collection[str]) -> None:
        """Take back what `put` counted."""
        self._add(path, terms, -1)

    def holding(self, term: str, path: Path | None = None) -> int:
        """Items that hold a term, in all or in one category."""
        return self._holders.get(term, 0) if path is None else self._holding.get(term, {}).get(path, 0)

    def by_path(self, term: str) -> dict[Path, int]:
        """Items that hold a term, by category."""
        return self._holding.get(term, {})

    def _add(self, path: Path, terms: Collection[str], step: int) -> None:
        self.total += step
        self.paths[path] += step
        if not self.paths[path]:
            del self.paths[path]
        for term in terms:
            by_path = self._holding.setdefault(term, {})
            left = by_path.get(path, 0) + step
            if left:
                by_path[path] = left
            else:
                by_path.pop(path, None)
            self._holders[term] = self._holders.get(term, 0) + step
            if not self._holders[term]:
                del self._holders[term], self._holding[term]


class CategoryGuess:
    """Category paths of a query, from counts that somebody else keeps.

    Args:
        counts: Read at every guess.
        mass: m of the smoothing.
    """

    def __init__(self, counts: CategoryCounts, mass: float = MASS) -> None:
        self._counts = counts
        self._mass = mass

    def guess(self, terms: Sequence[str]) -> list[tuple[Path, float]]:
        """At most three categories with probabilities that add up to at most 1, best first; none where no term is known."""
        counts, mass = self._counts, self._mass
        total = max(counts.total, 1)  # the last item may just be exchanged for another
        known = sorted({term for term in terms if counts.holding(term)}, key=counts.holding)
        scores: dict[Path, float] = {}
        steps = read = 0
        for term in known:
            by_path = counts.by_path(term)
            steps += len(by_path)
            if read and steps > _STEPS:
                break
            read += 1
            smooth = mass * counts.holding(term) / total
            for path, held in list(by_path.items()):
                scores[path] = scores.get(path, 0.0) + math.log1p(held / smooth)
        scores.pop((), None)
        if not scores:
            return []
        for path in scores:
            size = counts.paths[path]
            scores[path] += math.log(size + 1) - read * math.log(size + mass)
        best = max(scores.values())
        weights = {path: math.exp(score - best) for path, score in scores.items()}
        whole = sum(weights.values())
        ranked = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]
        return [(path, weight / whole) for path, weight in ranked if weight / whole >= _LEAST]

"""Teaching the ranker of recommendation: which of a customer's candidates they took next, cross-fitted over customers.

The sources are fitted on what came before, so none of them has seen the answers; every customer is then judged by a ranker
that was taught on others. Items that nobody had touched teach nothing, neither as right nor as wrong answers; how far they are
lifted among the others is tuned afterwards, so that new items live: as high as customers want them, and a little higher.

Teaching what to expect of untouched items by making the sources forget a tenth of all items for some customers (as in Volkovs, Yu
and Poutanen 2017, "DropoutNet") was tried on Amazon Beauty's validation: the same trade between old and new within noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from shopkeeper.evaluation.next_items import Split
from shopkeeper.models.text import Floats
from shopkeeper.progress import span
from shopkeeper.ranking.customer_features import NAMES, customer_features
from shopkeeper.ranking.pages.exposure import inverse_weights, propensities_from_popularity
from shopkeeper.ranking.pool import EACH, Pool, pooled
from shopkeeper.ranking.ranker import Linear, Ranker
from shopkeeper.retrieval.shelf import Mask, Shelf
from shopkeeper.retrieval.trails import Trails
from shopkeeper.tasks.recommend.behaviour import Behaviour

LEAST = 200
"""Customers with an answer among their candidates below which no ranker is learnt."""
FOLDS = 3
_CELLS = 4_000_000
"""Scores of one source held at a time: decides how many customers are read together."""
_TREES = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 20,
    "learning_rate": 0.08,
    "num_leaves": 7,
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "verbose": -1,
    "deterministic": True,
}
_ROUNDS = 200
_SHARE = 0.3
"""Share of the candidates a customer did not take that the trees look at."""
_STRENGTH = 0.1
_AGAINST = 30
"""Candidates a customer did not take that the linear ranker looks at."""
_LIFTS = (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Lifts of untouched items that are tried, in deviations of the margin."""
_GIVEN = 0.005
"""Share of NDCG@10 that is given for new items to be seen."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What customers could have taken and what they took, candidates of one customer side by side.

    Attributes:
        indptr: int64 (n + 1,): customer c owns the candidates ``indptr[c]:indptr[c + 1]``.
        table: float32 (m, len(NAMES)).
        taken: bool (m,).
        touched: bool (m,), whether anybody had done anything with the item.
        wanted: int64 (n,), how many items were taken, among the candidates or not.
    """

    indptr: NDArray[np.int64]
    table: Floats
    taken: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    wanted: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of customers."""
        return len(self.wanted)

    @property
    def answered(self) -> int:
        """Customers who took one of their candidates."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        return len(np.unique(owner[self.taken]))

    @property
    def recall(self) -> float:
        """Share of what was taken that is among the candidates."""
        return float(self.taken.sum() / max(self.wanted.sum(), 1))

    def take(self, customers: NDArray[np.int64]) -> Choices:
        """Some of the customers, in that order."""
        places = [np.arange(self.indptr[c], self.indptr[c + 1]) for c in customers.tolist()]
        lengths = np.array([len(place) for place in places], dtype=np.int64)
        at = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Choices(indptr, self.table[at], self.taken[at], self.touched[at], self.wanted[customers])

    def ndcg(self, scores: Floats, cutoff: int = 10) -> NDArray[np.float64]:
        """NDCG of an order of the candidates, float32 (m,): one value a customer. Ties count half."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        gains = np.zeros(len(self))
        for place in np.flatnonzero(self.taken).tolist():
            own = scores[self.indptr[owner[place]] : self.indptr[owner[place] + 1]]
            ahead = (own > scores[place]).sum() + ((own == scores[place]).sum() - 1) / 2
            gains[owner[place]] += 1 / np.log2(ahead + 2) if ahead < cutoff else 0.0
        ideal = np.cumsum(1 / np.log2(np.arange(2, cutoff + 2)))[np.clip(self.wanted, 1, cutoff) - 1]
        return np.asarray(gains / ideal)


@dataclass(frozen=True, slots=True)
class Learnt:
    """A ranker, or None where the blend did better, and how both did on customers the ranker had not seen.

    Attributes:
        blend: float64 (n,), NDCG@10 of each customer.
        values: The same of the best ranker, cross-fitted.
        kind: What the ranker is made of.
        untouched: What the margin of an item gains that nobody has touched.
    """

    ranker: Ranker | None
    blend: NDArray[np.float64]
    values: NDArray[np.float64]
    kind: str
    untouched: float


def choices(behaviour: Behaviour, split: Split, trails: Trails | None, shelf: Shelf) -> Choices:
    """Candidates of the customers of a split, with their features.

    Args:
        behaviour: Fitted on `split.learn`.
        split: Who took what.
        trails: Of the same customers, for the sequence model.
        shelf: The items.
    """
    parts = []
    evidence = behaviour.evidence_of(len(shelf))[0]
    for users, pool, table in blocks(behaviour, split, trails, shelf):
        part = split.take(users)
        target = np.zeros((len(users), len(shelf)), dtype=np.bool_)
        target[part.users, part.targets] = True
        valid = pool.valid
        taken = np.take_along_axis(target, pool.rows, axis=1)
        parts.append((valid.sum(axis=1), table[valid], taken[valid], pool.per(evidence)[valid] > 0, part.wanted))
    lengths, tables, taken, touched, wanted = (np.concatenate(column) for column in zip(*parts, strict=True))
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Choices(indptr, tables, taken, touched, wanted)


def blocks(
    behaviour: Behaviour, split: Split, trails: Trails | None, shelf: Shelf
) -> Iterator[tuple[NDArray[np.int64], Pool, Floats]]:
    """The customers of a split by blocks: who, their candidates and the features of these, float32 (n, most, f)."""
    width, count = len(shelf), len(split.past)
    size = max(1, _CELLS // max(width, 1))
    with span("read candidates", count, "customers") as progress:
        for start in range(0, count, size):
            users = np.arange(start, min(start + size, count), dtype=np.int64)
            part = split.take(users)
            allowed = np.ones((len(users), width), dtype=np.bool_)
            owned = part.owned.tocoo()
            allowed[owned.row, owned.col] = False
            pool, table = read(behaviour, part, None if trails is None else trails.take(users), shelf, allowed)
            yield users, pool, table
            progress.advance(len(users))


def read(behaviour: Behaviour, part: Split, trails: Trails | None, shelf: Shelf, allowed: Mask) -> tuple[Pool, Floats]:
    """The candidates of some customers and their features."""
    width = len(shelf)
    scores = behaviour.scores(part.past, width, trails)
    pool = pooled(scores, allowed, EACH)
    judged = behaviour.judged(part.past, pool, scores, width)
    return pool, customer_features(pool, judged, part.past, shelf)


def learn_preference(found: Choices, seed: int = 0, debias: float = 0.0) -> Learnt:
    """Try a linear ranker and trees, cross-fitted over customers, and keep the best if it beats the blend.

    Args:
        found: Validation customers; never the test.
        seed: Of the folds and of learning.
        debias: What was taken teaches with weight 1 / popularity^debias, see `exposure.propensities_from_popularity`; 0 takes
            the log as it is.
    """
    blend = found.ndcg(found.table[:, NAMES.index("blend")])
    fold = np.random.default_rng(seed).permutation(len(found)) % FOLDS
    kinds: dict[str, Callable[[Choices], Ranker]] = {
        "linear": lambda part: Ranker(linear=_linear(part, seed, debias)),
        "trees": lambda part: Ranker(trees=_trees(part, seed, debias)),
    }
    owner = np.repeat(np.arange(len(found)), np.diff(found.indptr))
    values: dict[str, NDArray[np.float64]] = {}
    lifts: dict[str, float] = {}
    for kind, teach in kinds.items():
        scores = np.zeros(len(found.table), dtype=np.float32)
        for number in range(FOLDS):
            ranker = teach(found.take(np.flatnonzero(fold != number)))
            own = fold[owner] == number
            scores[own] = ranker.margin(found.table[own])
        lifts[kind], values[kind] = _lifted(found, scores)
    best = max(values, key=lambda kind: values[kind].mean())
    better = values[best].mean() > blend.mean()
    return Learnt(kinds[best](found) if better else None, blend, values[best], best, lifts[best])


def places(behaviour: Behaviour, split: Split, trails: Trails | None, shelf: Shelf) -> NDArray[np.float64]:
    """Place of every target in the ranker's order, from 0, equal ones counting half: float64 (t,).

    A target that is no candidate stands behind all of them, as far as measures of the first places can tell.
    """
    found = np.full(len(split.targets), np.inf)
    for users, pool, table in blocks(behaviour, split, trails, shelf):
        margin = np.where(pool.valid, behaviour.margins(table), -np.inf)
        entries = np.flatnonzero((split.users >= users[0]) & (split.users <= users[-1]))
        owner = split.users[entries] - users[0]
        hit = (pool.rows[owner] == split.targets[entries][:, None]) & pool.valid[owner]
        inside = hit.any(axis=1)
        own = np.where(hit, margin[owner], -np.inf).max(axis=1)[:, None]
        ahead = (margin[owner] > own).sum(axis=1) + ((margin[owner] == own).sum(axis=1) - 1) / 2
        found[entries[inside]] = ahead[inside]
    return found


def _lifted(found: Choices, scores: Floats) -> tuple[float, NDArray[np.float64]]:
    """The highest lift of untouched items that costs next to nothing of the best NDCG@10, and what it gives each customer."""
    unit = float(scores.std())
    tried = {}
    for lift in (unit * step for step in _LIFTS):
        tried[lift] = found.ndcg(np.where(found.touched, scores, scores + np.float32(lift)))
    best = max(values.mean() for values in tried.values())
    chosen = max(lift for lift, values in tried.items() if values.mean() >= (1 - _GIVEN) * best)
    return chosen, tried[chosen]


def _told(found: Choices) -> tuple[Choices, NDArray[np.bool_]]:
    """Customers who took one of their candidates, and which candidates teach."""
    owner = np.repeat(np.arange(len(found)), np.diff(found.indptr))
    some = found.take(np.unique(owner[found.taken & found.touched]))
    return some, some.touched


def _trees(found: Choices, seed: int, debias: float) -> lightgbm.Booster:
    """All that was taken against an even share of what was not: choosing it by any score would teach that score's bias."""
    some, counts = _told(found)
    counts &= some.taken | (np.random.default_rng(seed).random(len(counts)) < _SHARE)
    owner = np.repeat(np.arange(len(some)), np.diff(some.indptr))
    group = np.bincount(owner[counts], minlength=len(some))
    weight = _weights(some.table[counts], some.taken[counts], debias)
    data = lightgbm.Dataset(some.table[counts], some.taken[counts].astype(np.int32), group=group, weight=weight)
    return lightgbm.train(_TREES | {"seed": seed, "num_threads": 1}, data, _ROUNDS)


def _linear(found: Choices, seed: int, debias: float) -> Linear:
    """All that was taken against some of what was not: more of it changes only the bias, which orders nothing."""
    some, counts = _told(found)
    spared = np.random.default_rng(seed).random(len(counts)) < _AGAINST * len(some) / max(int(counts.sum()), 1)
    counts &= some.taken | spared
    table, taken = some.table[counts], some.taken[counts]
    centre, deviation = table.mean(axis=0), table.std(axis=0) + np.float32(1e-6)
    model = LogisticRegression(C=_STRENGTH, max_iter=200)
    model.fit((table - centre) / deviation, taken, _weights(table, taken, debias))
    return Linear(centre, (model.coef_[0] / deviation).astype(np.float32), float(model.intercept_[0]))


def _weights(table: Floats, taken: NDArray[np.bool_], debias: float) -> NDArray[np.float64] | None:
    """What each candidate weighs: 1, but for what was taken, which weighs the more the less popular it is."""
    if not debias:
        return None
    chances = propensities_from_popularity(np.expm1(table[:, NAMES.index("evidence")]), power=debias)
    weights = np.ones(len(taken))
    weights[taken] = inverse_weights(chances, np.flatnonzero(taken))
    return weights

"""The order of all items for some customers, by the learnt ranker or the blend, and what in their history it hangs on.

A reason must hold: under a ranker the evidence it names is found by taking it away. The items of the history are left out one
by one, the same candidates are judged again, and what lowers a hit most is what carried it (counterfactual explanation, Tran et
al. 2021). Under a blend, which is a sum, the parts are read off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shopkeeper.ranking.customer_features import NAMES, SOURCES, customer_features
from shopkeeper.ranking.pool import EACH, Pool, pooled
from shopkeeper.retrieval.histories import Floats, Histories, joined
from shopkeeper.retrieval.leading import best
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.retrieval.trails import Trails, chained
from shopkeeper.tasks.recommend.behaviour import Behaviour

_TRIED = 10
"""Items of a history that are left out in turn."""
_TIE = np.float32(1e-5)
"""Share of general standing in the order of items that the history says nothing about."""
_GROUPS = {
    **{f"{name}{end}": name for name in SOURCES for end in ("", "_share", "_rank", "_latest")},
    **dict.fromkeys(("brand_share", "category_share", "category_latest"), "attributes"),
    **dict.fromkeys(("price_gap", "dearer"), "price"),
    **dict.fromkeys(("blend", "blend_rank", "agreeing"), "agreement"),
    **dict.fromkeys(("evidence", "known"), "evidence"),
}
"""Under which name the contribution of a feature is told."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a ranker said of the candidates of n customers.

    Attributes:
        pool: The candidates.
        table: float32 (n, most, f), their features.
        margin: float32 (n, most); anything in padding.
    """

    pool: Pool
    table: Floats
    margin: Floats

    def one(self, place: int) -> Judged:
        """Of one of the customers alone, without padding."""
        valid = self.pool.valid[place]
        pool = Pool(self.pool.rows[place][valid][None], valid[valid][None])
        return Judged(pool, self.table[place][valid][None], self.margin[place][valid][None])


class Order:
    """All rows in order, for n customers.

    Args:
        dense: Gives `scores`.
        pushed: See below.
        judged: See below.

    Attributes:
        pushed: float32 (n, rows), what pushes added to the scores; None without any.
        judged: What the ranker said, None where the blend decides.
    """

    def __init__(self, dense: Callable[[], Floats], pushed: Floats | None = None, judged: Judged | None = None) -> None:
        self._dense = dense
        self.pushed = pushed
        self.judged = judged

    @cached_property
    def scores(self) -> Floats:
        """float32 (n, rows); -inf where not allowed. Under a ranker made when first asked for: pages seldom go beyond it."""
        return self._dense()

    def best(self, place: int, count: int, places: Rows) -> tuple[Rows, Floats]:
        """The best rows of one customer, best first.

        Args:
            place: Which customer.
            count: How many, at most as many as are allowed.
            places: int64 (rows,), distinct: of equal ones the lower place comes first.

        Returns:
            Rows int64 (count,) and their scores float32 (count,).
        """
        if self.judged is not None and self.pushed is None:
            valid = self.judged.pool.valid[place]
            if count <= np.count_nonzero(valid):  # whoever is no candidate stands behind
                rows, margin = self.judged.pool.rows[place][valid], self.judged.margin[place][valid]
                order = np.lexsort((places[rows], -margin))[:count]
                return rows[order], margin[order]
        rows = best(self.scores[place], count, places)
        return rows, self.scores[place][rows]


def ordered(
    behaviour: Behaviour,
    histories: Histories,
    trails: Trails,
    shelf: Shelf,
    masks: Mask,
    pushes: Floats | None = None,
    among: Pool | None = None,
    deadline: float | None = None,
) -> Order:
    """Order all items for some customers; under a ranker, whoever is no candidate stands behind those by the blend.

    Args:
        behaviour: With a ranker or without.
        histories: Of n customers.
        trails: Of the same.
        shelf: The items.
        masks: bool (n, rows), what may be recommended.
        pushes: float32 (n, rows), what is added to the scores for other reasons than taste, in deviations of the best
            hundred; what it lifts becomes a candidate.
        among: Candidates to judge in place of those that the sources name.
        deadline: See `Behaviour.scores`.
    """
    width = masks.shape[1]
    if behaviour.ranker is None:
        blended = behaviour.blended(histories, width, trails, deadline=deadline)
        blended += _TIE * (behaviour.standing("popular", width) + behaviour.standing("new", width))
        return _pushed(lambda: np.where(masks, blended, np.float32(-np.inf)), pushes, None)
    said = behaviour.scores(histories, width, trails, deadline=deadline)
    if among is None:
        among = pooled(said if pushes is None else {**said, "pushed": pushes}, masks)
    table = customer_features(among, behaviour.judged(histories, among, said, width), histories, shelf)
    judged = Judged(among, table, behaviour.margins(table))
    blend = behaviour.parameters.blend
    active = {name: said[name] for name in blend.active if name in said}

    def dense() -> Floats:
        if active:
            rest = blend.combine(active, histories.known[:, None], behaviour.evidence_of(width))
        else:
            rest = np.zeros(masks.shape, dtype=np.float32)
        return np.where(masks, _behind(rest, judged), np.float32(-np.inf))

    return _pushed(dense, pushes, judged)


def _behind(rest: Floats, judged: Judged) -> Floats:
    """Scores of all rows, float32 (n, rows): candidates as the ranker has them, the others below by what else is known."""
    pool, margin = judged.pool, judged.margin
    behind = np.where(pool.valid, margin, np.inf).min(axis=1, initial=0.0) - 1
    scores: Floats = rest - rest.max(axis=1, initial=0, keepdims=True) + behind[:, None].astype(np.float32)
    person, place = np.nonzero(pool.valid)
    scores[person, pool.rows[person, place]] = margin[person, place]
    return scores


def _pushed(dense: Callable[[], Floats], pushes: Floats | None, judged: Judged | None) -> Order:
    if pushes is None:
        return Order(dense, None, judged)
    scores = dense()
    amounts = pushes * np.array([spread(row) for row in scores], dtype=np.float32)[:, None]
    return Order(lambda: scores + amounts, amounts, judged)


def spread(scores: Floats) -> float:
    """Deviation of the hundred best scores, float32 (rows,); those that are not finite are left out; 1 where it is nothing."""
    finite = scores[np.isfinite(scores)]
    best = np.partition(finite, len(finite) - EACH)[-EACH:] if len(finite) > EACH else finite
    deviation = float(best.std()) if len(best) else 0.0
    return deviation if deviation > 1e-9 else 1.0


def effects(
    behaviour: Behaviour, history: Histories, trail: Trails, shelf: Shelf, judged: Judged, page: Rows
) -> tuple[Rows, Floats]:
    """What each item of a history adds to the hits of a page: how far their margins fall without it.

    Args:
        behaviour: With a ranker.
        history: Of one customer.
        trail: Of the same.
        shelf: The items.
        judged: Of the same customer alone.
        page: int64 (k,), rows.

    Returns:
        Places in the history that were tried, int64 (m,), and float32 (m, k); 0 for hits outside the pool.
    """
    width = len(shelf)
    speaks = np.flatnonzero(history.strengths > 0)
    tried = speaks[::-1][:_TRIED]
    if not len(tried):
        return tried, np.zeros((0, len(page)), dtype=np.float32)
    without = joined([history.keep(np.arange(len(history.rows)) != place) for place in tried.tolist()])
    trails = chained([trail.keep(trail.rows != history.rows[place]) for place in tried.tolist()])
    said = behaviour.scores(without, width, trails)
    pool = Pool(np.repeat(judged.pool.rows, len(tried), axis=0), np.repeat(judged.pool.valid, len(tried), axis=0))
    tables = customer_features(pool, behaviour.judged(without, pool, said, width), without, shelf)
    fall = judged.margin - behaviour.margins(tables)
    place = {int(row): number for number, row in enumerate(judged.pool.rows[0].tolist())}
    found = np.zeros((len(tried), len(page)), dtype=np.float32)
    inside = [(n, place[row]) for n, row in enumerate(page.tolist()) if row in place]
    for hit, number in inside:
        found[:, hit] = fall[:, number]
    return tried, found


def contributions(behaviour: Behaviour, judged: Judged, row: int) -> Mapping[str, float]:
    """What each source and kind of feature adds to the margin of one candidate of one customer, against the average one."""
    at = np.flatnonzero(judged.pool.rows[0] == row)
    if not len(at) or behaviour.ranker is None:
        return {}
    parts = behaviour.ranker.parts(judged.table[0, at[:1]])[0]
    found: dict[str, float] = {}
    for name, part in zip(NAMES, parts.tolist(), strict=True):
        if part:
            found[_GROUPS[name]] = found.get(_GROUPS[name], 0.0) + part
    return found

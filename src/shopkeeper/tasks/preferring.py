"""The learnt order of recommendations for one customer, and what in their history it hangs on.

A reason must hold: the evidence it names is found by taking it away. The items of the history are left out one by one, the
same candidates are judged again, and what lowers a hit most is what carried it (counterfactual explanation, Tran et al. 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shopkeeper.ranking.customer_features import NAMES, SOURCES, customer_features
from shopkeeper.ranking.pool import Pool, pooled
from shopkeeper.retrieval.histories import Floats, Histories, joined
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.retrieval.trails import Trails, chained
from shopkeeper.tasks.behaviour import Behaviour

_TRIED = 10
"""Items of a history that are left out in turn."""
_GROUPS = {
    **{f"{name}{end}": name for name in SOURCES for end in ("", "_share", "_rank", "_latest")},
    **dict.fromkeys(("brand_share", "category_share", "category_latest"), "attributes"),
    **dict.fromkeys(("price_gap", "dearer"), "price"),
    **dict.fromkeys(("blend", "blend_rank", "agreeing"), "agreement"),
    **dict.fromkeys(("evidence", "known"), "evidence"),
}
"""Under which name the contribution of a feature is told."""


@dataclass(frozen=True, slots=True)
class Preferred:
    """The candidates of one customer, judged.

    Attributes:
        pool: The candidates of one user.
        table: float32 (n, f), their features.
        margin: float32 (n,), what the ranker says.
        order: float32 (rows,), scores of all allowed rows on the same scale, the others behind; -inf where not allowed.
    """

    pool: Pool
    table: Floats
    margin: Floats
    order: Floats


def preferred(
    behaviour: Behaviour, history: Histories, trail: Trails, shelf: Shelf, mask: Mask, among: Pool | None = None
) -> Preferred:
    """Judge the candidates of one customer; whoever is no candidate stands behind them by the blend.

    Args:
        behaviour: With a ranker.
        history: Of one user.
        trail: Of the same.
        shelf: The items.
        mask: bool (rows,), what may be recommended.
        among: Candidates to judge in place of those that the sources name.
    """
    width = len(mask)
    scores = behaviour.scores(history, width, trail)
    pool = pooled(scores, mask[None]) if among is None else among
    table = customer_features(pool, behaviour.judged(history, pool, scores, width), history, shelf)[0]
    margin = behaviour.margins(table)
    active = {name: scores[name] for name in behaviour.parameters.blend.active if name in scores}
    rest = np.zeros(width, dtype=np.float32)
    if active:
        rest = behaviour.parameters.blend.combine(active, history.known[:, None], behaviour.evidence_of(width))[0]
    order = np.where(mask, rest - rest.max(initial=0), -np.inf) + np.float32(margin.min(initial=0.0) - 1)
    rows = pool.rows[0][pool.valid[0]]
    order[rows] = np.where(mask[rows], margin[pool.valid[0]], -np.inf)
    return Preferred(pool, table, margin, order.astype(np.float32))


def effects(
    behaviour: Behaviour, history: Histories, trail: Trails, shelf: Shelf, mask: Mask, judged: Preferred, page: Rows
) -> tuple[Rows, Floats]:
    """What each item of a history adds to the hits of a page: how far their margins fall without it.

    Returns:
        Places in the history that were tried, int64 (k,), and float32 (k, len(page)); 0 for hits outside the pool.
    """
    width = len(mask)
    speaks = np.flatnonzero(history.strengths > 0)
    tried = speaks[::-1][:_TRIED]
    if not len(tried):
        return tried, np.zeros((0, len(page)), dtype=np.float32)
    without = joined([history.keep(np.arange(len(history.rows)) != place) for place in tried.tolist()])
    trails = chained([trail.keep(trail.rows != history.rows[place]) for place in tried.tolist()])
    scores = behaviour.scores(without, width, trails)
    pool = Pool(np.repeat(judged.pool.rows, len(tried), axis=0), np.repeat(judged.pool.valid, len(tried), axis=0))
    tables = customer_features(pool, behaviour.judged(without, pool, scores, width), without, shelf)
    fall = judged.margin[None] - behaviour.margins(tables)
    place = {int(row): number for number, row in enumerate(judged.pool.rows[0].tolist())}
    found = np.zeros((len(tried), len(page)), dtype=np.float32)
    inside = [(n, place[row]) for n, row in enumerate(page.tolist()) if row in place]
    for hit, number in inside:
        found[:, hit] = fall[:, number]
    return tried, found


def contributions(behaviour: Behaviour, judged: Preferred, row: int) -> Mapping[str, float]:
    """What each source and kind of feature adds to the margin of one candidate, against the average one."""
    at = np.flatnonzero(judged.pool.rows[0] == row)
    if not len(at) or behaviour.ranker is None:
        return {}
    parts = behaviour.ranker.parts(judged.table[at[:1]])[0]
    found: dict[str, float] = {}
    for name, part in zip(NAMES, parts.tolist(), strict=True):
        if part:
            found[_GROUPS[name]] = found.get(_GROUPS[name], 0.0) + part
    return found

"""Who rates the same things: dense blocks of raters and items, partners, and labels that spread from rater to rater.

Time grows with the number of ratings; only for partners with its square within an item, so there items that many rate
are left out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values

GRAPH_NAMES: Final = ("block", "partners", "shared", "agreeing")
SPREAD_NAMES: Final = ("near", "near_agreeing", "far", "worst", "evidence", "taste")
_CROWD = 50
"""Items rated by more customers than this make nobody partners."""
_ROWS = 2_000
_TOGETHER = 1.05
_STEPS, _CARRY = 10, 0.85
_PRIOR = 1.0
"""Raters of average repute that weigh against the known raters of an item."""
_LOOSE = 10.0
"""Inverse strength that holds the weights of `taste` back."""

Matrix = sp.csr_array


def graph_signs(ratings: Ratings) -> Values:
    """Columns `GRAPH_NAMES` of every rater: float64 (raters, 4).

    Density of the densest block that holds the rater (see `blocks`); log number of others who share at least two seldom
    rated items; largest share of the rater's items that one other rates too; the same for items rated alike.
    """
    found = np.zeros((len(ratings.raters), len(GRAPH_NAMES)))
    found[:, 0] = blocks(ratings)[0]
    found[:, 1:] = _partners(ratings)
    return found


def blocks(ratings: Ratings) -> tuple[Values, Values]:
    """How dense a block of raters and items each belongs to: float64 (raters,) and (items,).

    Nodes are taken away, the most weakly tied first, where a rating of an item with d ratings weighs ``1 / log(d + 5)``;
    a node has the greatest mean weight that was left while it was still there. Those with the greatest are the block of
    Hooi et al. 2016, "FRAUDAR: bounding graph fraud in the face of camouflage", KDD. Nodes within 5 % of the weakest go
    together, so that order decides nothing (as Bahmani, Kumar and Vassilvitskii 2012): the block is at least
    ``1 / 2.1`` as dense as the densest.
    """
    users = len(ratings.raters)
    nodes = users + len(ratings.items)
    one, other = ratings.rater, users + ratings.item
    tie = 1.0 / np.log(ratings.raised[ratings.item] + 5.0)
    density, there = np.zeros(nodes), np.ones(nodes, dtype=np.bool_)
    best = limit = 0.0
    while there.any():
        weight = np.bincount(one, tie, nodes) + np.bincount(other, tie, nodes)
        best = max(best, float(tie.sum()) / int(there.sum()))
        limit = max(limit, float(weight[there].min()) * _TOGETHER)
        going = there & (weight <= limit)
        density[going] = best
        there &= ~going
        stays = there[one] & there[other]
        one, other, tie = one[stays], other[stays], tie[stays]
    return density[:users], density[users:]


def _partners(ratings: Ratings) -> Values:
    """Partners, shared and agreeing of every rater, float64 (raters, 3)."""
    users = len(ratings.raters)
    found = np.zeros((users, 3))
    rare = ratings.take(ratings.raised[ratings.item] <= _CROWD)
    lowest, highest = ratings.scale
    side = (rare.rating > (lowest + highest) / 2).astype(np.int64)
    own = np.maximum(np.bincount(ratings.rater, minlength=users), 1)
    for column, node in ((1, rare.item), (2, 2 * rare.item + side)):
        met = _incidence(rare.rater, node, users, 2 * len(ratings.items))
        for start in range(0, users, _ROWS):
            pairs = sp.csr_array(met[start : start + _ROWS] @ met.T)
            line = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
            other = pairs.indices != line + start
            most = np.zeros(pairs.shape[0])
            np.maximum.at(most, line[other], pairs.data[other])
            found[start : start + _ROWS, column] = most / own[start : start + _ROWS]
            if column == 1:
                twice = other & (pairs.data >= 2)
                found[start : start + _ROWS, 0] = np.log1p(np.bincount(line[twice], minlength=pairs.shape[0]))
    return found


def spread(ratings: Ratings, labels: ArrayLike, folds: Ints) -> NDArray[np.float32]:
    """What the labels of other raters say of each: columns `SPREAD_NAMES`, float32 (raters, 6).

    Raters meet on items (seldom rated ones count more). `near` is the mean over a rater's items of the share of fakes
    among the known raters of each, drawn to the average; `near_agreeing` the same among those who gave the item a like
    rating; `far` spreads ten steps (label propagation, Zhu and Ghahramani 2002, damped by .85 as in Zhou et al. 2003);
    `worst` is the worst item; `evidence` the log number of known raters met; `taste` the log-odds that a logistic model
    of what each known rater praised and panned gives. Shares are given as distance from the overall share of fakes.

    Args:
        ratings: All of the shop.
        labels: float (raters,), 1 fake, 0 genuine, NaN unknown.
        folds: int64 (raters,), at least 0. The labels of a rater's own fold are hidden from that rater, so nobody's own
            label reaches them, not even by way of others. Unknown raters see all labels.
    """
    given = np.asarray(labels, dtype=np.float64)
    known = ~np.isnan(given)
    users, count = len(ratings.raters), (int(folds[known].max()) + 1) if known.any() else 0
    if not known.any() or not len(ratings):
        return np.zeros((users, len(SPREAD_NAMES)), dtype=np.float32)
    told = known[:, None] & (folds[:, None] != np.arange(count + 1))
    fakes = np.nan_to_num(given)[:, None] * told
    away = np.where(told, fakes - fakes.sum(axis=0) / np.maximum(told.sum(axis=0), 1), 0.0)
    reader = np.where(known, folds, count)
    lowest, highest = ratings.scale
    side = (ratings.rating > (lowest + highest) / 2).astype(np.int64)
    table = np.zeros((users, len(SPREAD_NAMES)))
    mine = np.arange(users)
    for column, node in ((0, ratings.item), (1, 2 * ratings.item + side)):
        met = _incidence(ratings.rater, node, users, 2 * len(ratings.items))
        raised = np.asarray(met.sum(axis=0), dtype=np.float64)
        rare = sp.csr_array(met * (1.0 / np.log(raised + 2.0))[None, :])
        tie = sp.csr_array(sp.diags_array(1.0 / np.maximum(rare.sum(axis=1), 1e-12)) @ rare)
        numbers = met.T @ told
        shares = (met.T @ away) / (numbers + _PRIOR)
        table[:, column] = (tie @ shares)[mine, reader]
        if column == 0:
            table[:, 2] = _far(met, tie, raised, away, told)[mine, reader]
            worst = np.full(users, -1.0)
            np.maximum.at(worst, ratings.rater, shares[ratings.item, reader[ratings.rater]])
            table[:, 3] = np.where(worst > -1.0, worst, 0.0)
            table[:, 4] = np.log1p((met @ numbers)[mine, reader])
    table[:, 5] = _taste(ratings, given, reader, count)
    return table.astype(np.float32)


def _taste(ratings: Ratings, labels: Values, reader: Ints, count: int) -> Values:
    """Log-odds by what was rated high and low, TF-IDF weighted; each fold by a model of the others: float64 (raters,)."""
    lowest, highest = ratings.scale
    node = 2 * ratings.item + (ratings.rating > (lowest + highest) / 2)
    met = _incidence(ratings.rater, node, len(ratings.raters), 2 * len(ratings.items))
    raised = met.sum(axis=0)
    shared = np.flatnonzero(raised > 1)
    found = np.zeros(len(ratings.raters))
    if not len(shared):
        return found
    rows = sp.csr_array(normalize(met[:, shared] * np.log1p(len(ratings.raters) / raised[shared])[None, :]))
    for fold in range(count + 1):
        taught = np.flatnonzero(~np.isnan(labels) & (reader != fold))
        asked = np.flatnonzero(reader == fold)
        if len(asked) and len(np.unique(labels[taught])) > 1:
            model = LogisticRegression(C=_LOOSE, max_iter=500).fit(rows[taught], labels[taught])
            found[asked] = model.decision_function(rows[asked])
    return found


def _far(met: Matrix, tie: Matrix, raised: Values, away: Values, told: NDArray[np.bool_]) -> Values:
    back = sp.csr_array(sp.diags_array(1.0 / np.maximum(raised, 1.0)) @ met.T)
    state = away
    for _ in range(_STEPS):
        state = np.where(told, away, _CARRY * (tie @ (back @ state)))
    return np.asarray(state)


def _incidence(rater: Ints, node: Ints, users: int, width: int) -> Matrix:
    """1 where a rater meets a node, float64 (users, width); repeats count once."""
    met = sp.csr_array((np.ones(len(rater)), (rater, node)), shape=(users, width))
    met.sum_duplicates()
    met.data[:] = 1.0
    return met

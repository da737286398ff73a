"""What is told of a customer at a moment, from which propensities are read: one function, offline and online.

Recency, frequency and money (RFM), trends, sessions, searches, returns, ratings, the season, how wide their interests are.
What words tell stands apart, in `text_features`, so that its gain can be measured.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import CODE, DAY, KINDS, ORDERS, Deeds, Values
from shopkeeper.records import EventKind

WINDOWS: Final = (7, 30, 90)
"""Days over which deeds are counted."""
_COUNTED: Final = {
    "looks": (EventKind.VIEW, EventKind.CLICK),
    "carts": (EventKind.CART,),
    "purchases": (EventKind.PURCHASE,),
    "returns": (EventKind.RETURN,),
    "searches": (EventKind.SEARCH,),
    "reviews": (EventKind.REVIEW,),
}
_FAR: Final = 1000.0
"""Days that stand for never."""
_HALF_LIFE: Final = 30.0
"""Days after which a word, or an item touched, counts half in the mean of vectors."""
_LAST: Final = 40
"""Items, and queries, whose vectors are averaged."""

RFM: Final = ("days_since_purchases", "ever_purchases", "money_total", "days_known")
"""Names of the features of the plain model that others have to beat."""


def propensity_features(deeds: Deeds, at: ArrayLike) -> tuple[Floats, tuple[str, ...]]:
    """Features of customers at a moment each.

    Args:
        deeds: Of n customers, all before their moments; see `Deeds.before`.
        at: float (n,), seconds since 1970.

    Returns:
        float32 (n, f), finite; and the f names.
    """
    now = np.asarray(at, dtype=np.float64)
    n, owner = len(deeds), deeds.owners
    age = (now[owner] - deeds.times) / DAY
    columns: dict[str, Values] = {}

    def count(where: NDArray[np.bool_]) -> Values:
        return np.bincount(owner[where], minlength=n).astype(np.float64)

    def newest(where: NDArray[np.bool_]) -> Values:
        return _least(owner[where], age[where], n, _FAR)

    every = np.ones(len(owner), dtype=np.bool_)
    columns["days_known"] = np.log1p(_most(owner, age, n, 0.0))
    columns["days_since_any"] = np.log1p(newest(every))
    for name, kinds in _COUNTED.items():
        mine = deeds.of(*kinds)
        columns[f"days_since_{name}"] = np.log1p(newest(mine))
        columns[f"ever_{name}"] = np.log1p(count(mine))
        for days in WINDOWS:
            columns[f"{name}_{days}"] = np.log1p(count(mine & (age <= days)))
    columns["trend"] = np.log1p(count(age <= 14)) - np.log1p(count((age > 14) & (age <= 28)))
    columns |= _visits(deeds, age, n)
    columns |= _orders(deeds, now, age, n)
    columns |= _opinions(deeds, n)
    columns["interests"], columns["distinct_categories"] = _spread(owner, deeds.categories, n)
    columns |= _clock(deeds, now, n)
    return np.stack(list(columns.values()), axis=1).astype(np.float32), tuple(columns)


def text_features(deeds: Deeds, at: ArrayLike, items: Floats, queries: Floats) -> Floats:
    """Where a customer stands among the meanings of what they lately touched and typed.

    Args:
        deeds: Of n customers, all before their moments.
        at: float (n,), seconds since 1970.
        items: float32 (rows, d), a vector for each shelf row.
        queries: float32 (q, d), a vector for each place of `Deeds.words`.

    Returns:
        float32 (n, d): the mean of both, the newer and the stronger the heavier, of length at most 1; zero where nothing
        is known. Reduce it with `reduced`.
    """
    now = np.asarray(at, dtype=np.float64)
    n, owner = len(deeds), deeds.owners
    fade = 0.5 ** ((now[owner] - deeds.times) / DAY / _HALF_LIFE)
    strength = _STRENGTHS[deeds.kinds]
    total = np.zeros((n, items.shape[1]), dtype=np.float64)
    mass = np.zeros(n)
    for places, vectors in ((deeds.items, items), (deeds.words, queries)):
        told = np.flatnonzero((places >= 0) & (places < len(vectors)))
        told = told[_rank_from_end(owner[told], n) < _LAST]
        weight = fade[told] * strength[told]
        for start in range(0, len(told), 20_000):
            part = told[start : start + 20_000]
            share = weight[start : start + 20_000]
            np.add.at(total, owner[part], vectors[places[part]] * share[:, None])
        mass += np.bincount(owner[told], weights=weight, minlength=n)
    found: Floats = (total / np.maximum(mass, 1e-12)[:, None]).astype(np.float32)
    return found


def review_features(deeds: Deeds) -> Floats:
    """How a customer's reviews feel, on average and at worst: float32 (n, 2), 0 where they wrote none."""
    n, told = len(deeds), np.isfinite(deeds.feelings)
    owner, felt = deeds.owners[told], deeds.feelings[told].astype(np.float64)
    mean = np.bincount(owner, weights=felt, minlength=n) / np.maximum(np.bincount(owner, minlength=n), 1)
    return np.stack([mean, _least(owner, felt, n, 0.0)], axis=1).astype(np.float32)


def principal(vectors: Floats, width: int) -> tuple[Floats, Floats]:
    """Centre, float32 (d,), and the `width` directions in which vectors (n, d) differ most, float32 (width, d)."""
    told = vectors[np.abs(vectors).sum(axis=1) > 0]
    if len(told) < 2:
        return np.zeros(vectors.shape[1], dtype=np.float32), np.zeros((width, vectors.shape[1]), dtype=np.float32)
    centre = told.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(np.cov((told - centre).T), hermitian=True)
    return centre.astype(np.float32), directions[: min(width, len(directions))].astype(np.float32)


def reduced(vectors: Floats, centre: Floats, directions: Floats) -> Floats:
    """Vectors (n, d) along the principal directions, float32 (n, k); customers of whom nothing is known stand in the centre."""
    known = np.abs(vectors).sum(axis=1, keepdims=True) > 0
    found: Floats = (np.where(known, vectors - centre, 0.0) @ directions.T).astype(np.float32)
    return found


def repeat_buying(deeds: Deeds, at: ArrayLike) -> tuple[Values, Values, Values, Values, Values]:
    """What `ranking.customers.lifetime` reads, one a customer, float64 (n,) each.

    Returns:
        Repeat purchases; days from the first to the last; days from the first to now; orders; mean money of an order.
        Purchases of one day are one order. Whoever never bought has 0 everywhere.
    """
    now = np.asarray(at, dtype=np.float64)
    n, owner = len(deeds), deeds.owners
    bought = np.flatnonzero(deeds.kinds == CODE[EventKind.PURCHASE])
    day = np.floor(deeds.times[bought] / DAY)
    first = np.ones(len(bought), dtype=np.bool_)
    first[1:] = (np.diff(day) != 0) | (np.diff(owner[bought]) != 0)
    orders = np.bincount(owner[bought[first]], minlength=n).astype(np.float64)
    age = (now[owner[bought]] - deeds.times[bought]) / DAY
    oldest, newest = _most(owner[bought], age, n, 0.0), _least(owner[bought], age, n, 0.0)
    money = np.bincount(owner[bought], weights=np.nan_to_num(deeds.values[bought]), minlength=n)
    repeats = np.maximum(orders - 1, 0)
    last = np.where(repeats > 0, oldest - newest, 0.0)
    return repeats, last, oldest, orders, money / np.maximum(orders, 1)


def _visits(deeds: Deeds, age: Values, n: int) -> dict[str, Values]:
    owner = deeds.owners
    begins = np.ones(len(owner), dtype=np.bool_)
    apart = np.diff(deeds.times) > DAY / 48
    same = (np.diff(deeds.sessions) == 0) & (deeds.sessions[1:] >= 0)
    begins[1:] = (np.diff(owner) != 0) | np.where(deeds.sessions[1:] >= 0, ~same, apart)
    found = {}
    for days in WINDOWS:
        found[f"visits_{days}"] = np.log1p(np.bincount(owner[begins & (age <= days)], minlength=n))
    visits = np.bincount(owner[begins], minlength=n)
    found["ever_visits"] = np.log1p(visits)
    found["deeds_a_visit"] = np.bincount(owner, minlength=n) / np.maximum(visits, 1)
    return found


def _orders(deeds: Deeds, now: Values, age: Values, n: int) -> dict[str, Values]:
    repeats, last, known, orders, money = repeat_buying(deeds, now)
    owner = deeds.owners
    bought = deeds.kinds == ORDERS[0]
    recent = bought & (age <= 30)
    gap = np.where(repeats > 0, last / np.maximum(repeats, 1), _FAR)
    waited = known - last
    returned = np.bincount(owner[deeds.kinds == ORDERS[1]], minlength=n)
    lines = np.bincount(owner[bought], minlength=n)
    return {
        "ever_orders": np.log1p(orders),
        "order_span": np.log1p(last),
        "order_age": np.log1p(known),
        "usual_gap": np.log1p(gap),
        "overdue": np.log1p(np.where(orders > 0, waited / np.maximum(gap, 1.0), 0.0)),
        "money_total": np.log1p(money * orders),
        "money_an_order": np.log1p(money),
        "money_30": np.log1p(np.bincount(owner[recent], weights=np.nan_to_num(deeds.values[recent]), minlength=n)),
        "sent_back": returned / np.maximum(lines, 1),
    }


def _opinions(deeds: Deeds, n: int) -> dict[str, Values]:
    owner = deeds.owners
    rated = (deeds.kinds == CODE[EventKind.REVIEW]) & np.isfinite(deeds.values)
    count = np.bincount(owner[rated], minlength=n)
    total = np.bincount(owner[rated], weights=deeds.values[rated], minlength=n)
    return {
        "stars": np.where(count > 0, total / np.maximum(count, 1), 4.0),
        "worst_stars": _least(owner[rated], deeds.values[rated].astype(np.float64), n, 5.0),
    }


def _spread(owner: NDArray[np.int64], codes: NDArray[np.int64], n: int) -> tuple[Values, Values]:
    """Entropy in nats of the codes of each owner, and how many different ones there are, both float64 (n,)."""
    told = codes >= 0
    width = int(codes.max(initial=0)) + 1
    pairs, counts = np.unique(owner[told] * width + codes[told], return_counts=True)
    of = pairs // width
    share = counts / np.maximum(np.bincount(of, weights=counts, minlength=n), 1)[of]
    entropy: Values = np.bincount(of, weights=-share * np.log(share), minlength=n).astype(np.float64)
    return entropy, np.bincount(of, minlength=n).astype(np.float64)


def _clock(deeds: Deeds, now: Values, n: int) -> dict[str, Values]:
    owner, total = deeds.owners, np.maximum(np.diff(deeds.indptr), 1)
    hour = deeds.times / 3600 % 24
    day = np.floor(deeds.times / DAY) % 7  # 1 January 1970 was a Thursday: 2 and 3 are the weekend
    year = 2 * np.pi * (now / DAY / 365.2425)
    week = 2 * np.pi * (now / DAY % 7 / 7)
    return {
        "evenings": np.bincount(owner[hour >= 17], minlength=n) / total,
        "weekends": np.bincount(owner[(day == 2) | (day == 3)], minlength=n) / total,
        "year_sine": np.sin(year),
        "year_cosine": np.cos(year),
        "week_sine": np.sin(week),
        "week_cosine": np.cos(week),
    }


def _least(owner: NDArray[np.int64], values: Values, n: int, nothing: float) -> Values:
    found = np.full(n, np.inf)
    np.minimum.at(found, owner, values)
    return np.where(np.isfinite(found), found, nothing)


def _most(owner: NDArray[np.int64], values: Values, n: int, nothing: float) -> Values:
    found = np.full(n, -np.inf)
    np.maximum.at(found, owner, values)
    return np.where(np.isfinite(found), found, nothing)


def _rank_from_end(owner: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """How many entries of the same owner follow each, int64 (m,); owners do not fall."""
    ends = np.cumsum(np.bincount(owner, minlength=n))
    behind: NDArray[np.int64] = ends[owner] - 1 - np.arange(len(owner))
    return behind


_WEIGHTS: Final = {EventKind.PURCHASE: 3.0, EventKind.CART: 2.0, EventKind.SEARCH: 1.5, EventKind.RETURN: 0.0}
_STRENGTHS: Final = np.array([_WEIGHTS.get(kind, 1.0) for kind in KINDS])

"""Searches that are known to be clicked as the position-based model says."""

from datetime import UTC, datetime, timedelta

import numpy as np

from shopkeeper.ranking.shown import Showing, columns
from shopkeeper.records import Event, EventKind, Impression

START = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = 10
TRUE = np.arange(1, PLACES + 1) ** -0.6


def page(request, items, clicked=(), *, session="s", query="red shoes", bought=(), minute=0):
    """The events of one search."""
    impression = Impression(
        items=tuple(items),
        positions=tuple(range(1, len(items) + 1)),
        propensities=(1.0,) * len(items),
        surface="search",
    )
    facts = {"session": session, "request": request, "time": START + timedelta(minutes=minute)}
    return [
        Event(id=f"{request}-seen", kind=EventKind.IMPRESSION, query=query, impression=impression, **facts),
        *(Event(id=f"{request}-{item}", kind=EventKind.CLICK, item=item, **facts) for item in clicked),
        *(Event(id=f"{request}-{item}-buy", kind=EventKind.PURCHASE, item=item, **facts) for item in bought),
    ]


def simulate(seed, *, queries=40, items=15, sessions=3000, rankers=1, noise=1.0):
    """Showings of sessions whose rankers order by attraction with noise; and the attraction, (queries, items)."""
    rng = np.random.default_rng(seed)
    attraction = rng.beta(1, 4, (queries, items))
    by_ranker = [
        np.argsort(-(np.log(attraction) + noise * rng.normal(size=attraction.shape)), axis=1)[:, :PLACES]
        for _ in range(rankers)
    ]
    asked = rng.integers(queries, size=sessions)
    rows = np.stack(by_ranker)[rng.integers(rankers, size=sessions), asked]
    clicks = rng.random(rows.shape) < TRUE * attraction[asked[:, None], rows]
    showings = [
        Showing(f"q{q}", f"q{q}-i{row}", place + 1, bool(clicks[s, place]), False)
        for s, q in enumerate(asked)
        for place, row in enumerate(rows[s])
    ]
    return columns(showings), attraction, (asked, rows, clicks)

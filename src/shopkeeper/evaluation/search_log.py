"""What people search for and how it ends: the event log read as searches, and the report a shop's owner acts on.

A search is one query in one session: paging, reloading and coming back to it do not make it two. What it should have been
clicked follows from where its items stood: each place has a click rate over all searches, and a query whose clicks stay
clearly below the sum of its places' rates disappoints.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from scipy.stats import poisson

from shopkeeper.evaluation.search_repairs import Refinement, Repair, Repairs
from shopkeeper.ranking.shown import query_key
from shopkeeper.records import Event, EventKind, Item
from shopkeeper.store.protocols import EventLog

KINDS: Final = (
    EventKind.SEARCH,
    EventKind.IMPRESSION,
    EventKind.CLICK,
    EventKind.VIEW,
    EventKind.CART,
    EventKind.PURCHASE,
)
_ORDERS: Final = (EventKind.CART, EventKind.PURCHASE)
_MOST_SEARCHES = 200
"""A session with more is a program."""
_PLACES = 100
"""Places told apart."""
_CHANCE = 0.01
"""A query disappoints when luck alone would give so few clicks less often than this."""
_SCHEMA: Final[dict[str, pl.DataType]] = {
    "session": pl.String(),
    "query": pl.String(),
    "typed": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "shown": pl.Int64(),
    "clicks": pl.Int64(),
    "orders": pl.Int64(),
    "expected": pl.Float64(),
    "empty": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class QueryFigures:
    """A query and how its searches ended.

    Attributes:
        query: As it was typed most often.
        searches: Sessions that searched for it.
        clicked: Share of its searches with a click, in [0, 1].
        ordered: Share of its searches after which something found was put in the basket or bought.
        clicks: Items clicked.
        expected: Items that would have been clicked if the query did as well as others at the same places.
        empty: Share of its searches that showed nothing.
        repair: What might help, None when nothing suggests itself or nothing is needed.
    """

    query: str
    searches: int
    clicked: float
    ordered: float
    clicks: int
    expected: float
    empty: float
    repair: Repair | None = None


@dataclass(frozen=True, slots=True)
class SearchReport:
    """Searches of a period.

    Attributes:
        searches: How many there were.
        queries: How many different ones.
        clicked: Share of searches with a click.
        empty: Share of searches that showed nothing; 0 where the log tells no impressions at all.
        top: The most frequent queries.
        unanswered: Queries that mostly show nothing, most frequent first.
        disappointing: Queries with clearly fewer clicks than their places would give, most clicks missing first.
        refinements: What people typed next when they had clicked nothing.
    """

    start: datetime
    end: datetime
    searches: int
    queries: int
    clicked: float
    empty: float
    top: tuple[QueryFigures, ...] = ()
    unanswered: tuple[QueryFigures, ...] = ()
    disappointing: tuple[QueryFigures, ...] = ()
    refinements: tuple[Refinement, ...] = ()


@dataclass(slots=True)
class _Search:
    """One query in one session while the log is read."""

    typed: str
    time: datetime
    asked: bool = False
    nothing: bool = False
    places: dict[str, int] = field(default_factory=dict)
    clicked: set[str] = field(default_factory=set)
    ordered: set[str] = field(default_factory=set)


def read_searches(log: EventLog, start: datetime, end: datetime) -> pl.DataFrame:
    """The searches of a period; see `searches`."""
    return searches(event for _, event in log.scan(kinds=KINDS, start=start, end=end))


def searches(events: Iterable[Event]) -> pl.DataFrame:
    """Events as searches, ordered by session and time.

    Returns:
        session, query (`query_key`), typed, time (of the first page), shown (distinct items), clicks and orders (items),
        expected (items that would be clicked at these places), empty (it was asked and nothing was shown: an impression
        without items says so, or a search without any impression).
    """
    found: dict[tuple[str, str], _Search] = {}
    page: dict[str, tuple[str, str]] = {}
    reactions: list[Event] = []
    for event in events:
        if event.kind not in (EventKind.SEARCH, EventKind.IMPRESSION):
            reactions += [event] if event.item and event.request else []
            continue
        query = query_key(event.query)
        if not query:
            continue
        key = (event.session or event.customer or event.request or event.id, query)
        search = found.setdefault(key, _Search(event.query.strip(), event.time))
        search.time = min(search.time, event.time)
        search.nothing = search.nothing or (event.impression is not None and not event.impression.items)
        search.asked = search.asked or search.nothing or event.kind is EventKind.SEARCH
        if event.request:
            page[event.request] = key
        if event.impression is not None:
            for item, place in zip(event.impression.items, event.impression.positions, strict=True):
                search.places[item] = min(place, search.places.get(item, place))
    for event in reactions:
        if event.request in page:
            search = found[page[event.request]]
            search.clicked.add(event.item)
            if event.kind in _ORDERS:
                search.ordered.add(event.item)
    return _frame(found)


def report(
    table: pl.DataFrame, start: datetime, end: datetime, items: Iterable[Item], *, limit: int = 20
) -> SearchReport:
    """What the searches of a period say.

    Args:
        table: What `searches` gave.
        start: Beginning of the period, for the record.
        end: End of the period.
        items: The catalogue, to know which words it has; read only when some query's failure is not explained.
        limit: Rows of each list at most.
    """
    if not table.height:
        return SearchReport(start, end, 0, 0, 0.0, 0.0)
    by_query = _by_query(table)
    repairs = Repairs(table)
    unanswered = by_query.filter(pl.col("empty") > 0.5).sort("searches", "query", descending=[True, False]).head(limit)
    missing = pl.col("expected") - pl.col("clicks")
    luck = np.asarray(poisson.cdf(by_query["clicks"].to_numpy(), by_query["expected"].to_numpy()))
    disappointing = (
        by_query.with_columns(pl.Series("luck", luck))
        .filter((pl.col("luck") < _CHANCE) & (pl.col("empty") <= 0.5))
        .sort(missing, "query", descending=[True, False])
        .head(limit)
    )
    found = repairs.suggest([*unanswered["query"], *disappointing["query"]], items)
    return SearchReport(
        start=start,
        end=end,
        searches=table.height,
        queries=by_query.height,
        clicked=float((table["clicks"] > 0).to_numpy().mean()),
        empty=float(table["empty"].to_numpy().mean()),
        top=_figures(by_query.sort("searches", "query", descending=[True, False]).head(limit), {}),
        unanswered=_figures(unanswered, found),
        disappointing=_figures(disappointing, found),
        refinements=repairs.refinements(limit),
    )


def _frame(found: dict[tuple[str, str], _Search]) -> pl.DataFrame:
    per_session: dict[str, int] = {}
    for session, _ in found:
        per_session[session] = per_session.get(session, 0) + 1
    kept = {key: search for key, search in found.items() if per_session[key[0]] <= _MOST_SEARCHES}
    logged = any(search.places or search.nothing for search in kept.values())
    seen, clicked = np.zeros(_PLACES), np.zeros(_PLACES)
    for search in kept.values():
        for item, place in search.places.items():
            seen[min(place, _PLACES) - 1] += 1
            clicked[min(place, _PLACES) - 1] += item in search.clicked
    rate = clicked / np.maximum(seen, 1)
    rows = [
        (
            session,
            query,
            search.typed,
            search.time,
            len(search.places),
            len(search.clicked),
            len(search.ordered),
            float(sum(rate[min(place, _PLACES) - 1] for place in search.places.values())),
            logged and search.asked and not search.places,
        )
        for (session, query), search in kept.items()
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("session", "time", "query")


def _by_query(table: pl.DataFrame) -> pl.DataFrame:
    return table.group_by("query").agg(
        pl.col("typed").mode().sort().first(),
        pl.len().alias("searches"),
        (pl.col("clicks") > 0).mean().alias("clicked"),
        (pl.col("orders") > 0).mean().alias("ordered"),
        pl.col("clicks").sum(),
        pl.col("expected").sum(),
        pl.col("empty").mean(),
    )


def _figures(rows: pl.DataFrame, repairs: dict[str, Repair]) -> tuple[QueryFigures, ...]:
    return tuple(
        QueryFigures(
            query=row["typed"],
            searches=row["searches"],
            clicked=row["clicked"],
            ordered=row["ordered"],
            clicks=row["clicks"],
            expected=row["expected"],
            empty=row["empty"],
            repair=repairs.get(row["query"]),
        )
        for row in rows.iter_rows(named=True)
    )

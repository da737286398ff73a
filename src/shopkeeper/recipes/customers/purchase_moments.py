"""Moments of decision: a customer opens an item's page. Did they buy it within the session or soon after?

The label is 1 when the same customer buys that item strictly after the moment, in the same session or within a window
of days. A customer's later looks at the item in the same session are the same moment, and moments after they already
bought it are none. What the customer did strictly before the moment becomes words; nothing else does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.splits import by_time
from shopkeeper.ranking.customers.words import KINDS, Deed, customer_words
from shopkeeper.records import EventKind, PassageKind
from shopkeeper.store.protocols import Store

DAY = 86_400.0
_LOOKS = (EventKind.VIEW.value, EventKind.CLICK.value)


@dataclass(frozen=True, slots=True)
class Moment:
    """A customer before an item, and what came of it."""

    customer: str
    item: str
    session: str
    time: float
    bought: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What one customer did, in order of time."""

    times: list[float] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)

    def before(self, time: float) -> Sequence[Deed]:
        """Everything strictly before `time`, oldest first, the last 60 deeds at most."""
        stop = bisect_left(self.times, time)
        return self.deeds[max(0, stop - 60) : stop]


@dataclass(frozen=True, slots=True)
class Period:
    """The moments of one period as a classifier reads them."""

    moments: list[Moment]
    customers: list[str]
    items: list[str]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Periods:
    """Training, validation and test, one after the other in time.

    Attributes:
        window: Days within which a purchase counts; also the gap before each border.
    """

    train: Period
    valid: Period
    test: Period
    window: float


def gather_periods(
    store: Store,
    rng: np.random.Generator,
    *,
    window: float = 7.0,
    most: tuple[int, int, int] = (12_000, 1_000, 1_500),
    seen: Mapping[str, str] | None = None,
) -> Periods:
    """Read the log, find the moments and part them by time.

    Args:
        store: Events, catalogue and reviews.
        rng: Draws moments where there are more than `most` of a period.
        window: Days within which a purchase counts; a tenth of the log's span at most.
        most: Moments of training, validation and test at most.
        seen: Item id to what its pictures show beyond its words, see `retrieval.looks.Looks.told`.

    Raises:
        TrainingError: There are no moments, or a period lacks buyers or non-buyers.
    """
    moments, pasts, window = find_moments(store, window)
    split = by_time([moment.time for moment in moments], valid=0.12, test=0.18, gap=window * DAY)
    titles = {item.id: item.title for item in store.catalogue.scan()}
    texts: dict[str, str] = {}
    periods = []
    for name, rows, limit in zip(
        ("training", "validation", "test"), (split.train, split.valid, split.test), most, strict=True
    ):
        chosen = [moments[row] for row in np.sort(rng.permutation(rows)[:limit]) if moments[row].item in titles]
        _check(name, chosen)
        missing = list({moment.item for moment in chosen} - texts.keys())
        for key, item in store.catalogue.get(missing).items():
            texts[key] = ". ".join(part for part in (item.text, (seen or {}).get(key, "")) if part)
        periods.append(_period(chosen, pasts, titles, texts))
    return Periods(periods[0], periods[1], periods[2], window)


def find_moments(store: Store, window: float) -> tuple[list[Moment], dict[str, Past], float]:
    """All moments in order of time, every customer's past, and the window in force (days)."""
    rows = _rows(store)
    if not rows:
        return [], {}, window
    window = min(window, (rows[-1][0] - rows[0][0]) / DAY / 10)
    pasts: dict[str, Past] = defaultdict(Past)
    purchases: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    looks: dict[tuple[str, str, str], float] = {}
    for time, kind, customer, session, item, words in rows:
        pasts[customer].times.append(time)
        pasts[customer].deeds.append(Deed(EventKind(kind), item, words))
        if kind == EventKind.PURCHASE:
            purchases[customer, item].append((time, session))
        elif kind in _LOOKS and item:
            looks.setdefault((customer, session, item), time)
    moments = []
    for (customer, session, item), time in looks.items():
        bought = purchases.get((customer, item), [])
        if any(when <= time for when, _ in bought):
            continue
        label = any(when <= time + window * DAY or (session and where == session) for when, where in bought)
        moments.append(Moment(customer, item, session, time, label))
    moments.sort(key=lambda moment: (moment.time, moment.customer, moment.item))
    return moments, dict(pasts), window


def _rows(store: Store) -> list[tuple[float, str, str, str, str, str]]:
    """(time, kind, customer, session, item, words) of everything that has words, in order of time."""
    frame = store.events.frame(kinds=[kind for kind in KINDS if kind is not EventKind.REVIEW])
    rows = [
        (time.timestamp(), kind, customer, session, item, query if kind == EventKind.SEARCH else "")
        for time, kind, customer, session, item, query in frame.select(
            "time", "kind", "customer", "session", "item", "query"
        ).rows()
        if customer
    ]
    for passage in store.words.scan([PassageKind.REVIEW]):
        if passage.customer and passage.time is not None:
            words = passage.text.strip()
            rows.append((passage.time.timestamp(), EventKind.REVIEW.value, passage.customer, "", passage.item, words))
    rows.sort(key=itemgetter(0))
    return rows


def _period(
    moments: list[Moment], pasts: Mapping[str, Past], titles: Mapping[str, str], texts: Mapping[str, str]
) -> Period:
    return Period(
        moments=moments,
        customers=[customer_words(pasts[moment.customer].before(moment.time), titles) for moment in moments],
        items=[texts[moment.item] for moment in moments],
        labels=np.array([moment.bought for moment in moments], dtype=np.int64),
    )


def _check(name: str, moments: Sequence[Moment]) -> None:
    where = f"purchase, {name} period"
    if not moments:
        raise TrainingError(
            "There is no customer who looks at an item.",
            where=where,
            cure="Import events with customer, item and kind view or click that cover several weeks.",
        )
    bought = sum(moment.bought for moment in moments)
    if bought in (0, len(moments)):
        raise TrainingError(
            f"All {len(moments)} looks at items have the same outcome: {bought} were followed by a purchase.",
            where=where,
            cure="Import purchases with the customers who made them."
            if not bought
            else "Import views as well, not only purchases.",
        )

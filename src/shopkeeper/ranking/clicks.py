"""How often items are clicked and ordered when they are looked at, by query and overall, as numbers for a ranker.

Place k is looked at with probability `bias[k - 1]` (`ranking.examination`). Two corrections follow, and both are here:

    rate = (clicks + prior) / (looks + prior strength),   looks = sum over showings of max(bias[place], 1 / clip)
    weight of one click = 1 / max(bias[place], 1 / clip)

The weights are what an unbiased loss multiplies clicks with (inverse propensity scoring, clipped; Joachims, Swaminathan and
Schnabel 2017, "Unbiased learning-to-rank with biased feedback"). The rates divide by the same propensities summed rather
than by each one: equally free of bias, and nearer to the truth on the same log (see tests), because one lucky click on a
low place does not count ten times. Rates have a Beta prior: an item is drawn to all items, a (query, item) to the item.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shopkeeper.ranking.shown import Ints, Showing, Sift, query_key
from shopkeeper.records import Event

Floats = NDArray[np.float64]

CLIP: Final = 10.0
"""No click counts more than this many on top."""
_ITEM_PRIOR, _PAIR_PRIOR = 20.0, 5.0
"""Looks that the rate of all items weighs against an item's own, and the item's against a pair's."""
_LOOKS, _CLICKS, _ORDERS = range(3)


class Rates(NamedTuple):
    """What clicks say of the candidates of a query; float32 (k,) each, all in [0, 1].

    Attributes:
        clicks: Share of looks for this query that end in a click.
        orders: Share of looks for this query that end in the basket or with a purchase.
        evidence: How much of the two is known from this very query: looks / (looks + 5).
        item_clicks: As `clicks`, over all queries.
        item_orders: As `orders`, over all queries.
        item_evidence: The same over all queries: looks / (looks + 20).
    """

    clicks: NDArray[np.float32]
    orders: NDArray[np.float32]
    evidence: NDArray[np.float32]
    item_clicks: NDArray[np.float32]
    item_orders: NDArray[np.float32]
    item_evidence: NDArray[np.float32]

    @property
    def table(self) -> NDArray[np.float32]:
        """All of them as columns, float32 (k, 6)."""
        return np.stack(self, axis=1)


class ClickTable:
    """Counts of looks, clicks and orders by (query, item) and by item, kept up to date event by event from any thread.

    Args:
        bias: float (places,), how often each place is looked at, in (0, 1]; lower places count as the last.
        clip: Most that a click counts against one on top.
        sessions: See `shown.Sift`.
    """

    def __init__(self, bias: NDArray[np.floating], *, clip: float = CLIP, sessions: int = 50_000) -> None:
        self._looked = np.maximum(np.asarray(bias, dtype=np.float64), 1 / clip)
        self._sift = Sift(sessions)
        self._lock = threading.Lock()
        self._pairs: dict[str, dict[str, int]] = {}
        self._items: dict[str, int] = {}
        self._by_pair, self._by_item = _Sums(), _Sums()

    def __len__(self) -> int:
        """Number of (query, item) ever shown."""
        return self._by_pair.count

    def fold(self, events: Iterable[Event]) -> None:
        """Take in events, in the order of the log; sessions' repeats and robots count as `shown` says."""
        with self._lock:
            new, gone = self._sift.fold(events)
            for showings, sign in ((new, 1.0), (gone, -1.0)):
                self._add(showings, sign)

    def rates(self, query: str, items: Sequence[str]) -> Rates:
        """What is known of `items` as answers to `query`; what was never shown has the rates of all, and no evidence.

        Args:
            query: As typed.
            items: k item ids.
        """
        with self._lock:
            pairs = self._pairs.get(query_key(query), {})
            own = self._by_pair.at(np.array([pairs.get(item, -1) for item in items], dtype=np.int64))
            total = self._by_item.at(np.array([self._items.get(item, -1) for item in items], dtype=np.int64))
            overall = self._by_item.total / max(float(self._by_item.total[_LOOKS]), 1.0)
        by_item = _drawn(total, np.broadcast_to(overall, total.shape), _ITEM_PRIOR)
        by_pair = _drawn(own, by_item, _PAIR_PRIOR)
        return Rates(
            by_pair[:, _CLICKS],
            by_pair[:, _ORDERS],
            _evidence(own, _PAIR_PRIOR),
            by_item[:, _CLICKS],
            by_item[:, _ORDERS],
            _evidence(total, _ITEM_PRIOR),
        )

    def trials(self, items: Sequence[str]) -> tuple[Floats, Floats]:
        """Clicks on each of `items` and how often it was looked at, over all queries and pages: float64 (k,) each."""
        with self._lock:
            total = self._by_item.at(np.array([self._items.get(item, -1) for item in items], dtype=np.int64))
        return total[:, _CLICKS], total[:, _LOOKS]

    def _add(self, showings: Sequence[Showing], sign: float) -> None:
        if not showings:
            return
        pairs, items = np.empty(len(showings), dtype=np.int64), np.empty(len(showings), dtype=np.int64)
        for n, showing in enumerate(showings):
            of_query = self._pairs.setdefault(showing.query, {})
            pairs[n] = of_query.setdefault(showing.item, self._by_pair.count)
            self._by_pair.count = max(self._by_pair.count, int(pairs[n]) + 1)
            items[n] = self._items.setdefault(showing.item, len(self._items))
        self._by_item.count = len(self._items)
        place = np.array([showing.place for showing in showings], dtype=np.int64)
        deeds = np.array([(1.0, showing.clicked, showing.ordered) for showing in showings]) * sign
        deeds[:, _LOOKS] *= _at(self._looked, place)
        self._by_pair.add(pairs, deeds)
        self._by_item.add(items, deeds)


def click_statistics(events: Iterable[Event], bias: NDArray[np.floating], *, clip: float = CLIP) -> ClickTable:
    """The table of a whole log.

    Args:
        events: In the order of the log.
        bias: See `ClickTable`; `examination` gives it.
        clip: See `ClickTable`.
    """
    table = ClickTable(bias, clip=clip)
    table.fold(events)
    return table


class _Sums:
    """Rows of looks, clicks and orders that grow in number."""

    def __init__(self) -> None:
        self.count = 0
        self.total = np.zeros(3)
        self._values = np.zeros((1024, 3))

    def add(self, rows: Ints, deeds: Floats) -> None:
        """Add deeds, float64 (n, 3), to rows, int64 (n,), all below `count`."""
        if self.count > len(self._values):
            grown = np.zeros((max(self.count, 2 * len(self._values)), 3))
            grown[: len(self._values)] = self._values
            self._values = grown
        np.add.at(self._values, rows, deeds)
        self.total += deeds.sum(axis=0)

    def at(self, rows: Ints) -> Floats:
        """float64 (k, 3); zeros where a row is -1."""
        return np.asarray(np.where(rows[:, None] >= 0, self._values[rows], 0.0))


def _at(looked: Floats, place: Ints) -> Floats:
    return np.asarray(looked[np.minimum(place, len(looked)) - 1])


def _drawn(counts: Floats, prior: NDArray[np.floating], strength: float) -> NDArray[np.float32]:
    """Rates of counts, float64 (k, 3), drawn to `prior`, (k, 3), as by so many looks: float32 (k, 3)."""
    rates = (counts + strength * prior) / (counts[:, [_LOOKS]] + strength)
    return np.clip(rates, 0.0, 1.0).astype(np.float32)


def _evidence(counts: Floats, strength: float) -> NDArray[np.float32]:
    looks = np.maximum(counts[:, _LOOKS], 0.0)
    return (looks / (looks + strength)).astype(np.float32)

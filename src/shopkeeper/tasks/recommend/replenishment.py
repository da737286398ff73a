"""Buy it again: when customers are likely to want once more what they bought before.

After Bhagat, Muralidharan, Lobzhanidze, Vishwanath, "Buy It Again: Modeling Repeat Purchase Recommendations" (KDD 2018):
some items are bought again and others hardly ever, whoever bought them, and what is bought again is bought about when the
last one is used up. A customer's own rhythm counts the more, the better it is known.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import polars as pl

from shopkeeper.records import Event, EventKind

_DAY: Final = 86_400.0
_BUYERS: Final = 5.0
"""Buyers that the shop's own share of repeaters weighs against an item's."""
_GAPS: Final = 1.0
"""Gaps between purchases that the item's usual one weighs against a customer's own."""
_LEAST: Final = 0.1
"""Share of buyers who buy again, below which an item is bought once."""
_EARLY, _LATE = 0.75, 3.0
"""An item is due between these shares of the expected gap; later it was replaced by another or is no longer wanted."""


class Replenishment:
    """How often items are bought again, and after how long.

    Args:
        purchases: Columns customer, item, time (UTC), as `EventLog.frame` gives them. Several on one day are one.
    """

    def __init__(self, purchases: pl.DataFrame) -> None:
        days = (
            purchases.lazy()
            .filter((pl.col("customer") != "") & (pl.col("item") != ""))
            .select("customer", "item", day=pl.col("time").dt.date())
            .unique()
            .sort("day")
        )
        pairs = days.group_by("customer", "item").agg(bought=pl.len(), gap=pl.col("day").diff().dt.total_days().mean())
        items = (
            pairs.group_by("item")
            .agg(
                buyers=pl.len(),
                repeaters=(pl.col("bought") > 1).sum(),
                gap=pl.col("gap").median(),
            )
            .collect()
        )
        buyers = int(items["buyers"].sum())
        self._usual = int(items["repeaters"].sum()) / buyers if buyers else 0.0
        self._share = {
            item: (repeaters + _BUYERS * self._usual) / (count + _BUYERS)
            for item, count, repeaters in items.select("item", "buyers", "repeaters").iter_rows()
        }
        self._gap = dict(items.select("item", "gap").drop_nulls().iter_rows())

    def due(self, past: Sequence[Event], moment: datetime) -> list[str]:
        """What one customer is likely to want again now, likeliest first.

        Args:
            past: Their purchases and returns, in any order; what was returned last is not wanted again.
            moment: The time now.
        """
        bought: defaultdict[str, list[float]] = defaultdict(list)
        for event in sorted(past, key=lambda event: event.time):
            if event.kind is EventKind.RETURN:
                bought.pop(event.item, None)
            elif event.kind is EventKind.PURCHASE and event.time <= moment:
                bought[event.item].append(event.time.timestamp() / _DAY)
        likely = {item: self._likely(item, times, moment.timestamp() / _DAY) for item, times in bought.items()}
        return sorted((item for item in likely if likely[item] > 0), key=lambda item: -likely[item])

    def _likely(self, item: str, times: Sequence[float], today: float) -> float:
        own = [later - earlier for earlier, later in pairwise(times) if later - earlier >= 0.5]
        share = max(self._share.get(item, self._usual), len(own) / (len(own) + 1))
        usual = self._gap.get(item)
        if share < _LEAST or not (own or usual):
            return 0.0
        expected = (sum(own) + _GAPS * usual) / (len(own) + _GAPS) if usual else sum(own) / len(own)
        waited = (today - times[-1]) / expected
        return share * math.exp(-abs(math.log(waited))) if _EARLY <= waited <= _LATE else 0.0

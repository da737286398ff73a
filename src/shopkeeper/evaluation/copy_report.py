"""Which of several approved texts does better: visitors who were shown each, and what they did next."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scipy.stats import binomtest

from shopkeeper.records import EventKind
from shopkeeper.store.protocols import EventLog
from shopkeeper.tasks.write.desk import stamped

AFTER: Final = timedelta(days=7)
"""A deed within this time after a text was shown counts for that text."""
_CLICKS: Final = (EventKind.CLICK, EventKind.AD_CLICK)
_ORDERS: Final = (EventKind.CART, EventKind.PURCHASE)
_SHOWN: Final = (EventKind.IMPRESSION, EventKind.AD_IMPRESSION, EventKind.VIEW)

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class VariantReport:
    """How one text did.

    Attributes:
        variant: See `write.briefs.Copy.variant`.
        visitors: Who were shown it.
        clicks: Of them, who then clicked the item.
        orders: Of them, who then put it in the basket or bought it.
        click_rate: With Wilson's 95 % interval.
        order_rate: Likewise.
        more_clicks: Click rate less that of all other variants together, with Newcombe's 95 % interval; None for a lone one.
        more_orders: The same of orders.
    """

    variant: str
    visitors: int
    clicks: int
    orders: int
    click_rate: tuple[float, Interval]
    order_rate: tuple[float, Interval]
    more_clicks: tuple[float, Interval] | None
    more_orders: tuple[float, Interval] | None


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The variants of one text of one item, by variant."""

    item: str
    kind: str
    language: str
    variants: tuple[VariantReport, ...]


@dataclass(slots=True)
class _Visitor:
    """What a visitor saw of one text, and did: variant -> when it was shown last, clicked, ordered."""

    seen: dict[str, datetime] = field(default_factory=dict)
    clicked: set[str] = field(default_factory=set)
    ordered: set[str] = field(default_factory=set)

    def did(self, moment: datetime, into: set[str]) -> None:
        """Credit a deed to the text that was shown last before it."""
        before = {name: time for name, time in self.seen.items() if time <= moment <= time + AFTER}
        if before:
            into.add(max(before, key=lambda name: before[name]))


def copy_reports(log: EventLog, start: datetime | None = None, end: datetime | None = None) -> list[CopyReport]:
    """Compare the variants that events of a period say were shown (property ``copies``, see `write.desk.stamp`).

    A visitor is a session, or a customer where there is none, and counts once a variant. Variants that were in force at
    different times are compared all the same: what else changed between is not told apart.

    Args:
        log: Of the shop.
        start: Inclusive.
        end: Exclusive.
    """
    visitors: dict[tuple[str, str, str], dict[str, _Visitor]] = defaultdict(dict)
    of_item: dict[tuple[str, str], list[_Visitor]] = defaultdict(list)
    for _, event in log.scan(kinds=[*_SHOWN, *_CLICKS, *_ORDERS], start=start, end=end):
        who = event.session or event.customer
        if not who:
            continue
        if event.kind in _SHOWN:
            for item, kind, language, variant, _ in stamped(event.properties):
                group = visitors[item, kind, language]
                if who not in group:
                    group[who] = _Visitor()
                    of_item[who, item].append(group[who])
                group[who].seen[variant] = event.time
        else:
            for visitor in of_item.get((who, event.item), ()):
                visitor.did(event.time, visitor.clicked if event.kind in _CLICKS else visitor.ordered)
    return [CopyReport(*key, _variants(group)) for key, group in sorted(visitors.items())]


def rate(hits: int, of: int) -> tuple[float, Interval]:
    """A share with Wilson's 95 % interval; (0, (0, 1)) of none."""
    if not of:
        return 0.0, (0.0, 1.0)
    found = binomtest(hits, of).proportion_ci(method="wilson")
    return hits / of, (float(found.low), float(found.high))


def difference(hits: int, of: int, others: int, of_others: int) -> tuple[float, Interval]:
    """How much one share is above another, with the 95 % interval of Newcombe's (1998) hybrid score method.

    >>> gain, (low, high) = difference(56, 70, 48, 80)
    >>> round(gain, 2), round(low, 4), round(high, 4)
    (0.2, 0.0524, 0.3339)
    """
    (one, (low, high)), (other, (other_low, other_high)) = rate(hits, of), rate(others, of_others)
    gain = one - other
    return gain, (gain - math.hypot(one - low, other_high - other), gain + math.hypot(high - one, other - other_low))


def _variants(group: Mapping[str, _Visitor]) -> tuple[VariantReport, ...]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for visitor in group.values():
        for variant in visitor.seen:
            counts[variant][0] += 1
            counts[variant][1] += variant in visitor.clicked
            counts[variant][2] += variant in visitor.ordered
    total = [sum(one[place] for one in counts.values()) for place in range(3)]
    return tuple(
        VariantReport(
            variant,
            shown,
            clicks,
            orders,
            rate(clicks, shown),
            rate(orders, shown),
            difference(clicks, shown, total[1] - clicks, total[0] - shown) if len(counts) > 1 else None,
            difference(orders, shown, total[2] - orders, total[0] - shown) if len(counts) > 1 else None,
        )
        for variant, (shown, clicks, orders) in sorted(counts.items())
    )

"""How a campaign did, counted from the log: showings, clicks, money, what was sold after a click, and what was missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import orjson
from scipy.stats import binomtest

from shopkeeper.records import Event, EventKind
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.protocols import EventLog
from shopkeeper.tasks.advertise.spend import CAMPAIGN, UNCHARGED, priced_ads

AFTER: Final = timedelta(days=7)
"""A purchase of the clicked item within this time after the click counts for the campaign of the last such click."""
LOSSES: Final = ("budget", "floor", "rank")
"""Why a campaign that might have shown did not: money spent or paced, less relevant than the page, outbid."""


@dataclass(slots=True)
class AdDay:
    """What happened on a day, UTC.

    Attributes:
        clicks: That were charged.
        spend: What they cost.
        orders: Purchases after a click, on the day of the click.
        sales: What those brought in.
        lost: Pages on which the campaign might have shown, by reason.
    """

    showings: int = 0
    clicks: int = 0
    spend: float = 0.0
    orders: int = 0
    sales: float = 0.0
    lost: Counter[str] = field(default_factory=Counter)

    def add(self, other: AdDay) -> None:
        """Count another day in."""
        self.showings += other.showings
        self.clicks += other.clicks
        self.spend += other.spend
        self.orders += other.orders
        self.sales += other.sales
        self.lost.update(other.lost)


@dataclass(frozen=True, slots=True)
class AdReport:
    """How a campaign did in a period.

    Attributes:
        clicks: That were charged.
        uncharged: Clicks that cost nothing, by reason: late, repeated, budget ...
        click_rate: Charged clicks by showing, None without showings.
        click_rate_interval: Wilson's 95 % interval of it, None without showings.
        predicted: Clicks that were predicted for the first place, by showing; None without showings.
        cost_per_click: None without clicks.
        orders: Purchases of a clicked item within seven days of the click.
        cost_per_order: None without orders.
        place: Mean place, from 1; None without showings.
        lost: Pages lost to ``budget``, ``floor`` and ``rank``; an event names at most a hundred campaigns for each.
        days: Days on which something happened, in order.
    """

    campaign: str
    currency: str
    start: datetime
    end: datetime
    showings: int
    clicks: int
    uncharged: Mapping[str, int]
    click_rate: float | None
    click_rate_interval: tuple[float, float] | None
    predicted: float | None
    spend: float
    cost_per_click: float | None
    orders: int
    sales: float
    cost_per_order: float | None
    place: float | None
    lost: Mapping[str, int]
    days: Mapping[date, AdDay]


def ad_report(log: EventLog, campaign: Campaign, start: datetime, end: datetime) -> AdReport:
    """Count a campaign's events of a period; purchases are looked for up to seven days after it.

    Args:
        log: Of the shop.
        campaign: Whose.
        start: Inclusive.
        end: Exclusive.
    """
    days: dict[date, AdDay] = {}
    places: list[int] = []
    predicted: list[float] = []
    uncharged: Counter[str] = Counter()
    clicks: list[Event] = []
    kinds = (EventKind.AD_IMPRESSION, EventKind.AD_CLICK)
    for _, event in log.scan(kinds=kinds, start=start, end=end + AFTER):
        day = event.time.astimezone(UTC).date()
        if event.kind is EventKind.AD_CLICK:
            if CAMPAIGN in event.properties:  # any other one is on no ad that was shown
                clicks.append(event)
            if event.properties.get(CAMPAIGN) != campaign.id or event.time >= end:
                continue
            if event.value is None:
                uncharged[str(event.properties.get(UNCHARGED, "unknown"))] += 1
            else:
                today = days.setdefault(day, AdDay())
                today.clicks += 1
                today.spend += event.value
        elif event.time < end:
            seen = _places(event, campaign.id)
            how = _loss(event, campaign.id)
            if seen or how:
                today = days.setdefault(day, AdDay())
                today.showings += len(seen)
                today.lost.update([how] if how else [])
            places += [place for place, _ in seen]
            predicted += [chance for _, chance in seen]
    for click, purchase in _credited(log, clicks, start, end):
        if click.properties.get(CAMPAIGN) == campaign.id and click.time < end:
            today = days.setdefault(click.time.astimezone(UTC).date(), AdDay())
            today.orders += 1
            today.sales += purchase.value or 0.0
    whole = AdDay()
    for today in days.values():
        whole.add(today)
    showings, charged, orders, spend = whole.showings, whole.clicks, whole.orders, whole.spend
    return AdReport(
        campaign=campaign.id,
        currency=campaign.currency,
        start=start,
        end=end,
        showings=showings,
        clicks=charged,
        uncharged=dict(sorted(uncharged.items())),
        click_rate=charged / showings if showings else None,
        click_rate_interval=_interval(min(charged, showings), showings) if showings else None,
        predicted=float(np.mean(predicted)) if predicted else None,
        spend=spend,
        cost_per_click=spend / charged if charged else None,
        orders=orders,
        sales=whole.sales,
        cost_per_order=spend / orders if orders else None,
        place=float(np.mean(places)) if places else None,
        lost={how: whole.lost[how] for how in LOSSES},
        days=dict(sorted(days.items())),
    )


def _interval(clicks: int, showings: int) -> tuple[float, float]:
    found = binomtest(clicks, showings).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _places(event: Event, campaign: str) -> list[tuple[int, float]]:
    """(place, predicted click chance) of the ads of a campaign on a page."""
    found = []
    for number, (item, (name, _)) in enumerate(priced_ads(event).items(), 1):
        if name == campaign and event.impression is not None:
            place = event.impression.positions[event.impression.items.index(item)]
            found.append((place, float(event.properties.get(f"click.{number}", 0.0))))
    return found


def _loss(event: Event, campaign: str) -> str:
    for how in LOSSES:
        named = event.properties.get(f"lost.{how}")
        if isinstance(named, str) and campaign in orjson.loads(named):
            return how
    return ""


def _credited(log: EventLog, clicks: Iterable[Event], start: datetime, end: datetime) -> Iterable[tuple[Event, Event]]:
    """(click, purchase): each purchase with the last click on its item before it, by the same customer or session."""
    by_buyer: dict[tuple[str, str], list[Event]] = {}
    for click in clicks:
        for who in {click.customer, click.session} - {""}:
            by_buyer.setdefault((who, click.item), []).append(click)
    if not by_buyer:
        return
    for _, purchase in log.scan(kinds=[EventKind.PURCHASE], start=start, end=end + AFTER):
        near = [
            click
            for who in {purchase.customer, purchase.session} - {""}
            for click in by_buyer.get((who, purchase.item), ())
            if purchase.time - AFTER <= click.time <= purchase.time
        ]
        if near:
            yield max(near, key=lambda click: click.time), purchase

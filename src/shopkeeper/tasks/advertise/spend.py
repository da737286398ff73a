"""What campaigns spent, folded from the log: an ad click is charged once, by the price that its page was shown with.

Every page with ads is an event ``ad_impression`` whose properties name, for the ad at place k, ``campaign.k`` and
``price.k`` (money per click). A click on it within a day is charged and carries ``value`` and ``campaign``; any other one
is kept with ``uncharged``, the reason why not. So the log alone says what is owed, and a fold from scratch gives the same.

Several processes may charge the same campaigns: each reads the log before it decides, and never charges more than is left
of a budget. What two of them decide in the same instant may pass it by one click for each process beyond the first.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Event, EventKind, Scalar
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.protocols import EventLog

Values = NDArray[np.float64]

CAMPAIGN, PRICE, UNCHARGED = "campaign", "price", "uncharged"
"""Names of properties; for the ad at place k of a page ``campaign.k`` and ``price.k``."""
LATE: Final = timedelta(days=1)
"""A click that comes later than this after its page is not charged."""
_SKEW: Final = timedelta(minutes=5)
_Span = tuple[str, date | None]  # of a campaign: a day, or all days
_KINDS: Final = (EventKind.AD_IMPRESSION, EventKind.AD_CLICK)


@dataclass(slots=True)
class _Page:
    """A page with ads: what was shown at which price, and what was charged already."""

    time: datetime
    customer: str
    session: str
    ads: dict[str, tuple[str, float]]
    charged: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Batch:
    """What earlier clicks of the same batch were charged."""

    charged: set[tuple[str, str]] = field(default_factory=set)
    taken: dict[_Span, float] = field(default_factory=dict)


class AdSpend:
    """Spend, showings and clicks of ads, kept up with the log from any thread.

    Reads the whole log of ads when it is made.

    Args:
        log: Of the shop.
        campaign: The campaign of an id as it is now, None when there is none.
    """

    def __init__(self, log: EventLog, campaign: Callable[[str], Campaign | None]) -> None:
        self._log = log
        self._campaign = campaign
        self._lock = threading.RLock()
        self._seen = 0
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._spent: defaultdict[str, defaultdict[date, float]] = defaultdict(lambda: defaultdict(float))
        self._showings: defaultdict[date, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._looks: defaultdict[str, float] = defaultdict(float)
        self._clicks: Counter[str] = Counter()
        self.refresh()

    def refresh(self) -> None:
        """Take up what was written to the log since, whoever wrote it."""
        with self._lock:
            end = self._log.position
            if end <= self._seen:
                return
            for position, event in self._log.scan(self._seen, kinds=_KINDS):
                end = max(end, position)
                self._fold(event)
            self._seen = end

    def spent(self, campaign: str, day: date | None = None) -> float:
        """Money that a campaign's clicks cost on a day, or in all."""
        with self._lock:
            days = self._spent.get(campaign)
            if days is None:
                return 0.0
            return sum(days.values()) if day is None else days.get(day, 0.0)

    def left(self, campaign: Campaign, day: date) -> float:
        """Money that a campaign may still spend on a day; infinite without budgets, never below 0."""
        return max(0.0, self._left(campaign, day, {}))

    def plan(self, campaign: Campaign, day: date) -> tuple[float, float]:
        """What a campaign may spend on a day as it stood in the morning, infinite without a daily budget, and did so far."""
        with self._lock:
            today = self.spent(campaign.id, day)
            if campaign.daily_budget is None:
                return math.inf, today
            rest = math.inf
            if campaign.total_budget is not None:
                rest = max(0.0, campaign.total_budget - self.spent(campaign.id) + today)
            return min(campaign.daily_budget, rest), today

    def shown(self, campaign: str, who: str, day: date) -> int:
        """How often a campaign was shown to a customer, or else in a session, on a day (today or yesterday)."""
        with self._lock:
            return self._showings[day][campaign, who] if day in self._showings else 0

    def trials(self, items: Sequence[str]) -> tuple[Values, Values]:
        """Clicks on each item's ads, and showings by how often their place is looked at: float64 (n,) each."""
        with self._lock:
            clicks = [self._clicks[item] for item in items]
            looks = [self._looks.get(item, 0.0) for item in items]
        return np.array(clicks, dtype=np.float64), np.array(looks, dtype=np.float64)

    def forget(self, customer: str) -> None:
        """Let go of what a customer was shown; what was spent on them stays spent."""
        with self._lock:
            for counts in self._showings.values():
                for key in [key for key in counts if key[1] == customer]:
                    del counts[key]
            for page in self._pages.values():
                if page.customer == customer:
                    page.customer = page.session = ""

    @contextmanager
    def charging(self, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
        """The events with every ad click priced by this shop, whatever it claimed; write them before the block ends.

        Clicks of this process wait for each other, so that no two of them take the same money.
        """
        if not any(event.kind is EventKind.AD_CLICK for event in events):
            yield events
            return
        with self._lock:
            self.refresh()
            batch = _Batch()
            yield [self._priced(event, batch) for event in events]
            self.refresh()

    def _priced(self, event: Event, batch: _Batch) -> Event:
        if event.kind is not EventKind.AD_CLICK:
            return event
        own = {name: value for name, value in event.properties.items() if not _reserved(name)}
        page = self._pages.get(event.request)
        ad = page.ads.get(event.item) if page else None
        if page is None or ad is None:
            return replace(event, value=None, properties={**own, UNCHARGED: "unknown"})
        name, price = ad
        key = (event.request, event.item)
        reason = _doubt(event, page) or ("repeated" if event.item in page.charged or key in batch.charged else "")
        campaign = self._campaign(name)
        day = event.time.astimezone(UTC).date()
        amount = 0.0
        if not reason and campaign is not None:
            amount = min(price, self._left(campaign, day, batch.taken))
        if not reason and amount <= 0:
            reason = "removed" if campaign is None else "budget"
        if reason:
            return replace(event, value=None, properties={**own, CAMPAIGN: name, UNCHARGED: reason})
        batch.charged.add(key)
        for span in (day, None):
            batch.taken[name, span] = batch.taken.get((name, span), 0.0) + amount
        return replace(event, value=amount, properties={**own, CAMPAIGN: name})

    def _left(self, campaign: Campaign, day: date, taken: Mapping[_Span, float]) -> float:
        """What is left of both budgets beside what is being taken."""
        limits = ((day, campaign.daily_budget), (None, campaign.total_budget))
        return min(
            (
                budget - self.spent(campaign.id, span) - taken.get((campaign.id, span), 0.0)
                for span, budget in limits
                if budget is not None
            ),
            default=math.inf,
        )

    def _fold(self, event: Event) -> None:
        day = event.time.astimezone(UTC).date()
        if event.kind is EventKind.AD_CLICK:
            name = event.properties.get(CAMPAIGN)
            if event.value is not None and isinstance(name, str):
                self._spent[name][day] += event.value
                self._clicks[event.item] += 1
                if (page := self._pages.get(event.request)) is not None:
                    page.charged.add(event.item)
            return
        ads = priced_ads(event)
        if not ads:
            return
        assert event.impression is not None
        who = event.customer or event.session
        places = dict(zip(event.impression.items, event.impression.positions, strict=True))
        for item, (name, _) in ads.items():
            self._looks[item] += looked_at(places[item])
            if who:
                self._showings[day][name, who] += 1
        page = self._pages.setdefault(event.request, _Page(event.time, event.customer, event.session, {}))
        page.ads |= ads  # a request that is sent again keeps what was charged
        self._drop(event.time)

    def _drop(self, time: datetime) -> None:
        """Let go of pages whose clicks come too late, and of showings before yesterday."""
        while self._pages and next(iter(self._pages.values())).time < time - LATE - 2 * _SKEW:
            self._pages.popitem(last=False)
        limit = time.astimezone(UTC).date() - timedelta(days=1)
        for day in [day for day in self._showings if day < limit]:
            del self._showings[day]


def priced_ads(event: Event) -> dict[str, tuple[str, float]]:
    """Item -> (campaign, price per click) of a page with ads; empty for any other event."""
    found: dict[str, tuple[str, float]] = {}
    if event.kind is EventKind.AD_IMPRESSION and event.impression is not None:
        for place, item in enumerate(event.impression.items, 1):
            name, price = event.properties.get(f"{CAMPAIGN}.{place}"), event.properties.get(f"{PRICE}.{place}")
            if isinstance(name, str) and isinstance(price, int | float):
                found[item] = (name, float(price))
    return found


def unpriced(event: Event) -> Event:
    """An event from outside without what only the shop may say of ads: campaigns, prices, charges."""
    if event.kind not in _KINDS:
        return event
    kept: dict[str, Scalar] = {name: value for name, value in event.properties.items() if not _reserved(name)}
    return replace(event, value=None, properties=kept)


def looked_at(place: int) -> float:
    """How often the ad at a place, from 1, is looked at against the first: the discount of DCG, 1 / log2(1 + place)."""
    return float(1 / np.log2(1 + place))


def _reserved(name: str) -> bool:
    return name.partition(".")[0] in (CAMPAIGN, PRICE, UNCHARGED)


def _doubt(event: Event, page: _Page) -> str:
    """Why a click on a page that was shown is not charged; empty where it is sound."""
    if event.time < page.time - _SKEW:
        return "clock"
    if event.time > page.time + LATE:
        return "late"
    other = page.session and event.session and page.session != event.session
    if other and (not page.customer or page.customer != event.customer):
        return "visitor"
    return ""

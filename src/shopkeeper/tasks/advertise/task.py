"""Sponsored places beside an answer: who may stand there, what a click costs, and never at the page's expense.

Campaigns whose conditions hold -> items that this customer may see and the page does not show yet -> those at least as
relevant as the page's own -> predicted clicks, drawn from what an ad's own clicks leave possible -> bids paced through the
day -> the auction. The organic answer is only looked at, never changed.
"""

from __future__ import annotations

import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

import numpy as np

from shopkeeper.models.registry import Registry
from shopkeeper.models.text import unit
from shopkeeper.ranking.ads.features import Moment, taste_of
from shopkeeper.ranking.ads.pacing import Traffic, multipliers
from shopkeeper.records import Answer, Customer, Event, EventKind, Hit, Request, now
from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.hybrid import HybridIndex, fuse
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.settings import AdSettings
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.protocols import EventLog, Store
from shopkeeper.tasks.advertise.answers import AdAnswer, Placed, sponsored
from shopkeeper.tasks.advertise.auction import Bidders, sold
from shopkeeper.tasks.advertise.chances import TASK, AdChances
from shopkeeper.tasks.advertise.spend import AdSpend
from shopkeeper.tasks.advertise.targeting import Adbook, currency_of
from shopkeeper.tasks.floor import Floor
from shopkeeper.tasks.search.answers import SearchAnswer
from shopkeeper.tasks.search.scope import both
from shopkeeper.trust.auctions import Mechanism

ORGANIC: Final = 4
"""Items that a page shows for each ad at least."""
_CANDIDATES = 200
"""Ads whose clicks are predicted, the best by bid and relevance."""
_NAMED = 100
"""Campaigns that an event names at most for each way to lose."""
_PAST = 50
_LATELY = timedelta(days=28)


class AdvertiseTask:
    """Answers requests with sponsored places.

    Args:
        shelf: The items, kept up to date by whoever owns it.
        index: Of the same rows; says how relevant they are.
        chances: Predicts clicks and conversions. Assign a newer one at any time.
        spend: What campaigns spent and showed.
        settings: See `settings.AdSettings`.
        traffic: How a day's pages are spread over it, UTC; None learns it from the log once there is a campaign.
        recent: Latest events of a customer or session, newest last.
        customer: Attributes that campaigns may ask for.
        encode: The vector of a query, best one that remembers what the search has just encoded; None asks the index.
        vetoed: Rows that must not be shown to whoever asks, by rules or by their own wish.
        model: Name and version, for impressions.
    """

    def __init__(
        self,
        shelf: Shelf,
        index: HybridIndex,
        chances: AdChances,
        spend: AdSpend,
        settings: AdSettings,
        *,
        traffic: Traffic | None = None,
        recent: Callable[[str, str, int], Sequence[Event]] = lambda _customer, _session, _limit: (),
        customer: Callable[[str], Customer | None] = lambda _: None,
        encode: Callable[[str], Floats] | None = None,
        vetoed: Callable[[Request], Rows] = lambda _: np.zeros(0, dtype=np.int64),
        model: str = "ads",
    ) -> None:
        self.shelf = shelf
        self.index = index
        self.chances = chances
        self.spend = spend
        self.settings = settings
        self.traffic = traffic
        self.book = Adbook()
        self.model = model
        self._mechanism = Mechanism(settings.mechanism)
        self._recent = recent
        self._customer = customer
        self._encode = encode or index.encode
        self._vetoed = vetoed
        self._version = 0

    def refresh(self, store: Store) -> None:
        """Take up campaigns when they changed, and what happened since, where there is anything to advertise."""
        if (version := store.campaigns.version) != self._version:
            self.book = Adbook(store.campaigns.scan())
            self._version = version
        if self.book.campaigns:
            self.traffic = self.traffic or _traffic(store.events)
            start = None if self.chances.position else now() - _LATELY
            end = store.events.position
            self.chances.fold(self._since(store.events, start))
            self.chances.position = max(self.chances.position, end)

    def answer(self, request: Request, organic: Answer) -> AdAnswer:
        """Sponsored places for a page: at most one for every four items that the page shows, none that it shows already.

        Args:
            request: What the page was asked for.
            organic: What the page shows.
        """
        began = time.perf_counter()
        places = min(self.settings.places, len(organic.hits) // ORGANIC)
        currency = currency_of(organic, self.shelf)
        known = self._customer(request.customer) if request.customer else None
        running = self.book.running(request, organic, known, self.shelf) if places and self.settings.enabled else []
        running = [campaign for campaign in running if campaign.currency == currency]
        lost: defaultdict[str, list[str]] = defaultdict(list)
        placed: list[Placed] = []
        if running:
            past = self._recent(request.customer, request.session, _PAST) if request.customer or request.session else ()
            bidders = self._bidding(running, request, self._allowed(request, organic, past), lost)
            moment = self._moment(request, organic, past)
            bidders = self._relevant(bidders, moment, organic, lost)
            if len(bidders.rows):
                placed = sold(
                    bidders,
                    partial(self.chances.chances, moment=moment),
                    self.spend,
                    self.shelf,
                    mechanism=self._mechanism,
                    places=places,
                    reserve=self.settings.reserve,
                    page=request.id,
                )
            lost["rank"] += sorted({owner.id for owner in bidders.owners} - {ad.campaign for ad in placed})
        hits = tuple(
            Hit(item=ad.item, score=1 / place, propensity=ad.propensity, reasons=(sponsored(ad.advertiser),))
            for place, ad in enumerate(placed, 1)
        )
        return AdAnswer(
            request=request,
            hits=hits,
            total=len(hits),
            model=f"{self.model}/{self._mechanism.value}",
            seconds=time.perf_counter() - began,
            placed=tuple(placed),
            lost={how: _some(names, request.id) for how, names in lost.items() if names},
            currency=currency,
        )

    def _since(self, log: EventLog, start: datetime | None) -> Iterator[Event]:
        """What stands in the log behind the position up to which chances counted."""
        for position, event in log.scan(self.chances.position, start=start):
            yield event
            self.chances.position = position

    def _allowed(self, request: Request, organic: Answer, past: Sequence[Event]) -> Mask:
        """Bool (rows,): what this customer may see and the page does not show."""
        chosen = both(request.filters, organic.read.filters) if isinstance(organic, SearchAnswer) else request.filters
        mask = self.shelf.allowed(chosen)
        width = len(mask)
        mask &= self.shelf.showable()[:width]
        dismissed = [event.item for event in past if event.kind is EventKind.DISMISS]
        away = self.shelf.rows([*(hit.item for hit in organic.hits), *request.items, *dismissed])
        for rows in (away, self._vetoed(request)):
            mask[rows[rows < width]] = False
        return mask

    def _bidding(
        self, running: Sequence[Campaign], request: Request, mask: Mask, lost: defaultdict[str, list[str]]
    ) -> Bidders:
        """The ads of campaigns that have money left and did not show too often."""
        self.spend.refresh()
        day, who = request.time.date(), request.customer or request.session
        hour = request.time.hour + request.time.minute / 60 + request.time.second / 3600
        rows, bids = [], []
        for campaign, pace in zip(running, self._paces(running, day, hour), strict=True):
            if campaign.daily_cap is not None and self.spend.shown(campaign.id, who, day) >= campaign.daily_cap:
                continue
            own = self.shelf.rows(campaign.items)
            own = own[own < len(mask)]
            own = own[mask[own]]
            if not len(own):
                continue
            if pace <= 0 or self.spend.left(campaign, day) <= 0:
                lost["budget"].append(campaign.id)
                continue
            rows.append(own)
            bids += [(campaign, campaign.bid * pace)] * len(own)
        every = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
        return Bidders(every, [campaign for campaign, _ in bids], np.array([bid for _, bid in bids], dtype=np.float64))

    def _paces(self, running: Sequence[Campaign], day: date, hour: float) -> list[float]:
        """What bids are multiplied with, so that the day's money lasts for the day."""
        plans = [self.spend.plan(campaign, day) for campaign in running]
        found: list[float] = multipliers(
            [budget for budget, _ in plans], [spent for _, spent in plans], hour, self.traffic or Traffic.even()
        ).tolist()
        return found

    def _moment(self, request: Request, organic: Answer, past: Sequence[Event]) -> Moment:
        vectors = self.index.vectors
        query = organic.read.words if isinstance(organic, SearchAnswer) else request.query
        taste, rows = taste_of(past, self.shelf, vectors)
        focus = self.shelf.rows(request.items)
        return Moment(
            query=query,
            words=self._encode(query) if query else None,
            taste=taste,
            focus=unit(vectors.vectors(focus).mean(axis=0, keepdims=True))[0] if len(focus) else None,
            surface=request.surface,
            hour=request.time.hour,
            weekday=request.time.weekday(),
            language=request.language,
            past=rows,
            time=request.time.timestamp(),
        )

    def _relevant(
        self, bidders: Bidders, moment: Moment, organic: Answer, lost: defaultdict[str, list[str]]
    ) -> Bidders:
        """The ads that answer the page at least as well as the given share of what it shows."""
        if not len(bidders.rows):
            return bidders
        page = self.shelf.rows(hit.item for hit in organic.hits)
        rows, same = np.unique(np.concatenate([page, bidders.rows]), return_inverse=True)
        relevance = self._relevance(rows, moment, page)[same]
        floor, own = np.quantile(relevance[: len(page)], self.settings.floor), relevance[len(page) :]
        passing = np.flatnonzero(own >= floor)
        kept = {bidders.owners[place].id for place in passing.tolist()}
        lost["floor"] += sorted({owner.id for owner in bidders.owners} - kept)
        if len(passing) > _CANDIDATES:
            worth = bidders.bids[passing] * np.maximum(own[passing], 0)
            passing = passing[np.argpartition(-worth, _CANDIDATES)[:_CANDIDATES]]
        return bidders.at(passing)

    def _relevance(self, rows: Rows, moment: Moment, page: Rows) -> Floats:
        """How well rows answer the words of a page, else suit the item it is about, the customer, or what it shows."""
        vectors = self.index.vectors
        if moment.words is not None:
            words = self.index.lexical.scores(moment.query, rows)
            found = fuse(rows, words, vectors.scores(moment.words, rows), self.index.fusion.words)
            return found.scores[np.argsort(found.rows)]
        near = next((vector for vector in (moment.focus, moment.taste) if vector is not None), None)
        return vectors.scores(vectors.vectors(page).mean(axis=0) if near is None else near, rows)


def _some(names: Sequence[str], page: str) -> tuple[str, ...]:
    """As many names as an event holds, drawn by lot where there are more."""
    if len(names) <= _NAMED:
        return tuple(names)
    drawn = np.random.default_rng(zlib.crc32(page.encode())).choice(len(names), _NAMED, replace=False)
    return tuple(names[place] for place in drawn.tolist())


def advertising(
    floor: Floor,
    registry: Registry,
    spend: AdSpend,
    recent: Callable[[str, str, int], Sequence[Event]],
) -> AdvertiseTask:
    """The task over one state of the shop, with its campaigns."""
    bundle, vectors, trust = registry.live(TASK), floor.index.vectors, floor.trust.weight
    task = AdvertiseTask(
        floor.shelf,
        floor.index,
        AdChances.load(bundle, floor.shelf, vectors, trust) if bundle else AdChances.prior(floor.shelf, vectors, trust),
        spend,
        floor.settings.ads,
        recent=recent,
        customer=floor.segments.customer,
        encode=floor.search.finder.vector,
        vetoed=floor.recommend.forbidden,
        model=floor.version,
    )
    task.refresh(floor.store)
    return task


def _traffic(log: EventLog) -> Traffic:
    """Learnt from what customers looked at and searched for lately."""
    frame = log.frame(kinds=[EventKind.VIEW, EventKind.SEARCH], start=now() - _LATELY)
    hours = frame["time"].dt.hour().to_numpy() + frame["time"].dt.minute().to_numpy() / 60
    return Traffic.learnt(hours)

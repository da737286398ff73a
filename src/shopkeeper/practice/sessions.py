"""Lives through the days of the practice shop and writes down what its log would hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper import progress
from shopkeeper.practice.behaviour import GRADE_PULL, Behaviour, examination
from shopkeeper.practice.goods import Floats, Ints, opaque
from shopkeeper.practice.queries import Grader, Query, phrase
from shopkeeper.practice.reviews import review_of, stars_of
from shopkeeper.practice.shopfront import POLICY, Page, Popularity, WordSearch, best, show
from shopkeeper.practice.vocabulary import LANGUAGES, Vocabulary
from shopkeeper.records import Event, EventKind, Impression, Item, Passage, PassageKind, Scalar

SESSIONS_PER_CUSTOMER = 7.0
PLACES = {"home": 12, "search": 12, "product": 4}
NEW_DAYS = 14.0


@dataclass(slots=True)
class Log:
    """What was written down, in the order in which it was simulated."""

    events: list[Event] = field(default_factory=list)
    drafts: list[dict[str, Any]] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)


@dataclass(slots=True)
class _Visit:
    """One session in progress."""

    id: str
    customer: int
    day: float
    language: int
    opened: dict[int, float] = field(default_factory=dict)  # item row -> how well it answered the need
    carted: list[int] = field(default_factory=list)

    def pause(self, rng: np.random.Generator, seconds: float) -> None:
        self.day += float(rng.gamma(1.5, seconds / 1.5) + 1.0) / 86_400.0


class Simulation:
    """Customers come, search, browse, buy, return and review, in order of time."""

    def __init__(self, words: Vocabulary, behaviour: Behaviour, items: tuple[Item, ...], days: int, seed: int) -> None:
        self._words = words
        self._behaviour = behaviour
        self._goods = behaviour.goods
        self._days = days
        self._seed = seed
        self._rng = np.random.default_rng([seed, 5])
        self._search = WordSearch(items)
        self._popular = Popularity(behaviour.goods)
        self._grader = Grader(behaviour.goods, behaviour.world.near)
        self._languages = [behaviour.goods.language == code for code in range(2)]
        self._of_type = {int(kind): behaviour.goods.type == kind for kind in np.unique(behaviour.goods.type)}
        self._wants: list[list[tuple[int, float, float, float]]] = [[] for _ in behaviour.tastes.ids]
        # Which range of the shop each type belongs to, and what each customer opened lately.
        keys = [kind.range.key for kind in words.types]
        self._families = np.array([sorted(set(keys)).index(key) for key in keys])
        self._recent: list[list[int]] = [[] for _ in behaviour.tastes.ids]
        self.log = Log()

    def run(self) -> Log:
        """Simulate the whole window; events come out ordered by time."""
        customers, begins = self._visits()
        for number in progress.track(range(len(begins)), "practice: sessions", len(begins), "sessions"):
            self._session(number, int(customers[number]), float(begins[number]))
        end = self._time(float(self._days))
        drafts = sorted((draft for draft in self.log.drafts if draft["time"] < end), key=itemgetter("time"))
        self.log.events = [Event(id=opaque("event", self._seed, n, 16), **draft) for n, draft in enumerate(drafts)]
        self.log.drafts.clear()
        self.log.passages = [p for p in self.log.passages if p.time is not None and p.time < end]
        return self.log

    # --- when -------------------------------------------------------------------------------------------------

    def _visits(self) -> tuple[Ints, Floats]:
        """(customer, day) of every session, ordered by time: evenings and weekends are busier."""
        rng, tastes = self._rng, self._behaviour.tastes
        first = np.clip(tastes.created, 0.0, None)
        share = (self._days - first) / self._days
        counts = rng.poisson(
            SESSIONS_PER_CUSTOMER * tastes.activity / tastes.activity.mean() * share * self._days / 120.0
        )
        customers = np.repeat(np.arange(len(tastes.ids)), counts)
        days = first[customers] + rng.random(len(customers)) * (self._days - first[customers])
        weekday = (np.floor(days).astype(np.int64) + self._behaviour.start.weekday()) % 7
        days = np.where((weekday < 5) & (rng.random(len(days)) < 0.12), days + (5 - weekday), days)
        hours = np.clip(rng.normal(19.0, 3.4, len(days)) - 8.0 * (rng.random(len(days)) < 0.35), 0.0, 23.7)
        days = np.floor(days) + hours / 24.0
        keep = (days < self._days - 0.05) & (days >= first[customers])
        customers, days = customers[keep], days[keep]
        order = np.argsort(days, kind="stable")
        return customers[order], days[order]

    def _time(self, day: float) -> datetime:
        return self._behaviour.start + timedelta(milliseconds=round(day * 86_400_000))

    # --- one session ------------------------------------------------------------------------------------------

    def _session(self, number: int, customer: int, day: float) -> None:
        rng, tastes = self._rng, self._behaviour.tastes
        visit = _Visit(opaque("session", self._seed, number), customer, day, int(tastes.language[customer]))
        need = self._need(customer, day)
        searching = rng.random() < 0.62
        if not searching or rng.random() < 0.3:
            self._home(visit)
        if searching:
            self._search_for(visit, need)
            if rng.random() < 0.15:
                self._search_for(visit, self._need(customer, visit.day))
        self._pay(visit)

    def _need(self, customer: int, day: float) -> int:
        """The type that this visit is about; what was bought lately calls for its complements and refills."""
        weights = self._behaviour.needs(customer, day)
        self._wants[customer] = [want for want in self._wants[customer] if day < want[2]]
        for kind, since, _, strength in self._wants[customer]:
            if day >= since:
                weights[kind] += strength
        return int(self._rng.choice(len(weights), p=weights / weights.sum()))

    def _home(self, visit: _Visit) -> None:
        rows = self._recent[visit.customer][-8:]
        interest = (
            np.bincount(self._goods.type[rows], minlength=len(self._families))
            if rows
            else np.zeros(len(self._families))
        )
        shelf = np.bincount(self._families, weights=interest)[self._families]
        scores = 0.5 * self._popular.level(visit.day) + 0.7 * np.minimum(shelf, 2.0)[self._goods.type]
        scores = scores + self._rng.normal(0.0, 1.1, len(scores))
        scores = scores + 0.8 * (visit.day - self._goods.created < NEW_DAYS)
        page = self._show(scores, "home", visit)
        pull = self._behaviour.need_pull(visit.customer, page.rows, visit.day)
        self._look(visit, page, pull - 0.4, "home", None)

    def _search_for(self, visit: _Visit, need: int) -> None:
        """Search for a type; when nothing fits, often once more in plainer words."""
        target = self._target(visit, need)
        for attempt in range(3):
            query = phrase(self._words, self._goods, target, self._rng, plain=attempt == 2)
            if self._ask(visit, query):
                return
            if self._rng.random() > 0.65:
                return

    def _target(self, visit: _Visit, need: int) -> int:
        """An item that the customer would like: what the wishes in the query come from."""
        rows = np.flatnonzero(self._of_type[need] & self._languages[visit.language])
        liking = self._behaviour.liking(visit.customer, rows, visit.day)
        weights = np.exp(liking - liking.max())
        return int(self._rng.choice(rows, p=weights / weights.sum()))

    def _ask(self, visit: _Visit, query: Query) -> bool:
        self.log.queries.append(query)
        request = opaque("request", self._seed, len(self.log.queries), 16)
        self._write(visit, EventKind.SEARCH, query=query.text, request=request)
        matched = self._search.scores(query.text)
        matched = matched + 1.5 * self._languages[visit.language] + 0.25 * self._popular.level(visit.day)
        matched = matched + self._rng.normal(0.0, 0.4, len(matched))
        page = self._show(matched, "search", visit)
        grades = self._grader.grades(query.intent)[page.rows]
        return self._look(visit, page, GRADE_PULL[grades], "search", (query.text, request))

    def _show(self, scores: Floats, surface: str, visit: _Visit) -> Page:
        places = PLACES[surface]
        allowed = self._goods.on_sale(visit.day)
        masked = np.where(allowed, scores - 50.0 * (surface == "home") * ~self._languages[visit.language], -np.inf)
        return show(best(masked, 2 * places), places, self._rng)

    def _look(
        self, visit: _Visit, page: Page, pull: NDArray[np.float64], surface: str, asked: tuple[str, str] | None
    ) -> bool:
        """Show a page, let the customer look, click and open; True when something fitting was clicked."""
        text, request = asked or ("", opaque("page", self._seed, len(self.log.drafts), 16))
        ids = self._goods.ids
        positions = np.arange(1, len(page.rows) + 1)
        impression = Impression(
            items=tuple(ids[row] for row in page.rows),
            positions=tuple(int(place) for place in positions),
            propensities=tuple(float(value) for value in page.propensities),
            model=POLICY,
            surface=surface,
        )
        visit.pause(self._rng, 1.0)
        self._write(visit, EventKind.IMPRESSION, query=text, request=request, impression=impression)
        chance = examination(positions) * self._behaviour.attraction(visit.customer, page.rows, visit.day, pull)
        found = False
        for place in np.flatnonzero(self._rng.random(len(chance)) < chance):
            row = int(page.rows[place])
            if row in visit.opened:
                continue
            found = found or float(pull[place]) > 0.0
            visit.pause(self._rng, 12.0)
            self._write(visit, EventKind.CLICK, row, query=text, request=request)
            self._open(visit, row, float(pull[place]), surface)
        return found

    def _open(self, visit: _Visit, row: int, pull: float, surface: str) -> None:
        rng = self._rng
        visit.opened[row] = pull
        self._recent[visit.customer].append(row)
        visit.pause(rng, 1.0)
        self._write(visit, EventKind.VIEW, row, properties={"surface": surface})
        self._popular.add(row, 1.0, visit.day)
        visit.pause(rng, 35.0)
        chance = float(self._behaviour.conversion(visit.customer, np.array([row]), visit.day, np.array([pull]))[0])
        if rng.random() < min(1.0, 1.25 * chance):
            self._write(visit, EventKind.CART, row)
            if rng.random() < 0.8:
                visit.carted.append(row)
            elif rng.random() < 0.5:
                visit.pause(rng, 20.0)
                self._write(visit, EventKind.UNCART, row)
        elif rng.random() < 0.04:
            self._write(visit, EventKind.LIKE, row)
        elif rng.random() < 0.01:
            self._write(visit, EventKind.SHARE, row)
        if surface != "product" and rng.random() < 0.3:
            self._panel(visit, row)

    def _panel(self, visit: _Visit, row: int) -> None:
        """The strip on a product page: popular items of the same type and of its complements."""
        kind = int(self._goods.type[row])
        related = 6.0 * self._of_type[kind] + 5.0 * (self._behaviour.world.partners[kind][self._goods.type] > 0)
        scores = related + 0.5 * self._popular.level(visit.day) + 4.0 * self._languages[visit.language]
        scores = scores + self._rng.normal(0.0, 0.7, len(scores))
        scores[row] = -40.0
        page = self._show(scores, "product", visit)
        pull = self._behaviour.need_pull(visit.customer, page.rows, visit.day)
        pull = np.where(self._goods.type[page.rows] == kind, np.maximum(pull, visit.opened[row] - 0.3), pull)
        self._look(visit, page, pull - 0.2, "product", None)

    # --- paying and after -------------------------------------------------------------------------------------

    def _pay(self, visit: _Visit) -> None:
        rng, goods = self._rng, self._goods
        kinds: set[int] = set()
        for row in visit.carted:
            kind = int(goods.type[row])
            # One sofa a visit: of several carted of one type, the first is kept.
            if kind in kinds or not goods.on_sale(visit.day)[row]:
                continue
            kinds.add(kind)
            refill = self._behaviour.world.again[kind] > 0
            quantity = 1 + int(refill and rng.random() < 0.3)
            visit.pause(rng, 60.0)
            value = round(quantity * float(goods.price[row]), 2)
            currency = ("USD", "CNY")[int(goods.language[row])]
            self._write(
                visit, EventKind.PURCHASE, row, value=value, quantity=quantity, properties={"currency": currency}
            )
            self._popular.add(row, 3.0, visit.day)
            self._call_for(visit, kind)
            self._after(visit, row, value)

    def _call_for(self, visit: _Visit, kind: int) -> None:
        """What a purchase makes necessary: complements within three weeks, refills when it is used up."""
        world, wants = self._behaviour.world, self._wants[visit.customer]
        for other in np.flatnonzero(world.partners[kind]):
            wants.append((int(other), visit.day, visit.day + 25.0, 0.5 * float(world.partners[kind, other])))
        again = float(world.again[kind])
        if again:
            since = visit.day + again * float(self._rng.uniform(0.7, 1.2))
            wants.append((kind, since, since + 25.0, 0.7))

    def _after(self, visit: _Visit, row: int, value: float) -> None:
        rng = self._rng
        content = self._behaviour.satisfaction(visit.customer, row, visit.day)
        arrived = _later(visit, visit.day + float(rng.uniform(2.0, 5.0)))
        if rng.random() < 0.03 + 0.3 / (1.0 + np.exp(2.2 * (content + 1.3))):
            later = _later(arrived, arrived.day + float(rng.uniform(0.5, 9.0)))
            self._write(later, EventKind.RETURN, row, value=value)
        if rng.random() < 0.32:
            later = _later(arrived, arrived.day + float(rng.uniform(0.2, 12.0)))
            self._review(later, row, stars_of(content, rng))

    def _review(self, visit: _Visit, row: int, stars: int) -> None:
        goods, tastes = self._goods, self._behaviour.tastes
        passage = Passage(
            id=opaque("passage", self._seed, len(self.log.passages), 12),
            kind=PassageKind.REVIEW,
            text=review_of(self._words, goods, row, stars, self._rng),
            item=goods.ids[row],
            customer=tastes.ids[visit.customer],
            time=self._time(visit.day),
            rating=float(stars),
            language=LANGUAGES[int(goods.language[row])],
        )
        self.log.passages.append(passage)
        self._write(visit, EventKind.REVIEW, row, value=float(stars), properties={"passage": passage.id})

    def _write(
        self,
        visit: _Visit,
        kind: EventKind,
        row: int = -1,
        *,
        query: str = "",
        request: str = "",
        value: float | None = None,
        quantity: int = 1,
        impression: Impression | None = None,
        properties: dict[str, Scalar] | None = None,
    ) -> None:
        self.log.drafts.append(
            {
                "time": self._time(visit.day),
                "kind": kind,
                "customer": self._behaviour.tastes.ids[visit.customer],
                "session": visit.id,
                "item": self._goods.ids[row] if row >= 0 else "",
                "query": query,
                "request": request,
                "value": value,
                "quantity": quantity,
                "impression": impression,
                "properties": properties or {},
            }
        )


def _later(visit: _Visit, day: float) -> _Visit:
    """The moment after the session at which something came of it; it belongs to no session."""
    return _Visit("", visit.customer, day, visit.language)

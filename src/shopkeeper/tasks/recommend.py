"""Recommendation: for a customer or a session, beside a product, under a basket, and for somebody unknown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Answer, Event, EventKind, Hit, Item, Reason, Request
from shopkeeper.retrieval.analysis import words as spelt
from shopkeeper.retrieval.histories import STRENGTH, Floats, Histories, fold
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.retrieval.text_neighbours import WordNeighbours
from shopkeeper.retrieval.trails import Trails, trail_of
from shopkeeper.settings import RecommendSettings
from shopkeeper.tasks.behaviour import STANDING, Behaviour
from shopkeeper.tasks.preferring import contributions, effects, preferred
from shopkeeper.tasks.welcome import Place, top, welcome
from shopkeeper.trust.reasons import FOCUS, Deed, because, carriers, plain

Recent = Callable[[str, str, int], Sequence[Event]]
"""(customer, session, limit) -> their latest events, newest last, the one just posted included."""
Bought = Callable[[str], Iterable[str]]
"""customer -> ids of everything they ever bought."""

_LOOK_BACK = 4
"""Events asked for, in units of the history wanted: impressions and searches stand between."""
_REASONS, _SLIGHT = 2, 0.3
"""Reasons of a hit at most, and the least share of the heaviest one that is still told."""
_TIE = np.float32(1e-5)
"""Share of general standing in the order of items that the history says nothing about."""


@dataclass(frozen=True, slots=True)
class _Known:
    """One customer's history, the same step by step, and for each of its rows the item id and what was done with it."""

    history: Histories
    trail: Trails
    deeds: dict[int, tuple[str, str]]


class RecommendTask:
    """Answers requests from what is known of the customer; what was just done counts at once.

    Args:
        shelf: The items, kept up to date by whoever owns it.
        behaviour: Fitted on the same shelf. Assign a newer one to `behaviour` at any time; requests see it whole.
        settings: See `settings.RecommendSettings`.
        recent: Latest events of a customer or session.
        bought: All that a customer bought.
        model: Name and version, for impressions.
        seed: Decides between equal scores, so that neither ids nor catalogue order do.
    """

    def __init__(
        self,
        shelf: Shelf,
        behaviour: Behaviour,
        settings: RecommendSettings,
        *,
        recent: Recent,
        bought: Bought,
        model: str = "behaviour",
        seed: int = 7,
    ) -> None:
        self.shelf = shelf
        self.behaviour = behaviour
        self.settings = settings
        self.model = model
        self._recent = recent
        self._bought = bought
        self._seed = seed
        self._shuffled: Rows = np.zeros(0, dtype=np.int64)

    def answer(self, request: Request) -> Answer:
        """Recommend by the customer's history, their session and the items in focus; to the unknown, the popular and new."""
        began = time.perf_counter()
        behaviour, width = self.behaviour, len(self.shelf)
        person = self._person(request)
        mask = self._allowed(request, person.history, width)
        if not person.history.known[0]:
            return self._welcomed(request, behaviour, mask, began)
        if behaviour.ranker is not None:
            return self._preferred(request, behaviour, person, mask, began)
        scores = behaviour.blended(person.history, width, person.trail)[0]
        return self._blended(request, behaviour, person, scores, mask, began)

    def similar(self, request: Request) -> Answer:
        """Items like the first of `request.items`, by words, meaning and what others did; no customer's taste enters.

        Raises:
            InputError: The request names no item.
            NotFoundError: The item is unknown.
        """
        began = time.perf_counter()
        if not request.items:
            raise InputError("Similar items need an item.", where="items", cure="Name one item id.")
        row = self.shelf.row(request.items[0])
        if row is None or self.shelf.items[row] is None:
            raise NotFoundError(
                f"There is no item {request.items[0]!r}.", where="items", cure="Use an id of the catalogue."
            )
        history = fold([0], [row], [1.0], [0.0], 1)
        mask = self._allowed(request, history, len(self.shelf))
        person = _Known(history, trail_of((), self.shelf), {row: (request.items[0], FOCUS)})
        behaviour = self.behaviour
        scores = behaviour.blended(history, len(mask))[0]
        return self._blended(request, behaviour, person, scores, mask, began)

    def without(self, request: Request, evidence: str, items: Sequence[str]) -> Floats:
        """The scores of `items` had the customer never touched the item `evidence`, all else equal: the removal test.

        Returns:
            float32 (len(items),), on the scale of `Hit.score`.

        Raises:
            NotFoundError: One of `items` is unknown.
        """
        rows = self.shelf.rows(items)
        if len(rows) != len(items):
            raise NotFoundError("Some of the items are unknown.", where="items", cure="Use ids of the catalogue.")
        behaviour, person, behind = self.behaviour, self._person(request), self.shelf.row(evidence)
        history, trail = person.history, person.trail
        if behaviour.ranker is None:
            strengths = np.where(history.rows == behind, np.float32(0), history.strengths)
            rest = replace(history, strengths=strengths.astype(np.float32))
            found: Floats = behaviour.blended(rest, len(self.shelf), trail.keep(trail.rows != behind))[0][rows]
            return found
        mask = self._allowed(request, history, len(self.shelf))
        pool = preferred(behaviour, history, trail, self.shelf, mask).pool
        history, trail = history.keep(history.rows != behind), trail.keep(trail.rows != behind)
        return preferred(behaviour, history, trail, self.shelf, mask, among=pool).order[rows]

    def put(self, items: Sequence[Item], vectors: Floats | None = None) -> None:
        """Make new or changed items recommendable at once; the shelf has them already.

        Args:
            items: The items.
            vectors: Their encoder vectors, float32 (n, d); None leaves them to their words.
        """
        self.behaviour.put(self.shelf.rows(item.id for item in items), list(items), vectors)

    def _person(self, request: Request) -> _Known:
        rows: list[int] = []
        strengths: list[float] = []
        times: list[float] = []
        deeds: dict[int, tuple[str, str]] = {}
        events = self._tastes(request)
        for event in events:
            row = self.shelf.row(event.item)
            if row is None:
                continue
            rows.append(row)
            strengths.append(STRENGTH[event.kind])
            times.append(event.time.timestamp())
            if row not in deeds or STRENGTH[event.kind] >= STRENGTH[EventKind(deeds[row][1])]:
                deeds[row] = (event.item, event.kind)
        for item in request.items:
            if (row := self.shelf.row(item)) is not None:
                rows.append(row)
                strengths.append(1.0)
                times.append(request.time.timestamp())
                deeds[row] = (item, FOCUS)
        focus = [Event(id="", time=request.time, kind=EventKind.VIEW, item=item) for item in request.items]
        return _Known(fold([0] * len(rows), rows, strengths, times, 1), trail_of([*events, *focus], self.shelf), deeds)

    def _tastes(self, request: Request) -> list[Event]:
        """The latest events that say something about taste, oldest first."""
        if not (request.customer or request.session):
            return []
        limit = self.settings.history
        recent = self._recent(request.customer, request.session, _LOOK_BACK * limit)
        return [event for event in recent if event.item and event.kind in STRENGTH][-limit:]

    def _allowed(self, request: Request, history: Histories, width: int) -> Mask:
        mask = self.shelf.allowed(request.filters)[:width]
        mask &= self.shelf.showable()[:width]
        away = [self.shelf.rows(request.items), history.rows[history.strengths < 0]]
        if request.customer and not self.settings.repeat_purchases:
            away.append(self.shelf.rows(self._bought(request.customer)))
        for rows in away:
            mask[rows[rows < width]] = False
        return mask

    def _preferred(self, request: Request, behaviour: Behaviour, person: _Known, mask: Mask, began: float) -> Answer:
        """By the learnt ranker."""
        judged = preferred(behaviour, person.history, person.trail, self.shelf, mask)
        total = int(mask.sum())
        page = self._best(judged.order, min(request.offset + request.limit, total))[request.offset :]
        hits = [Hit(item=self.shelf.item(int(row)).id, score=float(judged.order[row])) for row in page]
        if request.explain and len(page):
            tried, falls = effects(behaviour, person.history, person.trail, self.shelf, mask, judged, page)
            hits = [
                replace(
                    hit,
                    reasons=self._held(behaviour, person, tried, falls[:, place], row, len(mask)),
                    contributions=contributions(behaviour, judged, row),
                )
                for place, (hit, row) in enumerate(zip(hits, page.tolist(), strict=True))
            ]
        return Answer(
            request=request, hits=tuple(hits), total=total, model=self.model, seconds=time.perf_counter() - began
        )

    def _held(
        self, behaviour: Behaviour, person: _Known, tried: Rows, falls: Floats, row: int, width: int
    ) -> tuple[Reason, ...]:
        """Reasons whose evidence the hit's score hangs on, the heaviest first; else what holds for everybody."""
        told: list[Reason] = []
        carried = behaviour.carried(person.history, np.array([row], dtype=np.int64), width)
        for place in np.argsort(-falls, kind="stable")[:_REASONS].tolist():
            entry = int(tried[place])
            if falls[place] <= 0 or (told and falls[place] < _SLIGHT * falls.max()):
                break
            amounts = {name: float(amount[entry, 0]) for name, amount in carried.items() if name not in STANDING}
            source = max(amounts, key=lambda name: amounts[name]) if amounts else ""
            told.append(self._because(source if amounts.get(source, 0) > 0 else "next", entry, row, behaviour, person))
        return tuple(told) or (plain("popular" if self._standing(behaviour, width)[row] > 0 else "explore"),)

    def _blended(
        self, request: Request, behaviour: Behaviour, person: _Known, scores: Floats, mask: Mask, began: float
    ) -> Answer:
        """By the weighted sum of the sources, float32 (rows,), where no ranker was learnt."""
        width = len(mask)
        order = scores + _TIE * self._standing(behaviour, width)
        order[~mask] = -np.inf
        total = int(mask.sum())
        page = self._best(order, min(request.offset + request.limit, total))[request.offset :]
        hits = [Hit(item=self.shelf.item(int(row)).id, score=float(scores[row])) for row in page]
        if request.explain and len(page):
            hits = self._explained(hits, page, behaviour, person, width)
        return Answer(
            request=request, hits=tuple(hits), total=total, model=self.model, seconds=time.perf_counter() - began
        )

    def _welcomed(self, request: Request, behaviour: Behaviour, mask: Mask, began: float) -> Answer:
        codes = self.shelf.languages.known([request.language]) if request.language else []
        foreign = (
            ~np.isin(self.shelf.language_codes[: len(mask)], [0, *codes]) if codes else np.zeros(len(mask), np.bool_)
        )
        standing = self._standing(behaviour, len(mask)) * np.where(foreign, np.float32(0.3), np.float32(1))
        evidence = behaviour.evidence_of(len(mask))[0]
        fresh = behaviour.standing("new", len(mask))
        places = welcome(request, standing, fresh, evidence, mask, self._order(len(mask)))
        hits = tuple(
            Hit(
                item=self.shelf.item(place.row).id,
                score=place.score,
                propensity=place.propensity,
                reasons=self._greeting(place, float(fresh[place.row])) if request.explain else (),
                contributions={"popular": place.score - float(fresh[place.row]), "new": float(fresh[place.row])}
                if request.explain
                else {},
            )
            for place in places
        )
        return Answer(
            request=request,
            hits=hits,
            total=int(mask.sum()),
            model=f"{self.model}/welcome",
            seconds=time.perf_counter() - began,
        )

    @staticmethod
    def _greeting(place: Place, fresh: float) -> tuple[Reason, ...]:
        if fresh > place.score / 2 and fresh > 0:
            return (plain("new"),)
        return (plain("explore" if place.explored else "popular"),)

    def _explained(self, hits: list[Hit], page: Rows, behaviour: Behaviour, person: _Known, width: int) -> list[Hit]:
        carried = behaviour.carried(person.history, page, width)
        return [
            Hit(
                item=hit.item,
                score=hit.score,
                propensity=hit.propensity,
                reasons=tuple(
                    plain(part.source)
                    if part.entry is None
                    else self._because(part.source, part.entry, row, behaviour, person)
                    for part in carriers(carried, place, standing=STANDING)
                ),
                contributions=self._shares(behaviour, carried, place, hit.score),
            )
            for place, (hit, row) in enumerate(zip(hits, page.tolist(), strict=True))
        ]

    @staticmethod
    def _shares(behaviour: Behaviour, carried: Mapping[str, Floats], place: int, score: float) -> dict[str, float]:
        """What each source adds to a score; the sequence model, which no item carries alone, has the rest."""
        shares = {source: float(amounts[:, place].sum()) for source, amounts in carried.items()}
        if behaviour.next is not None and "next" in behaviour.parameters.blend.active:
            shares["next"] = score - sum(shares.values())
        return shares

    def _because(self, source: str, entry: int, row: int, behaviour: Behaviour, person: _Known) -> Reason:
        behind = int(person.history.rows[entry])
        item = self.shelf.items[behind]
        name, kind = person.deeds[behind]
        deed = Deed(name, item.title if item else name, kind)
        words = behaviour.sources["words"]
        if source != "words" or not isinstance(words, WordNeighbours):
            return because(source, deed)
        written = dict(spelt(self.shelf.item(row).text))
        return because(source, deed, [written.get(term, term) for term in words.shared(behind, row)])

    def _standing(self, behaviour: Behaviour, width: int) -> Floats:
        return behaviour.standing("popular", width) + behaviour.standing("new", width)

    def _best(self, order: Floats, count: int) -> Rows:
        """The `count` best rows, best first, ties in shuffled order: int64 (count,)."""
        shuffled = self._order(len(order))
        return shuffled[top(order[shuffled], count)]

    def _order(self, width: int) -> Rows:
        shuffled = self._shuffled
        if len(shuffled) != width:
            shuffled = self._shuffled = np.random.default_rng([self._seed, width]).permutation(width)
        return shuffled

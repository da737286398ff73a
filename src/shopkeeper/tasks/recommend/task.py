"""Recommendation: for a customer or a session, beside a product, under a basket, and for somebody unknown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Answer, Event, Hit, Item, Request
from shopkeeper.retrieval.complements import bundle
from shopkeeper.retrieval.histories import STRENGTH, Floats, fold, joined
from shopkeeper.retrieval.leading import shuffled
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.retrieval.trails import chained, trail_of
from shopkeeper.settings import RecommendSettings
from shopkeeper.tasks.recommend.behaviour import Behaviour
from shopkeeper.tasks.recommend.ordering import Judged, Order, ordered
from shopkeeper.tasks.recommend.people import Person, person
from shopkeeper.tasks.recommend.pushing import Push, Pusher
from shopkeeper.tasks.recommend.reasoning import Explainer, greeting
from shopkeeper.tasks.recommend.shaping import SHAPED, Page, Shaper
from shopkeeper.tasks.recommend.welcome import welcome
from shopkeeper.trust.reasons import FOCUS, because

Recent = Callable[[str, str, int], Sequence[Event]]
"""(customer, session, limit) -> their latest events, newest last, the one just posted included."""
Bought = Callable[[str], Iterable[str]]
"""customer -> ids of everything they ever bought."""
Segments = Callable[[Request], Sequence[str]]
"""Request -> labels of the segments its customer may be told apart by, e.g. ``language=zh``."""


_LOOK_BACK = 4
"""Events asked for, in units of the history wanted: impressions and searches stand between."""
_CELLS = 4_000_000
"""Scores held at once by each source: customers x items."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with all that its answer is made of before taste is asked."""

    person: Person
    push: Push
    mask: Mask


class RecommendTask:
    """Answers requests from what is known of the customer; what was just done counts at once.

    Args:
        shelf: The items, kept up to date by whoever owns it.
        behaviour: Fitted on the same shelf. Assign a newer one to `behaviour` at any time; requests see it whole.
        settings: See `settings.RecommendSettings`.
        recent: Latest events of a customer or session.
        bought: All that a customer bought.
        pusher: What moves items beside taste; None for nothing.
        shaper: How pages are cut; None as the settings say, without exploration.
        segments: Of a stranger.
        muted: Rows that whoever asks wants no more of, see `interests.MutedItems`.
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
        pusher: Pusher | None = None,
        shaper: Shaper | None = None,
        segments: Segments | None = None,
        muted: Callable[[Request], Rows] = lambda _: np.zeros(0, dtype=np.int64),
        model: str = "behaviour",
        seed: int = 7,
    ) -> None:
        self.shelf = shelf
        self.behaviour = behaviour
        self.settings = settings
        self.model = model
        self._recent = recent
        self._bought = bought
        self._pusher = pusher or Pusher(shelf)
        self._shaper = shaper or Shaper(shelf, settings, seed=seed)
        self._segments = segments or (lambda request: [f"language={request.language}"] if request.language else [])
        self._muted = muted
        self._explainer = Explainer(shelf)
        self._seed = seed

    def answer(self, request: Request) -> Answer:
        """Recommend by the customer's history, their session, the items in focus, the words of the request and the rules.

        To the unknown, what is popular in their segments, and new.
        """
        return self.answers([request])[0]

    def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """The same for many customers at once, whose scores are made together."""
        behaviour, width = self.behaviour, len(self.shelf)
        block = max(1, _CELLS // max(width, 1))
        parts = (
            self._answers(requests[start : start + block], behaviour, width) for start in range(0, len(requests), block)
        )
        return [answer for part in parts for answer in part]

    def similar(self, request: Request) -> Answer:
        """Items like the first of `request.items`, by words, meaning and what others did; no customer's taste enters.

        Raises:
            InputError: The request names no item.
            NotFoundError: The item is unknown.
        """
        began, behaviour = time.perf_counter(), self.behaviour
        row = self._first(request, "Similar items need an item.")
        history = fold([0], [row], [1.0], [0.0], 1)
        deeds = {row: (request.items[0], FOCUS)}
        alone = Person(request, history, trail_of((), self.shelf), deeds, np.array([row], dtype=np.int64))
        mask = self._allowed(alone, Push(vetoed=self._pusher.vetoed(request)), len(self.shelf))
        scores = np.where(mask, behaviour.blended(history, len(mask))[0], -np.inf).astype(np.float32)
        return self._cut(_Asked(alone, Push(), mask), Order(lambda: scores[None]), 0, behaviour, began)

    def bundle(self, request: Request) -> Answer:
        """What goes with the first of `request.items`: a small set of which every member goes with all others.

        Raises:
            InputError: The request names no item.
            NotFoundError: The item is unknown.
        """
        began, behaviour, width = time.perf_counter(), self.behaviour, len(self.shelf)
        row = self._first(request, "A bundle needs an item.")
        source = behaviour.complements
        deeds = {row: (request.items[0], FOCUS)}
        nobody = fold((), (), (), (), 1)
        alone = Person(request, nobody, trail_of((), self.shelf), deeds, np.array([row], dtype=np.int64))
        push = self._pusher.push(alone, width, None)
        mask = self._allowed(alone, push, width)
        rows = np.zeros(0, dtype=np.int64)
        if source is not None:
            rows = bundle(source, row, self.shelf, most=request.limit, allowed=mask, prices=self.shelf.prices)
        scores = source.between(alone.focus, rows)[0].tolist() if source is not None else []
        reasons = (because("complements", alone.deed(row, self.shelf)),) if request.explain else ()
        hits = tuple(
            Hit(item=self.shelf.item(member).id, score=score, reasons=reasons)
            for member, score in zip(rows.tolist(), scores, strict=True)
        )
        return Answer(
            request=request, hits=hits, total=len(hits), model=self.model, seconds=time.perf_counter() - began
        )

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
        behaviour, asked = self.behaviour, self._asked(request, len(self.shelf))
        masks, behind = asked.mask[None], self.shelf.row(evidence)
        if behaviour.ranker is None:
            rest, pool = asked.person.silenced(behind), None
        else:
            told = ordered(behaviour, asked.person.history, asked.person.trail, self.shelf, masks, _row(asked.push))
            rest, pool = asked.person.without(behind), told.judged.pool if told.judged else None
        found: Floats = ordered(
            behaviour, rest.history, rest.trail, self.shelf, masks, _row(asked.push), pool
        ).scores[0][rows]  # fmt: skip
        return found

    def put(self, items: Sequence[Item], vectors: Floats | None = None) -> None:
        """Make new or changed items recommendable at once; the shelf has them already.

        Args:
            items: The items.
            vectors: Their encoder vectors, float32 (n, d); None leaves them to their words.
        """
        self.behaviour.put(self.shelf.rows(item.id for item in items), list(items), vectors)

    def _answers(self, requests: Sequence[Request], behaviour: Behaviour, width: int) -> Iterator[Answer]:
        began = time.perf_counter()
        asked = [self._asked(request, width) for request in requests]
        told = [one for one in asked if one.person.known]
        order = self._order(told, behaviour, began + len(told) * self.settings.seconds) if told else None
        place = 0
        for one in asked:
            if order is not None and one.person.known:
                yield self._cut(one, order, place, behaviour, began)
                place += 1
            else:
                yield self._welcomed(one, behaviour, began)
            began = time.perf_counter()

    def _order(self, told: Sequence[_Asked], behaviour: Behaviour, deadline: float) -> Order:
        pushes: Floats | None = None
        if any(one.push.amounts for one in told):
            nothing = np.zeros(len(told[0].mask), dtype=np.float32)
            pushes = np.stack([nothing if (total := one.push.total) is None else total for one in told])
        histories = joined([one.person.history for one in told])
        trails = chained([one.person.trail for one in told])
        masks = np.stack([one.mask for one in told])
        return ordered(behaviour, histories, trails, self.shelf, masks, pushes, deadline=deadline)

    def _asked(self, request: Request, width: int) -> _Asked:
        events: Sequence[Event] = ()
        if request.customer or request.session:
            limit = self.settings.history
            recent = self._recent(request.customer, request.session, _LOOK_BACK * limit)
            events = [event for event in recent if event.item and event.kind in STRENGTH][-limit:]
        who = person(request, events, self.shelf)
        push = self._pusher.push(who, width, self.behaviour.complements)
        return _Asked(who, push, self._allowed(who, push, width))

    def forbidden(self, request: Request) -> Rows:
        """Rows that a rule keeps from whoever asks, and those that they muted: int64 (v,)."""
        return np.concatenate([self._pusher.vetoed(request), self._muted(request)])

    def _allowed(self, who: Person, push: Push, width: int) -> Mask:
        request, history = who.request, who.history
        mask = self.shelf.allowed(request.filters)[:width]
        mask &= self.shelf.showable()[:width]
        away = [who.focus, history.rows[history.strengths < 0], push.vetoed, self._muted(request)]
        if request.customer and not self.settings.repeat_purchases:
            away.append(self.shelf.rows(self._bought(request.customer)))
        for rows in away:
            mask[rows[rows < width]] = False
        return mask

    def _cut(self, asked: _Asked, order: Order, place: int, behaviour: Behaviour, began: float) -> Answer:
        """The page of one customer."""
        request = asked.person.request
        total = int(np.count_nonzero(asked.mask))
        end = min(request.offset + request.limit, total)
        idle, places = self._shaper.idle, self._places(len(asked.mask))
        ranked, scores = order.best(place, end if idle else min(total, end + SHAPED), places)
        if idle:
            rows = ranked[request.offset :]
            page, scores = Page(rows, np.ones(len(rows))), scores[request.offset :]
        else:
            page = self._shaper.page(asked.person, behaviour, ranked, scores)
            scores = scores[[int(np.flatnonzero(ranked == row)[0]) for row in page.rows.tolist()]]
        judged: Judged | None = order.judged.one(place) if order.judged is not None and request.explain else None
        pushed = None if order.pushed is None else order.pushed[place][page.rows]
        why = (
            self._explainer.why(asked.person, asked.push, behaviour, scores, page.rows, judged, pushed)
            if request.explain and len(page.rows)
            else [((), {})] * len(page.rows)
        )
        hits = tuple(
            Hit(
                item=self.shelf.item(row).id,
                score=score,
                propensity=chance,
                reasons=reasons,
                contributions=parts,
            )
            for row, score, chance, (reasons, parts) in zip(
                page.rows.tolist(), scores.tolist(), page.propensities.tolist(), why, strict=True
            )
        )
        return Answer(request=request, hits=hits, total=total, model=self.model, seconds=time.perf_counter() - began)

    def _welcomed(self, asked: _Asked, behaviour: Behaviour, began: float) -> Answer:
        request, mask = asked.person.request, asked.mask
        width = len(mask)
        codes = self.shelf.languages.known([request.language]) if request.language else []
        foreign = ~np.isin(self.shelf.language_codes[:width], [0, *codes]) if codes else np.zeros(width, np.bool_)
        fresh = behaviour.standing("new", width)
        popular = behaviour.popular_in(self._segments(request), width)
        standing = (popular + fresh) * np.where(foreign, np.float32(0.3), np.float32(1))
        pushed = asked.push.total
        if pushed is not None:
            standing = standing + pushed
        evidence = behaviour.evidence_of(width)[0]
        hits = tuple(
            Hit(
                item=self.shelf.item(place.row).id,
                score=place.score,
                propensity=place.propensity,
                reasons=(
                    asked.push.reasons(place.row, asked.person, self.shelf)
                    or greeting(float(fresh[place.row]), place.score, explored=place.explored)
                )
                if request.explain
                else (),
                contributions=_parts(asked.push, place.row, place.score, float(fresh[place.row]))
                if request.explain
                else {},
            )
            for place in welcome(request, standing, fresh, evidence, mask, self._places(width))
        )
        return Answer(
            request=request,
            hits=hits,
            total=int(mask.sum()),
            model=f"{self.model}/welcome",
            seconds=time.perf_counter() - began,
        )

    def _first(self, request: Request, missing: str) -> int:
        """Row of the first item in focus."""
        if not request.items:
            raise InputError(missing, where="items", cure="Name one item id.")
        row = self.shelf.row(request.items[0])
        if row is None or self.shelf.items[row] is None:
            raise NotFoundError(
                f"There is no item {request.items[0]!r}.", where="items", cure="Use an id of the catalogue."
            )
        return row

    def _places(self, width: int) -> Rows:
        """Decides between equals, int64 (width,)."""
        return shuffled(width, self._seed)


def _row(push: Push) -> Floats | None:
    total = push.total
    return None if total is None else total[None]


def _parts(push: Push, row: int, score: float, fresh: float) -> Mapping[str, float]:
    """What a stranger's hit is made of."""
    pushed = {name: float(amounts[row]) for name, amounts in push.amounts.items() if amounts[row]}
    return {"popular": score - fresh - sum(pushed.values()), "new": fresh, **pushed}

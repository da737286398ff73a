"""The home page: what is known of one visitor, laid out as titled shelves.

Which shelves there are and in which order follows from what is known: somebody in the middle of looking sees first what
belongs to that, a customer who comes back what they left, somebody unknown a shelf for each of the leading departments. An
item stands on the page once; a shelf with too little on it is left out.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from shopkeeper.records import Answer, Event, EventKind, Hit, Item, Reason, Request
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.trust.reasons import Deed, because, plain

Recent = Callable[[str, str, int], Sequence[Event]]
"""(customer, session, limit) -> their latest events, newest last."""
Due = Callable[[str, datetime], Sequence[str]]
"""(customer, moment) -> ids of what they are likely to buy again now, likeliest first."""

FEWEST: Final = 4
"""Items below which a shelf is left out."""
_LOOK_BACK: Final = 200
_LEADERS: Final = 100
"""Popular items that tell which departments lead."""
_DEPARTMENTS: Final = 4
_TITLE: Final = 48
"""Characters of an item's title inside a shelf's."""

FILLED: Final = ("continue", "again", "because", "for_you", "category", "popular", "new")
"""Kinds in the order in which they choose their items for somebody known; each leaves out what those before it took."""
_LOOKING: Final = ("because", "for_you", "continue", "again", "category", "popular", "new")
"""From the top, for somebody who has looked at something in this session."""
_BACK: Final = ("continue", "again", "for_you", "because", "new", "category", "popular")
"""From the top, for somebody who has come back."""
_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "continue": ("Pick up where you left off", "接着看"),
    "because": ("Because you looked at “{about}”", "因为您看过“{about}”"),
    "for_you": ("For you", "为您推荐"),
    "again": ("Time to buy again?", "该补货了"),
    "new": ("New in the shop", "新品上架"),
    "popular": ("Popular now", "近期热门"),
    "category": ("Popular in {about}", "{about}热门"),
}
_AGAIN: Final = {"en": "You bought this before; it may be time for more", "zh": "您买过这件商品，可能该补货了"}


@dataclass(frozen=True, slots=True)
class HomeShelf:
    """One shelf of the home page.

    Attributes:
        kind: ``continue``, ``because``, ``for_you``, ``again``, ``new``, ``popular`` or ``category``.
        title: In ``en`` and ``zh``.
        about: What it is about: the id of the item of ``because``, the path of ``category`` (``A > B``), else empty.
        answer: What stands on it, with a request id of its own and the surface ``home:<kind>``.
    """

    kind: str
    title: Mapping[str, str]
    about: str
    answer: Answer


class Answering(Protocol):
    """What shelves are filled from: the shop."""

    @property
    def shelf(self) -> Shelf:
        """The items as they are served."""
        ...

    def search(self, request: Request) -> Answer:
        """Browse the shop in an order."""
        ...

    def recommend(self, request: Request) -> Answer:
        """Recommend to a customer or a session."""
        ...

    def similar(self, request: Request) -> Answer:
        """Find what is like the first of the request's items."""
        ...


def shelves(shop: Answering, request: Request, recent: Recent, due: Due) -> tuple[HomeShelf, ...]:
    """The home page for one visitor, topmost shelf first.

    Args:
        shop: Answers.
        request: Who asks; `limit` is that of each shelf, and `filters` hold for all of them.
        recent: Latest events of a customer or session.
        due: What a customer may want to buy again.
    """
    page = _Page(shop, request, _seen(recent(request.customer, request.session, _LOOK_BACK), request, shop.shelf))
    if not page.seen.known:
        page.welcome()
        return tuple(page.made)
    for kind in FILLED:
        match kind:
            case "continue":
                page.own(kind, page.seen.looked, lambda item: plain("again", (item,)))
            case "again":
                again = due(request.customer, request.time) if request.customer else ()
                page.own(kind, again, lambda item: Reason(kind="buy_again", evidence=(item,), text=_AGAIN))
            case "for_you":
                page.add(kind, shop.recommend(page.ask(kind)))
            case "because":
                page.because()
            case "category":
                page.leaning()
            case _:
                page.browse(kind)
    order = _LOOKING if page.seen.here else _BACK
    return tuple(sorted(page.made, key=lambda shelf: order.index(shelf.kind)))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a visitor's latest events amount to.

    Attributes:
        looked: Items looked at and not bought, latest first.
        away: Items that they do not want to see: dismissed or returned.
        bought: Items bought lately.
        leaning: Category path of the department that most of it lies in.
        here: Have they looked at anything in this very session?
    """

    looked: tuple[str, ...]
    away: tuple[str, ...]
    bought: tuple[str, ...]
    leaning: tuple[str, ...]
    here: bool

    @property
    def known(self) -> bool:
        """Does anything speak for their taste?"""
        return bool(self.looked or self.bought)


def _seen(events: Sequence[Event], request: Request, shelf: Shelf) -> _Seen:
    last: dict[str, EventKind] = {}
    bought: dict[str, None] = {}
    here = False
    for event in events:
        if not event.item or event.kind not in STRENGTH or shelf.row(event.item) is None:
            continue
        if event.kind is EventKind.PURCHASE:
            bought[event.item] = None
        if event.kind is not EventKind.UNCART:  # taken out of the basket is not "not interested"
            last.pop(event.item, None)
            last[event.item] = event.kind
        here |= bool(request.session) and event.session == request.session and STRENGTH[event.kind] > 0
    liked = [item for item, kind in last.items() if STRENGTH[kind] > 0]
    items = [item for name in liked if (row := shelf.row(name)) is not None and (item := shelf.items[row])]
    return _Seen(
        looked=tuple(name for name in reversed(liked) if name not in bought),
        away=tuple(item for item, kind in last.items() if STRENGTH[kind] < 0),
        bought=tuple(item for item in bought if STRENGTH[last[item]] > 0),
        leaning=_leading([(item, 1.0) for item in items], 1)[0] if any(item.category for item in items) else (),
        here=here,
    )


@dataclass(slots=True)
class _Page:
    """The page so far."""

    shop: Answering
    request: Request
    seen: _Seen
    made: list[HomeShelf] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def ask(self, kind: str, *, besides: Sequence[str] = (), **fields: object) -> Request:
        """The request of one shelf: without what is on the page already, is not wanted, or stands in `besides`."""
        digest = hashlib.blake2b(f"{self.request.id}|{kind}|{len(self.made)}".encode(), digest_size=16)
        filters = self.request.filters
        exclude = (*filters.exclude, *self.shown, *self.seen.away, *besides)
        values: dict[str, object] = {
            "id": digest.hexdigest(),
            "surface": f"home:{kind}",
            "filters": replace(filters, exclude=tuple(dict.fromkeys(exclude))),
            "items": (),
            "query": "",
            "offset": 0,
            "sort": "relevance",
        }
        return replace(self.request, **{**values, **fields})  # type: ignore[arg-type]

    def add(self, kind: str, answer: Answer, *, about: str = "", named: str = "") -> bool:
        """Put a shelf on the page, unless there is too little on it (False)."""
        if len(answer.hits) < FEWEST:
            return False
        english, chinese = (text.format(about=named) for text in _TITLES[kind])
        self.made.append(HomeShelf(kind, {"en": english, "zh": chinese}, about, answer))
        self.shown += [hit.item for hit in answer.hits]
        return True

    def own(self, kind: str, items: Sequence[str], reason: Callable[[str], Reason]) -> None:
        """What the visitor had to do with before, in the order given, as far as it can be bought."""
        asked, shelf = self.ask(kind), self.shop.shelf
        may = shelf.allowed(asked.filters) & shelf.showable()
        rows = ((item, shelf.row(item)) for item in items)
        found = [item for item, row in rows if row is not None and row < len(may) and may[row]]
        hits = tuple(
            Hit(item=item, score=1 / place, reasons=(reason(item),) if asked.explain else ())
            for place, item in enumerate(found[: asked.limit], start=1)
        )
        self.add(kind, Answer(request=asked, hits=hits, total=len(found), model="history"))

    def because(self) -> None:
        """What is like the item looked at last."""
        for name in self.seen.looked[:1]:
            row = self.shop.shelf.row(name)
            item = self.shop.shelf.items[row] if row is not None else None
            if item is not None and not item.hidden:
                title = item.title if len(item.title) <= _TITLE else item.title[: _TITLE - 1].rstrip() + "…"
                answer = self.shop.similar(self.ask("because", items=(name,), besides=self.seen.looked))
                why = (because("meaning", Deed(name, item.title, EventKind.VIEW)),) if self.request.explain else ()
                hits = tuple(replace(hit, reasons=why) for hit in answer.hits)  # not "you are looking at"
                self.add("because", replace(answer, hits=hits), about=name, named=title)

    def browse(self, kind: str, path: tuple[str, ...] = ()) -> bool:
        """The newest, the most popular, or the most popular of a department; in the visitor's language if there is enough."""
        shelf, sort = self.shop.shelf, "newest" if kind == "new" else "popular"
        if kind == "new" and not shelf.created.any():
            return False  # nobody knows what is new
        asked = self.ask(kind, sort=sort, besides=self.seen.bought)
        filters = replace(asked.filters, categories=(path,)) if path else asked.filters
        if asked.language and not filters.languages:
            speaking = replace(filters, languages=(asked.language, ""))
            filters = speaking if int(shelf.allowed(speaking).sum()) >= asked.limit / 2 else filters
        found = self.shop.search(replace(asked, filters=filters))
        why = (plain("new" if kind == "new" else "popular"),) if asked.explain else ()
        hits = tuple(replace(hit, reasons=hit.reasons or why) for hit in found.hits)
        answer = Answer(request=found.request, hits=hits, total=found.total, model=found.model, seconds=found.seconds)
        return self.add(kind, answer, about=" > ".join(path), named=path[-1] if path else "")

    def leaning(self) -> None:
        """What is popular in the part of the shop that the visitor leans to, as narrow as it fills a shelf."""
        path = self.seen.leaning
        while path and not self.browse("category", path):
            path = path[:-1]

    def welcome(self) -> None:
        """For somebody unknown: the popular, among them some that nobody has tried, the new, and the leading departments."""
        asked = self.ask("popular")
        found = self.shop.recommend(replace(asked, limit=max(_LEADERS, asked.limit)))
        self.add("popular", replace(found, request=asked, hits=found.hits[: asked.limit]))
        shelf = self.shop.shelf
        ranked = [
            (shelf.items[row], rank) for rank, hit in enumerate(found.hits) if (row := shelf.row(hit.item)) is not None
        ]
        paths = _leading([(item, 1 / math.log2(rank + 2)) for item, rank in ranked if item is not None], _DEPARTMENTS)
        apart = paths if len(paths) > 1 else []  # a single one is the whole shop
        for path in apart:
            self.browse("category", path)
        if self.browse("new"):
            self.made.insert(2, self.made.pop())  # below the first department


def _leading(items: Sequence[tuple[Item, float]], count: int) -> list[tuple[str, ...]]:
    """The departments with the most weight, at the topmost level of the taxonomy that tells items apart."""
    weights: Counter[tuple[str, ...]] = Counter()
    for depth in range(1, 1 + max((len(item.category) for item, _ in items), default=0)):
        weights = Counter()
        for item, weight in items:
            if item.category:
                weights[item.category[:depth]] += weight  # type: ignore[assignment]
        if len(weights) > 1:
            break
    return [path for path, _ in weights.most_common(count)]

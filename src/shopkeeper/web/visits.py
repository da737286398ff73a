"""Who is in the shop: the visitor's session, language, and the customer who signed in or, in a demonstration, is acted as."""

from __future__ import annotations

import re
import secrets
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import Request as HttpRequest
from starlette.responses import Response

from shopkeeper.records import Event, EventKind, Item, Request, now
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.problems import request_id_of
from shopkeeper.serving.tickets import Tickets
from shopkeeper.web.i18n import chosen

SESSION, LANGUAGE, CUSTOMER, SIGNED = "shop_session", "shop_language", "shop_customer", "shop_signed_in"
_SESSION = re.compile(r"[A-Za-z0-9_-]{22,64}")
_REQUEST = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MONTH = 30 * 24 * 3600
_LOOK_BACK = 1_000  # events of a session, impressions included
_WEIGHT = {EventKind.VIEW: 1.0, EventKind.CART: 3.0, EventKind.PURCHASE: 4.0, EventKind.DISMISS: -3.0}


@dataclass(slots=True)
class Visit:
    """One request of a visitor.

    Attributes:
        kept: Cookies to set with the answer; None deletes.
    """

    session: str
    customer: str
    language: str
    request: str
    kept: dict[str, str | None] = field(default_factory=dict)

    def leave(self) -> None:
        """Be a stranger again, in a session of one's own."""
        self.kept |= {CUSTOMER: None, SIGNED: None, SESSION: secrets.token_urlsafe(24)}

    def ask(self, **fields: object) -> Request:
        """A request to the shop in this visitor's name."""
        values = {"customer": self.customer, "session": self.session, "language": self.language, "explain": True}
        return Request(**{**values, **fields})  # type: ignore[arg-type]

    def event(self, kind: EventKind, **fields: object) -> Event:
        """An event of this visitor, now; its id is random unless given."""
        values = {"id": uuid.uuid4().hex, "time": now(), "customer": self.customer, "session": self.session}
        return Event(**{**values, "kind": kind, **fields})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Trail:
    """What a session amounts to.

    Attributes:
        basket: Item id to pieces, in the order they were put in.
        steps: (what was done, item id or words), newest first, each once.
        lately: The item looked at last, or empty.
        changed: Id of the event that changed the basket last, or empty.
    """

    basket: dict[str, int]
    steps: tuple[tuple[EventKind, str], ...]
    lately: str
    changed: str = ""

    @property
    def pieces(self) -> int:
        """How many pieces are in the basket."""
        return sum(self.basket.values())


def arrive(request: HttpRequest, desk: Desk) -> Visit:
    """The visit that a request belongs to; a new session when it has none."""
    cookies = request.cookies
    session = cookies.get(SESSION, "")
    asked = request.query_params.get("lang", "")
    language = chosen(asked, cookies.get(LANGUAGE, ""), request.headers.get("accept-language", ""))
    tickets: Tickets = request.app.state.tickets
    customer = tickets.customer(cookies.get(SIGNED, ""))
    ended = not customer and SIGNED in cookies
    if not customer and desk.shop.settings.serve.demo:
        customer = cookies.get(CUSTOMER, "")
    visit = Visit(session, customer[:200], language, request_id_of(request))
    if ended:
        visit.leave()
        visit.session, visit.customer = visit.kept[SESSION] or "", ""
    elif not _SESSION.fullmatch(session):
        visit.session = visit.kept[SESSION] = secrets.token_urlsafe(24)
    if asked == language and asked != cookies.get(LANGUAGE):
        visit.kept[LANGUAGE] = language
    return visit


def keep(response: Response, visit: Visit, *, secure: bool) -> None:
    """Set the cookies of a visit: readable by the server only, not sent along from other sites."""
    for name, value in visit.kept.items():
        if value is None:
            response.delete_cookie(name, httponly=True, samesite="lax", secure=secure)
        else:
            response.set_cookie(name, value, max_age=_MONTH, httponly=True, samesite="lax", secure=secure)


def answered_request(text: str) -> str:
    """The request id in a link, when it looks like one."""
    return text if _REQUEST.fullmatch(text) else ""


def trail(desk: Desk, visit: Visit) -> Trail:
    """Read what this session did so far."""
    return fold(desk.shop.store.events.of_session(visit.session, _LOOK_BACK))


def fold(events: Sequence[Event]) -> Trail:
    """What the events of one session, oldest first, amount to."""
    basket: dict[str, int] = {}
    steps: dict[tuple[EventKind, str], None] = {}
    lately = changed = ""
    for event in events:
        if event.kind in (EventKind.CART, EventKind.UNCART, EventKind.PURCHASE):
            changed = event.id
        match event.kind:
            case EventKind.CART:
                basket[event.item] = basket.get(event.item, 0) + event.quantity
            case EventKind.UNCART | EventKind.PURCHASE:
                basket.pop(event.item, None)
                steps.pop((EventKind.CART, event.item), None)
            case EventKind.VIEW:
                lately = event.item
            case EventKind.DISMISS if lately == event.item:
                lately = ""
        if event.kind in (*_WEIGHT, EventKind.SEARCH) and (event.item or event.query):
            step = (event.kind, event.item or event.query)
            steps.pop(step, None)
            steps[step] = None
    return Trail(basket, tuple(reversed(steps)), lately, changed)


def leaning(steps: Sequence[tuple[EventKind, str]], items: dict[str, Item], count: int = 3) -> list[str]:
    """The departments and brands that a session leans to, strongest first."""
    weights: Counter[str] = Counter()
    for kind, name in steps:
        item = items.get(name)
        if item is None or kind not in _WEIGHT:
            continue
        for word in filter(None, (item.category[-1] if item.category else "", item.brand)):
            weights[word] += _WEIGHT[kind]  # type: ignore[assignment]
    return [word for word, weight in weights.most_common(count) if weight > 0]

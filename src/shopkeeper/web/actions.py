"""What visitors do: basket, not interested, waiting for an item, sign in and out, start afresh, act as a customer."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from shopkeeper.errors import ForbiddenError, InputError, NotFoundError
from shopkeeper.records import EventKind, Item
from shopkeeper.serving.auth import Limiter
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.replies import Json
from shopkeeper.serving.tickets import Tickets
from shopkeeper.web.i18n import translator
from shopkeeper.web.route import PageRoute, check_origin, check_pace, page
from shopkeeper.web.view import items_of
from shopkeeper.web.visits import CUSTOMER, SIGNED, Visit, answered_request, trail

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Form = Mapping[str, str]

_RATE, _BURST = 10.0, 60.0
_MOST = 99
_TOGETHER = 10


@router.post("/basket/add")
async def add(request: Request) -> Response:
    """Put a piece in the basket."""
    form = await posted(request)
    return await page(request, lambda desk, visit: _noted(desk, visit, form, EventKind.CART))


@router.post("/basket/bundle")
async def add_bundle(request: Request) -> Response:
    """Put an item and what goes with it in the basket, a piece of each."""
    form = await posted(request)
    return await page(request, lambda desk, visit: _together(desk, visit, form))


@router.post("/basket/remove")
async def remove(request: Request) -> Response:
    """Take a line out of the basket."""
    form = await posted(request)
    return await page(request, lambda desk, visit: _noted(desk, visit, form, EventKind.UNCART))


@router.post("/dismiss")
async def dismiss(request: Request) -> Response:
    """Not interested: it goes from the shelves, and less of its like comes."""
    form = await posted(request)
    return await page(request, lambda desk, visit: _noted(desk, visit, form, EventKind.DISMISS))


@router.post("/wait")
async def wait(request: Request) -> Response:
    """Tell me when it is back."""
    form = await posted(request)
    return await page(request, lambda desk, visit: _waiting(desk, visit, form, begins=True))


@router.post("/unwait")
async def unwait(request: Request) -> Response:
    """Do not tell me after all."""
    form = await posted(request)
    return await page(request, lambda desk, visit: _waiting(desk, visit, form, begins=False))


@router.post("/forget")
async def forget(request: Request) -> Response:
    """End the session and begin a new one."""
    await posted(request)
    return await page(request, _forgotten)


@router.post("/as")
async def act_as(request: Request) -> Response:
    """In a demonstration, look at the shop as one of its customers."""
    form = await posted(request)
    return await page(request, lambda desk, visit: _acting(desk, visit, form))


@router.get("/enter")
async def enter(request: Request) -> Response:
    """Sign in with a ticket that the shop's own login asked for (`POST /v1/customers/{customer}/ticket`)."""
    tickets: Tickets = request.app.state.tickets
    query = request.query_params
    cookie = tickets.redeem(query.get("ticket", ""))
    customer = tickets.customer(cookie)
    return await page(request, lambda desk, visit: _entered(desk, visit, customer, cookie, query.get("next", "/")))


async def posted(request: Request) -> Form:
    """The fields of a form that one of the shop's own pages sent, not too many of them at once."""
    check_origin(request)
    limiter: Limiter = request.app.state.pace
    wait = check_pace(request, limiter)
    if wait > 0:
        raise HTTPException(429, "Too many clicks at once.", {"Retry-After": str(math.ceil(wait))})
    async with request.form(max_files=0, max_fields=20) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        fields["items"] = "\n".join(value for value in form.getlist("items") if isinstance(value, str))
    return {**fields, "as": "json" if "application/json" in request.headers.get("accept", "") else "page"}


def pace() -> Limiter:
    """The limit on what one address may post."""
    return Limiter(_RATE, _BURST)


def _noted(desk: Desk, visit: Visit, form: Form, kind: EventKind) -> Response:
    item = _item(desk, form)
    if kind is EventKind.CART and not item.availability.sellable:
        raise InputError("This is sold out.", where=item.id, cure="Look at similar items.")
    amount = form.get("quantity", "1")
    pieces = min(int(amount), _MOST) if amount.isascii() and amount.isdigit() and 0 < len(amount) < 4 else 1
    answered = answered_request(form.get("r", ""))
    desk.record([visit.event(kind, item=item.id, quantity=max(pieces, 1), request=answered)])
    said = {EventKind.CART: "added", EventKind.DISMISS: "noted", EventKind.UNCART: "remove"}[kind]
    return _done(desk, visit, form, said)


def _together(desk: Desk, visit: Visit, form: Form) -> Response:
    names = list(dict.fromkeys(form["items"].split("\n")))[:_TOGETHER]
    found = [item for item in items_of(desk, names).values() if item.showable]
    if not found:
        raise NotFoundError("None of these can be bought.", where="items", cure="Look at similar items.")
    answered = answered_request(form.get("r", ""))
    desk.record([visit.event(EventKind.CART, item=item.id, request=answered) for item in found])
    return _done(desk, visit, form, "added")


def _waiting(desk: Desk, visit: Visit, form: Form, *, begins: bool) -> Response:
    item = _item(desk, form)
    if not visit.customer:
        raise ForbiddenError("The shop can only tell customers whom it knows.", where="customer")
    if not begins:
        desk.shop.store.waiting.cancel(visit.customer, item.id)
    elif not item.showable:  # else it came back while the page stood open, which the page will say
        desk.shop.store.waiting.wait(visit.customer, item.id)
    return _back(form)


def _done(desk: Desk, visit: Visit, form: Form, said: str) -> Response:
    """Back to the page, or for a script the number of pieces in the basket and what to say."""
    if form["as"] == "json":
        t = translator(visit.language, desk.shop.domain.wording)
        return Json({"basket": trail(desk, visit).pieces, "said": t(said)})
    return _back(form)


def _forgotten(_desk: Desk, visit: Visit) -> Response:
    visit.leave()
    return RedirectResponse("/", 303)


def _entered(desk: Desk, visit: Visit, customer: str, cookie: str, place: str) -> Response:
    if not cookie:
        raise ForbiddenError(
            "This ticket is used up or too old.", where="ticket", cure="Sign in again on the shop's own page."
        )
    others = {event.customer for event in desk.shop.store.events.of_session(visit.session)} | {visit.customer}
    if others - {"", customer}:  # somebody else was here before: their basket and their words are not this customer's
        visit.leave()
    visit.kept[SIGNED], visit.kept[CUSTOMER] = cookie, None
    return RedirectResponse(_local(place), 303)


def _acting(desk: Desk, visit: Visit, form: Form) -> Response:
    if not desk.shop.settings.serve.demo:
        raise ForbiddenError("Acting as a customer is for demonstrations.", where="serve.demo")
    wanted = form.get("customer", "")
    if wanted and wanted not in desk.shop.store.customers.get([wanted]):
        raise NotFoundError("There is no such customer.", where="customer")
    visit.leave()
    visit.kept[CUSTOMER] = wanted or None
    return RedirectResponse("/", 303)


def _item(desk: Desk, form: Form) -> Item:
    name = form.get("item", "")
    item = items_of(desk, [name]).get(name)
    if item is None:
        raise NotFoundError("There is no such product.", where="item")
    return item


def _back(form: Form) -> Response:
    """To the page the form stood on; only ever to a page of this shop."""
    return RedirectResponse(_local(form.get("back", "/")), 303)


def _local(place: str) -> str:
    """An address of this shop, the home page in place of any other."""
    local = place.startswith("/") and not place.startswith("//") and "\\" not in place and place.isprintable()
    return place if local else "/"

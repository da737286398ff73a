"""Customers through /v1: a ticket to sign them in, their profile, what they do not want, the segments; all that is kept of them, and erasing it."""

from __future__ import annotations

import uuid
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Path, Request

from shopkeeper.records import Event, EventKind, now
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.profile_schemas import (
    ErasedOut,
    InterestsIn,
    ProfileOut,
    SegmentsOut,
    TicketOut,
    profile_document,
    segment_document,
)
from shopkeeper.serving.replies import Json
from shopkeeper.serving.schemas import Id
from shopkeeper.serving.tickets import MINUTE, Tickets
from shopkeeper.tasks.profile.interests import MUTE, UNDO

router = APIRouter(prefix="/v1", tags=["profiles"])

Customer = Annotated[Id, Path(description="Customer id.")]
_INTERESTS = {
    "mute": {"summary": "Not interested", "value": {"mute": ["brand:Bosch", "tag:evenings"]}},
    "unmute": {"summary": "Interested again", "value": {"unmute": ["brand:Bosch"]}},
}


@router.get(
    "/customers/{customer}/profile",
    responses={200: {"model": ProfileOut}},
    dependencies=needs(Scope.READ),
    summary="What the shop thinks of a customer",
)
async def read_profile(request: Request, customer: Customer) -> Json:
    """Interests, tags, opinions, segment and what is expected, as of the last event; each with its evidence.

    Of a customer whom the shop does not know it says what holds for all customers.
    """
    desk = desk_of(request)
    return await desk.run(lambda: Json(profile_document(desk.shop.profile(customer))))


@router.post(
    "/customers/{customer}/interests",
    responses={200: {"model": ProfileOut}},
    dependencies=needs(Scope.EVENTS),
    summary="Not interested",
)
async def write_interests(
    request: Request, customer: Customer, body: Annotated[InterestsIn, Body(openapi_examples=_INTERESTS)]
) -> Json:
    """Mute interests and tags, or take that back; each is an event. The profile after it is the answer."""
    desk = desk_of(request)
    return await desk.run(lambda: _written(desk, customer, body))


@router.post(
    "/customers/{customer}/ticket",
    responses={200: {"model": TicketOut}},
    dependencies=needs(Scope.ADMIN),
    summary="Sign a customer in",
)
async def write_ticket(request: Request, customer: Customer) -> Json:
    """For the server behind the shop's own login: where to send the browser of a customer whom it has let in.

    The address is good once, within a minute, and takes an own address of the storefront to go on to as `next`. Revoking
    the key that asked signs out everybody whom it vouched for.
    """
    tickets: Tickets = request.app.state.tickets
    ticket = tickets.issue(customer, getattr(request.state, "key", None))
    return Json({"address": f"/enter?ticket={quote(ticket)}", "seconds": MINUTE})


@router.get(
    "/customers/{customer}/data",
    dependencies=needs(Scope.ADMIN),
    summary="Everything kept about a customer",
)
async def export_data(request: Request, customer: Customer) -> Json:
    """Record, events, texts, decisions about these, orders and waits, with the profile that is folded from them.

    Of a conversation with the assistant that began before the customer was known, that part as well.
    """
    desk = desk_of(request)

    def kept() -> Json:
        desk.flush()
        return Json(
            {"profile": profile_document(desk.shop.profile(customer)), **desk.shop.store.export_customer(customer)}
        )

    return await desk.run(kept)


@router.delete(
    "/customers/{customer}",
    responses={200: {"model": ErasedOut}},
    dependencies=needs(Scope.ADMIN),
    summary="Erase a customer",
)
async def erase_customer(request: Request, customer: Customer) -> Json:
    """Delete everything kept about a customer, on disk and in memory. It cannot be taken back. Who asked is in the audit log."""
    desk, actor = desk_of(request), actor_of(request)
    return await desk.run(lambda: Json({"erased": desk.erase(customer, actor)}))


@router.get(
    "/segments", responses={200: {"model": SegmentsOut}}, dependencies=needs(Scope.READ), summary="Customers alike"
)
async def list_segments(request: Request) -> Json:
    """The segments that training found, with their names in English and Chinese."""
    desk = desk_of(request)
    return Json({"segments": [segment_document(one) for one in desk.shop.segments]})


def mute_event(customer: str, session: str, key: str, *, undo: bool) -> Event:
    """The event that says that somebody is not interested, or is again."""
    properties: dict[str, str | int | float | bool] = {MUTE: key} | ({UNDO: True} if undo else {})
    return Event(
        id=uuid.uuid4().hex,
        time=now(),
        kind=EventKind.DISMISS,
        customer=customer,
        session=session,
        properties=properties,
    )


def _written(desk: Desk, customer: str, body: InterestsIn) -> Json:
    said = [(key, False) for key in body.mute] + [(key, True) for key in body.unmute]
    events = [mute_event(customer, body.session, key, undo=undo) for key, undo in said]
    if events:
        desk.record(events)
    return Json(profile_document(desk.shop.profile(customer)))

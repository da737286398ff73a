"""What goes into the shop through /v1: products, events, and who waits for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Event
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import needs
from shopkeeper.serving.home_schemas import EndedOut, WaitIn, WaitOut
from shopkeeper.serving.problems import Problem, fault_of, request_id_of
from shopkeeper.serving.replies import ChangesOut, EventsOut, Json, changes_document, item_document, rows_of
from shopkeeper.serving.schemas import EventIn, Id, ItemDoc, ItemsIn
from shopkeeper.tasks.advertise.spend import unpriced

router = APIRouter(prefix="/v1")

_ITEMS = {
    "two": {
        "summary": "Two products",
        "value": {
            "items": [
                {
                    "id": "sku-100",
                    "title": "Electric kettle 1.7 l",
                    "brand": "Bosch",
                    "category": "Kitchen > Kettles",
                    "price": 39.9,
                    "currency": "EUR",
                    "attributes": {"colour": "red"},
                    "images": ["sku-100.jpg"],
                },
                {"id": "sku-7", "title": "青花瓷茶壶", "price": 128, "currency": "CNY", "language": "zh"},
            ]
        },
    }
}
_EVENTS = {
    "events": [
        {"id": "e-1", "kind": "view", "time": "2026-03-01T12:00:00Z", "session": "s-1", "item": "sku-100"},
        {"id": "e-2", "kind": "purchase", "customer": "c-17", "item": "sku-100", "value": 39.9, "quantity": 1},
    ]
}
_WAIT = {"wait": {"summary": "Tell c-17", "value": {"customer": "c-17", "item": "sku-100", "days": 60}}}
_EVENTS_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["events"],
                "properties": {"events": {"type": "array", "items": {"$ref": "#/components/schemas/EventIn"}}},
            },
            "example": _EVENTS,
        }
    },
}


@router.post(
    "/items",
    tags=["catalogue"],
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": ChangesOut}},
    summary="Add or replace products",
)
async def put_items(request: Request, body: Annotated[ItemsIn, Body(openapi_examples=_ITEMS)]) -> Json:
    """Write up to 1,000 products by id; they can be found when this returns. Equal products are left alone."""
    seen: dict[str, int] = {}
    for index, item in enumerate(body.items):
        if item.id in seen:
            raise InputError(
                f"The id also stands at index {seen[item.id]}.",
                where=f"body.items.{index}.id",
                cure="Send each id once.",
            )
        seen[item.id] = index
    desk = desk_of(request)
    items = [item.record() for item in body.items]
    return Json(changes_document(await desk.run(desk.shop.put, items)))


@router.get(
    "/items/{item:path}",
    tags=["catalogue"],
    dependencies=needs(Scope.READ),
    responses={200: {"model": ItemDoc}},
    summary="One product",
)
async def get_item(request: Request, item: str) -> Json:
    """A product by id."""
    desk = desk_of(request)
    found = (await desk.run(desk.shop.store.catalogue.get, [item])).get(item)
    if found is None:
        raise NotFoundError("There is no such item.", where="item", cure="Check the id.")
    return Json(item_document(found))


@router.delete(
    "/items/{item:path}",
    tags=["catalogue"],
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": ChangesOut}},
    summary="Remove one product",
)
async def delete_item(request: Request, item: str) -> Json:
    """Take a product out of the shop, every index included. Its events stay."""
    return await _remove(request, [item])


@router.delete(
    "/items",
    tags=["catalogue"],
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": ChangesOut}},
    summary="Remove products",
)
async def delete_items(request: Request, identifiers: Annotated[list[Id], Query(alias="id", max_length=200)]) -> Json:
    """Take several products out of the shop; ids that are not there count as unchanged."""
    return await _remove(request, identifiers)


@router.post(
    "/events",
    tags=["behaviour"],
    dependencies=needs(Scope.EVENTS),
    responses={200: {"model": EventsOut}},
    openapi_extra={"requestBody": _EVENTS_BODY},
    summary="Record what happened",
)
async def post_events(request: Request, strict: bool = False) -> Response:
    """Write a batch of events. What is acknowledged is on disk, and the next answer knows it.

    Repeated ids change nothing. Faulty events are named by their index and the others kept; with ``strict=true`` one
    fault refuses the batch. An ad click is charged once, at the price that its page was shown with; what a caller says of
    prices and campaigns is not read.
    """
    desk = desk_of(request)
    rows = rows_of(
        await request.body(),
        "events",
        desk.shop.settings.serve.events_limit,
        "Send several batches, or raise serve.events_limit.",
    )
    events, rejected = _checked(rows)
    desk.metrics.events.labels("rejected").inc(len(rejected))
    if rejected and (strict or not events):
        first = rejected[0]
        problem = Problem(400, str(first["what"]), f"events.{first['index']}", str(first["cure"]), rejected)
        return problem.response(request_id_of(request))
    new = await desk.run(desk.record, events) if events else 0
    return Json({"accepted": new, "repeated": len(events) - new, "rejected": rejected})


@router.post(
    "/waits",
    tags=["behaviour"],
    dependencies=needs(Scope.EVENTS),
    responses={200: {"model": WaitOut}},
    summary="Wait for an item",
)
async def post_wait(request: Request, body: Annotated[WaitIn, Body(openapi_examples=_WAIT)]) -> Response:
    """Let a customer wait for an item that is sold out; `shopkeeper mail back-in-stock` lists who is to be told.

    Waiting twice is waiting once, until the later of the two ends. 409 when the item can be bought now.
    """
    desk = desk_of(request)
    item = (await desk.run(desk.shop.store.catalogue.get, [body.item])).get(body.item)
    if item is not None and item.showable:
        problem = Problem(409, "The item can be bought now.", "body.item", "Nobody needs to wait for it.")
        return problem.response(request_id_of(request))
    made = await desk.run(lambda: desk.shop.store.waiting.wait(body.customer, body.item, days=body.days))
    return Json({name: getattr(made, name) for name in WaitOut.model_fields})


@router.delete(
    "/waits",
    tags=["behaviour"],
    dependencies=needs(Scope.EVENTS),
    responses={200: {"model": EndedOut}},
    summary="Wait no longer",
)
async def delete_wait(request: Request, customer: Annotated[Id, Query()], item: Annotated[Id, Query()]) -> Json:
    """Let a customer wait no longer; `removed` is false when they did not."""
    desk = desk_of(request)
    return Json({"removed": await desk.run(desk.shop.store.waiting.cancel, customer, item)})


async def _remove(request: Request, identifiers: Sequence[str]) -> Json:
    desk = desk_of(request)
    return Json(changes_document(await desk.run(desk.shop.remove, identifiers)))


def _checked(rows: Sequence[object]) -> tuple[list[Event], list[dict[str, object]]]:
    events: list[Event] = []
    rejected: list[dict[str, object]] = []
    for index, row in enumerate(rows):
        try:
            events.append(unpriced(EventIn.model_validate(row).record()))
        except ValidationError as error:
            rejected.append({"index": index, **fault_of(error.errors(include_url=False)[0])})
    return events, rejected

"""Orders and texts through /v1 (scope admin): what the assistant answers from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Request
from pydantic import Field

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Passage, PassageKind
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.replies import ChangesOut, Json, changes_document
from shopkeeper.serving.schemas import Id, Language, Long, OptionalId, Short, Strict, aware
from shopkeeper.store.orders import Order, OrderLine, OrderStatus, order_document
from shopkeeper.store.privacy import TALK

router = APIRouter(prefix="/v1", dependencies=needs(Scope.ADMIN))

_MOST = 1_000
_ORDERS = {
    "order": {
        "summary": "An order on its way",
        "value": {
            "orders": [
                {
                    "id": "1001",
                    "customer": "c-17",
                    "placed": "2026-05-01T09:30:00Z",
                    "status": "shipped",
                    "lines": [{"item": "sku-100", "quantity": 2, "price": 39.9}],
                    "total": 79.8,
                    "currency": "EUR",
                    "carrier": "Parcel One",
                    "tracking": "P1-88231",
                    "due": "2026-05-04T00:00:00Z",
                }
            ]
        },
    }
}
_TEXTS = {
    "faq": {
        "summary": "An answer of the FAQ",
        "value": {
            "texts": [
                {
                    "id": "faq-returns",
                    "kind": "faq",
                    "title": "Can I return an item?",
                    "text": "Unused items may be sent back within 30 days of delivery.",
                    "language": "en",
                }
            ]
        },
    }
}


class LineIn(Strict):
    """So many pieces of an item."""

    item: Id
    quantity: int = Field(1, ge=1, le=1_000_000)
    price: float | None = Field(None, ge=0, description="Of one piece.")


class OrderIn(Strict):
    """An order."""

    id: Id
    customer: Id
    placed: datetime
    status: OrderStatus = OrderStatus.PLACED
    lines: list[LineIn] = Field([], max_length=500)
    total: float | None = Field(None, ge=0)
    currency: OptionalId = ""
    carrier: OptionalId = ""
    tracking: OptionalId = ""
    due: datetime | None = None
    delivered: datetime | None = None
    address: Short = ""

    def record(self) -> Order:
        """The order."""
        placed = aware(self.placed)
        assert placed is not None
        return Order(
            id=self.id,
            customer=self.customer,
            placed=placed,
            status=self.status,
            lines=tuple(OrderLine(item=line.item, quantity=line.quantity, price=line.price) for line in self.lines),
            total=self.total,
            currency=self.currency,
            carrier=self.carrier,
            tracking=self.tracking,
            due=aware(self.due),
            delivered=aware(self.delivered),
            address=self.address,
        )


class OrdersIn(Strict):
    """Orders to be written."""

    orders: list[OrderIn] = Field(min_length=1, max_length=_MOST)


class MoveIn(Strict):
    """Where an order goes."""

    status: OrderStatus
    address: Short = ""


class TextIn(Strict):
    """Words about the shop."""

    id: Id
    kind: PassageKind
    text: Annotated[Long, Field(min_length=1)]
    title: Annotated[Short, Field(description="Of a FAQ: the question.")] = ""
    item: OptionalId = ""
    customer: Annotated[
        OptionalId, Field(description="Whose words they are; they go when that customer is erased.")
    ] = ""
    rating: Annotated[float | None, Field(ge=0, le=5, description="Stars of a review.")] = None
    thread: Annotated[OptionalId, Field(description="Which conversation a turn belongs to.")] = ""
    author: Annotated[OptionalId, Field(description="Of a turn: customer or staff.")] = ""
    source: Annotated[OptionalId, Field(description="Where it was published; empty for the shop itself.")] = ""
    language: Language = ""
    time: datetime | None = None

    def record(self) -> Passage:
        """The passage.

        Raises:
            InputError: It claims to be of a conversation with the assistant, which writes those itself.
        """
        if self.source == TALK:
            raise InputError(
                f"Texts of the source {TALK!r} are written by the assistant alone.",
                where=f"text {self.id!r}, source",
                cure="Name the channel that it comes from, or none.",
            )
        values = self.model_dump()
        return Passage(**values | {"time": aware(self.time)})


class TextsIn(Strict):
    """Texts to be written."""

    texts: list[TextIn] = Field(min_length=1, max_length=_MOST)


@router.post("/orders", tags=["orders"], responses={200: {"model": ChangesOut}}, summary="Add or replace orders")
async def put_orders(request: Request, body: Annotated[OrdersIn, Body(openapi_examples=_ORDERS)]) -> Json:
    """Write up to 1,000 orders by id; equal ones are left alone."""
    desk = desk_of(request)
    return Json(changes_document(await desk.run(desk.shop.store.orders.put, [order.record() for order in body.orders])))


@router.get("/orders/{order:path}", tags=["orders"], summary="One order")
async def get_order(request: Request, order: str) -> Json:
    """An order by id."""
    desk = desk_of(request)
    found = (await desk.run(desk.shop.store.orders.get, [order])).get(order)
    if found is None:
        raise NotFoundError("There is no such order.", where="order", cure="Check the id.")
    return Json(order_document(found))


@router.post("/orders/{order:path}/move", tags=["orders"], summary="Let an order go on")
async def move_order(request: Request, order: str, body: MoveIn) -> Json:
    """Another status, or another address before it is shipped. What may not follow is refused; every move is noted."""
    desk = desk_of(request)
    actor = actor_of(request)
    orders = desk.shop.store.orders
    moved = await desk.run(lambda: orders.move(order, body.status, actor, address=body.address))
    return Json(order_document(moved))


@router.post("/texts", tags=["texts"], responses={200: {"model": ChangesOut}}, summary="Add or replace texts")
async def put_texts(request: Request, body: Annotated[TextsIn, Body(openapi_examples=_TEXTS)]) -> Json:
    """Write up to 1,000 answers of the FAQ, policies, reviews and the like by id. The assistant quotes them at its next reload."""
    desk = desk_of(request)
    return Json(changes_document(await desk.run(desk.shop.store.words.put, [text.record() for text in body.texts])))


@router.delete("/texts/{text:path}", tags=["texts"], responses={200: {"model": ChangesOut}}, summary="Remove one text")
async def delete_text(request: Request, text: str) -> Json:
    """Take a text out of the shop."""
    desk = desk_of(request)
    return Json(changes_document(await desk.run(desk.shop.store.words.remove, [text])))

"""The practice checkout: the guard is asked, the order is noted, and what completes it is shown."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shopkeeper.ranking.payments.model import Action
from shopkeeper.records import Event, EventKind, Filters, Item
from shopkeeper.serving.desk import Desk
from shopkeeper.web.actions import posted
from shopkeeper.web.i18n import translator
from shopkeeper.web.pages import basket_page
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.shelving import totals
from shopkeeper.web.view import ShelfView, cards, items_of, render
from shopkeeper.web.visits import Visit, trail

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ROW = 6
_COMPLETED = 2
"""Bought items for which the thanks page shows what completes them."""
_ORDERS = uuid.UUID("6f0c8a3e-52d7-4d6b-9a53-0b6b1f6f7c11")


@router.post("/checkout")
async def checkout(request: Request) -> Response:
    """Buy what is in the basket; nothing is charged. What the guard refuses stays in the basket."""
    await posted(request)
    return await page(request, _bought)


def _bought(desk: Desk, visit: Visit) -> Response:
    seen = trail(desk, visit)
    items = items_of(desk, seen.basket)
    lines = [
        (items[name], pieces)
        for name, pieces in seen.basket.items()
        if name in items and items[name].availability.sellable
    ]
    if not lines:
        return RedirectResponse("/basket", 303)
    order = uuid.uuid5(_ORDERS, f"{visit.session} {seen.changed}").hex  # pressed twice, it is one order
    purchases = _purchases(desk, visit, order, lines)
    action = _judged(desk, purchases)
    if action is Action.REFUSE:
        return basket_page(desk, visit, refused=True)
    desk.record(purchases)
    return render(
        "thanks.html",
        desk,
        visit,
        trail(desk, visit),
        here="/",
        lines=lines,
        totals=totals(lines),
        pieces_bought=sum(pieces for _, pieces in lines),
        held=action is Action.REVIEW,
        shelves=_completing(desk, visit, [item for item, _ in lines]),
    )


def _purchases(desk: Desk, visit: Visit, order: str, lines: Sequence[tuple[Item, int]]) -> list[Event]:
    """The lines of an order; each of its currencies is a payment.

    A visitor's session is the device that the shop knows; the address is where their last purchase went.
    """
    mixed = len({item.currency for item, _ in lines}) > 1
    address = _address(desk, visit.customer)
    return [
        visit.event(
            EventKind.PURCHASE,
            id=f"{order}-{place}",
            item=item.id,
            quantity=pieces,
            value=None if item.price is None else round(item.price * pieces, 2),
            properties={
                "order": order,
                "payment": f"{order}-{item.currency}" if mixed else order,
                "currency": item.currency,
                "device": visit.session,
                "practice": True,
                **({"address": address} if address else {}),
            },
        )
        for place, (item, pieces) in enumerate(lines)
    ]


def _address(desk: Desk, customer: str) -> str:
    """Where the last purchase of a customer went, empty where nobody said."""
    if not customer:
        return ""
    past = desk.shop.store.events.tail(customer=customer, kinds=[EventKind.PURCHASE], limit=1)
    return str(past[-1][1].properties.get("address", "")) if past else ""


def _judged(desk: Desk, purchases: Sequence[Event]) -> Action:
    """The strictest of what the guard says of the payments; `ALLOW` where none is live, or no price is known."""
    if not desk.shop.guards:
        return Action.ALLOW
    payments: dict[str, list[Event]] = {}
    for line in purchases:
        if line.value is not None:
            payments.setdefault(str(line.properties["payment"]), []).append(line)
    found = [desk.shop.guard.judge(payment).action for payment in payments.values()]
    return max(found, key=tuple(Action).index, default=Action.ALLOW)


def _completing(desk: Desk, visit: Visit, bought: Sequence[Item]) -> list[ShelfView]:
    """What completes the dearest of the things bought; where nothing is known to, what goes with all of them."""
    t = translator(visit.language, desk.shop.domain.wording)
    shown = [item.id for item in bought]
    made: list[ShelfView] = []
    for item in sorted(bought, key=lambda one: -(one.price or 0.0))[:_COMPLETED]:
        filters = Filters(exclude=tuple(shown))
        answer = desk.bundle(visit.ask(items=(item.id,), filters=filters, limit=_ROW, surface="thanks"))
        if answer.hits:
            shown += [hit.item for hit in answer.hits]
            title = t("thanks_with", title=item.title)
            made.append(ShelfView(f"with-{len(made)}", title, cards(desk, answer, visit.language)))
    if made:
        return made
    answer = desk.recommend(visit.ask(items=tuple(shown), limit=_ROW, surface="thanks"))
    return [ShelfView("next", t("thanks_next"), cards(desk, answer, visit.language))]

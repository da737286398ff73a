"""Orders of the practice shop, folded from its purchases: plain fiction from the seed, in step with what the FAQ says.

An order that comes before 15:00 leaves the same day, a later one the next; it arrives two to four days after that, one in
ten later than it was due. What the log says was returned is being returned or has come back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

import numpy as np

from shopkeeper.records import Event, EventKind
from shopkeeper.store.orders import Order, OrderLine, OrderStatus

_CLOSING: Final = 15  # hour after which parcels leave the next day
_DUE: Final = timedelta(days=4)
_BACK: Final = timedelta(days=5)
"""Time from a return's registration until the parcel is back."""
_LATE: Final = 0.1
_CARRIERS: Final = {
    "USD": ("Swallow Post", "Blue Van", "Northway Parcels"),
    "CNY": ("飞燕快递", "驿马速运", "青鸟物流"),
}
_STREETS: Final = {
    "USD": ("Mill Lane", "Harbour Road", "Linden Street", "Orchard Way", "Quarry Road"),
    "CNY": ("柳荫路", "和风路", "青石街", "望江路", "梅园路"),
}
_TOWNS: Final = {
    "USD": ("Northfield", "Easterby", "Saltmere", "Dunwick"),
    "CNY": ("平安市东城区", "临川市和平区", "云山市新河区", "海晏市南湖区"),
}


@dataclass(frozen=True, slots=True)
class _Times:
    """When an order was packed, left, was due and arrived."""

    packed: datetime
    left: datetime
    due: datetime
    arrived: datetime


def orders_of(events: Sequence[Event], end: datetime, seed: int) -> tuple[Order, ...]:
    """One order for each session and currency in which something was bought, as they stand at `end`, by time.

    Args:
        events: The log.
        end: The present of the shop.
        seed: Everything random follows from it and from the session.
    """
    bought: defaultdict[tuple[str, str], list[Event]] = defaultdict(list)
    returned: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
    for event in events:
        if event.kind is EventKind.PURCHASE and event.session and event.customer:
            bought[event.session, str(event.properties.get("currency", ""))].append(event)
        elif event.kind is EventKind.RETURN:
            returned[event.customer, event.item].append(event.time)
    made = [_order(lines, returned, end, currency, seed) for (_, currency), lines in bought.items()]
    return tuple(sorted(made, key=lambda order: (order.placed, order.id)))


def _order(
    lines: Sequence[Event], returned: dict[tuple[str, str], list[datetime]], end: datetime, currency: str, seed: int
) -> Order:
    placed, customer = lines[-1].time, lines[0].customer
    rng = np.random.default_rng(_number(f"{seed} {lines[0].session} {currency}", 1 << 60))
    times = _times(placed, rng)
    back = [moment for line in lines for moment in returned.get((customer, line.item), ()) if moment > placed]
    status = _status(times, back, end)
    shipped = status not in (OrderStatus.PLACED, OrderStatus.PACKED)
    carrier = str(rng.choice(_CARRIERS.get(currency, _CARRIERS["USD"])))
    arrived = times.arrived if status in (OrderStatus.DELIVERED, OrderStatus.RETURNING, OrderStatus.RETURNED) else None
    return Order(
        id=f"S{_number(f'{seed} order {lines[0].session} {currency}', 90_000_000) + 10_000_000}",
        customer=customer,
        placed=placed,
        status=status,
        lines=tuple(
            OrderLine(item=line.item, quantity=line.quantity, price=round((line.value or 0.0) / line.quantity, 2))
            for line in lines
        ),
        total=round(sum(line.value or 0.0 for line in lines), 2),
        currency=currency,
        carrier=carrier if shipped else "",
        tracking=f"TR{rng.integers(10**9, 10**10)}" if shipped else "",
        due=times.due,
        delivered=arrived,
        address=_address(customer, currency, seed),
    )


def _times(placed: datetime, rng: np.random.Generator) -> _Times:
    closing = placed.replace(hour=_CLOSING, minute=0, second=0, microsecond=0)
    left = closing if placed < closing else closing + timedelta(days=1)
    packed = min(placed + timedelta(hours=float(rng.uniform(2.0, 6.0))), left)
    late = float(rng.uniform(1.0, 3.0)) if rng.random() < _LATE else 0.0
    arrived = left + timedelta(days=float(rng.uniform(1.7, 3.9)) + late)
    return _Times(packed, left, (left + _DUE).replace(hour=20), arrived.replace(microsecond=0))


def _status(times: _Times, back: Iterable[datetime], end: datetime) -> OrderStatus:
    first = min(back, default=None)
    if first is not None and times.arrived < end:
        return OrderStatus.RETURNED if first + _BACK < end else OrderStatus.RETURNING
    for moment, status in (
        (times.arrived, OrderStatus.DELIVERED),
        (times.left, OrderStatus.SHIPPED),
        (times.packed, OrderStatus.PACKED),
    ):
        if moment < end:
            return status
    return OrderStatus.PLACED


def _address(customer: str, currency: str, seed: int) -> str:
    side = currency if currency in _STREETS else "USD"
    rng = np.random.default_rng(_number(f"{seed} address {customer}", 1 << 60))
    street, town, house = str(rng.choice(_STREETS[side])), str(rng.choice(_TOWNS[side])), int(rng.integers(1, 200))
    return f"{town}{street}{house}号" if side == "CNY" else f"{house} {street}, {town}"


def _number(text: str, below: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) % below

"""The log of the bench `guard-latency`: card payments that end now, and customers with as many deeds as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from shopkeeper.records import Event, EventKind, Item, now
from shopkeeper.store.sessions import DEEDS

_DAYS = 70
"""Days that the earlier payments cover: a little more than the windows remember."""
_SETTLED = timedelta(days=7)
"""Labels of younger payments are not known yet."""
LIVES = (50, 2_000)
"""Events of a customer whose profile is asked for."""
PEOPLE = 10
"""Customers of each kind."""
PROBE = "brand:nobody's"
"""What they mute to see whether a profile knows it."""


def paid(card: pl.DataFrame, items: Sequence[Item], count: int, unknown: int, rng: np.random.Generator) -> list[Event]:
    """The last `count` card payments of some customers, as purchases that end now.

    Args:
        card: Columns ``time_s``, ``customer``, ``terminal``, ``amount_cents``, ``fraud``.
        items: What is bought; a customer keeps to a few.
        count: How many; as many customers are drawn as have so many within `_DAYS` days.
        unknown: The last ones of them, of which nobody knows yet whether they were fraud.
        rng: Draws customers and what they buy.
    """
    late = card.filter(pl.col("time_s") > int(card["time_s"].max()) - _DAYS * 86_400)  # type: ignore[arg-type]
    drawn = rng.permutation(late["customer"].unique().sort().to_numpy())
    sizes = dict(late["customer"].value_counts().iter_rows())
    enough = int(np.searchsorted(np.cumsum([sizes[name] for name in drawn]), count)) + 1
    frame = late.filter(pl.col("customer").is_in(drawn[:enough])).sort("time_s", maintain_order=True).tail(count)
    moment = now()
    shift = moment.timestamp() - float(frame["time_s"][-1])
    settled = moment - _SETTLED
    taste = rng.integers(0, len(items), (int(frame["customer"].max()) + 1, 5))  # type: ignore[arg-type]
    events = []
    columns = ("time_s", "customer", "terminal", "amount_cents", "fraud")
    for place, (seconds, who, terminal, cents, fraud) in enumerate(frame.select(columns).iter_rows()):
        at = datetime.fromtimestamp(seconds + shift, UTC)
        properties: dict[str, str | bool] = {
            "payment": f"p{place}",
            "terminal": f"t{terminal}",
            "device": f"d{who}-{int(rng.random() < 0.2)}",
            "address": f"a{who // 2}",
            "card": f"k{who}",
            "currency": "EUR",
        }
        if at < settled and place < count - unknown:
            properties["fraud"] = bool(fraud)
        events.append(
            Event(
                id=f"p{place}-1",
                time=at,
                kind=EventKind.PURCHASE,
                customer=f"k{who}",
                item=items[int(taste[who, rng.integers(5)])].id,
                value=cents / 100,
                properties=properties,
            )
        )
    return events


def lives(log: Sequence[Event], size: int, rng: np.random.Generator) -> list[Event]:
    """Ten customers who did `size` things each, pieced together of what others did."""
    deeds: dict[str, list[Event]] = {}
    for event in log:
        if event.customer and event.kind in DEEDS:
            deeds.setdefault(event.customer, []).append(event)
    made = []
    for place in range(PEOPLE):
        own: list[Event] = []
        for name in rng.permutation(sorted(deeds)):
            own += deeds[str(name)][: size - len(own)]
        who = _liver(size, place)
        made += [
            replace(event, id=f"{who}-{n}", customer=who, session=f"{who}-{event.session}")
            for n, event in enumerate(own)
        ]
    return made


def _liver(size: int, place: int) -> str:
    return f"lived-{size}-{place}"


def purchases(items: Sequence[Item], size: int, where: str, count: int, rng: np.random.Generator) -> list[Event]:
    """Purchases of the customers of `lives`, in turn, to happen now."""
    priced = [item for item in items if item.price is not None]
    found = []
    for number in range(count):
        item = priced[int(rng.integers(len(priced)))]
        found.append(
            Event(
                id=f"{where}-{size}-{number}",
                time=now(),
                kind=EventKind.PURCHASE,
                customer=_liver(size, number % PEOPLE),
                item=item.id,
                value=item.price,
                properties={"currency": item.currency},
            )
        )
    return found


def mute(event: Event) -> Event:
    """What the customer of an event does after it: mutes `PROBE`."""
    return Event(
        id=f"{event.id}-muted",
        time=now(),
        kind=EventKind.DISMISS,
        customer=event.customer,
        properties={"interest": PROBE},
    )

"""160 days of a small shop whose customers are known: regulars buy every week from one taste, the others come once and go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from toyshop import TASTES, item_id, toy_items

from shopkeeper.records import Event, EventKind, Item

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 160
REGULARS, OTHERS = 60, 180
SHOP: list[Item] = toy_items()


def lived(seed: int = 0) -> list[Event]:
    """Events in order of time. ``r000`` buys from the garden, ``r001`` from the kitchen ...; ``o...`` never come back."""
    rng = np.random.default_rng(seed)
    events: list[Event] = []

    def visit(who: str, taste: str, day: float, buys: bool) -> None:
        session = f"{who}-{day:.3f}"
        begin = START + timedelta(days=day)
        item = item_id(taste, int(rng.integers(0, 18)))
        deeds = [(EventKind.SEARCH, "", None), (EventKind.VIEW, item, None)]
        if buys:
            deeds += [(EventKind.CART, item, None), (EventKind.PURCHASE, item, float(rng.uniform(10, 30)))]
        for step, (kind, about, value) in enumerate(deeds):
            events.append(
                Event(
                    id=f"{session}-{step}",
                    time=begin + timedelta(minutes=step),
                    kind=kind,
                    customer=who,
                    session=session,
                    item=about,
                    query=f"{taste} tools" if kind is EventKind.SEARCH else "",
                    value=value,
                )
            )

    for number in range(REGULARS):
        for week in range(DAYS // 7):
            day = week * 7 + float(rng.uniform(0, 6))
            if rng.random() < 0.9:
                visit(f"r{number:03d}", TASTES[number % 2], day, buys=rng.random() < 0.8)
    for number in range(OTHERS):
        for _ in range(int(rng.integers(1, 3))):
            visit(f"o{number:03d}", TASTES[number % 2], float(rng.uniform(0, DAYS)), buys=rng.random() < 0.1)
    return sorted(events, key=lambda event: (event.time, event.id))


def frame(events: list[Event]) -> pl.DataFrame:
    """The same as `EventLog.frame` gives it, as far as profiles read it."""
    from shopkeeper.ranking.customers.deeds import frame_of

    return frame_of(events)

"""Honest visitors who look like programs, and honest customers on whose devices programs run."""

from __future__ import annotations

import numpy as np

from shopkeeper.practice.goods import Ints
from shopkeeper.practice.mischief_plot import Fields, Plot, evening, pauses
from shopkeeper.records import EventKind, Scalar


def crowd(plot: Plot) -> None:
    """Write down three sorts of odd but honest visitors.

    Window shoppers go through shelves for weeks and never buy; wishers come back to one thing day after day and put it into
    the basket; the shop's own terminal is used by one customer after the other, all day, without anybody logging in.
    """
    rng = plot.rng("crowd")
    customers = len(plot.practice.customers)
    for _ in range(plot.count(customers, 2.0)):
        _window_shopper(plot, rng)
    for _ in range(plot.count(customers)):
        _wisher(plot, rng)
    for _ in range(plot.count(customers, 0.2)):
        _terminal(plot, rng)


def hijacked(plot: Plot, rng: np.random.Generator, language: int) -> tuple[str, str]:
    """A customer and a device of theirs on which somebody else's program runs."""
    tastes = plot.practice.truth.tastes
    own = {event.customer: str(event.properties["device"]) for event in plot.events if event.customer and event.session}
    reading = [name for row, name in enumerate(tastes.ids) if tastes.language[row] == language and name in own]
    name = str(rng.choice(reading)) if reading else tastes.ids[0]
    return name, own.get(name, plot.fresh("device"))


def _identity(plot: Plot, rng: np.random.Generator, day: float, language: int) -> tuple[str, dict[str, Scalar]]:
    return (plot.account(day, language) if rng.random() < 0.5 else ""), {"device": plot.fresh("device")}


def _window_shopper(plot: Plot, rng: np.random.Generator) -> None:
    language, first = int(rng.integers(2)), float(rng.uniform(0, max(1.0, plot.days - 10)))
    customer, device = _identity(plot, rng, first, language)
    kinds = rng.permutation(np.unique(plot.goods.type))[:4]
    for _ in range(int(rng.integers(3, 16))):
        day = evening(rng, first, min(plot.days, first + 30))
        rows = plot.on_sale(language, max(day, 0.0))
        fitting = rng.permutation(rows[plot.goods.type[rows] == int(rng.choice(kinds))])
        page = np.concatenate([fitting, rng.permutation(rows)])[:12]
        _browse(plot, day, page, rng.random(len(page)) < 0.35, customer, device, rng)


def _wisher(plot: Plot, rng: np.random.Generator) -> None:
    language, first = int(rng.integers(2)), float(rng.uniform(0, max(1.0, plot.days - 10)))
    customer, device = _identity(plot, rng, first, language)
    rows = plot.on_sale(language, first)
    wanted = int(rng.choice(rows))
    for _ in range(int(rng.integers(4, 14))):
        day = evening(rng, first, min(plot.days, first + 25))
        page = np.append(rng.permutation(rows[rows != wanted])[:11], wanted)
        opened = (page == wanted) | (rng.random(len(page)) < 0.1)
        _browse(plot, day, page, opened, customer, device, rng)
        if rng.random() < 0.4:
            who: Fields = {"customer": customer, "session": plot.fresh("session")}
            item = plot.goods.ids[wanted]
            plot.write(day + 0.01, EventKind.CART, honest=True, item=item, **who, properties=device)


def _terminal(plot: Plot, rng: np.random.Generator) -> None:
    device: dict[str, Scalar] = {"device": plot.fresh("device")}
    language = int(rng.integers(2))
    for date in range(int(rng.uniform(0, max(1.0, plot.days - 14))), int(plot.days), 2):
        for _ in range(int(rng.integers(2, 7))):
            rows = rng.permutation(plot.on_sale(language, float(date)))[:12]
            _browse(plot, date + rng.uniform(9, 20) / 24, rows, rng.random(len(rows)) < 0.25, "", device, rng)


def _browse(
    plot: Plot,
    day: float,
    page: Ints,
    opened: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    customer: str,
    device: dict[str, Scalar],
    rng: np.random.Generator,
) -> None:
    """Show a page, and let somebody open some of it."""
    who: Fields = {"customer": customer, "session": plot.fresh("session")}
    request = plot.fresh("request", 16)
    shown = plot.page(page, "home")
    plot.write(day, EventKind.IMPRESSION, honest=True, request=request, impression=shown, **who, properties=device)
    chosen = page[opened].tolist()
    for row, pause in zip(chosen, pauses(rng, len(chosen), 40.0, regular=False).tolist(), strict=True):
        day += pause
        item = plot.goods.ids[row]
        plot.write(day, EventKind.CLICK, honest=True, item=item, request=request, **who, properties=device)
        view = {"surface": "home", **device}
        plot.write(day + 1.2e-5, EventKind.VIEW, honest=True, item=item, **who, properties=view)

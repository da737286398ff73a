"""Visitors that are programs: they copy the catalogue, watch prices, or push an item beside popular ones."""

from __future__ import annotations

import numpy as np

from shopkeeper.practice.goods import Ints
from shopkeeper.practice.mischief_crowd import hijacked
from shopkeeper.practice.mischief_plot import Fields, Plot, evening, pauses
from shopkeeper.practice.queries import phrase
from shopkeeper.records import EventKind, Scalar

_Device = dict[str, Scalar]


def send_robots(plot: Plot) -> None:
    """Plant scrapers (quick ones and ones that pass for people), monitors and boosters."""
    customers = len(plot.practice.customers)
    for _ in range(plot.count(customers, 0.75)):
        _scraper(plot, plot.rng(f"scraper {len(plot.planted)}"))
    for _ in range(plot.count(customers)):
        _stealthy(plot, plot.rng(f"stealthy {len(plot.planted)}"))
    for _ in range(plot.count(customers, 0.5)):
        _monitor(plot, plot.rng(f"monitor {len(plot.planted)}"))
    _boosters(plot, plot.rng("boosters"))


def _cover(plot: Plot, rng: np.random.Generator, day: float, language: int) -> tuple[str, _Device]:
    """Under whose name a program runs: nobody's, a new account's, or that of a customer who does not know of it."""
    drawn = rng.random()
    if drawn < 0.25:
        customer, device = hijacked(plot, rng, language)
        return customer, {"device": device}
    return (plot.account(day, language) if drawn < 0.5 else ""), {"device": plot.fresh("device")}


def _walk(plot: Plot, language: int, day: float, share: float, rng: np.random.Generator) -> Ints:
    """Shelf after shelf, everything on it, as a program follows links: int64 (n,)."""
    rows = plot.on_sale(language, day)
    kinds = rng.permutation(np.unique(plot.goods.type[rows]))
    kinds = kinds[: max(1, round(share * len(kinds)))]
    return np.concatenate([rng.permutation(rows[plot.goods.type[rows] == kind]) for kind in kinds])


def _scraper(plot: Plot, rng: np.random.Generator) -> None:
    """One device, all night, an item every other second, a new session every hundred or two."""
    device: _Device = {"device": plot.fresh("device")}
    language = int(rng.integers(2))
    for _ in range(int(rng.integers(1, 3))):
        day = np.floor(rng.uniform(0, plot.days)) + rng.uniform(1.0, 5.0) / 24.0
        rows = _walk(plot, language, min(float(day), plot.days), float(rng.uniform(0.15, 0.6)), rng)
        length, session = int(rng.integers(60, 200)), ""
        seconds = float(rng.uniform(0.6, 4.0))
        for step, (row, pause) in enumerate(
            zip(rows.tolist(), pauses(rng, len(rows), seconds, regular=True), strict=True)
        ):
            if step % length == 0:
                session = plot.fresh("session")
            day += pause
            _view(plot, float(day), row, {"customer": "", "session": session}, device, "direct")
    plot.plant("scraper", f"device:{device['device']}")


def _stealthy(plot: Plot, rng: np.random.Generator) -> None:
    """Some shelves over two weeks, a few items a visit, at human hours with human pauses; half through pages of a listing."""
    language = int(rng.integers(2))
    first = float(rng.uniform(0, max(1.0, plot.days - 10)))
    account, device = _cover(plot, rng, first, language)
    listed = rng.random() < 0.5
    rows = _walk(plot, language, first, 1.0, rng)[: int(rng.integers(20, 120))]
    while len(rows):
        now, rows = np.split(rows, [int(rng.integers(6, 20))])
        day = evening(rng, first, min(plot.days, first + 14))
        who: Fields = {"customer": account, "session": plot.fresh("session")}
        for page in np.array_split(now, max(1, len(now) // 6)):
            request = plot.fresh("request", 16)
            if listed:
                shown = plot.page(page, "home")
                plot.write(day, EventKind.IMPRESSION, request=request, impression=shown, **who, properties=device)
            for row, pause in zip(page.tolist(), pauses(rng, len(page), 30.0, regular=False), strict=True):
                day += float(pause)
                if listed:
                    item = plot.goods.ids[row]
                    plot.write(day, EventKind.CLICK, item=item, request=request, **who, properties=device)
                _view(plot, day + 1e-5, row, who, device, "home" if listed else "direct")
    plot.plant("stealth_scraper", account or f"device:{device['device']}")


def _monitor(plot: Plot, rng: np.random.Generator) -> None:
    """The same items every few hours, for weeks."""
    device: _Device = {"device": plot.fresh("device")}
    first = float(rng.uniform(0, max(1.0, plot.days - 12)))
    rows = rng.permutation(plot.on_sale(int(rng.integers(2)), first))[: int(rng.integers(5, 15))]
    every = float(rng.choice([6.0, 8.0, 12.0])) / 24.0
    regular = rng.random() < 0.6
    day = first
    while day < min(plot.days, first + 12):
        moment, session = day, plot.fresh("session")
        for row, pause in zip(
            rows.tolist(), pauses(rng, len(rows), 3.0 if regular else 20.0, regular=regular), strict=True
        ):
            moment += float(pause)
            _view(plot, moment, row, {"customer": "", "session": session}, device, "direct")
        day += every * float(rng.normal(1.0, 0.002 if regular else 0.1))
    plot.plant("monitor", f"device:{device['device']}")


def _boosters(plot: Plot, rng: np.random.Generator) -> None:
    """Rings that search for a thing, open a popular item and then their own, and put it into the basket; nobody ever buys.

    Fake co-visitation: Yang, Gong and Cai 2017, "Fake co-visitation injection attacks to recommender systems".
    """
    goods = plot.goods
    bought = [event.item for event in plot.practice.events if event.kind is EventKind.PURCHASE]
    place = {item: row for row, item in enumerate(goods.ids)}
    popular = np.bincount([place[item] for item in bought], minlength=len(goods.ids))
    for ring in range(plot.count(len(plot.practice.customers), 0.4)):
        language, first = ring % 2, float(rng.uniform(0, max(1.0, plot.days - 15)))
        rows = plot.on_sale(language, first)
        target = int(rng.choice(rows))
        anchors = rows[np.argsort(-popular[rows] - rng.random(len(rows)))][:30]
        for _ in range(int(rng.integers(2, 5))):
            account, device = _cover(plot, rng, first, language)
            regular = rng.random() < 0.4
            for _ in range(int(rng.integers(4, 25))):
                day = evening(rng, first, min(plot.days, first + 20))
                who: Fields = {"customer": account, "session": plot.fresh("session")}
                _push(plot, day, target, int(rng.choice(anchors)), who, device, rng, regular=regular)
            plot.plant("booster", account or f"device:{device['device']}", goods.ids[target])


def _push(
    plot: Plot,
    day: float,
    target: int,
    anchor: int,
    who: Fields,
    device: _Device,
    rng: np.random.Generator,
    *,
    regular: bool,
) -> None:
    gaps = iter(pauses(rng, 8, 5.0 if regular else 25.0, regular=regular).tolist())
    for row in (anchor, target):
        query = phrase(plot.words, plot.goods, row, rng).text
        request = plot.fresh("request", 16)
        others = rng.permutation(plot.on_sale(int(plot.goods.language[row]), max(0.0, day)))[:11]
        page = rng.permutation(np.append(others[others != row], row))
        common: Fields = {"request": request, "query": query, **who, "properties": device}
        plot.write(day, EventKind.SEARCH, **common)
        plot.write(day + 5e-6, EventKind.IMPRESSION, **common, impression=plot.page(page, "search"))
        day += next(gaps)
        plot.write(day, EventKind.CLICK, item=plot.goods.ids[row], **common)
        _view(plot, day + 1e-5, row, who, device, "search")
        day += next(gaps)
        if row == target:
            plot.write(day, EventKind.CART, item=plot.goods.ids[row], **who, properties=device)


def _view(plot: Plot, day: float, row: int, who: Fields, device: _Device, surface: str) -> None:
    plot.write(day, EventKind.VIEW, item=plot.goods.ids[row], **who, properties={"surface": surface, **device})

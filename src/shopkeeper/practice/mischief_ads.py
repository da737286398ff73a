"""Sponsored places, clicked by people who like what they see, and by rivals who want a campaign's money gone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shopkeeper.practice.behaviour import examination
from shopkeeper.practice.goods import Ints
from shopkeeper.practice.mischief_crowd import hijacked
from shopkeeper.practice.mischief_plot import Fields, Plot, evening, pauses
from shopkeeper.records import Event, EventKind, Scalar

_PLACES = 2
_SHOWN = 0.5
"""Share of the pages of search and home that carry ads."""
_PULL = -0.3


@dataclass(frozen=True, slots=True)
class Campaign:
    """An advertiser's items and what each click costs.

    Attributes:
        rows: int64 (k,), of the goods; all in one language.
        price: Per click, in the currency of the items.
    """

    id: str
    rows: Ints
    price: float


def sponsor(plot: Plot) -> list[Campaign]:
    """Sixteen campaigns of single brands, shown where their kind of thing is shown, and what honest customers make of them."""
    rng = plot.rng("ads")
    campaigns = _campaigns(plot, rng)
    owner = {row: campaign for campaign in campaigns for row in campaign.rows.tolist()}
    sponsored = np.array(sorted(owner), dtype=np.int64)
    place = {item: row for row, item in enumerate(plot.goods.ids)}
    known = {name: row for row, name in enumerate(plot.practice.truth.tastes.ids)}
    who = {event.session: event.customer for event in plot.practice.events}
    for event in list(plot.events):
        shown = event.impression
        if event.kind is not EventKind.IMPRESSION or shown is None or shown.surface not in ("search", "home"):
            continue
        if rng.random() > _SHOWN:
            continue
        page = np.array([place[item] for item in shown.items], dtype=np.int64)
        day = plot.day(event.time)
        rows = _chosen(plot, page, sponsored, day, rng)
        if len(rows):
            _react(plot, event, known[who[event.session]], rows, owner, rng)
    return campaigns


def _campaigns(plot: Plot, rng: np.random.Generator) -> list[Campaign]:
    goods = plot.goods
    visible = ~goods.hidden
    brands, counts = np.unique(goods.brand[visible], return_counts=True)
    chosen = rng.permutation(brands[counts >= min(6, int(counts.max()))])[:16]
    return [
        Campaign(
            plot.fresh("campaign", 8),
            rng.permutation(np.flatnonzero((goods.brand == brand) & visible))[:12],
            round(float(rng.uniform(0.2, 0.9)) * (6.2 if goods.language[goods.brand == brand][0] else 1.0), 2),
        )
        for brand in chosen.tolist()
    ]


def _chosen(plot: Plot, page: Ints, sponsored: Ints, day: float, rng: np.random.Generator) -> Ints:
    goods = plot.goods
    free = sponsored[goods.on_sale(day)[sponsored] & ~np.isin(sponsored, page)]
    language = np.bincount(goods.language[page], minlength=2).argmax()
    free = rng.permutation(free[goods.language[free] == language])
    fits = np.isin(goods.type[free], goods.type[page])
    return np.concatenate([free[fits], free[~fits]])[:_PLACES]


def _react(
    plot: Plot, page: Event, customer: int, rows: Ints, owner: dict[int, Campaign], rng: np.random.Generator
) -> None:
    """Show ads beside a page and let an honest customer look, click, and perhaps buy."""
    behaviour, day = plot.practice.truth.behaviour, plot.day(page.time)
    device = {"device": page.properties["device"]}
    who: Fields = {"customer": page.customer, "session": page.session}
    request = plot.fresh("request", 16)
    show(plot, day, request, rows, owner, who, device, honest=True)
    pull = behaviour.need_pull(customer, rows, day) + _PULL
    chance = examination(np.arange(1, len(rows) + 1)) * behaviour.attraction(customer, rows, day, pull)
    for number in np.flatnonzero(rng.random(len(rows)) < chance).tolist():
        row, item = int(rows[number]), plot.goods.ids[rows[number]]
        day += float(rng.gamma(1.5, 6.0) + 1.0) / 86_400
        click(plot, day, request, row, owner[row], who, device, honest=True)
        day += float(rng.uniform(0.5, 2.0)) / 86_400
        plot.write(day, EventKind.VIEW, honest=True, item=item, **who, properties={"surface": "ad", **device})
        buys = behaviour.conversion(customer, rows[[number]], day, pull[[number]])[0]
        if page.customer and rng.random() < buys:
            day += float(rng.gamma(1.5, 20.0)) / 86_400
            plot.write(day, EventKind.CART, honest=True, item=item, **who, properties=device)


def show(
    plot: Plot,
    day: float,
    request: str,
    rows: Ints,
    owner: dict[int, Campaign],
    who: Fields,
    device: dict[str, Scalar],
    *,
    honest: bool,
) -> None:
    """Write down that ads were shown."""
    named: dict[str, Scalar] = {}
    for place, row in enumerate(rows.tolist(), 1):
        named |= {f"campaign.{place}": owner[row].id, f"price.{place}": owner[row].price}
    page = plot.page(rows, "ads")
    plot.write(
        day + 5e-7, EventKind.AD_IMPRESSION, honest=honest, request=request, impression=page, **who,
        properties={**named, **device},
    )  # fmt: skip


def click(
    plot: Plot,
    day: float,
    request: str,
    row: int,
    campaign: Campaign,
    who: Fields,
    device: dict[str, Scalar],
    *,
    honest: bool,
) -> None:
    """Write down that an ad was clicked, and what that cost."""
    plot.write(
        day, EventKind.AD_CLICK, honest=honest, item=plot.goods.ids[row], request=request, value=campaign.price, **who,
        properties={"campaign": campaign.id, **device},
    )  # fmt: skip


def defraud(plot: Plot, campaigns: list[Campaign]) -> None:
    """Rivals of a fifth of the campaigns come back for days, see its ads among others, and click it nearly every time.

    Half are programs by their pauses, half look like people and browse a little besides; a quarter have an account, a
    quarter run unnoticed on a customer's device.
    """
    rng = plot.rng("click fraud")
    owner = {row: campaign for campaign in campaigns for row in campaign.rows.tolist()}
    sponsored = np.array(sorted(owner), dtype=np.int64)
    targets = campaigns[: max(1, len(campaigns) // 5)]
    for number in range(plot.count(len(plot.practice.customers))):
        target = targets[number % len(targets)]
        language = int(plot.goods.language[target.rows[0]])
        regular = rng.random() < 0.5
        first = float(rng.uniform(0, max(1.0, plot.days - 6)))
        drawn = rng.random()
        account, used = hijacked(plot, rng, language) if drawn < 0.25 else ("", plot.fresh("device"))
        account = plot.account(first, language) if drawn > 0.75 else account
        device: dict[str, Scalar] = {"device": used}
        mates = sponsored[plot.goods.language[sponsored] == language]
        for _ in range(int(rng.integers(2, 9))):
            day = (
                evening(rng, first, min(plot.days, first + 15)) if not regular else float(rng.uniform(first, first + 8))
            )
            who: Fields = {"customer": account, "session": plot.fresh("session")}
            if not regular:
                _browse(plot, day - 0.002, language, who, device, rng)
            for pause in pauses(rng, int(rng.integers(1, 5)), 6.0 if regular else 40.0, regular=regular):
                day += float(pause)
                own = int(rng.choice(target.rows))
                rows = np.array([own, int(rng.choice(mates))])[rng.permutation(2)]
                request = plot.fresh("request", 16)
                show(plot, day, request, rows, owner, who, device, honest=False)
                if rng.random() < 0.85:
                    day += float(rng.uniform(0.8, 1.2) if regular else rng.gamma(1.5, 4.0) + 1.0) / 86_400
                    click(plot, day, request, own, target, who, device, honest=False)
                    view = {"surface": "ad", **device}
                    plot.write(day + 5e-6, EventKind.VIEW, item=plot.goods.ids[own], **who, properties=view)
        plot.plant("click_fraud", account or f"device:{device['device']}", target.id)


def _browse(
    plot: Plot, day: float, language: int, who: Fields, device: dict[str, Scalar], rng: np.random.Generator
) -> None:
    """A page, and something of it opened, as anybody would."""
    rows = plot.on_sale(language, max(day, 0.0))
    rows = rng.permutation(rows)[:12]
    if not len(rows):
        return
    request = plot.fresh("request", 16)
    plot.write(day, EventKind.IMPRESSION, request=request, impression=plot.page(rows, "home"), **who, properties=device)
    item = plot.goods.ids[rows[int(rng.integers(len(rows)))]]
    plot.write(day + 1e-4, EventKind.CLICK, item=item, request=request, **who, properties=device)
    view = {"surface": "home", **device}
    plot.write(day + 1.2e-4, EventKind.VIEW, item=item, **who, properties=view)

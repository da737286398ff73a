"""Devices, addresses and cards of everybody, and what thieves buy with those of others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shopkeeper.practice.goods import opaque
from shopkeeper.practice.mischief_plot import Fields, Plot, evening
from shopkeeper.records import Event, EventKind

_UNNAMED = 0.15
"""Share of the visits without a purchase in which nobody logs in."""
_NAMED = frozenset((EventKind.CART, EventKind.PURCHASE, EventKind.REVIEW, EventKind.RETURN, EventKind.LIKE))


@dataclass(frozen=True, slots=True)
class _Wallet:
    devices: tuple[str, ...]
    addresses: tuple[str, ...]
    cards: tuple[str, ...]


def equip(plot: Plot) -> None:
    """Give every customer devices, addresses and cards, and write them to the events; some visits lose their name.

    Most have one address and a tenth share it with somebody; visits go to the second device a third of the time. The
    purchases of one visit are one payment.
    """
    rng = plot.rng("wallets")
    wallets: dict[str, _Wallet] = {}
    for name in plot.practice.truth.tastes.ids:
        neighbour = wallets[str(rng.choice(list(wallets)))] if len(wallets) > 10 and rng.random() < 0.1 else None
        home = neighbour.addresses[0] if neighbour else plot.fresh("address")
        wallets[name] = _Wallet(
            tuple(plot.fresh("device") for _ in range(1 + (rng.random() < 0.5) + (rng.random() < 0.1))),
            (home, *(plot.fresh("address") for _ in range(int(rng.random() < 0.25)))),
            tuple(plot.fresh("card") for _ in range(1 + (rng.random() < 0.3))),
        )
    named = {event.session for event in plot.events if event.kind in _NAMED}
    used: dict[str, tuple[str, str, str, bool]] = {}
    for place, event in enumerate(plot.events):
        if not event.session:
            continue
        if event.session not in used:
            wallet = wallets[event.customer]
            used[event.session] = (
                _mostly_first(wallet.devices, rng),
                _mostly_first(wallet.addresses, rng),
                _mostly_first(wallet.cards, rng),
                event.session not in named and rng.random() < _UNNAMED,
            )
        plot.events[place] = _equipped(event, plot.seed, *used[event.session])


def _mostly_first(values: tuple[str, ...], rng: np.random.Generator) -> str:
    return values[0] if len(values) == 1 or rng.random() < 0.67 else values[int(rng.integers(1, len(values)))]


def _equipped(event: Event, seed: int, device: str, address: str, card: str, unnamed: bool) -> Event:
    more = {"device": device}
    if event.kind is EventKind.PURCHASE:
        payment = opaque(f"payment-{event.session}", seed, 0, 12)
        more |= {"payment": payment, "address": address, "card": card}
    customer = "" if unnamed else event.customer
    return replace(event, customer=customer, properties={**event.properties, **more})


def steal(plot: Plot) -> None:
    """Stolen accounts and stolen cards; the subject of each is a payment.

    A ring has a few devices and addresses. It takes over old accounts and buys dear things there within minutes, or opens
    new accounts and tries one stolen card after the other. Some thieves are careful: one usual purchase in the evening.
    """
    rng = plot.rng("thieves")
    payments = {event.session for event in plot.practice.events if event.kind is EventKind.PURCHASE}
    victims = plot.practice.truth.tastes
    devices = [plot.fresh("device") for _ in range(4)]
    addresses = [plot.fresh("address") for _ in range(3)]
    for number in range(2 * plot.count(len(payments))):
        taken = number % 2 == 0
        who = int(rng.integers(len(victims.ids)))
        language = int(victims.language[who])
        start = max(2.0, float(victims.created[who]) + 2.0)
        careful = rng.random() < 0.3
        day = evening(rng, start, plot.days) if careful else float(rng.uniform(start, max(plot.days, start + 1)))
        customer = victims.ids[who] if taken else plot.account(day - 0.1, language)
        payment = plot.fresh("payment", 12)
        fields: Fields = {
            "customer": customer,
            "session": plot.fresh("session"),
        }
        properties = {
            "payment": payment,
            "device": devices[int(rng.integers(len(devices)))] if rng.random() < 0.8 else plot.fresh("device"),
            "address": addresses[int(rng.integers(len(addresses)))] if rng.random() < 0.8 else plot.fresh("address"),
            "card": plot.fresh("card"),
            "currency": ("USD", "CNY")[language],
        }
        rows = plot.on_sale(language, min(day, plot.days))
        dear = rows[np.argsort(-plot.goods.price[rows], kind="stable")][: max(5, len(rows) // 10)]
        wanted = rng.permutation(rows if careful else dear)[: 1 if careful else int(rng.integers(1, 4))]
        if day > plot.days or not len(wanted):
            continue
        for row in wanted.tolist():
            item, device = plot.goods.ids[row], {"device": properties["device"]}
            plot.write(day, EventKind.VIEW, item=item, **fields, properties={"surface": "direct", **device})
            day += float(rng.uniform(15, 60 if not careful else 300)) / 86_400
            value = round(float(plot.goods.price[row]), 2)
            plot.write(day, EventKind.PURCHASE, item=item, value=value, **fields, properties=properties)
            day += float(rng.uniform(20, 90)) / 86_400
        plot.plant("stolen_account" if taken else "stolen_card", payment, customer)

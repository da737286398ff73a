"""How long a payment waits for its verdict, and a profile for the event that has just happened; in process and through HTTP.

One shop has it all: the practice shop's goods, customers and behaviour, and 100,000 card payments of the public simulation,
moved to end now. Each of those gets an item, a device, a card and an address that two customers share, so that every group of
features is worked out, words included. Judged are the payments that follow them, at their own times, one after the other.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl

from bench.contract import Metric, Row, peak_mb
from bench.guard_log import LIVES, PEOPLE, PROBE, lives, mute, paid, purchases
from bench.latency import _command, _free_port, _rss_mb, _server
from shopkeeper.practice import Practice, build
from shopkeeper.ranking.payments.model import Action
from shopkeeper.records import Event, Item, now
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.tasks.guard.task import GuardTask
from shopkeeper.tasks.profile.task import ProfileTask, profiles
from shopkeeper.tasks.shop import Shop, open_shop

EARLIER = 100_000

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is of everything.

    Attributes:
        earlier: Payments in the log.
        judged: Payments that are judged.
        asked: Profiles that are asked for, of each kind of customer.
        products: Of the practice shop.
        customers: Likewise.
    """

    earlier: int = EARLIER
    judged: int = 1_000
    asked: int = 200
    products: int = 800
    customers: int = 300


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows `shopkeeper judge ...` (goal: p95 below 20 ms) and `shopkeeper profile ...` (p95 below 50 ms), and their floors.

    `model alone` predicts from a row of features that lies ready. `profile` is timed from a purchase that is sent to the
    profile after it, which must know what was done just before it was asked for (see `mute`); `refold` makes the task anew for each profile and reads the whole log of the customer.
    `cpu_p95_ms` is what the same calls took of a core, whatever else ran on the machine.

    Args:
        data: Folder of the public data sets.
        quick: 5,000 earlier payments, a hundred judged.
        seed: Of the practice shop, of who is drawn and of what they buy.
    """
    sizes = Sizes(5_000, 100, 30, 400, 200) if quick else Sizes()
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "shop"
        began = time.perf_counter()
        practice = build(seed, products=sizes.products, customers=sizes.customers)
        asked = fill(home, data, practice, sizes, rng)
        seconds = time.perf_counter() - began
        shop = open_shop(Settings.model_validate({"home": str(home), "models": {"encoder": "minilm"}}))
        try:
            rows = [*judged(shop.guard, asked), *_profiled(shop, practice.items, sizes.asked, rng)]
        finally:
            shop.close()
        rows += through_http(home, asked, practice.items, sizes.asked, rng)
    return [replace(rows[0], seconds=seconds), *rows[1:]]


def fill(home: Path, data: Path, practice: Practice, sizes: Sizes, rng: np.random.Generator) -> list[Event]:
    """Make the shop in `home` and teach it; gives the payments to be judged, in order of time, the last of them now."""
    _asked(home, "init")
    card = pl.read_parquet(data / "card-fraud-simulated" / "transactions.parquet")
    payments = paid(card, practice.items, sizes.earlier + sizes.judged, sizes.judged, rng)
    moved = now() - max(event.time for event in practice.events)
    log = [replace(event, time=event.time + moved) for event in practice.events]
    with open_store(Settings.model_validate({"home": str(home)}).store_url) as store:
        store.catalogue.put(practice.items)
        store.customers.put(practice.customers)
        store.words.put(practice.passages)
        store.events.append(log)
        for size in LIVES:
            store.events.append(lives(log, size, rng))
        _asked(home, "train", "profile", "--strict")
        store.events.append(payments[: sizes.earlier])
    _asked(home, "train", "fraud", "--strict")
    return payments[sizes.earlier :]


def _asked(home: Path, *words: str) -> None:
    subprocess.run([*_command(home), *words], check=True, capture_output=True)


def judged(guard: GuardTask, payments: Sequence[Event]) -> list[Row]:
    """Each payment is judged once; then the model alone sees the features of each."""
    verdicts = []
    busy = _busy()
    found = timed([lambda event=event: verdicts.append(guard.judge([event])) for event in payments])  # type: ignore[misc]
    held = sum(verdict.action is not Action.ALLOW for verdict in verdicts)
    note = f"{len(payments):,} payments, {held} not allowed; {len(guard.model.features)} features; {busy}"
    rows = guard.recent(2.0)[1]
    table = np.resize(rows, (len(payments), rows.shape[1]))
    alone = timed([lambda row=row: guard.model.scores(row[None, :]) for row in table])  # type: ignore[misc]
    kind = f"{len(guard.model.trees)} LightGBM models and the outliers, features ready"
    return [
        Row("shopkeeper judge, in process", {**found, "rss_mb": Metric(peak_mb())}, notes=note),
        Row("model alone", alone, notes=f"{kind}; {busy}"),
    ]


def _profiled(shop: Shop, items: Sequence[Item], asked: int, rng: np.random.Generator) -> Iterator[Row]:
    for size in LIVES:
        events = purchases(items, size, "local", asked, rng)
        yield from folded(shop.record, shop.profile, lambda: profiles(shop._floor, shop.registry), size, events)


def folded(
    record: Callable[[Sequence[Event]], object],
    profile: Callable[[str], Any],
    anew: Callable[[], ProfileTask],
    size: int,
    events: Sequence[Event],
) -> Iterator[Row]:
    """From event to profile, and what it costs to make the task and the profile anew."""
    busy = _busy()

    def effect(event: Event) -> Any:
        record([event])
        return profile(event.customer)

    calls: list[Call] = [lambda event=event: effect(event) for event in events]  # type: ignore[misc]
    yield Row(f"shopkeeper profile of {size:,} events, in process", timed(calls), notes=f"with the write; {busy}")
    for event in events[:PEOPLE]:
        _check(effect(mute(event)).muted, event)
    again: list[Call] = [lambda event=event: anew().profile(event.customer) for event in events[:20]]  # type: ignore[misc]
    yield Row(
        f"refold of {size:,} events", timed(again), notes=f"the task made anew, every vector and deed read; {busy}"
    )


def through_http(
    home: Path, payments: Sequence[Event], items: Sequence[Item], asked: int, rng: np.random.Generator
) -> list[Row]:
    """The same through a server of its own, asked by one client over loopback."""
    with _server(home, _free_port()) as (client, pid):
        client.post("/v1/guard/payments", json=_body(payments[0])).raise_for_status()  # opens the guard
        busy = _busy()
        bodies = [_body(event) for event in payments]
        found = timed([lambda body=body: _posted(client, "/v1/guard/payments", body) for body in bodies], cpu=False)  # type: ignore[misc]
        rows = [Row("shopkeeper judge, through HTTP", {**found, "rss_mb": Metric(_rss_mb(pid))}, notes=busy)]
        rows += [_effects(client, size, purchases(items, size, "http", asked, rng)) for size in LIVES]
    return rows


def _effects(client: httpx.Client, size: int, events: Sequence[Event]) -> Row:
    busy, reads = _busy(), []

    def effect(event: Event) -> Any:
        _posted(client, "/v1/events", _body(event))
        began = time.perf_counter()
        answer = client.get(f"/v1/customers/{event.customer}/profile").raise_for_status().json()
        reads.append(1_000 * (time.perf_counter() - began))
        return answer

    found = timed([lambda event=event: effect(event) for event in events], cpu=False)  # type: ignore[misc]
    for event in events[:PEOPLE]:
        _check(effect(mute(event))["muted"], event)
    read = {"read_p95_ms": Metric(float(np.percentile(reads, 95)))}
    return Row(f"shopkeeper profile of {size:,} events, through HTTP", found | read, notes=f"with the write; {busy}")


def timed(calls: Sequence[Call], *, cpu: bool = True) -> dict[str, Metric]:
    """p50, p95 and p99 in milliseconds of calls made one after the other, the first ten of which do not count."""
    wall, spent = [], []
    for call in calls:
        began, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - began)
        spent.append(time.process_time() - used)
    warm = slice(min(10, len(calls) // 2), None)
    marks = np.percentile(np.array(wall[warm]) * 1_000, [50, 95, 99])
    found = {f"p{mark}_ms": Metric(float(value)) for mark, value in zip((50, 95, 99), marks, strict=True)}
    return found | ({"cpu_p95_ms": Metric(float(np.percentile(np.array(spent[warm]) * 1_000, 95)))} if cpu else {})


def _posted(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    if not (answer := client.post(path, json=body)).is_success:
        raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text}")


def _body(event: Event) -> dict[str, Any]:
    line = {name: getattr(event, name) for name in ("id", "customer", "item", "value")}
    return {
        "events": [
            line | {"kind": event.kind.value, "properties": dict(event.properties), "time": event.time.isoformat()}
        ]
    }


def _check(muted: Sequence[str], event: Event) -> None:
    if PROBE not in muted:
        raise AssertionError(f"the profile does not show what {event.customer} has just done")


def _busy() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"

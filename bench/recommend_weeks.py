"""Weeks in the practice shop: every arm serves the same visitors its own pages, learns from its own log, and meets hidden tastes.

The visitors click and buy by the tastes behind the log. An arm sees impressions, clicks and purchases of its own pages only; its
counts are refitted each night. Afterwards some customers suddenly act by another's taste: after how many of their
events does the page follow?
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.models.static import StaticEncoder
from shopkeeper.practice import Practice, build
from shopkeeper.ranking.blend import Blend, Part
from shopkeeper.ranking.clicks import ClickTable, click_statistics
from shopkeeper.ranking.examination import examination
from shopkeeper.ranking.shown import KINDS as SHOWN
from shopkeeper.ranking.shown import read_shown
from shopkeeper.recipes.recommend.behaviour import train_behaviour
from shopkeeper.records import Event, EventKind, Request
from shopkeeper.retrieval.histories import Floats, read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import RecommendSettings, Settings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.sessions import MemorySessions
from shopkeeper.tasks.recommend.behaviour import Behaviour, Parameters, fit, learnt_from
from shopkeeper.tasks.recommend.shaping import Shaper
from shopkeeper.tasks.recommend.task import RecommendTask

Values = NDArray[np.float64]

_PLACES = 10
_FOLLOWED = 0.5
"""Share of the way from the old page to the one that the other customer gets."""
_EVENTS = 12
_BATCH = 5_000

Refit = Callable[[SqlStore, Shelf, datetime], Behaviour]


@dataclass(slots=True)
class _Arm:
    """One way to recommend, with a shop of its own.

    Attributes:
        task: Answers.
        refit: Counts anew from the arm's log.
        clicks: Clicks and looks of items, kept up to date.
        weeks: For each week the regret, clicks and purchases of each page.
    """

    name: str
    store: SqlStore
    sessions: MemorySessions
    task: RecommendTask
    refit: Refit
    clicks: ClickTable
    bought: dict[str, set[str]] = field(default_factory=dict)
    weeks: list[tuple[list[float], list[int], list[int]]] = field(default_factory=list)
    discovered: set[str] = field(default_factory=set)
    seconds: float = 0.0


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Popularity, item-kNN, ours, and ours exploring in two ways: regret by week, drift, and what exploring costs and finds.

    `regret` is the mean affinity (log-odds of a click at the first place) of the ten items that a visitor would have liked
    best, less that of the ten shown. `discovered` counts items without any behaviour before the first week that were clicked
    since. `events_to_follow` is how many events of another taste it takes until a page has come half of the way, at
    most twelve.

    Args:
        data: Not used: the shop is simulated.
        quick: A smaller shop and fewer visitors.
        seed: Of the shop, the visitors and the bootstrap.
    """
    practice = build(seed, products=800, customers=300) if quick else build(seed)
    weeks, visits = (2, 200) if quick else (5, 1_000)
    shelf = Shelf(practice.items)
    vectors = StaticEncoder().encode([item.passage for item in practice.items])
    with TemporaryDirectory() as scratch:
        home = Path(scratch)
        settings = Settings.model_validate({"home": home, "compute": {"seed": seed}})
        arms = _arms(practice, shelf, vectors, settings)
        try:
            fresh = _untouched(arms[0].store, shelf)
            for week in range(weeks):
                for arm in arms:
                    began = time.perf_counter()
                    _live(arm, practice, shelf, week, visits, fresh, seed)
                    arm.seconds += time.perf_counter() - began
            end = practice.cut + timedelta(weeks=weeks)
            drift = {arm.name: _drift(arm, practice, end, 40 if quick else 150, seed) for arm in arms}
            return [_row(arm, drift[arm.name], seed) for arm in arms]
        finally:
            for arm in arms:
                arm.store.close()


def _arms(practice: Practice, shelf: Shelf, vectors: Floats, settings: Settings) -> list[_Arm]:
    first = _opened(practice, settings.home / "taught.db")
    bundle = train_behaviour(first, vectors, shelf, settings, settings.home / "behaviour")
    first.close()
    learnt, sequence, ranker = learnt_from(bundle, shelf, vectors)

    def ours(store: SqlStore, shelf: Shelf, until: datetime) -> Behaviour:
        return replace(_fitted(store, shelf, vectors, learnt, until), next=sequence, ranker=ranker)

    def alone(name: str) -> Refit:
        parameters = replace(learnt, blend=Blend({name: Part(1.0)}))
        return lambda store, shelf, until: _fitted(store, shelf, vectors, parameters, until)

    exploring = {"explore": 0.5, "explore_clicks": 1e9}
    wanted: list[tuple[str, Refit, dict[str, object]]] = [
        ("popularity", alone("popular"), {}),
        ("item-kNN, tuned", alone("together"), {}),
        ("shopkeeper", ours, {}),
        ("shopkeeper, exploring by Thompson", ours, {**exploring, "explore_by": "thompson"}),
        ("shopkeeper, exploring evenly", ours, {**exploring, "explore_by": "evenly"}),
    ]
    return [
        _arm(name, refit, RecommendSettings.model_validate(knobs), practice, shelf, settings.home / f"{number}.db")
        for number, (name, refit, knobs) in enumerate(wanted)
    ]


def _arm(name: str, refit: Refit, knobs: RecommendSettings, practice: Practice, shelf: Shelf, file: Path) -> _Arm:
    store = _opened(practice, file)
    log = [event for _, event in store.events.scan(kinds=list(SHOWN))]
    clicks = click_statistics(log, examination(read_shown(log)))
    bought: dict[str, set[str]] = {}
    for event in log:
        if event.kind is EventKind.PURCHASE and event.customer:
            bought.setdefault(event.customer, set()).add(event.item)
    sessions = MemorySessions(store.events)
    task = RecommendTask(
        shelf,
        refit(store, shelf, practice.cut),
        knobs,
        recent=sessions.recent,
        bought=lambda customer: bought.get(customer, ()),
        shaper=Shaper(shelf, knobs, clicks.trials),
    )
    return _Arm(name, store, sessions, task, refit, clicks, bought)


def _opened(practice: Practice, file: Path) -> SqlStore:
    store = open_store(f"sqlite:///{file}")
    store.catalogue.put(practice.items)
    past = [event for event in practice.events if event.time < practice.cut]
    for start in range(0, len(past), _BATCH):
        store.events.append(past[start : start + _BATCH])
    return store


def _fitted(store: SqlStore, shelf: Shelf, vectors: Floats, parameters: Parameters, until: datetime) -> Behaviour:
    histories, _ = read(store.events.frame(), shelf)
    return fit(histories, shelf, vectors, parameters, until.timestamp())


def _untouched(store: SqlStore, shelf: Shelf) -> set[str]:
    touched = set(store.events.frame()["item"].unique().to_list())
    return {item.id for item in shelf.items if item is not None} - touched


def _live(arm: _Arm, practice: Practice, shelf: Shelf, week: int, visits: int, fresh: set[str], seed: int) -> None:
    """One week: the same visitors at the same times for every arm; each reacts to the page it is shown."""
    rng = np.random.default_rng([seed, week])
    names = np.array(practice.truth.tastes.ids)
    regrets: list[float] = []
    clicked: list[int] = []
    purchased: list[int] = []
    for day in range(7):
        start = practice.cut + timedelta(weeks=week, days=day)
        who = rng.choice(names, visits // 7)
        seconds = np.sort(rng.integers(0, 86_000, len(who)))
        for number, (customer, second) in enumerate(zip(who.tolist(), seconds.tolist(), strict=True)):
            moment = start + timedelta(seconds=int(second))
            name = f"w{week}-{day}-{number}"
            request = Request(id=name, customer=customer, session=name, limit=_PLACES, surface="home", time=moment)
            answer = arm.task.answer(request)
            shown = [hit.item for hit in answer.hits]
            seen = practice.truth.affinity(customer, shown, moment)
            regrets.append(_ideal(arm, practice, shelf, customer, moment) - float(seen.mean()))
            response = practice.truth.respond(customer, shown, moment, np.random.default_rng([seed, week, day, number]))
            clicked.append(len(response.clicks))
            purchased.append(len(response.purchases))
            arm.discovered |= fresh & set(response.clicks)
            arm.bought.setdefault(customer, set()).update(response.purchases)
            events = [
                Event(
                    id=name,
                    time=moment,
                    kind=EventKind.IMPRESSION,
                    customer=customer,
                    session=name,
                    request=name,
                    impression=answer.impression(),
                )
            ]
            for kind, items in ((EventKind.CLICK, response.clicks), (EventKind.PURCHASE, response.purchases)):
                events += [
                    Event(
                        id=f"{name}-{kind}-{item}",
                        time=moment,
                        kind=kind,
                        customer=customer,
                        session=name,
                        item=item,
                        request=name,
                    )
                    for item in items
                ]
            arm.store.events.append(events)
            arm.sessions.fold(events)
            arm.clicks.fold(events)
        arm.task.behaviour = arm.refit(arm.store, shelf, start + timedelta(days=1))
    arm.weeks.append((regrets, clicked, purchased))


def _ideal(arm: _Arm, practice: Practice, shelf: Shelf, customer: str, moment: datetime) -> float:
    """Mean affinity of the ten allowed items that a customer would like best."""
    mask = shelf.showable()
    mask[shelf.rows(arm.bought.get(customer, ()))] = False
    ids = [shelf.item(row).id for row in np.flatnonzero(mask).tolist()]
    return float(np.sort(practice.truth.affinity(customer, ids, moment))[-_PLACES:].mean())


def _drift(arm: _Arm, practice: Practice, moment: datetime, pairs: int, seed: int) -> Values:
    """Events of another's taste until a customer's page has come half of the way to the other's, float64 (pairs,)."""
    rng = np.random.default_rng([seed, 99])
    names = sorted(arm.bought)
    found = []
    for number in range(pairs):
        one, other = (str(name) for name in rng.choice(names, 2, replace=False))

        def liked(customer: str, session: str) -> float:
            request = Request(id=f"{session}?", customer=customer, session=session, limit=_PLACES, time=moment)
            shown = [hit.item for hit in arm.task.answer(request).hits]
            return float(practice.truth.affinity(other, shown, moment).mean())  # noqa: B023 - called at once

        session = f"drift-{number}"
        before, aim = liked(one, session), liked(other, f"{session}-other")
        if aim <= before:
            continue
        acts = _acts(practice, other, moment, rng)
        steps = _EVENTS
        for step, item in enumerate(acts, 1):
            event = Event(
                id=f"{session}-{step}", time=moment, kind=EventKind.CLICK, customer=one, session=session, item=item
            )
            arm.store.events.append([event])
            arm.sessions.fold([event])
            if liked(one, session) >= before + _FOLLOWED * (aim - before):
                steps = step
                break
        found.append(float(steps))
    return np.array(found)


def _acts(practice: Practice, customer: str, moment: datetime, rng: np.random.Generator) -> list[str]:
    """Items that a customer clicks, drawn by the odds that they click what they look at."""
    ids = [item.id for item in practice.items]
    odds = np.exp(practice.truth.affinity(customer, ids, moment))
    return [ids[place] for place in rng.choice(len(ids), _EVENTS, replace=False, p=odds / odds.sum()).tolist()]


def _row(arm: _Arm, drift: Values, seed: int) -> Row:
    regrets, clicks, purchases = (np.concatenate([week[place] for week in arm.weeks]) for place in range(3))
    first, last = (np.array(arm.weeks[place][1], dtype=np.float64) for place in (0, -1))
    metrics = {
        "regret": Metric.mean(regrets, seed),
        "clicks_a_page": Metric.mean(clicks, seed),
        "purchases_a_page": Metric.mean(purchases, seed),
        "clicks_first_week": Metric.mean(first, seed),
        "clicks_last_week": Metric.mean(last, seed),
        "regret_last_week": Metric.mean(np.array(arm.weeks[-1][0]), seed),
        "discovered": Metric(float(len(arm.discovered))),
    }
    if len(drift):
        metrics["events_to_follow"] = Metric.mean(drift, seed)
    return Row(arm.name, metrics, arm.seconds)

"""Next purchases in the practice shop: time split, full ranking, regret against the hidden tastes, reasons put to the test."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.evaluation.next_items import Scorer, measures, places_of, ranks, split_time
from shopkeeper.models.static import StaticEncoder
from shopkeeper.practice import Practice, build
from shopkeeper.recipes.recommend.behaviour import train_behaviour
from shopkeeper.recipes.recommend.moments import moment
from shopkeeper.recipes.recommend.preference import places
from shopkeeper.records import EventKind, Request
from shopkeeper.retrieval.histories import Floats, Source, read
from shopkeeper.retrieval.shelf import Mask, Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.sessions import MemorySessions
from shopkeeper.tasks.recommend.behaviour import fit, learnt_from
from shopkeeper.tasks.recommend.task import RecommendTask

_BATCH = 5_000
_SHOWN = 10
_ASKED = 400
"""Customers whose hidden tastes are compared, and whose reasons are tested."""


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Popularity, item-kNN and our blend; everything is learnt and tuned on what happened before the cut.

    Args:
        data: Not used: the shop is simulated.
        quick: A smaller shop.
        seed: Of the shop and of the bootstrap.
    """
    practice = build(seed, products=800, customers=400) if quick else build(seed)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        store = open_store(f"sqlite:///{home / 'shop.db'}")
        try:
            return _compare(store, practice, Settings.model_validate({"home": home, "compute": {"seed": seed}}), seed)
        finally:
            store.close()


def _compare(store: SqlStore, practice: Practice, settings: Settings, seed: int) -> list[Row]:
    store.catalogue.put(practice.items)
    _post(store, practice, future=False)
    shelf = Shelf(store.catalogue.scan())
    width = len(shelf)
    vectors = StaticEncoder().encode([item.passage for item in shelf.items if item])
    began = time.perf_counter()
    bundle = train_behaviour(store, vectors, shelf, settings, settings.home / "behaviour")
    seconds = time.perf_counter() - began
    parameters, sequence, ranker = learnt_from(bundle, shelf, vectors)
    histories, names = read(store.events.frame(), shelf)
    behaviour = fit(histories, shelf, vectors, parameters, practice.cut.timestamp())
    behaviour = replace(behaviour, next=sequence, ranker=ranker)
    sessions = MemorySessions(store.events)
    task = RecommendTask(
        shelf, behaviour, settings.recommend, recent=sessions.recent, bought=lambda name: bought(store, name)
    )
    known = [name for name in names if not name.startswith("session:")]
    asked = [str(name) for name in np.random.default_rng(seed).permutation(known)[:_ASKED]]
    shown = {asker: _answers(task, asker, practice) for asker in asked}
    tested = _reasons(task, asked, practice)
    pasts = histories.take(np.array([names.index(name) for name in asked], dtype=np.int64))
    ideal = _ideal(practice, shelf, store, asked)
    _post(store, practice, future=True)
    frame = store.events.frame()
    end = practice.events[-1].time.timestamp() + 1
    split = split_time(frame, shelf, practice.cut.timestamp(), end)
    rows = []
    for name, source in (
        ("popularity", "popular"),
        ("item-kNN, tuned", "together"),
        ("directed co-occurrence, tuned", "after"),
        ("words", "words"),
        ("meaning, zero-shot", "meaning"),
    ):
        scorer = _alone(behaviour.sources[source], width)
        values = measures(ranks(scorer, split, width), split, (10,))
        lists = _lists(scorer(pasts), shelf, store, asked)
        rows.append(_row(name, values | {"regret": ideal - _liking(practice, asked, lists)}, seed))
    asking = moment(frame, shelf, split, "time").past
    ours = {
        "blend": places_of(
            lambda users: behaviour.blended(split.past.take(users), width, asking.take(users)), split, width
        )
    }
    if ranker is not None:
        ours["ranker"] = places(behaviour, split, asking, shelf)
    for name, where in ours.items():
        values = measures(where, split, (10,))
        if name == list(ours)[-1]:  # what is served
            served = [shown[asker] for asker in asked]
            values["regret"] = ideal - _liking(practice, asked, served)
            values["reasons_pass"] = np.array(tested, dtype=np.float64)
        rows.append(replace(_row(f"shopkeeper {name}", values, seed), seconds=seconds, notes=bundle.card.notes))
    return rows


def _row(name: str, values: Mapping[str, NDArray[np.float64]], seed: int) -> Row:
    return Row(name, {key: Metric.mean(per_user, seed) for key, per_user in values.items()})


def bought(store: SqlStore, customer: str) -> set[str]:
    """Everything a customer bought so far."""
    return {event.item for event in store.events.of_customer(customer) if event.kind is EventKind.PURCHASE}


def _post(store: SqlStore, practice: Practice, *, future: bool) -> None:
    events = [event for event in practice.events if (event.time >= practice.cut) == future]
    for first in range(0, len(events), _BATCH):
        store.events.append(events[first : first + _BATCH])


def _answers(task: RecommendTask, customer: str, practice: Practice) -> list[str]:
    answer = task.answer(Request(customer=customer, limit=_SHOWN, time=practice.cut))
    return [hit.item for hit in answer.hits]


def _reasons(task: RecommendTask, asked: list[str], practice: Practice) -> list[bool]:
    """For every reason that names an item: does the hit's score fall without that item?"""
    passed: list[bool] = []
    for customer in asked:
        request = Request(customer=customer, limit=5, time=practice.cut, explain=True)
        for hit in task.answer(request).hits:
            named = [reason.evidence[0] for reason in hit.reasons if reason.evidence]
            passed.extend(bool(task.without(request, item, [hit.item])[0] < hit.score) for item in named)
    return passed


def _allowed(shelf: Shelf, store: SqlStore, customer: str) -> Mask:
    mask = shelf.showable().copy()
    mask[shelf.rows(bought(store, customer))] = False
    return mask


def _ideal(practice: Practice, shelf: Shelf, store: SqlStore, asked: list[str]) -> NDArray[np.float64]:
    """Mean affinity of the ten allowed items that each customer would like best: float64 (n,)."""
    found = []
    for customer in asked:
        ids = [shelf.item(int(row)).id for row in np.flatnonzero(_allowed(shelf, store, customer))]
        found.append(np.sort(practice.truth.affinity(customer, ids, practice.cut))[-_SHOWN:].mean())
    return np.array(found)


def _liking(practice: Practice, asked: list[str], lists: list[list[str]]) -> NDArray[np.float64]:
    pairs = zip(asked, lists, strict=True)
    return np.array([practice.truth.affinity(customer, shown, practice.cut).mean() for customer, shown in pairs])


def _lists(scores: Floats, shelf: Shelf, store: SqlStore, asked: list[str]) -> list[list[str]]:
    """The ten best allowed items of each customer, ties in shuffled order."""
    shuffled = np.random.default_rng(0).permutation(len(shelf))
    lists = []
    for customer, own in zip(asked, scores, strict=True):
        own = np.where(_allowed(shelf, store, customer), own, -np.inf)
        best = shuffled[np.argsort(-own[shuffled], kind="stable")[:_SHOWN]]
        lists.append([shelf.item(int(row)).id for row in best])
    return lists


def _alone(source: Source, width: int) -> Scorer:
    return lambda past: source.scores(past.weights(source.decay, width))

"""Learning from clicks week by week in the practice shop: with clicks weighted by examination, as they come, not at all.

Every week customers search, see the ranking in force (one page in four explores, see `practice.shopfront`), look at place p
with probability p^-0.6 and click by hidden tastes. On Sunday each arm learns a ranker from its own clicks, a linear softmax
over what stood on the page, and serves it from Monday on. Nobody tells the arms how places are looked at.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from bench.contract import Metric, Row
from shopkeeper.evaluation.interleaving import TEAMS, earned_clicks, preference, team_draft, team_text
from shopkeeper.evaluation.metrics import ndcg_at
from shopkeeper.models.static import StaticEncoder
from shopkeeper.practice import Practice, build
from shopkeeper.practice.behaviour import GRADE_PULL, examination
from shopkeeper.practice.shopfront import show
from shopkeeper.ranking.clicks import CLIP, ClickTable, click_statistics
from shopkeeper.ranking.examination import examination as estimate
from shopkeeper.ranking.shown import read_shown
from shopkeeper.records import Event, EventKind, Impression
from shopkeeper.retrieval.hybrid import HybridIndex

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PLACES, _CANDIDATES = 12, 40
_RIDGE = 1.0
_TRUE = examination(np.arange(1, _PLACES + 1))


@dataclass(frozen=True, slots=True)
class _World:
    """What is asked and what is true; q queries with c candidates each.

    Attributes:
        rows: int64 (q, c), rows of the catalogue, best fused first.
        base: float64 (q, c, 2), words and meaning.
        grades: float64 (q, c); ideal: float64 (q, j), all grades above 0.
        language: int64 (q,), 0 English, 1 Chinese.
    """

    practice: Practice
    texts: tuple[str, ...]
    rows: Ints
    base: Floats
    grades: Floats
    ideal: Floats
    language: Ints

    def ids(self, query: int, places: Ints) -> list[str]:
        """Item ids of candidates."""
        return [self.practice.truth.behaviour.goods.ids[row] for row in self.rows[query, places]]

    def ndcg(self, orders: Ints) -> Floats:
        """nDCG@10 of an order of the candidates of each query, int64 (q, c): float64 (q,)."""
        return np.asarray(ndcg_at(10, np.take_along_axis(self.grades, orders, axis=1), self.ideal))


@dataclass(slots=True)
class _Arm:
    """One way to learn, and all it has seen.

    Attributes:
        bias: How it takes places to be looked at: None to find out, else given.
        pages: (features (n, places, f), weight of each click (n, places)) by week.
    """

    name: str
    learns: bool = True
    bias: Floats | None = None
    theta: Floats = field(default_factory=lambda: np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]))
    table: ClickTable = field(default_factory=lambda: ClickTable(np.ones(1)))
    log: list[Event] = field(default_factory=list)
    shown: list[tuple[Ints, Ints, NDArray[np.bool_]]] = field(default_factory=list)
    features: list[Floats] = field(default_factory=list)
    seconds: float = 0.0

    def orders(self, world: _World) -> Ints:
        """The ranking in force, int64 (q, c)."""
        scores = self.see(world) @ self.theta
        return np.argsort(-scores, axis=1, kind="stable")

    def see(self, world: _World) -> Floats:
        """Features of all candidates by what is known now, float64 (q, c, 6)."""
        known = np.stack(
            [self.table.rates(text, world.ids(n, np.arange(_CANDIDATES))).table for n, text in enumerate(world.texts)]
        )
        clicks, _, evidence, item_clicks, _, item_evidence = np.moveaxis(known.astype(np.float64), 2, 0)
        typical = max(float(clicks.mean()), 1e-3)
        own, overall = np.log(clicks / typical + 0.05), np.log(item_clicks / typical + 0.05)
        parts = [own * evidence, overall * item_evidence, evidence, item_evidence]
        return np.concatenate([world.base, np.stack(parts, axis=2)], axis=2)

    def learn(self) -> Floats:
        """Learn from all weeks so far; returns how places are taken to be looked at, float64 (places,)."""
        bias = estimate(read_shown(self.log)) if self.bias is None else self.bias
        pages = [
            values[query[:, None], places] for values, (query, places, _) in zip(self.features, self.shown, strict=True)
        ]
        clicked = [clicks for _, _, clicks in self.shown]
        weights = np.concatenate(clicked) / np.maximum(bias[:_PLACES], 1 / CLIP)
        self.theta = _softmax_fit(np.concatenate(pages), weights, self.theta)
        self.table = click_statistics(self.log, bias)
        return bias


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Three arms and one that is told the truth about places, by week; then interleaving of their last rankers.

    Args:
        data: Not used: the shop is simulated.
        quick: A smaller shop, half the weeks, a third of the customers.
        seed: Of the shop and of the customers.
    """
    practice = build(seed, products=800, customers=300) if quick else build(seed)
    weeks, sessions = (4, 1_500) if quick else (8, 4_500)
    world = _world(practice)
    arms = [
        _Arm("no learning", learns=False),
        _Arm("clicks as they come", bias=np.ones(_PLACES)),
        _Arm("shopkeeper, clicks weighted by examination"),
        _Arm("shopkeeper, told the true examination", bias=_TRUE),
    ]
    rows = [_row(world, arms[0], 0, None)]
    for week in range(1, weeks + 1):
        for arm in arms:
            began = time.perf_counter()
            bias = None
            if arm.learns:
                _live(world, arm, sessions, week, seed)
                bias = arm.learn()
            arm.seconds += time.perf_counter() - began
            if arm.learns and week in (1, 2, 4, 8):
                rows.append(_row(world, arm, week, bias))
    none, naive, weighted, _ = arms
    for a, b in ((none, naive), (none, weighted), (naive, weighted)):
        rows.append(_compare(world, a, b, 2 * sessions, seed))
    return rows


def _world(practice: Practice) -> _World:
    truth = practice.truth
    goods = truth.behaviour.goods
    place = {key: row for row, key in enumerate(goods.ids)}
    items = [item for item in practice.items if item.showable]
    index = HybridIndex(StaticEncoder())
    index.upsert(np.arange(len(items)), items)
    own = np.array([place[item.id] for item in items])
    grades = np.zeros((len(truth.queries), len(goods.ids)))
    grades[truth.grades[:, 0], truth.grades[:, 1]] = truth.grades[:, 2]
    rows, base = [], []
    for query in truth.queries:
        found = index.search(query.text)
        rows.append(own[found.rows[:_CANDIDATES]])
        base.append(np.stack([found.words, found.meaning], axis=1)[:_CANDIDATES])
    candidates = np.stack(rows)
    return _World(
        practice,
        tuple(query.text for query in truth.queries),
        candidates,
        np.stack(base).astype(np.float64),
        np.take_along_axis(grades, candidates, axis=1),
        -np.sort(-grades[:, own], axis=1)[:, :10],
        np.array([query.language == "zh" for query in truth.queries], dtype=np.int64),
    )


def _live(world: _World, arm: _Arm, sessions: int, week: int, seed: int) -> None:
    """A week of customers; the same ones come to every arm."""
    rng = np.random.default_rng([seed, week])
    features, orders = arm.see(world), arm.orders(world)
    asked, customers = _visitors(world, sessions, rng)
    places = np.stack([show(orders[query], _PLACES, rng).rows for query in asked])
    clicks = _clicks(world, asked, customers, places, week, rng)
    start = world.practice.cut + timedelta(weeks=week)
    for n, query in enumerate(asked):
        arm.log += _events(world, f"{week}-{n}", int(query), places[n], clicks[n], start)
    arm.shown.append((asked, places, clicks))
    arm.features.append(features)


def _visitors(world: _World, sessions: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Who asks what: few queries are frequent, most are not; customers speak the query's language."""
    queries = len(world.texts)
    frequency = 1 / (np.random.default_rng(0).permutation(queries) + 10.0)
    asked = rng.choice(queries, sessions, p=frequency / frequency.sum())
    spoken = world.practice.truth.behaviour.tastes.language
    speakers = [np.flatnonzero(spoken == language) for language in range(2)]
    return asked, np.array([rng.choice(speakers[world.language[query]]) for query in asked])


def _clicks(
    world: _World, asked: Ints, customers: Ints, places: Ints, week: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    behaviour = world.practice.truth.behaviour
    day = behaviour.day(world.practice.cut) + 7 * week
    chance = np.empty(places.shape)
    for n, (query, customer) in enumerate(zip(asked, customers, strict=True)):
        pull = GRADE_PULL[world.grades[query, places[n]].astype(np.int64)]
        chance[n] = behaviour.attraction(int(customer), world.rows[query, places[n]], day, pull)
    return np.asarray(rng.random(places.shape) < chance * _TRUE[: places.shape[1]])


def _events(
    world: _World, name: str, query: int, places: Ints, clicked: NDArray[np.bool_], when: datetime, teams: str = ""
) -> list[Event]:
    ids = world.ids(query, places)
    impression = Impression(
        items=tuple(ids), positions=tuple(range(1, len(ids) + 1)), propensities=(1.0,) * len(ids), surface="search"
    )
    seen = Event(
        id=f"{name}-seen",
        time=when,
        kind=EventKind.IMPRESSION,
        session=name,
        query=world.texts[query],
        request=name,
        impression=impression,
        properties={TEAMS: teams} if teams else {},
    )
    return [seen] + [
        Event(id=f"{name}-{ids[at]}", time=when, kind=EventKind.CLICK, session=name, item=ids[at], request=name)
        for at in np.flatnonzero(clicked)
    ]


def _softmax_fit(pages: Floats, weights: Floats, start: Floats) -> Floats:
    """The linear model under which what was clicked stands out from its page.

    Args:
        pages: float64 (n, places, f).
        weights: float64 (n, places), of each click, 0 without one.
        start: float64 (f,).
    """
    kept = weights.sum(axis=1) > 0
    x, w = pages[kept], weights[kept] / weights[kept].mean()

    def loss(theta: Floats) -> tuple[float, Floats]:
        scores = x @ theta
        top = scores.max(axis=1, keepdims=True)
        exponent = np.exp(scores - top)
        total = exponent.sum(axis=1, keepdims=True)
        value = -(w * (scores - top - np.log(total))).sum() + _RIDGE * theta @ theta
        error = exponent / total * w.sum(axis=1, keepdims=True) - w
        return float(value), np.einsum("npf,np->f", x, error) + 2 * _RIDGE * theta

    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)


def _row(world: _World, arm: _Arm, week: int, bias: Floats | None) -> Row:
    values = world.ndcg(arm.orders(world))
    metrics = {"ndcg@10": Metric.mean(values)}
    for language, code in (("en", 0), ("zh", 1)):
        metrics[f"ndcg@10_{language}"] = Metric.mean(values[world.language == code])
    if bias is not None:
        metrics["examination_error"] = Metric(float(np.abs(bias[:_PLACES] - _TRUE).mean()))
    return Row(f"{arm.name}, week {week}" if arm.learns else arm.name, metrics, arm.seconds)


def _compare(world: _World, a: _Arm, b: _Arm, sessions: int, seed: int) -> Row:
    """Interleave two rankers; what clicks say, beside what the hidden grades say."""
    rng = np.random.default_rng([seed, 99])
    orders = (a.orders(world), b.orders(world))
    asked, customers = _visitors(world, sessions, rng)
    drafts = [team_draft(orders[0][query], orders[1][query], _PLACES, rng) for query in asked]
    clicks = _clicks(world, asked, customers, np.stack([rows for rows, _ in drafts]), 9, rng)
    log: list[Event] = []
    for n, (query, (rows, teams)) in enumerate(zip(asked, drafts, strict=True)):
        log += _events(world, f"mixed-{n}", int(query), rows, clicks[n], world.practice.cut, team_text(teams))
    found = preference(earned_clicks(log), seed=seed)
    frequency = np.bincount(asked, minlength=len(world.texts))
    metrics = {
        "sessions_won": Metric(found.share, found.low, found.high),
        "chance": Metric(found.chance),
        "ndcg@10_gain": _by_traffic(world, orders, frequency),
    }
    name = f"shopkeeper interleaving: {b.name} against {a.name}"
    return Row(name, metrics, notes=f"{found.sessions} sessions with a click, {found.ties} ties")


def _by_traffic(world: _World, orders: Sequence[Ints], frequency: Ints) -> Metric:
    """Gain in nDCG@10 over the queries as often as they were asked."""
    gain = (world.ndcg(orders[1]) - world.ndcg(orders[0])) * frequency / frequency.mean()
    return Metric.mean(gain)

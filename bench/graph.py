"""What the knowledge graph adds (`--set`): MovieLens 100K or Last.FM, warm and with a tenth of the items hidden."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.next_items import Scorer, Split, measures, ranks, split_last
from shopkeeper.ranking.blend import Blend, Examples, tune
from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.collaborative import after, mass, together
from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.graph.vectors import embed
from shopkeeper.retrieval.graph.weights import learn_relation_weights
from shopkeeper.retrieval.histories import Floats, Histories, Source, fold
from shopkeeper.retrieval.popularity import Standing, popularity
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.text_neighbours import VectorNeighbours, WordNeighbours
from shopkeeper.store.knowledge import Triple

_HIDDEN = 0.1
_PLAIN = {"after": 0.5, "together": 0.5, "words": 0.1, "popular": 0.1}
_GRAPH = {"graph": 0.2, "shape": 0.1}
_COLD = ("words", "graph", "shape")
_LIFTS = (0.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_LOSS = 0.005
"""Most recall@10 on visible items that newcomers may cost on validation."""

PerUser = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class _World:
    """A data set: the items, what is known about them, and who liked them in which order."""

    shelf: Shelf
    graph: Graph
    histories: Histories


@dataclass(frozen=True, slots=True)
class _Mix:
    """Sources fitted at one moment, how they are blended, and how much is known of each item."""

    sources: dict[str, Source]
    blend: Blend
    evidence: Floats

    def scored(self, past: Histories) -> dict[str, Floats]:
        width = len(self.evidence)
        return {name: source.scores(past.weights(source.decay, width)) for name, source in self.sources.items()}

    def __call__(self, past: Histories) -> Floats:
        return self.blend.combine(self.scored(past), _known(past), self.evidence[None, :])


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "movielens-100k") -> list[Row]:  # noqa: A002
    """Popularity, item-kNN, the graph alone, and our blend without and with it; full ranking, paired differences.

    MovieLens is left one out by time. Last.FM has no times: each user's artists stand in an order drawn by the seed, and
    only artists of the graph count. Both blends are tuned on the item before the last by the same search. Cold: a tenth
    of the items is taken out of training and of the histories, another tenth for validation than for the test, and
    targets among them are reported apart; "newcomers lifted" lets words and graph count more for untouched items.

    Args:
        data: Folder of the public data sets.
        quick: 200 users.
        seed: The order of the catalogue, of Last.FM's artists, of what is hidden, of the bootstrap.
        set: ``movielens-100k`` or ``lastfm-kg``.
    """
    rng = np.random.default_rng(seed)
    read = _movielens if set == "movielens-100k" else _lastfm
    world = read(data / set, rng)
    if quick:
        some = np.sort(rng.permutation(len(world.histories))[:200]).astype(np.int64)
        world = replace(world, histories=world.histories.take(some))
    return _compare(world, seed, "warm") + _compare(world, seed, "cold")


def _movielens(folder: Path, rng: np.random.Generator) -> _World:
    frame = pl.read_parquet(folder / "items.parquet").join(
        pl.read_parquet(folder / "kg_link.parquet"), on="item_id", how="left"
    )
    frame = frame[rng.permutation(frame.height)]
    triples = [Triple(*row) for row in pl.read_parquet(folder / "kg.parquet").iter_rows()]
    items, names = [], {}
    for number, title, year, genres, entity in frame.iter_rows():
        names[number] = entity or f"film-{number}"
        items.append(Item(id=names[number], title=title, attributes={"year": str(year)}, language="en"))
        triples += [Triple(names[number], "genre", genre) for genre in genres.split()]
    shelf = Shelf(items)
    seen = pl.read_parquet(folder / "interactions.parquet")
    seen = seen[rng.permutation(seen.height)].sort("timestamp", maintain_order=True)
    rows = shelf.rows(names[item] for item in seen["item_id"])
    users = seen["user_id"].rank("dense").to_numpy().astype(np.int64) - 1
    return _World(shelf, Graph(shelf, triples), fold(users, rows, np.ones(len(rows)), seen["timestamp"].to_numpy()))


def _lastfm(folder: Path, rng: np.random.Generator) -> _World:
    link = pl.read_parquet(folder / "item_entity.parquet")
    link = link[rng.permutation(link.height)]
    kg = pl.read_parquet(folder / "kg.parquet")
    triples = [Triple(f"e{head}", relation, f"e{tail}") for head, relation, tail in kg.iter_rows()]
    shelf = Shelf(Item(id=f"e{entity}", title=f"e{entity}") for entity in link["entity"])
    heard = pl.read_parquet(folder / "interactions.parquet").join(link, on="item", how="inner")
    heard = heard[rng.permutation(heard.height)]
    rows = shelf.rows(f"e{entity}" for entity in heard["entity"])
    users = heard["user"].rank("dense").to_numpy().astype(np.int64) - 1
    return _World(
        shelf, Graph(shelf, triples), fold(users, rows, np.ones(len(rows)), np.arange(len(rows), dtype=float))
    )


def _compare(world: _World, seed: int, kind: str) -> list[Row]:
    width = len(world.shelf)
    order = np.random.default_rng([seed, 1]).permutation(width)
    tenth = int(_HIDDEN * width) if kind == "cold" else 0
    validation = _without(split_last(world.histories, width, 2), order[:tenth], width)
    test = _without(split_last(world.histories, width, 1), order[tenth : 2 * tenth], width)
    hidden = np.isin(test.targets, order[tenth : 2 * tenth])
    began = time.perf_counter()
    popular = mass(validation.learn, width)
    equal = GraphNeighbours(world.graph)
    weights = learn_relation_weights(
        equal, validation.past, validation.users, validation.targets, popularity=popular, seed=seed
    )
    graph = GraphNeighbours(world.graph, weights)
    shape = VectorNeighbours(embed(world.graph, seed=seed).of(np.arange(width)), 0.8)
    making = time.perf_counter() - began
    blends = {"without": _tuned(world, validation, test, {})}
    blends["with"] = _tuned(world, validation, test, {"graph": graph, "shape": shape})
    plain = blends["without"][0]
    if tenth:
        for name in ("without", "with"):
            blends[f"{name}, newcomers lifted,"] = _lifted(world, validation, *blends[name])
    systems: list[tuple[str, Scorer, float, str]] = [
        ("popularity", _alone(plain.sources["popular"], width), 0.0, ""),
        ("item-kNN", _alone(plain.sources["together"], width), 0.0, ""),
        ("shopkeeper graph alone, all ways alike", _alone(equal, width), making, ""),
        ("shopkeeper graph alone, ways learnt", _alone(graph, width), making, _heaviest(weights)),
        ("shopkeeper graph vectors alone", _alone(shape, width), making, ""),
    ]
    for name, (mix, seconds) in blends.items():
        shares = {part: round(found.weight, 3) for part, found in mix.blend.parts.items()}
        systems.append((f"shopkeeper {name} graph", mix, seconds, str(shares)))
    found = {name: _measured(scorer, test, width, hidden) for name, scorer, _, _ in systems}
    rows = [Row(f"{name} ({kind})", _means(found[name], seed), seconds, note) for name, _, seconds, note in systems]
    for extra in ("", ", newcomers lifted,") if tenth else ("",):
        before, after = found[f"shopkeeper without{extra} graph"], found[f"shopkeeper with{extra} graph"]
        rows.append(Row(f"shopkeeper gain of the graph{extra.rstrip(',')} ({kind})", _gains(before, after, seed)))
    return rows


def _without(split: Split, rows: NDArray[np.int64], width: int) -> Split:
    """The split in which nobody has touched `rows` yet."""
    learn = split.learn.keep(~np.isin(split.learn.rows, rows))
    past = split.past.keep(~np.isin(split.past.rows, rows))
    return replace(split, learn=learn, past=past, owned=split.past.weights(1.0, width))


def _fitted(world: _World, split: Split, more: dict[str, Source], blend: Blend) -> _Mix:
    width = len(world.shelf)
    plain: dict[str, Source] = {
        "after": after(split.learn, width),
        "together": together(split.learn, width),
        "words": WordNeighbours([item.text if item else "" for item in world.shelf.items], terms),
        "popular": Standing("popular", popularity(split.learn, width, half_life=30.0, until=split.until)),
    }
    return _Mix({**plain, **more}, blend, mass(split.learn, width))


def _tuned(world: _World, validation: Split, test: Split, more: dict[str, Source]) -> tuple[_Mix, float]:
    """A blend tuned on validation, fitted on what the test may learn from, and the seconds it took."""
    began = time.perf_counter()
    start = {**_PLAIN, **{name: _GRAPH[name] for name in more}}
    fitted = _fitted(world, validation, more, Blend({}))
    width = len(world.shelf)
    target = np.zeros((len(validation.past), width), dtype=np.bool_)
    target[validation.users, validation.targets] = True
    shown = Examples(
        scores=fitted.scored(validation.past),
        valid=validation.owned.toarray() == 0,
        target=target,
        wanted=validation.wanted,
        known=_known(validation.past),
        evidence=np.broadcast_to(fitted.evidence, target.shape),
    )
    blend = tune(shown, start, cold=[name for name in _COLD if name in start])
    return _fitted(world, test, more, blend), time.perf_counter() - began


def _lifted(world: _World, validation: Split, mix: _Mix, seconds: float) -> tuple[_Mix, float]:
    """The blend whose words and graph count so much more for items nobody has touched that hidden items are found best.

    The lift is chosen on validation among those that cost visible items at most `_LOSS` recall@10.
    """
    began = time.perf_counter()
    width = len(world.shelf)
    more = {name: source for name, source in mix.sources.items() if name in _GRAPH}
    fitted = _fitted(world, validation, more, mix.blend)
    new = fitted.evidence[validation.targets] == 0
    best, most, least = mix.blend, -1.0, -1.0
    for lift in _LIFTS:
        parts = {
            name: replace(part, cold=lift, weight=part.weight or 0.01) if name in _COLD and lift else part
            for name, part in mix.blend.parts.items()
        }
        blend = replace(mix.blend, parts=parts)
        recall = measures(ranks(replace(fitted, blend=blend), validation, width), validation, (10,))["recall@10"]
        visible, hidden = float(recall[~new].mean()), float(recall[new].mean())
        least = visible - _LOSS if lift == 0 else least
        if visible >= least and hidden > most:
            best, most = blend, hidden
    return replace(mix, blend=best), seconds + time.perf_counter() - began


def _known(past: Histories) -> Floats:
    """Items in each history, float32 (users, 1)."""
    return past.lengths.astype(np.float32)[:, None]


def _alone(source: Source, width: int) -> Callable[[Histories], Floats]:
    return lambda past: source.scores(past.weights(source.decay, width))


def _measured(scorer: Scorer, test: Split, width: int, hidden: NDArray[np.bool_]) -> PerUser:
    values = measures(ranks(scorer, test, width), test, (10,))
    if hidden.any():  # one target a user
        for name in list(values):
            values[f"{name}_hidden"], values[f"{name}_visible"] = values[name][hidden], values[name][~hidden]
    return values


def _means(values: PerUser, seed: int) -> dict[str, Metric]:
    return {name: Metric.mean(per_user, seed) for name, per_user in values.items()}


def _gains(before: PerUser, after: PerUser, seed: int) -> dict[str, Metric]:
    found = {name: paired_difference(before[name], after[name], seed=seed) for name in before}
    return {name: Metric(gain.mean, gain.low, gain.high) for name, gain in found.items()}


def _heaviest(weights: dict[str, float]) -> str:
    best = sorted(weights.items(), key=lambda pair: -pair[1])[:6]
    return ", ".join(f"{name} {weight:.2f}" for name, weight in best if weight > 0)

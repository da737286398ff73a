"""Before and after, measured anew: the live models and honest baselines on the events that no recipe learnt from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.evaluation.intervals import bootstrap_interval, paired_difference
from shopkeeper.evaluation.metrics import graded, ideal_grades, ndcg_at
from shopkeeper.evaluation.next_items import measures, places_of, ranks, split_time
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import Encoders, encoders
from shopkeeper.progress import span, track
from shopkeeper.recipes.curriculum import held_out_from
from shopkeeper.recipes.recommend.moments import moment as moment_of
from shopkeeper.recipes.recommend.preference import places
from shopkeeper.recipes.search.pairs import merged, pairs_from_events
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.floor import open_looks
from shopkeeper.tasks.recommend.behaviour import fit, learnt_from
from shopkeeper.tasks.recommend.knowledge import knowledge_from

_MOST = 400
"""Queries and customers asked at most, drawn at random beyond that."""
_LEAST = 10
_DEPTH = 10

Values = NDArray[np.float64]
"""float64 (n,), one value a query or customer."""
Places = Callable[[], Values]
Ask = Callable[[str], Rows]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One system's figure on held-out data.

    Attributes:
        value: Mean over queries or customers.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        gain: Mean gain over the first system of the same task and metric, 0 for that system itself.
        gain_low: Lower end of the paired interval of the gain.
        gain_high: Upper end.
        count: Queries or customers.
    """

    task: str
    system: str
    metric: str
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def compare(store: Store, settings: Settings, registry: Registry) -> list[Comparison]:
    """Measure search and recommendation on the last tenth of the events; empty where there are too few.

    Args:
        store: The shop's truth.
        settings: The settings in force.
        registry: The live models; tasks without one are measured with defaults.
    """
    moment = held_out_from(store)
    if moment is None:
        return []
    shelf = Shelf(store.catalogue.scan())
    return [*_search(store, settings, registry, shelf, moment), *_recommend(store, settings, registry, shelf, moment)]


def _search(
    store: Store, settings: Settings, registry: Registry, shelf: Shelf, moment: datetime
) -> Iterator[Comparison]:
    rng = np.random.default_rng(settings.compute.seed)
    wanted: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for pair in merged(p for p in pairs_from_events(store) if p.time >= moment.timestamp()):
        if shelf.row(pair.item) is not None:
            wanted[pair.query][pair.item] = 1.0
    if len(wanted) < _LEAST:
        return
    asked_for = sorted(wanted)
    queries = [asked_for[place] for place in rng.permutation(len(asked_for))[:_MOST]]
    grades = [wanted[query] for query in queries]
    name = encoder_name(settings.models, shelf.spoken)
    live, fusion = registry.live("relevance"), registry.live("search")
    base = _index(shelf, encoders(settings, None, name), Fusion())
    trained = base
    if live is not None or fusion is not None:
        chosen = Fusion.from_json(fusion.parameters) if fusion else Fusion()
        trained = _index(shelf, encoders(settings, live, name), chosen)
    systems: list[tuple[str, Ask]] = [
        ("words only (BM25)", lambda query: base.lexical.search(query, _DEPTH)[0]),
        ("before training: words + meaning", lambda query: base.search(query).rows),
        ("after training: words + meaning", lambda query: trained.search(query).rows),
    ]
    ideal = ideal_grades(grades)
    found = {}
    for system, ask in systems:
        asked = track(queries, f"search, {system}", len(queries), "queries")
        rankings = [[shelf.item(int(row)).id for row in ask(query)[:_DEPTH]] for query in asked]
        found[system] = {"ndcg@10": np.asarray(ndcg_at(_DEPTH, graded(rankings, grades), ideal))}
    yield from _rows("search", found, settings.compute.seed)


def _recommend(
    store: Store, settings: Settings, registry: Registry, shelf: Shelf, moment: datetime
) -> Iterator[Comparison]:
    frame = store.events.frame(kinds=list(STRENGTH))
    end = frame["time"].max()
    until = (end.timestamp() if isinstance(end, datetime) else 0) + 1
    split = split_time(frame, shelf, moment.timestamp(), until, repeats=settings.recommend.repeat_purchases)
    if len(split.past) < _LEAST:
        return
    rng = np.random.default_rng(settings.compute.seed)
    split = split.take(np.sort(rng.permutation(len(split.past))[: 5 * _MOST]))
    live, learnt = registry.live("relevance"), registry.live("recommend")
    name = encoder_name(settings.models, shelf.spoken)
    encoder = encoders(settings, live, name).passage
    items = [shelf.item(row) for row in range(len(shelf))]
    vectors = encoder.encode([item.passage for item in items])
    if (looks := open_looks(settings, registry.live("pictures"), items)) is not None:
        vectors = looks.upsert(np.arange(len(shelf)), items, vectors)
    parameters, sequence, ranker = learnt_from(learnt, shelf, vectors)
    knowledge = knowledge_from(settings, store, shelf, parameters.ways)
    behaviour = replace(
        fit(
            split.learn,
            shelf,
            vectors,
            parameters,
            split.until,
            graph=knowledge.neighbours,
            dense=settings.recommend.ease,
        ),
        next=sequence,
        ranker=ranker,
    )
    width, past = len(shelf), moment_of(frame, shelf, split, "time").past

    def alone(name: str) -> Places:
        source = behaviour.sources[name]
        return lambda: ranks(lambda past: source.scores(past.weights(source.decay, width)), split, width)

    def blend() -> Values:
        return places_of(lambda users: behaviour.blended(split.past.take(users), width, past.take(users)), split, width)

    systems: dict[str, Places] = {"popularity": alone("popular"), "item-kNN": alone("together")}
    if ranker is not None:
        systems["after training: ranker"] = lambda: places(behaviour, split, past, shelf)
    else:
        systems["after training: blend"] = blend
    found = {}
    with span("recommendation, held-out customers", len(systems), "systems") as progress:
        for system, where in systems.items():
            found[system] = measures(where(), split, (_DEPTH,))
            progress.advance()
    yield from _rows("recommend", found, settings.compute.seed)


def _index(shelf: Shelf, found: Encoders, fusion: Fusion) -> HybridIndex:
    items = [shelf.item(row) for row in range(len(shelf))]
    index = HybridIndex(found.query, fusion, exact_below=len(shelf) + 1)
    index.upsert(np.arange(len(shelf)), items, found.passage.encode([item.passage for item in items]))
    return index


def _rows(task: str, found: Mapping[str, Mapping[str, Values]], seed: int) -> Iterator[Comparison]:
    first: Mapping[str, Values] = next(iter(found.values()))
    for system, values in found.items():
        for metric, each in values.items():
            low, high = bootstrap_interval(each, seed=seed)
            gain = paired_difference(first[metric], each, seed=seed)
            yield Comparison(
                task, system, metric, float(each.mean()), low, high, gain.mean, gain.low, gain.high, len(each)
            )

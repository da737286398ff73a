"""How recommendation is learnt: sources, sequence model, blend and ranker from what customers did next, proved before and after.

Counts are refitted from the store in seconds when the shop opens; the bundle holds what tuning found, the sequence model
and the ranker. Everything is chosen on validation; the test is looked at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.evaluation.next_items import Split, measures, places_of, ranks
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.ranking.blend import tune
from shopkeeper.ranking.customer_features import NAMES
from shopkeeper.ranking.ranker import Ranker
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.recommend.moments import Moment, moments
from shopkeeper.recipes.recommend.next_item import foreseen, refitted, sequence_arrays
from shopkeeper.recipes.recommend.next_learning import NextModel, NextOptions, fit_next
from shopkeeper.recipes.recommend.preference import LEAST, choices, learn_preference, places
from shopkeeper.recipes.recommend.source_tuning import examples, tune_decays, tune_sources
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.collaborative import mass
from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.graph.weights import learn_relation_weights
from shopkeeper.retrieval.histories import STRENGTH, Floats
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.text_neighbours import WordNeighbours
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.recommend.behaviour import Behaviour, Parameters, fit

_SAMPLE = 4_000
"""Validation users that tuning looks at."""
_TAUGHT = 12_000
"""Validation users that the ranker is taught with."""
_STEPS = 5_000
"""Steps after another one of the same customer, below which no sequence model is learnt."""
_START: Mapping[str, float] = {
    "next": 0.5, "after": 1.0, "together": 0.5, "ease": 0.5, "words": 0.4, "meaning": 0.4, "graph": 0.2, "again": 0.0,
    "habit": 0.0, "popular": 0.05, "trending": 0.0, "new": 0.0,
}  # fmt: skip
"""First guesses of the blend's weights."""

Measured = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""System to metric to one value a user."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the recipe found out.

    Attributes:
        parameters: To fit with from now on.
        ranker: Orders the candidates; None where the blend does that better, or too few customers can teach one.
        sequence: The sequence model as fitted for validation, or None.
        measured: On the test: ``popularity``, ``sequence``, ``blend``, ``ranker``.
        notes: What validation said.
    """

    parameters: Parameters
    ranker: Ranker | None
    sequence: NextModel | None
    measured: Measured
    notes: str


def train_behaviour(
    store: Store,
    vectors: Floats | None,
    shelf: Shelf,
    settings: Settings,
    folder: Path,
    *,
    protocol: str = "time",
    parent: str = "",
    options: NextOptions | None = None,
) -> Bundle:
    """Learn recommendation from the store's log and save what was found.

    Args:
        store: Where the events are.
        vectors: Encoder vectors of the shelf's rows, float32 (rows, d), or None to go without.
        shelf: The items of the store.
        settings: Seed, threads and minutes of training; `settings.recommend.sequence` switches the sequence model.
        folder: Where the bundle goes; must not exist yet.
        protocol: ``time`` or ``last``, see `moments.splits`.
        parent: Version of the bundle that this one follows.
        options: Of the sequence model.

    Returns:
        A bundle of task ``recommend`` for `tasks.recommend.behaviour.learnt_from`. Its card compares popularity (before) with all
        that was learnt (after) on a test that was looked at once.

    Raises:
        TrainingError: There is not enough behaviour to learn from.
    """
    frame = store.events.frame(kinds=list(STRENGTH))
    validation, test = moments(frame, shelf, protocol, repeats=settings.recommend.repeat_purchases)
    seed, options = settings.compute.seed, options or NextOptions()
    graph = Graph(shelf, store.triples.scan()) if settings.recommend.graph and store.triples.count() else None
    learnt = learn(validation, test, shelf, vectors, settings, options, graph)
    arrays: dict[str, NDArray[Any]] = {}
    parameters: dict[str, Any] = learnt.parameters.to_json()
    if learnt.sequence is not None:
        live = refitted(learnt.sequence, frame, shelf, vectors, settings, options)
        own, about = sequence_arrays(live, shelf)
        arrays, parameters = arrays | own, parameters | about
    if learnt.ranker is not None:
        arrays, parameters = arrays | learnt.ranker.save(), parameters | {"features": list(NAMES)}
    measured = {name: _means(values, seed) for name, values in learnt.measured.items()}
    card = Card(
        task="recommend",
        name="Behaviour",
        parent=parent,
        data=fingerprint(store) | {"validation_users": len(validation.split.past), "test_users": len(test.split.past)},
        settings={"protocol": protocol, "vectors": 0 if vectors is None else vectors.shape[1], "next": asdict(options)},
        seed=seed,
        before={"popularity": measured.pop("popularity")},
        after=measured,
        notes=learnt.notes,
    )
    return save_bundle(folder, card, arrays=arrays, parameters=parameters)


def learn(
    validation: Moment,
    test: Moment,
    shelf: Shelf,
    vectors: Floats | None,
    settings: Settings,
    options: NextOptions | None = None,
    graph: Graph | None = None,
) -> Learnt:
    """Fit and tune on validation, measure on the test.

    Args:
        validation: Where everything is chosen.
        test: Looked at once, at the end.
        shelf: The items.
        vectors: Encoder vectors float32 (rows, d), or None.
        settings: Seed, threads, minutes, and whether to learn a sequence model.
        options: Of the sequence model.
        graph: What the shop knows about its items; None goes without.
    """
    width, seed = len(shelf), settings.compute.seed
    shuffled = np.random.default_rng(seed).permutation(len(validation.past)).astype(np.int64)
    sample = validation.take(shuffled[:_SAMPLE])
    sequence = None
    if settings.recommend.sequence and int(np.maximum(validation.learn.lengths - 1, 0).sum()) >= _STEPS:
        sequence, _ = fit_next(
            validation.learn,
            vectors,
            settings,
            options=options,
            judge=lambda model: float(foreseen(model, sample, width, vectors)["ndcg@10"].mean()),
        )
    words = WordNeighbours([item.text if item else "" for item in shelf.items], terms)
    parameters = tune_sources(sample.split, width)
    neighbours = None
    if graph is not None:
        parameters = replace(parameters, ways=_ways(graph, sample.split, width, seed))
        neighbours = GraphNeighbours(graph, parameters.ways)

    def fitted(at: Moment, parameters: Parameters) -> Behaviour:
        learn, until, dense = at.split.learn, at.split.until, settings.recommend.ease
        behaviour = fit(learn, shelf, vectors, parameters, until, words, neighbours, dense=dense)
        if sequence is not None:
            behaviour.next = sequence.to_serving(width, vectors, threads=2)
        return behaviour

    parameters = tune_decays(fitted(sample, parameters), sample, width)
    behaviour = fitted(sample, parameters)
    start = {name: weight for name, weight in _START.items() if name in behaviour.names}
    parameters = replace(
        parameters, blend=tune(examples(behaviour, sample, width), start, cold=("words", "meaning", "graph"))
    )
    behaviour = replace(behaviour, parameters=parameters)
    taught = validation.take(shuffled[:_TAUGHT])
    found = choices(behaviour, taught.split, taught.past, shelf)
    ranker, notes = None, f"The sources name {found.recall:.3f} of what came next on validation."
    if found.answered >= LEAST:
        preference = learn_preference(found, seed, settings.recommend.debias)
        ranker, parameters = preference.ranker, replace(parameters, untouched=preference.untouched)
        notes += (
            f" Ranker ({preference.kind}) {'kept' if ranker else 'not kept'}: NDCG@10 {preference.values.mean():.4f}, "
            f"cross-fitted, against {preference.blend.mean():.4f} of the blend."
        )
    final = replace(fitted(test, parameters), ranker=ranker)
    return Learnt(parameters, ranker, sequence, measured(final, test, shelf), notes)


def measured(behaviour: Behaviour, asked: Moment, shelf: Shelf) -> Measured:
    """``recall@k`` and ``ndcg@k`` of popularity, and of whichever of sequence, blend and ranker there are."""
    split, width = asked.split, len(shelf)
    popular = behaviour.sources["popular"]
    found = {
        "popularity": ranks(lambda past: popular.scores(past.weights(1.0, width)), split, width),
        "blend": places_of(
            lambda users: behaviour.blended(split.past.take(users), width, asked.past.take(users)), split, width
        ),
    }
    if (sequence := behaviour.next) is not None:
        found["sequence"] = places_of(lambda users: sequence.scores(asked.past.take(users), width), split, width)
    if behaviour.ranker is not None:
        found["ranker"] = places(behaviour, split, asked.past, shelf)
    return {name: measures(where, split) for name, where in found.items()}


def _ways(graph: Graph, sample: Split, width: int, seed: int) -> dict[str, float]:
    popular = mass(sample.learn, width)
    alike = GraphNeighbours(graph)
    return learn_relation_weights(alike, sample.past, sample.users, sample.targets, popularity=popular, seed=seed)


def _means(values: Mapping[str, NDArray[np.float64]], seed: int) -> dict[str, dict[str, float]]:
    found = {}
    for name, per_user in values.items():
        low, high = bootstrap_interval(per_user, seed=seed)
        found[name] = {"value": float(per_user.mean()), "low": low, "high": high}
    return found

"""How recommendation is learnt: tune on what customers did next, keep the parameters, prove before and after.

The counts themselves are refitted from the store in seconds, so the bundle holds parameters only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.evaluation.next_items import Scorer, Split, measures, ranks, split_last, split_time
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.progress import span
from shopkeeper.ranking.blend import Examples, tune
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.collaborative import Neighbours, after, together
from shopkeeper.retrieval.histories import STRENGTH, Floats, Histories, Source, read
from shopkeeper.retrieval.popularity import Standing, popularity
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.text_neighbours import WordNeighbours
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.behaviour import Behaviour, Parameters, fit, known

_SAMPLE = 4_000
"""Validation users that tuning looks at."""
_CANDIDATES = 100
"""Best items of each source that the blend chooses from while it is tuned."""
_START: Mapping[str, float] = {
    "after": 1.0, "together": 0.5, "words": 0.4, "meaning": 0.4, "again": 0.0, "popular": 0.05, "new": 0.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the recipe found out.

    Attributes:
        parameters: To fit with from now on.
        before: Metric name to one value a test user, for popularity.
        after: The same for the blend.
    """

    parameters: Parameters
    before: Mapping[str, NDArray[np.float64]]
    after: Mapping[str, NDArray[np.float64]]


def train_behaviour(
    store: Store,
    vectors: Floats | None,
    shelf: Shelf,
    settings: Settings,
    folder: Path,
    *,
    protocol: str = "time",
    parent: str = "",
) -> Bundle:
    """Tune recommendation on the store's log and save what was found.

    Args:
        store: Where the events are.
        vectors: Encoder vectors of the shelf's rows, float32 (rows, d), or None to go without.
        shelf: The items of the store.
        settings: `settings.compute.seed` decides which validation users are looked at.
        folder: Where the bundle goes; must not exist yet.
        protocol: ``time`` or ``last``, see `splits`.
        parent: Version of the bundle that this one follows.

    Returns:
        A bundle of task ``recommend`` whose parameters `tasks.behaviour.Parameters.from_json` reads. Its card compares
        popularity (before) with the blend (after) on a test that tuning has not seen.

    Raises:
        TrainingError: There is not enough behaviour to learn from.
    """
    frame = store.events.frame(kinds=list(STRENGTH))
    validation, test = splits(frame, shelf, protocol)
    seed = settings.compute.seed
    learnt = learn(validation, test, shelf, vectors, seed)
    card = Card(
        task="recommend",
        name="Behaviour blend",
        parent=parent,
        data=fingerprint(store) | {"validation_users": len(validation.past), "test_users": len(test.past)},
        settings={"protocol": protocol, "vectors": 0 if vectors is None else vectors.shape[1]},
        seed=seed,
        before={"popularity": _means(learnt.before, seed)},
        after={"blend": _means(learnt.after, seed)},
        notes="Holds parameters only; the counts are refitted from the store when the shop opens.",
    )
    return save_bundle(folder, card, parameters=learnt.parameters.to_json())


def splits(frame: pl.DataFrame, shelf: Shelf, protocol: str) -> tuple[Split, Split]:
    """Validation and test.

    Args:
        frame: Events, see `EventLog.frame`.
        shelf: The items.
        protocol: ``time``: the last 30 % of the events in two windows; ``last``: the last two items of every customer.

    Raises:
        TrainingError: There is nothing to foresee in one of them.
    """
    if protocol == "last":
        histories, _ = read(frame, shelf)
        found = split_last(histories, len(shelf), 2), split_last(histories, len(shelf), 1)
    else:
        seconds = np.sort((frame["time"].dt.epoch("us") / 1e6).to_numpy())
        marks = [float(seconds[int(share * (len(seconds) - 1))]) for share in (0.7, 0.85)] if len(seconds) else [0, 0]
        end = float(seconds[-1]) + 1 if len(seconds) else 1.0
        found = split_time(frame, shelf, marks[0], marks[1]), split_time(frame, shelf, marks[1], end)
    for name, split in zip(("validation", "test"), found, strict=True):
        if not len(split.targets):
            raise TrainingError(
                f"No customer takes anything in the {name} part of the log, so there is nothing to learn from.",
                where="events",
                cure="Import more events with customer ids; until then recommendation works with default weights.",
            )
    return found


def learn(validation: Split, test: Split, shelf: Shelf, vectors: Floats | None, seed: int) -> Learnt:
    """Tune on validation, measure popularity and the blend on the test.

    Args:
        validation: Where everything is chosen.
        test: Looked at once, at the end.
        shelf: The items.
        vectors: Encoder vectors float32 (rows, d), or None.
        seed: Which validation users are looked at when there are many.
    """
    width = len(shelf)
    words = WordNeighbours([item.text if item else "" for item in shelf.items], terms)
    users = np.random.default_rng(seed).permutation(len(validation.past))[:_SAMPLE].astype(np.int64)
    sample = validation.take(users)
    parameters = tune_sources(sample, width)
    behaviour = fit(sample.learn, shelf, vectors, parameters, sample.until, words)
    parameters = tune_decays(behaviour, sample, width)
    behaviour = fit(sample.learn, shelf, vectors, parameters, sample.until, words)
    start = {name: weight for name, weight in _START.items() if name in behaviour.sources}
    blend = tune(examples(behaviour, sample, width), start, cold=("words", "meaning"))
    parameters = replace(parameters, blend=blend)
    final = fit(test.learn, shelf, vectors, parameters, test.until, words)
    popular = final.sources["popular"]
    return Learnt(
        parameters,
        measures(ranks(lambda past: popular.scores(past.weights(1.0, width)), test, width), test),
        measures(ranks(lambda past: final.blended(past, width), test, width), test),
    )


def tune_sources(sample: Split, width: int) -> Parameters:
    """Coordinate search over how the two co-occurrence sources are counted, each by its own NDCG@10."""
    found = Parameters()
    grids: dict[str, tuple[tuple[str, Sequence[float]], ...]] = {
        "after": (("power", (0.3, 0.5)), ("shrink", (1.0, 5.0)), ("backward", (0.1, 0.7)), ("decay", (0.4, 0.8))),
        "together": (("power", (0.2, 0.4)), ("shrink", (1.0, 8.0)), ("decay", (0.5, 0.85))),
    }
    with span("tune co-occurrence", sum(len(grid) for grid in grids.values()), "settings") as progress:
        for name, grid in grids.items():
            chosen = dict(getattr(found, name))
            best = _alone(_source(name, sample.learn, width, chosen), sample, width)
            for key, values in grid:
                for value in values:
                    tried = {**chosen, key: value}
                    score = _alone(_source(name, sample.learn, width, tried), sample, width)
                    if score > best:
                        best, chosen = score, tried
                progress.advance(source=name, ndcg=f"{best:.4f}")
            found = replace(found, after=chosen) if name == "after" else replace(found, together=chosen)
    return found


def tune_decays(behaviour: Behaviour, sample: Split, width: int) -> Parameters:
    """How fast each kind of history fades, and popularity with it, each by its own NDCG@10."""
    found = behaviour.parameters
    for name, grid in (("words", (0.4, 0.6, 0.8)), ("meaning", (0.4, 0.6, 0.8)), ("again", (0.6, 0.8, 0.95))):
        source = behaviour.sources.get(name)
        if source is None:
            continue
        scores = {}
        for decay in grid:
            source.decay = decay
            scores[decay] = _alone(source, sample, width)
        source.decay = max(scores, key=lambda decay: scores[decay])
        found = replace(found, decays={**found.decays, name: source.decay})
    scores = {}
    for half_life in (7.0, 30.0, 120.0, 3650.0):
        values = popularity(sample.learn, width, half_life=half_life, until=sample.until)
        scores[half_life] = _alone(Standing("popular", values), sample, width)
    return replace(found, half_life=max(scores, key=lambda half_life: scores[half_life]))


def examples(behaviour: Behaviour, sample: Split, width: int) -> Examples:
    """Candidates of all sources, scored by all sources, for the tuning of a blend."""
    size = max(1, 4_000_000 // max(width, 1))
    blocks = []
    for start in range(0, len(sample.past), size):
        part = sample.take(np.arange(start, min(start + size, len(sample.past)), dtype=np.int64))
        blocks.append(_candidates(behaviour, part, width))
    most = max(valid.shape[1] for _, valid, _, _ in blocks)
    names = list(blocks[0][0])
    return Examples(
        scores={name: np.concatenate([_pad(scores[name], most) for scores, *_ in blocks]) for name in names},
        valid=np.concatenate([_pad(valid, most) for _, valid, _, _ in blocks]),
        target=np.concatenate([_pad(target, most) for _, _, target, _ in blocks]),
        wanted=sample.wanted,
        known=known(sample.past),
        evidence=np.concatenate([_pad(evidence, most) for *_, evidence in blocks]),
    )


def _candidates(
    behaviour: Behaviour, part: Split, width: int
) -> tuple[dict[str, Floats], NDArray[np.bool_], NDArray[np.bool_], Floats]:
    scores = behaviour.scores(part.past, width)
    owned = part.owned.tocoo()
    count = min(_CANDIDATES, width)
    chosen = np.zeros((len(part.past), width), dtype=np.bool_)
    users = np.arange(len(part.past))[:, None]
    for raw in scores.values():
        raw[owned.row, owned.col] = 0
        best = np.argpartition(-raw, count - 1, axis=1)[:, :count]
        chosen[users, best] |= raw[users, best] > 0
    chosen[owned.row, owned.col] = False
    most = int(chosen.sum(axis=1).max(initial=1))
    picked = np.argsort(~chosen, axis=1, kind="stable")[:, :most]
    target = np.zeros_like(chosen)
    target[part.users, part.targets] = True
    evidence = np.broadcast_to(behaviour.evidence_of(width), chosen.shape)
    return (
        {name: raw[users, picked] for name, raw in scores.items()},
        chosen[users, picked],
        target[users, picked] & chosen[users, picked],
        evidence[users, picked],
    )


def _pad(block: NDArray[Any], most: int) -> NDArray[Any]:
    return np.pad(block, ((0, 0), (0, most - block.shape[1])))


def _means(values: Mapping[str, NDArray[np.float64]], seed: int) -> dict[str, dict[str, float]]:
    found = {}
    for name, per_user in values.items():
        low, high = bootstrap_interval(per_user, seed=seed)
        found[name] = {"value": float(per_user.mean()), "low": low, "high": high}
    return found


def _source(name: str, histories: Histories, width: int, chosen: Mapping[str, float]) -> Neighbours:
    if name == "after":
        return after(histories, width, **chosen)  # type: ignore[arg-type]
    return together(histories, width, **chosen)


def _alone(source: Source, sample: Split, width: int) -> float:
    scorer: Scorer = lambda past: source.scores(past.weights(source.decay, width))  # noqa: E731
    return float(measures(ranks(scorer, sample, width), sample)["ndcg@10"].mean())

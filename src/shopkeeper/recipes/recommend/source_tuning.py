"""How the sources of recommendation are counted, and how their blend weighs them: coordinate searches on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.evaluation.next_items import Scorer, Split, measures, places_of, ranks
from shopkeeper.progress import span
from shopkeeper.ranking.blend import Examples
from shopkeeper.ranking.pool import pooled
from shopkeeper.recipes.recommend.moments import Moment
from shopkeeper.retrieval.collaborative import Neighbours, after, together
from shopkeeper.retrieval.habit import Habit
from shopkeeper.retrieval.histories import Histories, Source
from shopkeeper.retrieval.popularity import Standing, popularity
from shopkeeper.tasks.recommend.behaviour import Behaviour, Parameters

_CELLS = 4_000_000
"""Scores of one source held at a time."""


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


_DECAYS: Mapping[str, tuple[float, ...]] = {
    "words": (0.4, 0.6, 0.8),
    "meaning": (0.4, 0.6, 0.8),
    "graph": (0.6, 0.8),
    "again": (0.6, 0.8, 0.95),
}
"""Weights of an item one step further back that are tried."""


def tune_decays(behaviour: Behaviour, sample: Moment, width: int) -> Parameters:
    """How fast each kind of history fades, and popularity with it, each by its own NDCG@10."""
    found, split = behaviour.parameters, sample.split
    for name, grid in _DECAYS.items():
        source = behaviour.sources.get(name)
        if source is None:
            continue
        scores = {}
        for decay in grid:
            source.decay = decay
            scores[decay] = _alone(source, split, width)
        source.decay = max(scores, key=lambda decay: scores[decay])
        found = replace(found, decays={**found.decays, name: source.decay})
    scores = {}
    for half_life in (1.0, 3.0, 7.0, 30.0, 120.0, 3650.0):
        values = popularity(split.learn, width, half_life=half_life, until=split.until)
        scores[half_life] = _alone(Standing("popular", values), split, width)
    found = replace(found, half_life=max(scores, key=lambda half_life: scores[half_life]))
    scores = {}
    for half_life in (30.0, 60.0, 120.0, 365.0):
        scores[half_life] = _habitual(Habit(half_life), sample, width)
    return replace(found, habit=max(scores, key=lambda half_life: scores[half_life]))


def examples(behaviour: Behaviour, sample: Moment, width: int) -> Examples:
    """Candidates of all sources, scored by all sources, for the tuning of a blend."""
    size = max(1, _CELLS // max(width, 1))
    blocks = []
    for start in range(0, len(sample.past), size):
        users = np.arange(start, min(start + size, len(sample.past)), dtype=np.int64)
        part, target = sample.take(users), np.zeros((len(users), width), dtype=np.bool_)
        target[part.split.users, part.split.targets] = True
        allowed = np.ones((len(users), width), dtype=np.bool_)
        owned = part.split.owned.tocoo()
        allowed[owned.row, owned.col] = False
        scores = behaviour.scores(part.split.past, width, part.past)
        pool = pooled(scores, allowed)
        said = {name: pool.of(dense) for name, dense in scores.items()}
        hit = np.take_along_axis(target, pool.rows, axis=1) & pool.valid
        blocks.append((said, pool.valid, hit, pool.per(behaviour.evidence_of(width)[0])))
    most = max(valid.shape[1] for _, valid, _, _ in blocks)
    return Examples(
        scores={name: np.concatenate([_pad(said[name], most) for said, *_ in blocks]) for name in blocks[0][0]},
        valid=np.concatenate([_pad(valid, most) for _, valid, _, _ in blocks]),
        target=np.concatenate([_pad(hit, most) for _, _, hit, _ in blocks]),
        wanted=sample.split.wanted,
        known=sample.split.past.known[:, None],
        evidence=np.concatenate([_pad(evidence, most) for *_, evidence in blocks]),
    )


def _pad(block: NDArray[Any], most: int) -> NDArray[Any]:
    return np.pad(block, ((0, 0), (0, most - block.shape[1])))


def _source(name: str, histories: Histories, width: int, chosen: Mapping[str, float]) -> Neighbours:
    if name == "after":
        return after(histories, width, **chosen)  # type: ignore[arg-type]
    return together(histories, width, **chosen)


def _alone(source: Source, sample: Split, width: int) -> float:
    scorer: Scorer = lambda past: source.scores(past.weights(source.decay, width))  # noqa: E731
    return float(measures(ranks(scorer, sample, width), sample)["ndcg@10"].mean())


def _habitual(habit: Habit, sample: Moment, width: int) -> float:
    where = places_of(lambda users: habit.scores(sample.past.take(users), width), sample.split, width)
    return float(measures(where, sample.split)["ndcg@10"].mean())

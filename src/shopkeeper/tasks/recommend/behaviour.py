"""Everything learnt from behaviour, ready to score: the sources, their blend, and how much is known about each item."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.progress import span
from shopkeeper.ranking.blend import Blend, Part
from shopkeeper.ranking.customer_features import LATEST, NAMES, Judged
from shopkeeper.ranking.pool import Pool
from shopkeeper.ranking.ranker import Ranker
from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.collaborative import Neighbours, after, mass, together
from shopkeeper.retrieval.ease import ease
from shopkeeper.retrieval.graph.neighbours import GraphNeighbours
from shopkeeper.retrieval.habit import HABIT, Habit
from shopkeeper.retrieval.histories import Floats, Histories, Matrix, Source, empty, widen
from shopkeeper.retrieval.next_items import NextItems
from shopkeeper.retrieval.popularity import Again, Standing, newness, popularity, trending
from shopkeeper.retrieval.segments import SegmentPopularity
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.text_neighbours import VectorNeighbours, WordNeighbours
from shopkeeper.retrieval.trails import Trails

log = logging.getLogger(__name__)

_EVIDENCE = NAMES.index("evidence")
_RISING = 7.0
"""Days whose events are held against those before them, to find what rises."""
STANDING = ("popular", "trending", "new")
"""Sources that say the same to everybody."""


def _guess() -> Blend:
    """A blend for shops without enough behaviour to tune one: typical shares found on public data."""
    return Blend(
        {
            "after": Part(0.8, scale=0.3),
            "together": Part(0.2, scale=0.5),
            "ease": Part(0.2, scale=0.3),
            "words": Part(0.4, scale=0.6, cold=1.0),
            "meaning": Part(0.35, scale=0.9, cold=1.0),
            "graph": Part(0.1, scale=0.5, cold=1.0),
            "again": Part(0.0),
            "popular": Part(0.05, slope=-0.6),
            "new": Part(0.02, slope=-0.6),
        }
    )


@dataclass(frozen=True, slots=True)
class Parameters:
    """What tuning finds, and all that a behaviour bundle holds: the counts themselves are refitted from the store.

    Attributes:
        together: Keyword arguments of `retrieval.collaborative.together`.
        after: Keyword arguments of `retrieval.collaborative.after`.
        decays: Weight of an item one step further back, for ``words``, ``meaning``, ``graph`` and ``again``.
        ways: Weights of the ways through the knowledge graph, see `graph_neighbours`; empty counts all alike.
        half_life: Days after which an event counts half for popularity.
        fresh: Days in which an item's newness falls by e.
        habit: Days after which a customer's own step counts half for ``habit``.
        blend: Weights and scales.
        untouched: What the ranker's margin of an item gains that nobody has done anything with.
    """

    together: Mapping[str, float] = field(default_factory=lambda: {"power": 0.3, "shrink": 3.0, "decay": 0.7})
    after: Mapping[str, float] = field(
        default_factory=lambda: {"power": 0.4, "shrink": 2.0, "backward": 0.3, "fade": 0.85, "decay": 0.6}
    )
    decays: Mapping[str, float] = field(
        default_factory=lambda: {"words": 0.6, "meaning": 0.6, "graph": 0.8, "again": 0.8}
    )
    ways: Mapping[str, float] = field(default_factory=dict)
    half_life: float = 30.0
    fresh: float = 14.0
    habit: float = 60.0
    blend: Blend = field(default_factory=_guess)
    untouched: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        return {
            "together": dict(self.together),
            "after": dict(self.after),
            "decays": dict(self.decays),
            "ways": dict(self.ways),
            "half_life": self.half_life,
            "fresh": self.fresh,
            "habit": self.habit,
            "untouched": self.untouched,
            "blend": self.blend.to_json(),
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Parameters:
        """Read what `to_json` wrote; whatever else stands beside it is passed over."""
        own = {name: tree[name] for name in cls.__dataclass_fields__ if name in tree}
        return cls(**{**own, "blend": Blend.from_json(tree["blend"])})


@dataclass(slots=True)
class Behaviour:
    """Sources over the rows of one shelf, their blend, and the evidence on each item.

    Attributes:
        sources: By name; see `retrieval.histories.Source`.
        parameters: What they were fitted with.
        evidence: float32 (rows at fitting,), how much behaviour speaks for each item.
        next: The sequence model, or None.
        ranker: Learnt by `recipes.recommend.preference` on `ranking.customer_features`; None leaves the order to the blend.
        complements: What goes into the same basket and is no substitute, or None.
        segments: What is popular in which segment of customers, or None.
    """

    sources: Mapping[str, Source]
    parameters: Parameters
    evidence: Floats
    next: NextItems | None = None
    ranker: Ranker | None = None
    complements: Neighbours | None = None
    segments: SegmentPopularity | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be asked."""
        return (*self.sources, HABIT, *(["next"] if self.next is not None else []))

    @property
    def habit(self) -> Habit:
        """What customers keep coming back to."""
        return Habit(self.parameters.habit)

    def scores(
        self,
        histories: Histories,
        width: int,
        trails: Trails | None = None,
        *,
        only: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> dict[str, Floats]:
        """Raw scores of the sources: name to float32 (users, width).

        Args:
            histories: What the users did.
            width: Number of rows of the shelf.
            trails: The same step by step; only with them habit and the sequence model are asked.
            only: Sources to ask; all when None.
            deadline: On the clock of `time.perf_counter`: a source whose turn comes later is left out, and said so in the log.
        """
        found: dict[str, Floats] = {}
        weights: dict[float, Matrix] = {}
        for name in self.names:
            if only is not None and name not in only:
                continue
            if found and deadline is not None and time.perf_counter() > deadline:
                log.warning("recommendation ran out of time", extra={"left_out": name, "asked": len(found)})
                continue
            if name in self.sources:
                source = self.sources[name]
                if source.decay not in weights:
                    weights[source.decay] = histories.weights(source.decay, width)
                found[name] = source.scores(weights[source.decay])
            elif trails is not None:
                stepwise = self.habit if name == HABIT or self.next is None else self.next
                found[name] = stepwise.scores(trails, width)
        return found

    def judged(self, histories: Histories, pool: Pool, scores: Mapping[str, Floats], width: int) -> Judged:
        """What a ranker is told of candidates.

        Args:
            histories: Of n users.
            pool: Their candidates.
            scores: What `scores` gave for them.
            width: Number of rows of the shelf.
        """
        newest = histories.keep(histories.ages == 0)
        latest = {name: _of_newest(self.sources[name], newest, pool) for name in LATEST if name in self.sources}
        evidence = pool.per(self.evidence_of(width)[0])
        of_pool = {name: pool.of(dense) for name, dense in scores.items()}
        blended = {name: of_pool[name] for name in self.parameters.blend.active if name in of_pool}
        blend = self.parameters.blend.combine(blended, histories.known[:, None], evidence)
        return Judged(scores=of_pool, latest=latest, blend=blend, evidence=evidence, known=histories.known[:, None])

    def margins(self, table: Floats) -> Floats:
        """What the ranker says of candidates, float32 (...,), from their features float32 (..., f).

        Raises:
            TypeError: There is no ranker.
        """
        if self.ranker is None:
            raise TypeError("there is no ranker")
        margin = self.ranker.margin(table.reshape(-1, table.shape[-1])).reshape(table.shape[:-1])
        untouched = np.float32(self.parameters.untouched) * (table[..., _EVIDENCE] <= 0).astype(np.float32)
        return np.asarray(margin + untouched, dtype=np.float32)

    def blended(
        self, histories: Histories, width: int, trails: Trails | None = None, *, deadline: float | None = None
    ) -> Floats:
        """Blended scores, float32 (users, width); sources without weight are not even asked. Arguments as for `scores`."""
        active = self.scores(histories, width, trails, only=self.parameters.blend.active, deadline=deadline)
        if not active:
            return np.zeros((len(histories), width), dtype=np.float32)
        return self.parameters.blend.combine(active, histories.known[:, None], self.evidence_of(width))

    def standing(self, name: str, width: int) -> Floats:
        """What the standing source `name` (``popular``, ``new``) says of every item: float32 (width,)."""
        source = self.sources[name]
        said: Floats = source.scores(empty(1, width))[0]
        return said

    def popular_in(self, segments: Sequence[str], width: int) -> Floats:
        """What is popular among customers of the same segments, or overall where none is known: float32 (width,)."""
        if self.segments is None:
            return self.standing("popular", width)
        popular: Floats = widen(self.segments.of(segments)[None], width)[0]
        return popular

    def vectors(self, rows: Rows) -> Floats:
        """What items are about, for telling how alike they are: float32 (n, d), unit length; zeros without an encoder."""
        meaning = self.sources.get("meaning")
        if isinstance(meaning, VectorNeighbours):
            return meaning.vectors(rows)
        return np.zeros((len(rows), 1), dtype=np.float32)

    def evidence_of(self, width: int) -> Floats:
        """Evidence of every row of the shelf, 0 for rows that came after fitting: float32 (1, width)."""
        return widen(self.evidence[None, :], width)

    def carried(self, history: Histories, trail: Trails, items: Rows, width: int) -> dict[str, Floats]:
        """What each item of one user's history adds to the blended score of each of `items`.

        Args:
            history: Exactly one user.
            trail: Of the same.
            items: Rows, k of them.
            width: Number of rows of the shelf.

        Returns:
            Source name to float32 (m, k), m items in the history; standing sources have m = 1. All of it, and what the
            sequence model adds, sums to the blended scores.
        """
        evidence = self.evidence_of(width)[:, items]
        count = history.known[:, None]
        parts: dict[str, Floats] = {}
        for name in self.parameters.blend.active:
            share = self.parameters.blend.share(name, count, evidence)
            if name == HABIT:
                own = np.equal.outer(history.rows, items).astype(np.float32)
                parts[name] = own * self.habit.of(trail, items) * share
            if name not in self.sources:
                continue
            source = self.sources[name]
            if name in STANDING:
                parts[name] = source.scores(history.weights(1.0, width))[:, items] * share
            else:
                weights = history.faded(source.decay)
                parts[name] = weights[:, None] * source.between(history.rows, items) * share
        return parts

    def put(self, rows: Rows, items: list[Item], vectors: Floats | None = None) -> None:
        """Take in new or changed items at once, through their words and, when given, their vectors float32 (n, d)."""
        if self.next is not None and vectors is not None:
            self.next.put(rows, vectors)
        words, meaning = self.sources.get("words"), self.sources.get("meaning")
        if isinstance(words, WordNeighbours):
            words.put(rows, [item.text for item in items])
        if isinstance(meaning, VectorNeighbours) and vectors is not None:
            meaning.put(rows, vectors)


def _of_newest(source: Source, newest: Histories, pool: Pool) -> Floats:
    """What a source makes of each user's newest item for their candidates, float32 (n, most)."""
    found = np.zeros(pool.rows.shape, dtype=np.float32)
    for user, row, strength in zip(newest.users.tolist(), newest.rows, newest.strengths, strict=True):
        found[user] = strength * source.between(row[None], pool.rows[user])[0]
    return found


def fit(
    histories: Histories,
    shelf: Shelf,
    vectors: Floats | None,
    parameters: Parameters,
    until: float,
    words: WordNeighbours | None = None,
    graph: GraphNeighbours | None = None,
    *,
    dense: bool = False,
) -> Behaviour:
    """Fit all sources. Cheap enough to be done again in the background whenever events have come in.

    Args:
        histories: What customers did, up to `until` and not later.
        shelf: The items; texts come from `Item.text`.
        vectors: Encoder vectors float32 (rows, d), or None to go without.
        parameters: Tuned or default.
        until: Now, in seconds since 1970.
        words: The source of words of the same shelf, when it is at hand already.
        graph: The source of the knowledge graph over the same shelf, where there is one.
        dense: Also fit `ease`, which takes seconds.
    """
    width = len(shelf)
    with span("fit behaviour", 4, "sources") as progress:
        found: dict[str, Source] = {"after": after(histories, width, **parameters.after)}  # type: ignore[arg-type]
        progress.advance()
        found["together"] = together(histories, width, **parameters.together)
        if dense:
            found["ease"] = ease(histories, width)
        progress.advance()
        if words is None:
            words = WordNeighbours([item.text if item else "" for item in shelf.items], terms)
        words.decay = parameters.decays["words"]
        found["words"] = words
        progress.advance()
        if vectors is not None:
            found["meaning"] = VectorNeighbours(vectors, parameters.decays["meaning"])
        if graph is not None:
            graph.decay = parameters.decays.get("graph", graph.decay)
            found["graph"] = graph
        found["again"] = Again(parameters.decays["again"])
        found["popular"] = Standing(
            "popular", popularity(histories, width, half_life=parameters.half_life, until=until)
        )
        found["trending"] = Standing("trending", trending(histories, width, days=_RISING, until=until))
        found["new"] = Standing("new", newness(shelf.created, days=parameters.fresh, until=until))
        progress.advance()
    return Behaviour(found, parameters, mass(histories, width))


def learnt_from(
    bundle: Bundle | None, shelf: Shelf, vectors: Floats | None
) -> tuple[Parameters, NextItems | None, Ranker | None]:
    """What a bundle of task ``recommend`` holds; without one, defaults.

    Args:
        bundle: What `recipes.recommend.behaviour.train_behaviour` saved.
        shelf: The items.
        vectors: Encoder vectors of its rows, float32 (rows, d), for items that the sequence model has not seen.

    Raises:
        ModelError: The ranker was learnt on other features than this version computes, or the bundle is damaged.
    """
    if bundle is None:
        return Parameters(), None, None
    arrays, about = bundle.arrays(), bundle.parameters
    ranker = Ranker.load(arrays)
    if ranker is not None and list(about.get("features", ())) != list(NAMES):
        raise ModelError(
            "The ranker of recommendation was learnt by another version, on other features.",
            where=bundle.name,
            cure="Train again: shopkeeper train recommend",
        )
    sequence = NextItems.load(bundle, shelf, vectors) if "graph" in arrays else None
    return Parameters.from_json(about), sequence, ranker

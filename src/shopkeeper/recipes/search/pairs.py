"""Pairs of a query and an item that answers it: from behaviour, from human grades, from the catalogue alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from shopkeeper.models.reranker import Reranker, passage
from shopkeeper.progress import track
from shopkeeper.recipes.search.pseudo_queries import learn_phrases, pseudo_queries
from shopkeeper.records import EventKind, Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.store.protocols import Store

WEIGHTS: Mapping[EventKind, float] = {EventKind.CLICK: 1.0, EventKind.CART: 2.0, EventKind.PURCHASE: 3.0}
"""What one event says for its pair."""
_FIRST_GRADE = 1.0
_RAREST = 0.1  # a position is never taken to be looked at less often than this


@dataclass(frozen=True, slots=True)
class Pair:
    """A query, an item that answers it, and how sure that is.

    Attributes:
        weight: Evidence, above 0.
        source: ``events``, ``judgements`` or ``catalogue``.
        time: Seconds since 1970 of the last event behind it, 0 where there is none.
    """

    query: str
    item: str
    weight: float
    source: str
    time: float = 0.0


def pairs_from_events(store: Store, *, debias: bool = False) -> list[Pair]:
    """Each reaction (click, cart, purchase) that is tied to a query, as a pair with its own time.

    A reaction is tied by its own query, else by the query of the search that its request answers.

    Args:
        store: Where the events are.
        debias: Weigh a reaction by how seldom its place in the list is looked at (inverse propensity of the place).
    """
    frame = store.events.frame(kinds=[EventKind.SEARCH, EventKind.IMPRESSION, *WEIGHTS])
    if frame.is_empty():
        return []
    asked = (
        frame.filter((pl.col("query") != "") & (pl.col("request") != ""))
        .group_by("request", maintain_order=True)
        .agg(pl.col("query").first().alias("asked"))
    )
    reactions = (
        frame.filter(pl.col("kind").is_in([kind.value for kind in WEIGHTS]) & (pl.col("item") != ""))
        .join(asked, on="request", how="left", maintain_order="left")
        .with_columns(pl.when(pl.col("query") != "").then("query").otherwise("asked").alias("asked"))
        .filter(pl.col("asked").is_not_null())
    )
    unseen = _inverse_looks(store, reactions) if debias else {}
    return [
        Pair(
            query=tidy(asked_for),
            item=item,
            weight=WEIGHTS[EventKind(kind)] * unseen.get((request, item), 1.0),
            source="events",
            time=time.timestamp(),
        )
        for time, kind, item, request, asked_for in reactions.select("time", "kind", "item", "request", "asked").rows()
    ]


def pairs_from_judgements(store: Store) -> list[Pair]:
    """Every graded pair of at least grade 1, weighted by its mean grade over raters."""
    grades: dict[tuple[str, str], list[float]] = defaultdict(list)
    for judgement in store.labels.scan():
        grades[tidy(judgement.query), judgement.item].append(judgement.grade)
    means = {key: sum(values) / len(values) for key, values in grades.items()}
    return [Pair(query, item, mean, "judgements") for (query, item), mean in means.items() if mean >= _FIRST_GRADE]


def pairs_from_catalogue(items: Sequence[Item], rng: np.random.Generator, *, per_item: int = 1) -> list[Pair]:
    """Made-up queries for each item; see `pseudo_queries`."""
    made = pseudo_queries(items, learn_phrases(items), rng, per_item=per_item)
    return [Pair(query, item, 1.0, "catalogue") for query, item, _ in made]


def merged(pairs: Iterable[Pair]) -> list[Pair]:
    """One pair for each query and item: weights added up and damped (log(1 + sum)), the latest time kept."""
    found: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        old = found.get((pair.query, pair.item))
        found[pair.query, pair.item] = (
            pair if old is None else replace(old, weight=old.weight + pair.weight, time=max(old.time, pair.time))
        )
    return [replace(pair, weight=float(np.log1p(pair.weight))) for pair in found.values() if pair.query]


def believed(pairs: Sequence[Pair], items: Mapping[str, Item], teacher: Reranker) -> list[Pair]:
    """The same pairs, each weighing what a cross-encoder makes of it: twice as much at most, next to nothing at least.

    A made-up query that does not fit its item, or a click by mistake, then teaches little.

    Args:
        pairs: Of `items`, by id.
        items: The catalogue.
        teacher: Reads query and item together.
    """
    said = np.array(
        [
            float(teacher.score(pair.query, [passage(items[pair.item])])[0])
            for pair in track(pairs, "read pairs", len(pairs), "pairs")
        ]
    )
    spread = float(np.subtract(*np.quantile(said, [0.75, 0.25]))) if len(said) else 1.0
    belief = 2 / (1 + np.exp(-(said - np.median(said)) / max(spread, 1e-6))) if len(said) else said
    return [replace(pair, weight=pair.weight * float(share)) for pair, share in zip(pairs, belief, strict=True)]


def tidy(query: str) -> str:
    """A query as compared and learnt from: lower case, single blanks.

    >>> tidy("  Garden   RAKE ")
    'garden rake'
    """
    return " ".join(query.lower().split())


class Answers:
    """Which items answer a query as far as is known: known pairs, and items that hold all of its words.

    Used to keep right answers out of the negatives and out of the competition in validation.

    Attributes:
        words: The terms of each item.
    """

    def __init__(self, items: Mapping[str, Item], pairs: Iterable[Pair]) -> None:
        self.words = {key: frozenset(terms(item.text)) for key, item in items.items()}
        self._known: dict[str, set[str]] = defaultdict(set)
        for pair in pairs:
            self._known[pair.query].add(pair.item)
        self._query_words: dict[str, frozenset[str]] = {}

    def holds(self, query: str, item: str) -> bool:
        """Does the item answer the query, as far as is known?"""
        if item in self._known.get(query, ()):
            return True
        wanted = self.query_words(query)
        return bool(wanted) and wanted <= self.words[item]

    def query_words(self, query: str) -> frozenset[str]:
        """The terms of a query."""
        found = self._query_words.get(query)
        if found is None:
            found = self._query_words[query] = frozenset(terms(query))
        return found

    def table(self, queries: Sequence[str], items: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Bool (queries, items): `holds` of each combination."""
        rows = [[self.holds(query, item) for item in items] for query in queries]
        return np.array(rows, dtype=np.bool_).reshape(len(queries), len(items))


def _inverse_looks(store: Store, reactions: pl.DataFrame) -> dict[tuple[str, str], float]:
    """(request, item) -> 1 / how often its place is reacted to, relative to the first place (never rising)."""
    reacted = set(reactions.select("request", "item").rows())
    places: dict[tuple[str, str], int] = {}
    shown: dict[int, int] = defaultdict(int)
    hit: dict[int, int] = defaultdict(int)
    for _, event in store.events.scan(kinds=[EventKind.IMPRESSION]):
        if event.impression is None:
            continue
        for item, place in zip(event.impression.items, event.impression.positions, strict=True):
            shown[place] += 1
            if (event.request, item) in reacted:
                hit[place] += 1
                places[event.request, item] = place
    looks: dict[int, float] = {}
    lowest = 1.0
    first = max(hit[1] / shown[1], 1e-6) if shown.get(1) else 1.0
    for place in sorted(shown):
        lowest = max(_RAREST, min(lowest, hit[place] / shown[place] / first))
        looks[place] = lowest
    return {key: 1.0 / looks[place] for key, place in places.items()}

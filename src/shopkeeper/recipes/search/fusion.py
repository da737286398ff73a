"""How much words and how much meaning count in search: chosen on queries whose answers are known.

Queries come from human grades where there are enough, else from what customers clicked, carted or bought after
searching, else from the catalogue alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.metrics import graded, ideal_grades, ndcg_at
from shopkeeper.progress import track
from shopkeeper.recipes.search.pairs import Pair, merged, pairs_from_catalogue, pairs_from_events
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex, fuse
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.protocols import Store

SHARES = tuple(round(0.1 * step, 1) for step in range(11))
"""Shares of the words that are tried."""
_LEAST = 20
"""Queries of a source below which the next one is asked."""
_MOST = 400
_DEPTH = 10

Grades = Mapping[str, Mapping[str, float]]
"""Query to item id to grade."""


def chosen_share(values: Mapping[float, NDArray[np.float64]], seed: int = 0) -> float:
    """The share closest to an even split that the best one does not clearly beat.

    With a few dozen queries the best of eleven shares is mostly luck; a share far from the middle has to be earned.

    Args:
        values: nDCG of each query by share, float (queries,) each.
        seed: Of the bootstrap.

    >>> rng = np.random.default_rng(0)
    >>> chosen_share({0.5: rng.random(20), 1.0: rng.random(20) + 0.01})
    0.5
    >>> chosen_share({0.5: np.zeros(20), 1.0: np.ones(20)})
    1.0
    """
    middle = Fusion().words
    best = max(values, key=lambda share: (float(values[share].mean()), -abs(share - middle)))
    fair = [share for share in values if paired_difference(values[share], values[best], seed=seed).low <= 0]
    return min([*fair, best], key=lambda share: (abs(share - middle), -float(values[share].mean())))


def known_answers(store: Store, shelf: Shelf, rng: np.random.Generator) -> tuple[str, Grades]:
    """Queries with known answers and where they come from; at most 400, drawn at random beyond that.

    Raises:
        TrainingError: There are none at all.
    """
    judged: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for judgement in store.labels.scan():
        if shelf.row(judgement.item) is not None:
            judged[judgement.query][judgement.item] = judgement.grade
    relevant = {query: items for query, items in judged.items() if any(grade > 0 for grade in items.values())}
    clicked = _by_query(merged(pairs_from_events(store)), shelf)
    for source, grades in (("judgements", relevant), ("events", clicked)):
        if len(grades) >= _LEAST:
            return source, _sample(grades, rng)
    items = [item for item in shelf.items if item is not None]
    made = _sample(_by_query(pairs_from_catalogue(items, rng), shelf), rng) if len(items) > 1 else {}
    if len(made) < 2:
        raise TrainingError(
            "Neither judgements, nor events, nor titles give queries with known answers.",
            where="search",
            cure="Import products with titles of two words or more, or search events.",
        )
    return "catalogue", made


def measured(index: HybridIndex, shelf: Shelf, grades: Grades) -> dict[float, NDArray[np.float64]]:
    """nDCG@10 of each query by share of the words: float64 (queries,) each."""
    ranked: dict[float, list[list[str]]] = {share: [] for share in SHARES}
    mask = np.ones(len(shelf), dtype=np.bool_)
    for query in track(grades, "tune words and meaning", len(grades), "queries"):
        vector = index.encode(query)
        rows = index.search(query, vector, mask).rows
        bm25, cosine = index.lexical.scores(query, rows), index.vectors.scores(vector, rows)
        for share in SHARES:
            found = fuse(rows, bm25, cosine, share).rows[:_DEPTH]
            ranked[share].append([shelf.item(int(row)).id for row in found])
    given = list(grades.values())
    ideal = ideal_grades(given)
    return {share: np.asarray(ndcg_at(_DEPTH, graded(lists, given), ideal)) for share, lists in ranked.items()}


def _by_query(pairs: Sequence[Pair], shelf: Shelf) -> dict[str, dict[str, float]]:
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for pair in pairs:
        if shelf.row(pair.item) is not None:
            found[pair.query][pair.item] = 1.0
    return dict(found)


def _sample(grades: Grades, rng: np.random.Generator) -> Grades:
    queries = list(grades)
    chosen = sorted(rng.permutation(len(queries))[:_MOST].tolist())
    return {queries[place]: grades[queries[place]] for place in chosen}

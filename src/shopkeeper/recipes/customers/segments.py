"""Customers who are alike: k-means on their vectors, named from the words of what they touch.

How many groups there are is what the silhouette (Rousseeuw 1987) of a sample likes best among numbers whose groups come out
the same from two halves of the customers (adjusted Rand index; Hubert, Arabie 1985). A group is named by class-based TF-IDF
(Grootendorst 2022): words that are frequent within it and rare elsewhere, in each language apart. Trained again, a group
whose centre has hardly moved keeps its id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.metrics import adjusted_rand_score, silhouette_score

from shopkeeper.errors import TrainingError
from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import Deeds, Ints
from shopkeeper.ranking.customers.segments import CustomerSegment, CustomerSegments
from shopkeeper.retrieval.analysis import is_chinese, words
from shopkeeper.retrieval.shelf import Shelf

_NUMBERS: Final = (3, 4, 5, 6, 8, 10, 12)
_SAMPLE: Final = 2_000
_LEAST: Final = 30
_STABLE: Final = 0.5
"""Least agreement of two halves."""
_SAME: Final = 0.9
"""Cosine from which on a centre counts as the one before."""
_WORDS: Final = 3
_TITLES: Final = 400
_PLAIN: Final = re.compile(r"[a-z][a-z\-]{2,}|[一-鿿]{2,}")


def learn_segments(
    vectors: Floats, deeds: Deeds, shelf: Shelf, *, before: CustomerSegments | None = None, seed: int = 7
) -> tuple[CustomerSegments, Ints]:
    """Group customers.

    Args:
        vectors: float32 (n, d), where each customer stands; zero where nothing is known of them, who belong to no group.
        deeds: Of the same customers, for the words of what they touched.
        shelf: The items.
        before: The groups of the last training, whose ids are kept where they are the same groups.
        seed: Of k-means and of samples.

    Returns:
        The segments, and the place among them of each customer, int64 (n,), -1 for none.

    Raises:
        TrainingError: Fewer than 30 customers are known.
    """
    known = np.flatnonzero(np.abs(vectors).sum(axis=1) > 0)
    if len(known) < _LEAST:
        raise TrainingError(
            f"{len(known)} customers have a history; segments need {_LEAST}.",
            where="segments",
            cure="Import more events with customers.",
        )
    rng = np.random.default_rng(seed)
    told = vectors[known]
    centre = told.mean(axis=0)
    points = _unit(told - centre)
    count = _how_many(points, rng, seed)
    model = KMeans(count, n_init=5, random_state=seed).fit(points)
    centres = _unit(model.cluster_centers_.astype(np.float32))
    places = np.asarray(model.labels_, dtype=np.int64)
    names = _names(places, known, deeds, shelf, count)
    ids, following = _ids(centres, before)
    segments = tuple(
        CustomerSegment(ids[place], names[place], float((places == place).mean())) for place in range(count)
    )
    found = np.full(len(vectors), -1, dtype=np.int64)
    found[known] = places
    return CustomerSegments(segments, centre.astype(np.float32), centres, following), found


def _how_many(points: Floats, rng: np.random.Generator, seed: int) -> int:
    sample = points[rng.permutation(len(points))[:_SAMPLE]]
    half = len(sample) // 2
    scores: dict[int, tuple[bool, float]] = {}
    for count in _NUMBERS:
        if count * 5 > len(sample):
            break
        first, second = (
            KMeans(count, n_init=3, random_state=seed).fit(part) for part in (sample[:half], sample[half:])
        )
        agreement = adjusted_rand_score(first.predict(sample), second.predict(sample))
        places = first.predict(sample)
        score = silhouette_score(sample, places) if len(np.unique(places)) > 1 else -1.0
        scores[count] = (bool(agreement >= _STABLE), float(score))
    return max(scores, key=lambda count: scores[count])


def _names(places: Ints, known: Ints, deeds: Deeds, shelf: Shelf, count: int) -> list[Mapping[str, str]]:
    """Names of the groups by language, from titles and categories of what their members touched."""
    place_of = np.full(len(deeds), -1, dtype=np.int64)
    place_of[known] = places
    owner = place_of[deeds.owners]
    told = (owner >= 0) & (deeds.items >= 0)
    pairs, times = np.unique(np.stack([owner[told], deeds.items[told]]), axis=1, return_counts=True)
    bags: dict[str, list[Counter[str]]] = {code: [Counter() for _ in range(count)] for code in ("en", "zh")}
    for place in range(count):
        mine = np.flatnonzero(pairs[0] == place)
        top = mine[np.argsort(-times[mine], kind="stable")[:_TITLES]]
        for row, often in zip(pairs[1][top].tolist(), times[top].tolist(), strict=True):
            item = shelf.items[row]
            if item is None:
                continue
            text = f"{item.title} {' '.join(item.category)}"
            language = "zh" if is_chinese(text) else "en"
            for word in {word for _, word in words(text) if _PLAIN.fullmatch(word) and word not in ENGLISH_STOP_WORDS}:
                bags[language][place][word] += often
    named: list[Mapping[str, str]] = []
    tops = {language: _telling(bag) for language, bag in bags.items()}
    for place in range(count):
        found = {language: " · ".join(top[place]) for language, top in tops.items() if top[place]}
        spare = next(iter(found.values()), "")
        named.append({language: found.get(language, spare) for language in ("en", "zh")})
    return named


def _telling(bags: Sequence[Counter[str]]) -> list[list[str]]:
    """The most telling words of each bag: frequency in it, times log(1 + average size / frequency everywhere)."""
    everywhere: Counter[str] = Counter()
    for bag in bags:
        everywhere.update(bag)
    average = sum(everywhere.values()) / max(len(bags), 1)
    found = []
    for bag in bags:
        total = max(bag.total(), 1)
        weight = {word: often / total * np.log1p(average / everywhere[word]) for word, often in bag.items()}
        found.append([word for word, _ in sorted(weight.items(), key=lambda pair: (-pair[1], pair[0]))[:_WORDS]])
    return found


def _ids(centres: Floats, before: CustomerSegments | None) -> tuple[list[str], int]:
    """An id for each centre: that of the nearest one before where it is near, else a new one; ids are never used again."""
    following = before.following if before is not None else 1
    ids = [""] * len(centres)
    if before is not None and before.centres.shape[1] == centres.shape[1]:
        near = centres @ before.centres.T
        for here, there in zip(*linear_sum_assignment(-near), strict=True):
            if near[here, there] >= _SAME:
                ids[int(here)] = before.segments[int(there)].id
    for place, name in enumerate(ids):
        if not name:
            ids[place] = f"s{following}"
            following += 1
    return ids, following


def _unit(vectors: Floats) -> Floats:
    scaled: Floats = (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return scaled

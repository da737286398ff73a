"""What a ranker sees of the candidates of a query: one function for training and for serving, all candidates at once.

Every feature is a plain number of one candidate; 0 is what a candidate has of which nothing is known. Shares of BM25 are
taken of the query's own bound (see `LexicalIndex.bound`), so that long and short queries are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Floats
from shopkeeper.ranking.clicks import ClickTable, Rates
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.hybrid import Found, HybridIndex
from shopkeeper.retrieval.lexical import query_terms
from shopkeeper.retrieval.looks import Looks
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.retrieval.term_counts import Matches

KNOWN = ("popularity", *Rates._fields)
"""What is known of a candidate from behaviour, all in [0, 1]; see `Known`."""
NAMES = (
    "words",  # BM25 over the best candidate's
    "meaning",  # cosine, 0 the lowest and 1 the highest candidate
    "fused",  # their sum, as the fusion weighs them
    "title_bm25",
    "text_bm25",
    "details_bm25",
    "title_coverage",  # share of the query's idf that the field holds
    "text_coverage",
    "coverage",  # in any field
    "all_in_title",
    "all_anywhere",
    "title_share",  # share of the title's terms that were asked for
    "in_order",  # share of neighbours in the query that are neighbours in the title
    "first_place",  # 1 when the title begins with a term of the query, falling with its place
    "last_in_title",  # what is sought stands at the end of an English query
    "rarest_in_title",
    "named",  # the last term is no mere part of a longer name in the title: no plain word follows ("monitor", not "monitor stand")
    "words_rank",  # 1 the best, falling with the logarithm of the rank
    "meaning_rank",
    "number",  # share of the terms with digits that the text holds
    "cosine",
    "cosine_gap",  # behind the nearest candidate
    "near_best",  # cosine to the mean of the ten best fused
    "near_nearest",  # the same of the ten nearest in meaning
    "brand_asked",
    "brand_of_best",  # share of the ten best that are of this brand
    "category_of_best",
    "preferred",  # what was read out of the query: brand, category, attributes
    "price_place",  # 0 the cheapest and 1 the dearest candidate
    "youth",  # halves with every year since the item was new
    "title_terms",
    "query_terms",
    "best_words",  # the query's best BM25 over its bound
    "best_cosine",
    "looks",  # cosine of the query with the picture, 0 where there is none
    *KNOWN,
)
"""Columns of `features`."""

_BEST = 10
_YEAR = 365.25 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query as the ranker sees it.

    Attributes:
        query: Words that were searched for.
        vector: Their vector, float32 (d,).
        preferences: (field, value, certainty): ``brand``, ``category`` (path joined by `` > ``) or an attribute.
        time: Seconds since 1970.
    """

    query: str
    vector: Floats
    preferences: Sequence[tuple[str, str, float]] = ()
    time: float = 0.0
    known: Mapping[str, Floats] = field(default_factory=dict)
    """float32 (n,) by name of `KNOWN`, one value a candidate; what is missing counts as 0."""


@dataclass(slots=True)
class Known:
    """What behaviour says about items, whoever asks.

    Attributes:
        popularity: float32 (rows,) or shorter, in [0, 1]; None when nothing is known.
        clicks: How often items are clicked and ordered when they are looked at; None when nothing is known.
    """

    popularity: Floats | None = None
    clicks: ClickTable | None = None

    def of(self, query: str, rows: Rows, shelf: Shelf) -> dict[str, Floats]:
        """float32 (n,) by name of `KNOWN`, for the rows of living items; what is not known is left out."""
        found: dict[str, Floats] = {}
        if self.popularity is not None:
            found["popularity"] = np.zeros(len(rows), dtype=np.float32)
            counted = rows < len(self.popularity)
            found["popularity"][counted] = self.popularity[rows[counted]]
        if self.clicks is not None:
            items = shelf.items
            rates = self.clicks.rates(query, [item.id if (item := items[row]) else "" for row in rows.tolist()])
            found |= rates._asdict()
        return found


def features(index: HybridIndex, shelf: Shelf, asked: Asked, found: Found) -> Floats:
    """The features of all candidates of a query.

    Args:
        index: Words and meaning over the rows of `shelf`.
        shelf: The items.
        asked: The query.
        found: Its n candidates, best fused first.

    Returns:
        float32 (n, len(NAMES)), finite.
    """
    rows, n = found.rows, len(found)
    if not n:
        return np.zeros((0, len(NAMES)), dtype=np.float32)
    wanted, idf = query_terms(asked.query), index.lexical.idf(asked.query)
    mass = np.array([idf.get(term, 0.0) for term in wanted] or [0.0], dtype=np.float32)
    bound = max(2.2 * float(mass.sum()), 1e-9)
    matches = index.lexical.matches(asked.query, rows)
    held = {name: _held(found_in, len(mass)) for name, found_in in matches.items()}
    anywhere = held["text"] | held["details"]
    words = found.bm25 / bound
    nearest = np.argsort(-found.cosine, kind="stable")[:_BEST]
    columns: dict[str, NDArray[np.floating] | Mask] = {
        "words": found.bm25 / np.float32(max(float(found.bm25.max()), 1e-9)),
        "meaning": (found.cosine - found.cosine.min()) / np.float32(max(float(np.ptp(found.cosine)), 1e-9)),
        "fused": found.scores,
        **{f"{name}_bm25": found_in.scores() / bound for name, found_in in matches.items()},
        "title_coverage": _share(held["title"], mass),
        "text_coverage": _share(held["text"], mass),
        "coverage": _share(anywhere, mass),
        "all_in_title": np.all(held["title"], axis=1),
        "all_anywhere": np.all(anywhere, axis=1),
        "title_share": held["title"].sum(axis=1) / np.maximum(matches["title"].distinct, 1),
        "in_order": _in_order(matches["title"], n, len(wanted)),
        "first_place": _first_place(matches["title"], n),
        "last_in_title": held["title"][:, -1],
        "rarest_in_title": held["title"][:, int(mass.argmax())],
        "named": index.lexical.closing(matches["title"], len(wanted) - 1, rows),
        "words_rank": _rank(found.bm25),
        "meaning_rank": _rank(found.cosine),
        "number": _share(held["text"], _numbered(wanted)),
        "cosine": found.cosine,
        "cosine_gap": found.cosine.max() - found.cosine,
        "near_best": index.vectors.scores(_middle(index.vectors.vectors(rows[:_BEST])), rows),
        "near_nearest": index.vectors.scores(_middle(index.vectors.vectors(rows[nearest])), rows),
        "title_terms": np.minimum(matches["title"].distinct, 30) / 30,
        "query_terms": np.full(n, min(len(wanted), 10) / 10),
        "best_words": np.full(n, words.max()),
        "best_cosine": np.full(n, found.cosine.max()),
        "looks": _looks(index.looks, asked.vector, rows),
        **_of_catalogue(shelf, rows, set(wanted), asked),
        **{name: asked.known.get(name, np.zeros(n, dtype=np.float32)) for name in KNOWN},
    }
    return np.stack([columns[name] for name in NAMES], axis=1).astype(np.float32)


def _of_catalogue(shelf: Shelf, rows: Rows, wanted: set[str], asked: Asked) -> dict[str, NDArray[np.floating]]:
    brands, categories = shelf.brand_codes[rows], shelf.category_codes[rows]
    named = [code for code in np.unique(brands).tolist() if code and _terms_of(shelf.brands.values[code]) <= wanted]
    price = shelf.prices[rows]
    low, high = _ends(price)
    created = shelf.created[rows]
    years = np.clip((asked.time - created) / _YEAR, 0, 50)
    return {
        "brand_asked": np.isin(brands, named).astype(np.float32),
        "brand_of_best": _frequency(brands),
        "category_of_best": _frequency(categories),
        "preferred": _preferred(shelf, rows, asked.preferences),
        "price_place": np.nan_to_num((price - low) / max(high - low, 1e-9), nan=0.5),
        "youth": np.where((created > 0) & (asked.time > 0), 0.5**years, 0.0),
    }


@lru_cache(maxsize=100_000)
def _terms_of(brand: str) -> frozenset[str]:
    return frozenset(terms(brand))


def _looks(looks: Looks | None, vector: Floats, rows: Rows) -> Floats:
    return np.zeros(len(rows), dtype=np.float32) if looks is None else looks.cosines(looks.of_words(vector), rows)


def _held(found: Matches, count: int) -> NDArray[np.bool_]:
    """Bool (n, terms): which row holds which term."""
    held = np.zeros((len(found.distinct), count), dtype=np.bool_)
    held[found.row, found.term] = True
    return held


def _share(held: NDArray[np.bool_], mass: Floats) -> Floats:
    share: Floats = (held @ mass).astype(np.float32) / np.float32(max(float(mass.sum()), 1e-9))
    return share


def _numbered(wanted: Sequence[str]) -> Floats:
    return np.array([float(any(c.isdigit() for c in term)) for term in wanted] or [0.0], dtype=np.float32)


def _in_order(found: Matches, n: int, count: int) -> Floats:
    """Share of the query's neighbours that stand side by side, in the same order, in the title."""
    if count < 2:
        return np.zeros(n, dtype=np.float32)
    follows = (found.row[1:] == found.row[:-1]) & (found.place[1:] == found.place[:-1] + 1)
    follows &= found.term[1:] == found.term[:-1] + 1
    return np.bincount(found.row[1:][follows], minlength=n).astype(np.float32) / np.float32(count - 1)


def _first_place(found: Matches, n: int) -> Floats:
    value = np.zeros(n, dtype=np.float32)
    np.maximum.at(value, found.row, (1 / (1 + found.place)).astype(np.float32))
    return value


def _rank(scores: Floats) -> Floats:
    rank = np.empty(len(scores), dtype=np.float32)
    rank[np.argsort(-scores, kind="stable")] = 1 / np.log2(2 + np.arange(len(scores)))
    return np.where(scores > 0, rank, 0).astype(np.float32)


def _middle(vectors: Floats) -> Floats:
    mean: Floats = vectors.mean(axis=0)
    return mean / np.float32(max(float(np.linalg.norm(mean)), 1e-9))


def _frequency(codes: NDArray[np.int32]) -> Floats:
    """How many of the ten best have the code of each candidate; the unknown code counts as none."""
    best = codes[:_BEST]
    return np.where(codes == 0, 0, (codes[:, None] == best[None]).mean(axis=1)).astype(np.float32)


def _preferred(shelf: Shelf, rows: Rows, preferences: Sequence[tuple[str, str, float]]) -> Floats:
    total = np.zeros(len(rows), dtype=np.float32)
    for name, value, certainty in preferences:
        total += np.float32(certainty) * shelf.having(name, value, rows)
    return total / np.float32(max(sum(certainty for _, _, certainty in preferences), 1e-9))


def _ends(price: NDArray[np.float32]) -> tuple[float, float]:
    known = price[np.isfinite(price)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)

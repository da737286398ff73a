"""Features of (query, title, longer text) pairs without an index: how well the words of the one answer those of the other.

Nothing is looked up but the texts themselves and how rare each term is, so the same function serves training, a bench
and any list of candidates. A text is `retrieval.analysis.terms` throughout, hence Chinese and English alike. Shares are
in [0, 1]; where there is nothing to share (no terms, no longer text, no brand, no vectors) a feature is 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.ranking.quantities import agreement
from shopkeeper.retrieval.analysis import normalise, terms

NAMES: tuple[str, ...] = (
    "query_in_title",  # share of the query's terms
    "query_in_title_idf",  # the same, rare terms counting more
    "query_in_text",  # title and longer text together
    "query_in_text_idf",
    "title_in_query",
    "title_in_query_idf",
    "rarest_missing",  # idf of the rarest query term that the title lacks
    "rarest_found",
    "adjacent",  # share of neighbouring query terms that are neighbours in the title
    "ordered",  # share of neighbouring query terms, both found, that keep their order
    "compact",  # found terms over the stretch of the title that holds them
    "first_match",  # where in the title the first found term stands; 1 when none does
    "contains",  # the whole query, letter by letter, at borders of words
    "contains_glued",  # the same without blanks: "light bulb" in "lightbulb"
    "characters_2",  # share of the query's character 2-grams
    "characters_3",
    "jaccard_3",  # common character 3-grams over all of both
    "cosine",
    "head_in_title",  # the last word of the query, which names what is wanted
    "head_is_head",  # ... is also what the title names
    "title_head_in_query",
    "first_in_query",  # the title's first term, often its brand
    "numbers_agree",  # share of the query's numbers and quantities
    "numbers_contradict",  # share of its quantities for which the title has another value of that kind only
    "brand_asked",
    "brand_other",  # the query names another brand of the column, and not this one
    "query_terms",
    "title_terms",
    "text_terms",
    "query_characters",
)
"""The columns of `pair_features`, in order."""

_PORTION = 20_000  # pairs held as n-grams at a time
_ODD = np.uint64(0x9E3779B97F4A7C15)
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_CUT = re.compile(
    rf"(?<=[{_HAN}])[-_—|]|\s[-–—|]\s|[(（,，;；]|适用|用于"
    r"|(?<=\s)(?:for|with|without|of|to|from|on|by|at|and)\s|(?<!\d)(?<!\d )(?<=\s)in\s"
)
"""Where what a text names ends and what is said about it begins."""
_LATIN = re.compile(r"[a-z0-9]{2}").fullmatch
Ints = NDArray[np.int64]


class TermWeights:
    """How rare each term is in some texts: ln(1 + (N - n + 0.5) / (n + 0.5)); one that is in none of them weighs most."""

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        total = 0
        for text in texts:
            counts.update(set(terms(text)))
            total += 1
        self._of = {term: float(np.log1p((total - n + 0.5) / (n + 0.5))) for term, n in counts.items()}
        self._most = float(np.log1p((total + 0.5) / 0.5))

    def __call__(self, names: Iterable[str]) -> Floats:
        """Weights of some terms, float32 (n,)."""
        return np.array([self._of.get(name, self._most) for name in names], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Pairs:
    """n queries, each with something that may answer it.

    Attributes:
        queries: As typed, or mended.
        titles: What it is called.
        texts: What else is written about it; none at all, or one a pair.
        brands: Its brand, perhaps empty; none at all, or one a pair. All of them together are the brands that are known.
        query_vectors: Unit vectors, float32 (n, d); None for no cosine.
        title_vectors: The same of the titles.
    """

    queries: Sequence[str]
    titles: Sequence[str]
    texts: Sequence[str] = ()
    brands: Sequence[str] = ()
    query_vectors: Floats | None = None
    title_vectors: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        vectors = [len(part) for part in (self.query_vectors, self.title_vectors) if part is not None]
        lengths = [len(self.titles), *(len(part) for part in (self.texts, self.brands) if part), *vectors]
        if any(length != len(self.queries) for length in lengths) or len(vectors) == 1:
            raise InputError(
                f"There are {len(self.queries)} queries beside columns of {lengths} rows.",
                where="pair features",
                cure="Give every column one row a pair, and vectors of both sides or of neither.",
            )


def pair_features(pairs: Pairs, weights: TermWeights) -> Floats:
    """Features of some pairs.

    Args:
        pairs: n of them.
        weights: Of the terms of the catalogue.

    Returns:
        float32 (n, len(NAMES)), finite; a row depends on its own pair alone, and on which brands there are.

    >>> pairs = Pairs(["red shoe", "保温杯"], ["Red shoes", "不锈钢保温杯"])
    >>> pair_features(pairs, TermWeights(pairs.titles))[:, NAMES.index("query_in_title")].tolist()
    [1.0, 1.0]
    """
    count = len(pairs.queries)
    found = np.zeros((count, len(NAMES)), dtype=np.float32)
    own, other = _brands(pairs)
    for start in range(0, count, _PORTION):
        rows = slice(start, start + _PORTION)
        queries, titles, texts = pairs.queries[rows], pairs.titles[rows], pairs.texts[rows]
        columns = _of_terms(queries, titles, texts, weights) | _of_letters(queries, titles)
        columns |= {"brand_asked": own[rows], "brand_other": other[rows]}
        if pairs.query_vectors is not None and pairs.title_vectors is not None:
            columns["cosine"] = np.einsum("nd,nd->n", pairs.query_vectors[rows], pairs.title_vectors[rows])
        agree = [
            agreement(query, f"{title} {text}")
            for query, title, text in zip(queries, titles, texts or [""] * len(queries), strict=True)
        ]
        columns["numbers_agree"], columns["numbers_contradict"] = np.array(agree).T
        for place, name in enumerate(NAMES):
            found[rows, place] = columns.get(name, 0.0)
    return np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)


@dataclass(frozen=True, slots=True)
class _Column:
    """The terms (or n-grams) of n texts in one row: their codes, whose they are, and which of its own each is."""

    codes: Ints
    owner: Ints
    place: Ints
    count: Ints

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> _Column:
        count = np.array([len(own) for own in lists], dtype=np.int64)
        codes = np.fromiter(chain.from_iterable(lists), dtype=np.int64, count=int(count.sum()))
        owner = np.repeat(np.arange(len(lists)), count)
        return cls(codes, owner, np.arange(len(codes)) - np.repeat(np.cumsum(count) - count, count), count)

    def first_in(self, other: _Column, size: int) -> Ints:
        """Where each code first stands in the other text of its pair, -1 where it does not; codes are below `size`."""
        keys, wanted = other.owner * size + other.codes, self.owner * size + self.codes
        order = np.argsort(keys, kind="stable")
        spot = np.searchsorted(keys, wanted, sorter=order)
        row = order[np.minimum(spot, len(keys) - 1)] if len(keys) else np.zeros(len(wanted), dtype=np.int64)
        hit = (keys[row] == wanted) if len(keys) else np.zeros(len(wanted), dtype=np.bool_)
        return np.where(hit, other.place[row] if len(keys) else 0, -1)

    def share(self, hit: NDArray[np.bool_], weights: Floats | None = None) -> NDArray[np.float64]:
        """Share of each text's codes that are hit, float (n,)."""
        counts = np.ones(len(self.codes)) if weights is None else weights.astype(np.float64)
        total = np.bincount(self.owner, counts, minlength=len(self.count))
        return np.bincount(self.owner, counts * hit, minlength=len(self.count)) / np.maximum(total, 1e-9)

    def most(self, values: NDArray[np.floating], hit: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Largest value of each text's codes that are hit, float (n,), 0 where none is."""
        found = np.zeros(len(self.count))
        np.maximum.at(found, self.owner[hit], values[hit])
        return found


def _of_terms(
    queries: Sequence[str], titles: Sequence[str], texts: Sequence[str], weights: TermWeights
) -> dict[str, NDArray[np.floating] | NDArray[np.int64]]:
    code: dict[str, int] = {}

    def column(lines: Sequence[str], cut: Callable[[str], tuple[str, ...]]) -> _Column:
        known = {line: [code.setdefault(term, len(code)) for term in cut(line)] for line in set(lines)}
        return _Column.of([known[line] for line in lines])

    query, title, text = (column(lines, _terms) for lines in (queries, titles, texts or [""] * len(queries)))
    heads, title_heads = column(queries, _head), column(titles, _head)
    size = max(1, len(code))
    idf = weights(code)
    own, theirs = idf[query.codes], idf[title.codes]
    at = query.first_in(title, size)
    hit, any_hit = at >= 0, (at >= 0) | (query.first_in(text, size) >= 0)
    named = title.first_in(query, size) >= 0
    rows = len(queries)
    last, first = np.full(rows, -1), np.full(rows, np.iinfo(np.int64).max)
    np.maximum.at(last, query.owner[hit], at[hit])
    np.minimum.at(first, query.owner[hit], at[hit])
    matched = np.bincount(title.owner[named], minlength=rows)
    next_to = query.owner[:-1] == query.owner[1:]
    both = next_to & hit[:-1] & hit[1:]
    couples = np.bincount(query.owner[:-1][both], minlength=rows)
    rising = np.bincount(query.owner[:-1][both], at[1:][both] > at[:-1][both], minlength=rows)
    front = np.flatnonzero(title.place == 0)
    opening = np.zeros(rows)
    opening[title.owner[front]] = named[front]
    return {
        "query_in_title": query.share(hit),
        "query_in_title_idf": query.share(hit, own),
        "query_in_text": query.share(any_hit),
        "query_in_text_idf": query.share(any_hit, own),
        "title_in_query": title.share(named),
        "title_in_query_idf": title.share(named, theirs),
        "rarest_missing": query.most(own, ~hit),
        "rarest_found": query.most(own, hit),
        "adjacent": _adjacent(query, title, size),
        "ordered": rising / np.maximum(couples, 1),
        "compact": np.where(last >= 0, matched / np.maximum(last - np.minimum(first, last) + 1, matched), 0.0),
        "first_match": np.where(last >= 0, first / np.maximum(title.count, 1), 1.0),
        "head_in_title": heads.share(heads.first_in(title, size) >= 0),
        "head_is_head": heads.share(heads.first_in(title_heads, size) >= 0),
        "title_head_in_query": title_heads.share(title_heads.first_in(query, size) >= 0),
        "first_in_query": opening,
        "query_terms": query.count,
        "title_terms": title.count,
        "text_terms": text.count,
    }


def _adjacent(query: _Column, title: _Column, size: int) -> NDArray[np.float64]:
    """Share of the couples of neighbouring query terms that are neighbours in the title in the same order."""
    couples = []
    for column in (query, title):
        inside = np.flatnonzero(column.owner[:-1] == column.owner[1:])
        codes, owner = column.codes[inside] * size + column.codes[inside + 1], column.owner[inside]
        couples.append((codes, owner))
    names, numbers = np.unique(np.concatenate([codes for codes, _ in couples]), return_inverse=True)
    parts = np.split(numbers, [len(couples[0][0])])
    rows = len(query.count)
    asked, held = (
        _Column(part, owner, np.zeros_like(owner), np.zeros(rows, dtype=np.int64))
        for part, (_, owner) in zip(parts, couples, strict=True)
    )
    return asked.share(asked.first_in(held, max(1, len(names))) >= 0)


def _of_letters(queries: Sequence[str], titles: Sequence[str]) -> dict[str, NDArray[np.floating]]:
    clean, named = ([" ".join(normalise(line).split()) for line in lines] for lines in (queries, titles))
    found: dict[str, NDArray[np.floating]] = {
        "contains": np.array([_within(a, b) for a, b in zip(clean, named, strict=True)], dtype=np.float32),
        "contains_glued": np.array(
            [bool(a) and a.replace(" ", "") in b.replace(" ", "") for a, b in zip(clean, named, strict=True)],
            dtype=np.float32,
        ),
        "query_characters": np.array([len(line) for line in clean], dtype=np.float32),
    }
    for length in (2, 3):
        asked, held, common = _common_grams(clean, named, length)
        found[f"characters_{length}"] = common / np.maximum(asked, 1)
        found[f"jaccard_{length}"] = common / np.maximum(asked + held - common, 1)
    return found


def _common_grams(firsts: Sequence[str], seconds: Sequence[str], length: int) -> tuple[Ints, Ints, Ints]:
    """Distinct character n-grams of the first texts, of the second ones, and of both; each int64 (n,).

    An n-gram is known by 48 bits of a multiplicative hash, its text by the bits above: at most 32,768 texts.
    """
    sides = []
    for lines in (firsts, seconds):
        letters = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
        owner = np.repeat(np.arange(len(lines), dtype=np.uint64), [len(line) for line in lines])
        stop = max(0, len(letters) - length + 1)
        grams = np.zeros(stop, dtype=np.uint64)
        for shift in range(length):
            grams = (grams + letters[shift : stop + shift]) * _ODD
        keys = ((owner[:stop] << np.uint64(48)) | (grams >> np.uint64(16)))[owner[:stop] == owner[length - 1 :]]
        keys.sort()
        sides.append(keys[np.diff(keys, prepend=~keys[:1]) != 0])
    common = np.intersect1d(sides[0], sides[1], assume_unique=True)
    counts = [np.bincount((keys >> np.uint64(48)).astype(np.int64), minlength=len(firsts)) for keys in (*sides, common)]
    return counts[0], counts[1], counts[2]


def _within(query: str, title: str) -> bool:
    """Whether the query stands in the title, and no Latin word is cut in two."""
    at = title.find(query) if query else -1
    while at >= 0:
        before, after = title[at - 1 : at], title[at + len(query) : at + len(query) + 1]
        if not (_LATIN(before + query[0]) or _LATIN(query[-1] + after)):
            return True
        at = title.find(query, at + 1)
    return False


@lru_cache(maxsize=50_000)
def _terms(text: str) -> tuple[str, ...]:
    return tuple(terms(text))


@lru_cache(maxsize=50_000)
def _head(text: str) -> tuple[str, ...]:
    """The term that names what a text is about, its last word before anything is said about it; none for numbers alone."""
    line = normalise(text)
    for part in (_CUT.split(line.strip(), maxsplit=1)[0], line):
        words = [term for term in _terms(part) if not any(letter.isdigit() for letter in term)]
        if words:
            return (words[-1],)
    return ()


def _brands(pairs: Pairs) -> tuple[Floats, Floats]:
    """Whether each query names the brand of its pair, and whether it names another one instead; float32 (n,) each."""
    own, other = np.zeros((2, len(pairs.queries)), dtype=np.float32)
    known = {brand: _terms(brand) for brand in set(pairs.brands) if brand}
    names = {name for name in known.values() if name}
    longest = max(map(len, names), default=0)
    held: dict[str, set[tuple[str, ...]]] = {}
    for row, (query, brand) in enumerate(zip(pairs.queries, pairs.brands, strict=False)):
        if query not in held:
            words = _terms(query)
            runs = (words[a : a + n] for n in range(1, longest + 1) for a in range(len(words) - n + 1))
            held[query] = names.intersection(runs)
        found = held[query]
        own[row] = known.get(brand) in found
        other[row] = bool(found) and not own[row]
    return own, other

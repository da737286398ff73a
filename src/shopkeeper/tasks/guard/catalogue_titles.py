"""Titles stuffed with words that are there to be found by, not to say what the item is.

Compared with the titles of the item's own shelf: how long it is, how much it repeats, how well it compresses, and how many
of its words are at home on other shelves, and on how many of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import is_chinese, terms, words
from shopkeeper.tasks.guard.catalogue_doubt import Doubt

Floats = NDArray[np.float64]

_PRIOR = 8.0
_FOREIGN = np.log(4.0)
"""A word is foreign to a shelf where it is four times rarer than in the whole catalogue."""
_KNOWN = 3
"""Titles in which a word must occur to be at home anywhere."""
_SURE = 8.3
"""Half the sum of deviations at which stuffing is as likely as not."""

_SAID = {
    "length": ("{value:.0f} words, usual here are {usual:.0f}", "有{value:.0f}个词，同类一般{usual:.0f}个"),
    "repeats": ("{value:.0f} words said again", "重复了{value:.0f}个词"),
    "foreign": ("words of other kinds of goods", "含有其他商品的词"),
    "homes": ("words from {value:.0f} other categories", "含有{value:.0f}个其他类目的词"),
    "squeezed": ("repeats itself letter by letter", "文字大量重复"),
}


@dataclass(frozen=True, slots=True)
class Wording:
    """How n titles are worded.

    Attributes:
        length, repeats, foreign, homes, squeezed: float64 (n,): number of terms; how many of them are repeats; how much
            rarer its foreign terms are here than elsewhere, as a sum of logs; how many shelves these are at home on; bytes
            saved by compression beyond what is usual, as a share.
        alien: Foreign terms of each title.
        score: float64 (n,), in [0, 1].
    """

    length: Floats
    repeats: Floats
    foreign: Floats
    homes: Floats
    squeezed: Floats
    alien: list[frozenset[str]]
    score: Floats


def wording(items: Sequence[Item], shelf: NDArray[np.int64], best: NDArray[np.int64]) -> Wording:
    """Measure titles against those of their shelf, or of the shelf that their neighbours stand on if that is kinder.

    Args:
        items: n items.
        shelf: int64 (n,), see `catalogue_shelves.shelves_of`.
        best: int64 (n,), the other shelf they may belong to, -1 for none.
    """
    titles = [item.title for item in items]
    counter = CountVectorizer(analyzer=terms, dtype=np.int32)
    try:
        counts = sp.csr_array(counter.fit_transform(titles))
    except ValueError:  # not a single word
        nothing = np.zeros(len(items))
        return Wording(nothing, nothing, nothing, nothing, nothing, [frozenset()] * len(items), nothing)
    lengths = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    distinct = np.diff(counts.indptr).astype(np.float64)
    alien, foreign, homes = _strangers(counts, shelf, best)
    saved = np.array([1 - len(zlib.compress(text.encode(), 9)) / max(len(text.encode()), 1) for text in titles])
    chinese = np.array([is_chinese(title) for title in titles])
    place = np.where(shelf >= 0, shelf, -1) * 2 + chinese
    repeats, script = lengths - distinct, chinese.astype(np.int64)
    total = np.minimum(_deviation(np.log1p(lengths), place), 8.0)
    total = total + np.minimum(repeats, 6.0) + np.minimum(_deviation(foreign, script), 10.0)
    total = total + np.minimum(homes, 6.0) + np.minimum(_deviation(saved, script), 3.0)
    names = counter.get_feature_names_out()
    entries = np.split(alien.indices, alien.indptr[1:-1])
    return Wording(
        lengths, repeats, foreign, homes, saved,
        [frozenset(names[part].tolist()) for part in entries],
        np.asarray(1 / (1 + np.exp(_SURE - 0.5 * total))),
    )  # fmt: skip


def _deviation(values: Floats, place: NDArray[np.int64]) -> Floats:
    """How far above its place's median each value is, in robust deviations that are at least those of all: float64 (n,)."""
    middle, spread = np.median(values), 1.4826 * np.median(np.abs(values - np.median(values)))
    order = np.argsort(place, kind="stable")
    bounds = np.flatnonzero(np.diff(place[order], prepend=place[order[0]] - 1))
    out = np.empty(len(values))
    for rows in np.split(order, bounds[1:]):
        own = np.median(values[rows])
        share = len(rows) / (len(rows) + _PRIOR)
        out[rows] = values[rows] - (share * own + (1 - share) * middle)
    return np.asarray(np.maximum(out / max(spread, 0.1 * float(np.std(values)), 1e-9), 0.0))


def _strangers(
    counts: sp.csr_array, shelf: NDArray[np.int64], best: NDArray[np.int64]
) -> tuple[sp.csr_array, Floats, Floats]:
    """The foreign terms of each title, how foreign they are together, and how many shelves they are at home on."""
    seen = sp.csr_array((np.ones(counts.nnz), counts.indices, counts.indptr), shape=counts.shape)
    frequency: Floats = np.asarray(seen.sum(axis=0)).ravel()
    total, row = seen.shape[0], np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    size = max(int(shelf.max(initial=0)), int(best.max(initial=0))) + 1
    member = sp.csr_array(
        ((shelf >= 0).astype(np.float64), (np.maximum(shelf, 0), np.arange(total))), shape=(size, total)
    )
    of_shelf = sp.csr_array(member @ seen)
    sizes: Floats = np.asarray(member.sum(axis=1)).ravel()
    general = (frequency[seen.indices] - 1) / max(total - 1, 1)

    def rarity(place: NDArray[np.int64], *, own: bool) -> Floats:
        at = np.maximum(place[row], 0)
        here = np.asarray(of_shelf[at, seen.indices]).ravel() - (1.0 if own else 0.0)
        rate = (here + _PRIOR * general) / np.maximum(sizes[at] - own + _PRIOR, 1.0)
        return np.where(place[row] >= 0, np.log(np.maximum(general, 1e-12)) - np.log(np.maximum(rate, 1e-12)), np.inf)

    known = (frequency[seen.indices] >= _KNOWN) & (general > 0)
    both = [np.where(known, np.maximum(rarity(at, own=own), 0.0), 0.0) for at, own in ((shelf, True), (best, False))]
    sums = [np.bincount(row, weights=part, minlength=total) for part in both]
    rare = np.where((sums[1] < sums[0])[row], both[1], both[0])
    rare = np.where(np.isfinite(rare), rare, 0.0)
    strange = rare >= _FOREIGN / 2
    foreign = np.asarray(np.bincount(row, weights=rare * strange, minlength=total), dtype=np.float64)
    peaks = sp.csc_array(of_shelf).argmax(axis=0)
    home = np.asarray(peaks).ravel()[seen.indices]
    pairs = np.unique(np.stack([row[strange], home[strange]]), axis=1) if strange.any() else np.zeros((2, 0), np.int64)
    homes = np.bincount(pairs[0], minlength=total).astype(np.float64)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row[strange], minlength=total))])
    alien = sp.csr_array((np.ones(int(strange.sum())), seen.indices[strange], indptr), shape=seen.shape)
    return alien, foreign, homes


def stuffed(items: Sequence[Item], found: Wording) -> Iterator[Doubt]:
    """A doubt for every title that is stuffed, with the title without its foreign and repeated words."""
    usual = float(np.median(found.length)) if len(items) else 0.0
    for row in np.flatnonzero(found.score >= 0.5).tolist():
        said = [name for name, yes in (
            ("length", found.length[row] > 1.6 * usual), ("repeats", found.repeats[row] >= 2),
            ("homes", found.homes[row] >= 2), ("foreign", found.homes[row] == 1),
        ) if yes] or ["squeezed"]  # fmt: skip
        english, chinese = (
            [_SAID[name][language].format(value=getattr(found, name)[row], usual=usual) for name in said]
            for language in range(2)
        )
        yield Doubt(
            "title",
            items[row].id,
            float(found.score[row]),
            {"en": "; ".join(english), "zh": "；".join(chinese)},
            _mended(items[row].title, found.alien[row]),
        )


def _mended(title: str, alien: frozenset[str]) -> str:
    """The title without its foreign terms, and without what it says a second time; Chinese is left to a human."""
    if is_chinese(title):
        parts, seen = [], set()
        for part in title.split():
            own = set(terms(part))
            if part not in seen and not (own and own <= alien):
                parts.append(part)
            seen.add(part)
        return " ".join(parts)
    kept, seen = [], set()
    for part in title.split():
        own = {term for term, _ in words(part)}
        if own <= alien | seen:
            continue
        seen |= own
        kept.append(part)
    return " ".join(kept)

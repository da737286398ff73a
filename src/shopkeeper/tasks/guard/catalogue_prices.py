"""Prices that have slipped: ten or a hundred times off, cents for units, another currency.

The logarithm of a price is compared with those of the nearest items in the same currency, with the maker's usual distance
from them taken off. What is left over is judged between explanations: an ordinary price (Student's t, whose scale is the
shelf's own), a slip by a factor of 10 or 100, something else altogether (a wide normal law); the score is the posterior
probability that it is no ordinary price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shopkeeper.records import Item
from shopkeeper.tasks.guard.catalogue_doubt import Doubt
from shopkeeper.tasks.guard.catalogue_likeness import Likeness

Floats = NDArray[np.float64]

_FACTORS: Final[Mapping[str, float]] = MappingProxyType({"x10": 10.0, "/10": 0.1, "x100": 100.0, "/100": 0.01})
_PRIOR_SLIP, _PRIOR_OTHER, _WIDE = 0.002, 0.004, 2.0
_FREEDOM = 6.0
_LEAST = 4
"""Priced neighbours in one currency that are needed to judge."""
_SHRINK = 4.0
_OTHER_MONEY = 0.85

_SAID: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "x10": ("ten times the price of what is like it: a digit too many?", "是相似商品价格的十倍：多了一位数？"),
        "/10": ("a tenth of the price of what is like it: a digit missing?", "是相似商品价格的十分之一：少了一位数？"),
        "x100": ("a hundred times the price of what is like it: in cents?", "是相似商品价格的一百倍：以分为单位？"),
        "/100": ("a hundredth of the price of what is like it", "是相似商品价格的百分之一"),
        "currency": ("what is like it is priced in another currency", "相似商品使用另一种货币"),
        "other": ("far from the price of what is like it", "与相似商品的价格相差很远"),
    }
)


@dataclass(frozen=True, slots=True)
class Pricing:
    """What n prices look like beside those of similar items.

    Attributes:
        usual: float64 (n,), what would be usual, in the currency of the neighbours; NaN where nobody knows.
        score: float64 (n,), probability that the price is wrong; 0 where nobody knows.
        kind: The likeliest explanation of each: a factor, ``currency``, ``other``.
        money: The currency of the neighbours of each.
    """

    usual: Floats
    score: Floats
    kind: list[str]
    money: list[str]


def pricing(items: Sequence[Item], shelf: NDArray[np.int64], alike: Likeness) -> Pricing:
    """Compare each price with those of the nearest items.

    Args:
        items: n items; prices that are missing, zero or less say nothing.
        shelf: int64 (n,), see `catalogue_shelves.shelves_of`.
        alike: Of the same items.
    """
    count = len(items)
    moneys = sorted({item.currency for item in items}) or [""]
    money = np.array([moneys.index(item.currency) for item in items], dtype=np.int64)
    value = np.array([np.log(item.price) if item.price and item.price > 0 else np.nan for item in items])
    brand = np.unique([item.brand.casefold() for item in items], return_inverse=True)[1].reshape(-1)
    near = np.maximum(alike.rows, 0)
    weight = np.where((alike.rows >= 0) & np.isfinite(value[near]), alike.both.astype(np.float64) ** 2, 0.0)
    # Of whose money the neighbours are: usually the item's own.
    votes = np.stack([np.sum(weight * (money[near] == code), axis=1) for code in range(len(moneys))], axis=1)
    most = np.argmax(votes, axis=1) if count else np.zeros(0, dtype=np.int64)
    foreign = (most != money) & (votes.max(axis=1, initial=0) >= _OTHER_MONEY * np.maximum(votes.sum(axis=1), 1e-12))
    judge = np.where(foreign, most, money)
    weight = np.where(money[near] == judge[:, None], weight, 0.0)
    usual = np.where(np.sum(weight > 0, axis=1) >= _LEAST, _median(value[near], weight), np.nan)
    rest = value - usual
    rest = rest - _maker(np.where(foreign, np.nan, rest), brand * len(moneys) + judge)
    score, kind = _judged(rest, _scale(np.where(foreign, np.nan, rest), shelf))
    fits = foreign & np.isfinite(rest)
    score = np.where(fits, np.where(np.abs(rest) < np.log(4.0), 0.95, np.maximum(score, 0.8)), score)
    names = ["currency" if fits[row] else kind[row] for row in range(count)]
    return Pricing(np.exp(value - rest), score, names, [moneys[code] for code in judge])


def _median(values: Floats, weight: Floats) -> Floats:
    """Weighted median of each row, float64 (n,); rows without weight give anything."""
    values = np.where(weight > 0, values, np.inf)
    order = np.argsort(values, axis=1, kind="stable")
    heavy = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    place = np.argmax(heavy >= heavy[:, [-1]] / 2, axis=1)
    return np.asarray(np.take_along_axis(values, order, axis=1)[np.arange(len(values)), place])


def _by(keys: NDArray[np.int64], values: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """For each distinct key: code of each row, median of its finite values, how many these are."""
    _, code = np.unique(keys, return_inverse=True)
    code = code.reshape(-1)
    size = int(code.max(initial=-1)) + 1
    finite = np.flatnonzero(np.isfinite(values))
    order = finite[np.lexsort((values[finite], code[finite]))]
    counts = np.bincount(code[order], minlength=size)
    start = np.concatenate([[0], np.cumsum(counts)])[:-1]
    low, high = start + (np.maximum(counts, 1) - 1) // 2, start + counts // 2
    if not len(order):
        return code, np.zeros(size), counts.astype(np.float64)
    sorted_values = values[order]
    last = len(order) - 1
    middle = (sorted_values[np.minimum(low, last)] + sorted_values[np.minimum(high, last)]) / 2
    return code, np.where(counts > 0, middle, 0.0), counts.astype(np.float64)


def _maker(rest: Floats, brand: NDArray[np.int64]) -> Floats:
    """How far a maker's prices usually are from their neighbours', drawn to nothing for makers of few items: float64 (n,)."""
    code, middle, counts = _by(brand, rest)
    return (middle * counts / (counts + _SHRINK))[code]


def _scale(rest: Floats, shelf: NDArray[np.int64]) -> Floats:
    """Usual deviation on each item's shelf, drawn to that of all: float64 (n,), at least 0.05."""
    code, middle, counts = _by(shelf, np.abs(rest))
    finite = rest[np.isfinite(rest)]
    overall = float(np.median(np.abs(finite))) if len(finite) else 0.3
    drawn = (middle * counts + 5 * _SHRINK * overall) / (counts + 5 * _SHRINK)
    return np.maximum(1.4826 * drawn, 0.05)[code]


def _judged(rest: Floats, scale: Floats) -> tuple[Floats, list[str]]:
    known = np.isfinite(rest)
    value = np.where(known, rest, 0.0)
    ordinary = stats.t.pdf(value / scale, _FREEDOM) / scale
    slips = [
        _PRIOR_SLIP * stats.t.pdf((value - np.log(factor)) / scale, _FREEDOM) / scale for factor in _FACTORS.values()
    ]
    other = _PRIOR_OTHER * stats.norm.pdf(value, 0.0, _WIDE)
    wrong = np.stack([*slips, other])
    score = wrong.sum(axis=0) / (wrong.sum(axis=0) + ordinary)
    names = [*_FACTORS, "other"]
    return np.where(known, score, 0.0), [names[place] for place in np.argmax(wrong, axis=0).tolist()]


def slipped(items: Sequence[Item], found: Pricing) -> Iterator[Doubt]:
    """A doubt for every price that is probably wrong, with the price that it should have been."""
    for row in np.flatnonzero(found.score >= 0.5).tolist():
        item, kind = items[row], found.kind[row]
        english, chinese = _SAID[kind]
        usual = f"{found.usual[row]:,.2f} {found.money[row]}"
        price = float(item.price or 0.0)
        mended = f"{price:.2f} {found.money[row]}" if kind == "currency" else ""
        if kind in _FACTORS:
            mended = f"{price / _FACTORS[kind]:.2f} {item.currency}"
        yield Doubt(
            "price",
            item.id,
            float(found.score[row]),
            {
                "en": f"{price:,.2f} {item.currency}, {english} (usual: about {usual})",
                "zh": f"{price:,.2f} {item.currency}，{chinese}（一般约{usual}）",
            },
            mended.strip(),
        )

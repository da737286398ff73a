"""What can be narrowed down: counts by brand, category, price, rating and attribute, and the leading rows of an order.

Counts are disjunctive: those of a field ignore what was chosen in that field and keep all other choices, so that every
value tells how many items it would bring if it were chosen as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import Filters
from shopkeeper.retrieval.shelf import Codes, Mask, Rows, Shelf, limit
from shopkeeper.tasks.search.columns import AttributeColumns
from shopkeeper.tasks.search.variants import Groups

_VALUES = 50
"""Values of a facet at most."""
_ATTRIBUTES, _ATTRIBUTE_VALUES = 4, 12
_LOOK = 60
"""Leading rows that decide which attributes are worth counting."""
_RANGES = 4
_SAMPLE = 2_000
"""Prices that decide where ranges end."""
_NICE = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
_TABLE = 5_000_000
"""Up to this many pairs of product and value, those that occur are ticked off in a table instead of sorted."""
_BARS = 20
_OUTLIERS = 0.98
"""Share of the prices that the even bars of a histogram cover; the last bar holds the rest."""

Keys = NDArray[np.int64] | None
"""What to count once, int64 (n,), see `variants.Groups.keys`; None counts every row."""


@dataclass(frozen=True, slots=True)
class Facets:
    """What can be chosen, and what would come of it.

    Attributes:
        counts: ``brand``, ``category`` (paths joined by `` > ``), ``price`` (``low-high``), ``rating`` (so many stars and
            up) and attributes under their own names, each from value to count, the most frequent first.
        prices: (low, high, count) of every bar of a histogram over all prices, whatever price was chosen; `low` belongs
            to a bar, `high` only to the last one's.
        passing: int64 (n,), the rows that pass everything, in the order in which they came.
        total: How many these are, products if products were counted.
    """

    counts: Mapping[str, Mapping[str, int]]
    prices: tuple[tuple[float, float, int], ...]
    passing: Rows
    total: int


class FacetCounter:
    """Counts what the items of one shelf can be narrowed down by.

    Args:
        shelf: The items.
        groups: Counts every product once instead of every item; None counts items.
        ratings: float32 (rows,) or shorter, mean stars, NaN where unknown; assign a newer array at any time.
    """

    def __init__(
        self, shelf: Shelf, *, groups: Groups | None = None, ratings: NDArray[np.float32] | None = None
    ) -> None:
        self.shelf = shelf
        self.groups = groups
        self.ratings = ratings
        self._columns = AttributeColumns(shelf.items)

    def put(self, row: int) -> None:
        """Take up what a replaced item is now; call it after `Shelf.put`."""
        self._columns.put(row)

    def count(self, rows: Rows, filters: Filters, *, stars: float | None = None) -> Facets:
        """Facets over everything that was found before the customer narrowed it down.

        Args:
            rows: int64 (n,), distinct: what passes all but `filters.brands`, `.categories`, `.price_min`, `.price_max`
                and `.attributes`, which are judged here.
            filters: What the customer chose; its other fields are not looked at.
            stars: Mean stars that were asked for at least.
        """
        passes = dict(self._passes(rows, filters, stars))
        failed = np.zeros(len(rows), dtype=np.int16)
        for passed in passes.values():
            failed += ~passed
        keys = None if self.groups is None else self.groups.keys(rows)

        def without(field: _Field) -> tuple[Rows, Keys]:
            """Rows that pass all other fields, and their keys."""
            if field not in passes:
                return passing, passing_keys
            chosen = failed == ~passes[field]
            return rows[chosen], None if keys is None else keys[chosen]

        fine = failed == 0
        passing, passing_keys = rows[fine], None if keys is None else keys[fine]
        shelf, counts = self.shelf, {}
        of_rows, of_keys = without(("brand", ""))
        counts["brand"] = _coded(shelf.brand_codes[of_rows], shelf.brands, of_keys, always=filters.brands)
        of_rows, of_keys = without(("category", ""))
        counts["category"] = _coded(shelf.category_codes[of_rows], shelf.categories, of_keys)
        of_rows, of_keys = without(("price", ""))
        prices = shelf.prices[of_rows]
        counts["price"] = price_ranges(prices, of_keys)
        bars = price_histogram(prices, of_keys)
        of_rows, of_keys = without(("rating", ""))
        counts["rating"] = _at_least(self._stars(of_rows), of_keys)
        for name in [*filters.attributes, *_common_attributes(shelf, passing)]:
            if name not in counts:
                of_rows, of_keys = without(("attribute", name))
                codes, values = self._columns.codes(name, of_rows)
                chosen = filters.attributes.get(name, ())
                found = _coded(codes, values, of_keys, most=_ATTRIBUTE_VALUES, always=chosen)
                counts[name] = found if len(found) > 1 or chosen else {}
        kept = {name: values for name, values in counts.items() if values}
        total = int(_tally(np.zeros(len(passing), dtype=np.int64), passing_keys)[0])
        return Facets(kept, bars, passing, total)

    def _passes(self, rows: Rows, filters: Filters, stars: float | None) -> Iterator[tuple[_Field, Mask]]:
        """Of each field in which something was chosen, which rows have it."""
        shelf = self.shelf
        if filters.brands:
            yield ("brand", ""), _among(shelf.brand_codes[rows], shelf.brands, filters.brands)
        if filters.categories:
            paths = [" > ".join(path) for path in filters.categories]
            below = tuple(f"{path} > " for path in paths)
            codes = shelf.category_codes[rows]
            names = [name for name in shelf.categories.values if name in paths or name.startswith(below)]
            yield ("category", ""), _among(codes, shelf.categories, names)
        if filters.price_min is not None or filters.price_max is not None:
            prices = shelf.prices[rows]
            low = limit(-np.inf if filters.price_min is None else filters.price_min)
            high = limit(np.inf if filters.price_max is None else filters.price_max)
            yield ("price", ""), (prices >= low) & (prices <= high)
        for name, wanted in filters.attributes.items():
            codes, values = self._columns.codes(name, rows)
            yield ("attribute", name), _among(codes, values, [value for value in wanted if value])
        if stars is not None:
            yield ("rating", ""), self._stars(rows) >= stars

    def _stars(self, rows: Rows) -> NDArray[np.float32]:
        known = self.ratings
        found = np.full(len(rows), np.nan, dtype=np.float32)
        if known is not None:
            inside = rows < len(known)
            found[inside] = known[rows[inside]]
        return found


_Field = tuple[str, str]
"""``brand``, ``category``, ``price``, ``rating`` with an empty name, or ``attribute`` with its name."""


def price_ranges(prices: NDArray[np.floating], keys: Keys = None) -> dict[str, int]:
    """Up to four ranges with round ends and about equally many prices in each; unknown prices are left out.

    >>> price_ranges(np.array([1, 2, 3, 40, 50, 60, 700, 800.0]))
    {'0-2.5': 2, '2.5-40': 1, '40-200': 3, '200-800': 2}
    """
    known = prices[~np.isnan(prices)]
    if len(known) < 2 or known.min() == known.max():
        return {}
    ordered = np.sort(known[:: max(1, len(known) // _SAMPLE)])
    places = np.arange(1, _RANGES) / _RANGES * (len(ordered) - 1)
    cuts = [_round(cut) for cut in np.interp(places, np.arange(len(ordered)), ordered).tolist()]
    top = _round_up(float(known.max()))
    edges = np.array(sorted({0.0, *(cut for cut in cuts if cut < top), top}))
    pairs = zip(edges, edges[1:], _binned(prices, edges, keys).tolist(), strict=False)
    return {f"{low:g}-{high:g}": count for low, high, count in pairs if count}


def price_histogram(prices: NDArray[np.floating], keys: Keys = None) -> tuple[tuple[float, float, int], ...]:
    """About twenty bars of one round width, the last one wider where a few prices are far above the others.

    >>> price_histogram(np.array([1, 1, 3, 8, 9.5]))[:3]
    ((1.0, 1.5, 2), (1.5, 2.0, 0), (2.0, 2.5, 0))
    """
    known = prices[~np.isnan(prices)]
    if len(known) < 2 or known.min() == known.max():
        return ()
    low, high = float(known.min()), float(known.max())
    below, beyond = divmod(_OUTLIERS * (len(known) - 1), 1)
    around = np.partition(known, (int(below), min(int(below) + 1, len(known) - 1)))[int(below) : int(below) + 2]
    usual = float(around[0] + beyond * (around[-1] - around[0]))
    step = _round_up(((usual if usual > low else high) - low) / _BARS)
    edges = np.round(step * np.arange(np.floor(low / step), np.ceil(usual / step) + 1), 10)
    if edges[-1] < high:
        edges = np.append(edges, _round_up(high))
    counts = _binned(prices, edges, keys).tolist()
    return tuple((float(a), float(b), count) for a, b, count in zip(edges, edges[1:], counts, strict=False))


def leading(rows: Rows, keys: Sequence[NDArray[np.floating]], count: int) -> Rows:
    """The first `count` of `rows` by several keys, highest first; equal ones in order of row, so that pages are stable.

    Args:
        rows: int64 (n,).
        keys: Each float (all rows,); a later one decides between equals. NaN comes last.
        count: How many.
    """
    chosen: list[Rows] = []
    open_rows, wanted = np.sort(rows), count
    for key in keys:
        if wanted <= 0 or len(open_rows) <= wanted:
            break
        values = np.nan_to_num(key[open_rows], nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        cut = np.partition(values, len(values) - wanted)[len(values) - wanted]
        above = values > cut
        chosen.append(open_rows[above])
        wanted -= int(np.count_nonzero(above))
        open_rows = open_rows[values == cut]
    kept = np.concatenate([*chosen, open_rows[: max(wanted, 0)]])
    order = np.lexsort((kept, *(-np.nan_to_num(key[kept], nan=-np.inf) for key in reversed(keys))))
    ordered: Rows = kept[order]
    return ordered[:count]


def _coded(
    codes: NDArray[np.int32], names: Codes, keys: Keys = None, *, most: int = _VALUES, always: Sequence[str] = ()
) -> dict[str, int]:
    """Counts of the most frequent values, and of those that occur among `always`."""
    counts = _tally(codes, keys)
    counts[:1] = 0  # no brand, no category
    top = np.argsort(-counts, kind="stable")[:most].tolist()
    top += [code for code in names.known(always) if code < len(counts) and code not in top]
    return {names.values[code]: int(counts[code]) for code in top if counts[code]}


def _among(codes: NDArray[np.int32], names: Codes, wanted: Sequence[str]) -> Mask:
    known = names.known(wanted)
    table = np.zeros(len(names.values), dtype=np.bool_)
    table[known] = True
    found: Mask = table[codes]
    return found


def _binned(values: NDArray[np.floating], edges: NDArray[np.floating], keys: Keys) -> NDArray[np.int64]:
    """Counts between edges, int64 (edges - 1,); a value on an edge belongs above it, one on the last edge below."""
    bins = np.minimum(np.searchsorted(edges, values, side="right"), len(edges) - 1)
    bins[np.isnan(values)] = 0
    return _tally(bins, keys, len(edges))[1:]


def _at_least(stars: NDArray[np.float32], keys: Keys) -> dict[str, int]:
    """How many have four, three, two stars and one star at least."""
    counts = {str(least): _tally((stars >= least).astype(np.int64), keys, 2)[1] for least in (4, 3, 2, 1)}
    return {least: int(count) for least, count in counts.items() if count}


def _tally(codes: NDArray[np.integer], keys: Keys, least: int = 1) -> NDArray[np.int64]:
    """How often each code occurs, or with how many different keys."""
    if keys is None:
        return np.bincount(codes, minlength=least)
    alone = keys < 0
    counts = np.bincount(codes[alone], minlength=max(least, int(codes.max(initial=0)) + 1))
    width = int(keys.max(initial=0)) + 1
    pairs = _distinct(codes[~alone].astype(np.int64) * width + keys[~alone], len(counts) * width)
    return counts + np.bincount(pairs // width, minlength=len(counts))


def _distinct(numbers: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    """The different ones among numbers of [0, end), in order."""
    if end > _TABLE:
        return np.unique(numbers)
    seen = np.zeros(end, dtype=np.bool_)
    seen[numbers] = True
    return np.flatnonzero(seen)


def _common_attributes(shelf: Shelf, rows: Rows) -> list[str]:
    items = shelf.items
    looked = [item.attributes for row in rows[:_LOOK].tolist() if (item := items[row]) is not None]
    found = Counter(chain.from_iterable(looked))
    least = min(len(rows), _LOOK) / 4
    return [name for name, count in found.most_common(_ATTRIBUTES) if count >= least]


def _round(value: float) -> float:
    scale = 10.0 ** np.floor(np.log10(max(value, 1e-2)))
    return float(scale * _NICE[np.argmin(np.abs(_NICE - value / scale))])


def _round_up(value: float) -> float:
    scale = 10.0 ** np.floor(np.log10(max(value, 1e-2)))
    return float(scale * _NICE[np.searchsorted(_NICE, value / scale - 1e-9)])

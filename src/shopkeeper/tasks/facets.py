"""What can be narrowed down: counts by brand, category, price range and attribute, and the leading rows of an order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.shelf import Codes, Rows, Shelf

_VALUES = 50
"""Values of a facet at most."""
_ATTRIBUTES, _ATTRIBUTE_VALUES = 4, 12
_FEW = 2_000
"""Up to this many rows, attributes are counted as well: they are read item by item."""
_LOOK = 60
"""Leading rows that decide which attributes are worth counting."""
_RANGES = 4
_SAMPLE = 2_000
"""Prices that decide where ranges end."""
_NICE = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])


def count_facets(shelf: Shelf, rows: Rows) -> dict[str, Mapping[str, int]]:
    """Counts over `rows`, most frequent first.

    Returns:
        ``brand``, ``category`` (paths joined by `` > ``), ``price`` (``low-high``, the ends belong to both neighbours'
        filters but are counted once) and, for up to 2,000 rows, the commonest attributes under their own names.
    """
    if not len(rows):
        return {}
    facets: dict[str, Mapping[str, int]] = {
        "brand": _coded(shelf.brand_codes[rows], shelf.brands),
        "category": _coded(shelf.category_codes[rows], shelf.categories),
        "price": price_ranges(shelf.prices[rows]),
    }
    if len(rows) <= _FEW:
        names = [name for name in _common_attributes(shelf, rows) if name not in facets]
        for name, counts in shelf.attribute_counts(rows, names).items():
            if len(counts) > 1:
                facets[name] = dict(list(counts.items())[:_ATTRIBUTE_VALUES])
    return {name: counts for name, counts in facets.items() if counts}


def price_ranges(prices: NDArray[np.floating]) -> dict[str, int]:
    """Up to four ranges with round ends and about equally many prices in each; unknown prices are left out.

    >>> price_ranges(np.array([1, 2, 3, 40, 50, 60, 700, 800.0]))
    {'0-2.5': 2, '2.5-40': 1, '40-200': 3, '200-800': 2}
    """
    known = prices[~np.isnan(prices)]
    if len(known) < 2 or known.min() == known.max():
        return {}
    cuts = [
        _round(cut) for cut in np.quantile(known[:: max(1, len(known) // _SAMPLE)], np.arange(1, _RANGES) / _RANGES)
    ]
    top = _round_up(float(known.max()))
    edges = sorted({0.0, *(cut for cut in cuts if cut < top), top})
    counts, _ = np.histogram(known, bins=[*edges[:-1], np.nextafter(edges[-1], np.inf)])
    pairs = zip(edges, edges[1:], counts.tolist(), strict=False)
    return {f"{low:g}-{high:g}": count for low, high, count in pairs if count}


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


def _coded(codes: NDArray[np.int32], names: Codes) -> dict[str, int]:
    counts = np.bincount(codes)
    counts[0] = 0  # no brand, no category
    top = np.argsort(-counts, kind="stable")[:_VALUES]
    return {names.values[code]: int(counts[code]) for code in top if counts[code]}


def _common_attributes(shelf: Shelf, rows: Rows) -> list[str]:
    found: Counter[str] = Counter()
    for row in rows[:_LOOK].tolist():
        item = shelf.items[row]
        if item is not None:
            found.update(item.attributes.keys())
    least = min(len(rows), _LOOK) / 4
    return [name for name, count in found.most_common(_ATTRIBUTES) if count >= least]


def _round(value: float) -> float:
    scale = 10.0 ** np.floor(np.log10(max(value, 1e-2)))
    return float(scale * _NICE[np.argmin(np.abs(_NICE - value / scale))])


def _round_up(value: float) -> float:
    scale = 10.0 ** np.floor(np.log10(max(value, 1e-2)))
    return float(scale * _NICE[np.searchsorted(_NICE, value / scale - 1e-9)])

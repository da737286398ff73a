"""What the traces of a visitor say about whether a human left them.

All features are high where a program, a scraper or a paid clicker is high; few events say little, so that shares are drawn to the shop's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shopkeeper.ranking.visits.visits import Floats, Ints, Visits
from shopkeeper.records import EventKind

NAMES: Final = (
    "rate",
    "burst",
    "regular",
    "monotone",
    "returns",
    "stretch",
    "odd_hours",
    "sessions",
    "distinct",
    "shelves",
    "bare",
    "unshown",
    "idle",
    "repeats",
    "hoarding",
    "ad_clicks",
    "one_campaign",
)
"""Columns of `Traces.table`, in order; see `traces`."""

_PAUSE = 1_800.0
_FOLLOWS = 300.0
"""Seconds within which a view belongs to a click."""
_FEW = 8.0
"""Gaps, sessions or views that an own figure is worth half at."""
_SHOP_MADE = (EventKind.IMPRESSION, EventKind.AD_IMPRESSION, EventKind.CLICK)
"""Kinds that are written together with the request that follows or goes before: they say nothing about pauses."""


@dataclass(frozen=True, slots=True)
class Traces:
    """Features of n visitors.

    Attributes:
        names: See `visits.Visits.names`.
        table: float64 (n, 17), columns `NAMES`.
        counts: int64 (n,), events of each.
    """

    names: tuple[str, ...]
    table: Floats
    counts: Ints


def traces(log: Visits, shelves: Mapping[str, Sequence[str]]) -> Traces:
    """Features of every visitor.

    ``rate``: requests a minute while active; ``burst``: most events within a minute; ``regular``: 1 less the coefficient of
    variation of pauses; ``monotone``: 1 less the entropy of their lengths in half octaves; ``returns``: how regular the
    times between visits are; ``stretch``: longest time without half an hour's pause; ``odd_hours``: surprise at the hours
    of the day; ``sessions``: visits a day; ``distinct``: items seen; ``shelves``: items seen on shelves of which most is
    seen; ``bare``: views that no click led to; ``unshown``: views of what was never shown; ``idle``: views that should have
    led to a purchase and none did; ``repeats``: most views of one item; ``hoarding``: most times that one item went into
    the basket beyond purchases; ``ad_clicks``: how unlikely so many clicks on ads are, -log10 of the binomial tail;
    ``one_campaign``: most clicks on ads of one campaign.

    Args:
        log: See `visits.visits`.
        shelves: Item id to its category path; items that are left out stand on no shelf.
    """
    count = len(log.names)
    events = np.bincount(log.visitor, minlength=count)
    columns = {
        **_pace(log, count),
        **_looking(log, count, _shelf_codes(log.items, shelves)),
        **_clicking(log, count),
    }
    table = np.stack([columns[name] for name in NAMES], axis=1) if count else np.zeros((0, len(NAMES)))
    return Traces(log.names, table, events)


def _shelf_codes(items: Sequence[str], shelves: Mapping[str, Sequence[str]]) -> tuple[Ints, Ints]:
    """Shelf of each item, int64 (items,), -1 for none; and how many items each shelf holds."""
    number: dict[tuple[str, ...], int] = {}
    size: dict[int, int] = {}
    for path in shelves.values():
        if path:
            code = number.setdefault(tuple(path), len(number))
            size[code] = size.get(code, 0) + 1
    codes = [number.get(tuple(shelves.get(item, ())), -1) for item in items]
    return np.array(codes, dtype=np.int64), np.array([size[code] for code in range(len(number))], dtype=np.int64)


def _pace(log: Visits, count: int) -> dict[str, Floats]:
    """How quickly, how regularly and when."""
    asked = ~log.of(*_SHOP_MADE)
    visitor, time = log.visitor[asked], log.time[asked]
    step = np.diff(time)
    same = np.diff(visitor) == 0
    active = same & (step < _PAUSE)
    who, gap = visitor[1:][active], step[active]
    number = np.bincount(who, minlength=count).astype(np.float64)
    sure = number / (number + _FEW)
    total = np.bincount(who, weights=gap, minlength=count)
    rate = np.log1p(60.0 * number / np.maximum(total, 1.0)) * sure
    bins = np.clip(np.rint(2 * np.log2(np.maximum(gap, 0.05))), -10, 24).astype(np.int64) + 10
    starts = same & ~active
    begin = np.concatenate([[True], ~active]) if len(visitor) else np.zeros(0, dtype=np.bool_)
    opened = np.bincount(visitor[begin], minlength=count).astype(np.float64)
    days = np.unique(np.stack([log.visitor, np.floor(log.time / 86_400).astype(np.int64)]), axis=1)[0]
    return {
        "rate": rate,
        "burst": np.log1p(_burst(log, count)),
        "regular": np.maximum(0.0, 1 - _variation(who, gap, count)) * sure,
        "monotone": (1 - _entropy(who, bins, count)) * sure,
        "returns": _returning(visitor, time, begin, starts, count),
        "stretch": np.log1p(_stretch(visitor, time, begin, count) / 600.0),
        "odd_hours": _odd_hours(log, count),
        "sessions": opened / np.maximum(np.bincount(days, minlength=count), 1) * (opened / (opened + _FEW)),
    }


def _variation(who: Ints, values: Floats, count: int) -> Floats:
    """Coefficient of variation by visitor, 1 where there are fewer than two values."""
    number = np.bincount(who, minlength=count)
    mean = np.bincount(who, weights=values, minlength=count) / np.maximum(number, 1)
    square = np.bincount(who, weights=(values - mean[who]) ** 2, minlength=count) / np.maximum(number - 1, 1)
    return np.where(number >= 2, np.sqrt(square) / np.maximum(mean, 1e-9), 1.0)


def _entropy(who: Ints, bins: Ints, count: int) -> Floats:
    """Entropy of the bins of each visitor over that of 16 equal ones, 1 where there is nothing."""
    pairs, times = np.unique(who * 64 + bins, return_counts=True)
    owner = pairs // 64
    total = np.bincount(owner, weights=times, minlength=count)
    share = times / total[owner]
    entropy = np.bincount(owner, weights=-share * np.log(share), minlength=count)
    return np.where(total > 0, np.minimum(entropy / np.log(16), 1.0), 1.0)


def _returning(visitor: Ints, time: Floats, begin: NDArray[np.bool_], starts: NDArray[np.bool_], count: int) -> Floats:
    """1 less the variation of the time from one visit's beginning to the next one's."""
    if not starts.any():
        return np.zeros(count)
    first, moment = visitor[begin], time[begin]
    same = np.diff(first) == 0
    who, gap = first[1:][same], np.diff(moment)[same]
    number = np.bincount(who, minlength=count)
    return np.maximum(0.0, 1 - _variation(who, gap, count)) * (number / (number + _FEW))


def _stretch(visitor: Ints, time: Floats, begin: NDArray[np.bool_], count: int) -> Floats:
    """Seconds of the longest visit."""
    out = np.zeros(count)
    if len(visitor):
        first = np.flatnonzero(begin)
        last = np.append(first[1:], len(visitor)) - 1
        np.maximum.at(out, visitor[first], time[last] - time[first])
    return out


def _burst(log: Visits, count: int) -> Floats:
    """Most events within a minute."""
    out = np.zeros(count)
    if len(log.time):
        span = float(np.ptp(log.time)) + 120.0
        key = log.visitor * span + (log.time - log.time.min())
        inside = np.arange(len(key)) - np.searchsorted(key, key - 60.0) + 1
        np.maximum.at(out, log.visitor, inside)
    return out


def _odd_hours(log: Visits, count: int) -> Floats:
    """Mean surprise (bits beyond a uniform day) at the hours in which a visitor is active, with all visitors alike heavy."""
    hour = ((log.time // 3600) % 24).astype(np.int64)
    pairs = np.unique(log.visitor * 24 + hour)
    who, when = pairs // 24, pairs % 24
    active = np.bincount(who, minlength=count)
    share = np.bincount(when, weights=1.0 / active[who], minlength=24) + 1.0
    surprise = -np.log2(24 * share / share.sum())
    mean = np.bincount(who, weights=surprise[when], minlength=count) / np.maximum(active, 1)
    total = np.bincount(log.visitor, minlength=count)
    return np.maximum(mean, 0.0) * (total / (total + 2 * _FEW))


def _looking(log: Visits, count: int, shelf: tuple[Ints, Ints]) -> dict[str, Floats]:
    """What was looked at, how it was come by, and what came of it."""
    wide = max(len(log.items), 1)
    viewed = log.of(EventKind.VIEW) & (log.item >= 0)
    key = log.visitor * wide + log.item
    view_key, times = np.unique(key[viewed], return_counts=True)
    owner, item = view_key // wide, view_key % wide
    views = np.bincount(log.visitor[viewed], minlength=count).astype(np.float64)
    repeats = np.zeros(count)
    np.maximum.at(repeats, owner, times)
    led = _led_to(log, key, viewed)
    bare = _sums(log.visitor[viewed], ~led, count)
    known = np.isin(key[viewed], log.shown[:, 0] * wide + log.shown[:, 1])
    unshown = _sums(log.visitor[viewed], ~known, count)
    bought = log.of(EventKind.PURCHASE)
    orders = np.bincount(log.visitor[bought], minlength=count).astype(np.float64)
    buying = float(np.mean(np.minimum(orders / np.maximum(views, 1), 1.0)[views > 0])) if (views > 0).any() else 0.0
    basket = log.of(EventKind.CART) & (log.item >= 0)
    carted, carts = np.unique(key[basket], return_counts=True)
    paid = np.isin(carted, key[bought])
    hoarding = np.zeros(count)
    np.maximum.at(hoarding, carted // wide, carts * ~paid)
    return {
        "distinct": np.log1p(np.bincount(owner, minlength=count)),
        "shelves": np.log1p(_covered(owner, item, *shelf, count)),
        "bare": _excess(bare, views),
        "unshown": _excess(unshown, views),
        "idle": np.where(orders == 0, buying * views, 0.0),
        "repeats": np.log1p(repeats),
        "hoarding": np.log1p(hoarding),
    }


def _sums(who: Ints, values: NDArray[np.generic], count: int) -> Floats:
    """Sum of the values of each visitor, float64 (count,)."""
    return np.asarray(np.bincount(who, weights=values.astype(np.float64), minlength=count), dtype=np.float64)


def _led_to(log: Visits, key: Ints, viewed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each view: did the same visitor click that item just before? bool (views,)."""
    clicked = log.of(EventKind.CLICK, EventKind.AD_CLICK)
    click = np.flatnonzero(clicked)
    order = np.lexsort((log.time[click], key[click]))
    click = click[order]
    view = np.flatnonzero(viewed)
    if not len(click):
        return np.zeros(len(view), dtype=np.bool_)
    span = float(np.ptp(log.time)) + 2 * _FOLLOWS
    _, code = np.unique(key, return_inverse=True)
    moment = code.reshape(-1) * span + (log.time - log.time.min())
    place = np.searchsorted(moment[click], moment[view], side="right") - 1
    before = moment[view] - moment[click[np.maximum(place, 0)]]
    return np.asarray((place >= 0) & (before <= _FOLLOWS), dtype=np.bool_)


def _excess(part: Floats, whole: Floats) -> Floats:
    """Share of a visitor, drawn to that of the middle visitor: float64 (n,)."""
    seen = whole > 0
    usual = float(np.median(part[seen] / whole[seen])) if seen.any() else 0.0
    return np.where(seen, (part + _FEW * usual) / (whole + _FEW), usual)


def _covered(owner: Ints, item: Ints, shelf: Ints, size: Ints, count: int) -> Floats:
    """Items that each visitor saw on shelves (of five at least) of which more than half was seen."""
    stands = shelf[item] >= 0 if len(shelf) else np.zeros(len(item), dtype=np.bool_)
    if not stands.any():
        return np.zeros(count)
    pairs, seen = np.unique(owner[stands] * len(size) + shelf[item[stands]], return_counts=True)
    who, place = pairs // len(size), pairs % len(size)
    whole = (size[place] >= 5) & (seen > size[place] / 2)
    return _sums(who, seen * whole, count)


def _clicking(log: Visits, count: int) -> dict[str, Floats]:
    """Clicks on ads, beside how often others click what is shown."""
    ads = log.of(EventKind.AD_CLICK)
    clicks = np.bincount(log.visitor[ads], minlength=count)
    shown = np.maximum(log.ads, clicks)
    seen = shown > 0
    usual = float(np.mean((clicks[seen] + 0.5) / (shown[seen] + 1.0))) if seen.any() else 0.5
    tail = stats.binom.sf(clicks - 1, shown, min(max(usual, 1e-3), 0.99))
    named = ads & (log.campaign >= 0)
    wide = max(len(log.campaigns), 1)
    pairs, times = np.unique(log.visitor[named] * wide + log.campaign[named], return_counts=True)
    most = np.zeros(count)
    np.maximum.at(most, pairs // wide, times)
    return {
        "ad_clicks": np.where(clicks > 0, -np.log10(np.maximum(tail, 1e-300)), 0.0),
        "one_campaign": np.log1p(most),
    }

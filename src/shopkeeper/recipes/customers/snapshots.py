"""Moments at which customers are looked at, parted by time, and what each of them did afterwards.

Training, validation and test follow one another, and no label of one period reaches into the moments of the next:

    ... train, train, train | horizon | valid | horizon | test | horizon | end of the log
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.ranking.customers.deeds import CODE, DAY, Deeds, Ints, Values, first_not_before
from shopkeeper.records import EventKind

ACTIVE: Final = 90.0
"""Days since the last deed after which a customer is no longer looked at; as many as the first moment has of history, at
most, as otherwise those who left long ago would stand in the later periods only."""
_STEP: Final = 7.0
_MOST: Final = 12
_HISTORY: Final = 14.0
"""Days of history that the earliest moment has at least."""
_BASKET: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Customers at a moment each.

    Attributes:
        who: int64 (n,), customers.
        at: float64 (n,), seconds since 1970.
        past: What each had done before, of n customers.
    """

    who: Ints
    at: Values
    past: Deeds


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The three periods.

    Attributes:
        horizon: Days after a moment that labels look at.
    """

    train: Snapshot
    valid: Snapshot
    test: Snapshot
    horizon: float


def snapshots(deeds: Deeds, horizon: float, *, most: int = _MOST) -> Snapshots:
    """Look at all active customers every week of training, and once in validation and test each.

    Args:
        deeds: All that customers did.
        horizon: Days that labels look ahead.
        most: Moments of training at most, the latest ones.

    Raises:
        TrainingError: The log is too short to part it so, or a period has no customers.
    """
    start, end = (float(deeds.times.min()), float(deeds.times.max())) if len(deeds.times) else (0.0, 0.0)
    wanted = 3 * horizon + _HISTORY
    if end - start < wanted * DAY:
        raise TrainingError(
            f"The log covers {(end - start) / DAY:.0f} days; looking {horizon:g} days ahead needs {wanted:g}.",
            where="profile",
            cure="Import older events, or wait until more have come.",
        )
    test, valid = end - horizon * DAY, end - 2 * horizon * DAY
    last = end - 3 * horizon * DAY
    train = [last - step * _STEP * DAY for step in range(most) if last - step * _STEP * DAY >= start + _HISTORY * DAY]
    active = min(ACTIVE, (train[-1] - start) / DAY)
    first, second, third = (snapshot(deeds, times, active) for times in (train, [valid], [test]))
    if not all(len(period.who) for period in (first, second, third)):
        raise TrainingError(
            "In one of the periods nobody was active.", where="profile", cure="Import events with customers."
        )
    return Snapshots(first, second, third, horizon)


def snapshot(deeds: Deeds, times: Sequence[float], active: float = ACTIVE) -> Snapshot:
    """All customers who did something in the days before each of some moments, in seconds since 1970."""
    parts = []
    for time in times:
        lately = (deeds.times < time) & (deeds.times >= time - active * DAY)
        parts.append(np.unique(deeds.owners[lately]))
    who = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    at = np.repeat(np.array(times, dtype=np.float64), [len(part) for part in parts])
    return Snapshot(who, at, deeds.before(who, at))


def joined(first: Snapshot, second: Snapshot, deeds: Deeds) -> Snapshot:
    """The customers and moments of two snapshots together."""
    who, at = np.concatenate([first.who, second.who]), np.concatenate([first.at, second.at])
    return Snapshot(who, at, deeds.before(who, at))


def ahead(deeds: Deeds, asked: Snapshot, days: float, *kinds: EventKind) -> Values:
    """How many deeds of these kinds (all without any) each customer did within so many days, float64 (n,)."""
    counts = deeds.of(*kinds) if kinds else np.ones(len(deeds.times), dtype=np.bool_)
    return _between(deeds, asked, days, counts.astype(np.float64))


def money_ahead(deeds: Deeds, asked: Snapshot, days: float) -> Values:
    """What each customer paid within so many days, less what was sent back, float64 (n,), not below 0."""
    sign = np.where(deeds.kinds == CODE[EventKind.PURCHASE], 1.0, 0.0) - (deeds.kinds == CODE[EventKind.RETURN])
    return np.maximum(_between(deeds, asked, days, sign * np.nan_to_num(deeds.values)), 0.0)


def next_baskets(deeds: Deeds, asked: Snapshot, days: float, width: int) -> Values:
    """Shares of the categories of each customer's next basket within so many days.

    Returns:
        float64 (n, width), rows that add up to 1, or to 0 where nothing was bought.
    """
    bought = np.flatnonzero((deeds.kinds == CODE[EventKind.PURCHASE]) & (deeds.categories >= 0))
    found = np.zeros((len(asked.who), width))
    if not len(bought):
        return found
    time, category = deeds.times[bought], deeds.categories[bought]
    indptr = np.searchsorted(bought, deeds.indptr)
    start, end = indptr[asked.who], indptr[asked.who + 1]
    first = first_not_before(time, start, end, asked.at)
    within = np.flatnonzero((first < end) & (time[np.minimum(first, len(time) - 1)] < asked.at + days * DAY))
    begins = first[within]
    length = first_not_before(time, begins, end[within], time[begins] + _BASKET) - begins
    fresh = np.concatenate([[0], np.cumsum(length)])
    entries = np.repeat(begins - fresh[:-1], length) + np.arange(fresh[-1])
    np.add.at(found, (np.repeat(within, length), category[entries]), 1.0)
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1.0))


def _between(deeds: Deeds, asked: Snapshot, days: float, amounts: Values) -> Values:
    total = np.concatenate([[0.0], np.cumsum(amounts)])
    start, end = deeds.indptr[asked.who], deeds.indptr[asked.who + 1]
    begin = first_not_before(deeds.times, start, end, asked.at)
    stop = first_not_before(deeds.times, start, end, asked.at + days * DAY)
    return np.asarray(total[stop] - total[begin])

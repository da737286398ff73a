"""How well a ranking foresees what customers take next: full ranking, what they own already left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.progress import span
from shopkeeper.records import EventKind
from shopkeeper.retrieval.histories import Floats, Histories, Matrix, empty, read
from shopkeeper.retrieval.shelf import Rows, Shelf

Scorer = Callable[[Histories], Floats]
"""Histories of n users -> float32 (n, rows) scores."""

_CELLS = 8_000_000
"""Scores held at a time: decides how many users are ranked together."""


@dataclass(frozen=True, slots=True)
class Split:
    """What was known at a moment, and what came after it.

    Attributes:
        learn: Histories to fit on.
        past: One history a user in question: what a recommender is given.
        owned: float32 (users, rows), non-zero where a recommendation would be pointless or is forbidden.
        users: int64 (t,), the user of every target, rising.
        targets: int64 (t,), rows that came next.
        until: The moment, in seconds since 1970.
        asked: int64 (users,), the user of `learn` whose past each is, -1 for whoever was not known.
    """

    learn: Histories
    past: Histories
    owned: Matrix
    users: NDArray[np.int64]
    targets: Rows
    until: float
    asked: NDArray[np.int64]

    @property
    def wanted(self) -> NDArray[np.int64]:
        """int64 (users,), targets a user."""
        return np.bincount(self.users, minlength=len(self.past)).astype(np.int64)

    def take(self, users: NDArray[np.int64]) -> Split:
        """The same moment for some of the users, each at most once."""
        place = np.full(len(self.past), -1, dtype=np.int64)
        place[users] = np.arange(len(users))
        kept = place[self.users] >= 0
        order = np.argsort(place[self.users[kept]], kind="stable")
        return Split(
            self.learn,
            self.past.take(users),
            self.owned[users],
            place[self.users[kept]][order],
            self.targets[kept][order],
            self.until,
            self.asked[users],
        )


def split_last(histories: Histories, width: int, back: int = 1) -> Split:
    """Leave one out: the item `back` from the end is the target, everything before it the past.

    For a test (`back` 1) learning still stops two items before the end, as the public protocol has it: the item before
    the last belongs to validation. Users with fewer than three items teach but are not asked.

    Args:
        histories: Whole histories.
        width: Number of rows of the shelf.
        back: 1 for the test, 2 for validation.
    """
    asked = np.flatnonzero(histories.lengths >= 3)
    short = np.repeat(histories.lengths < 3, histories.lengths)
    learn = histories.keep(short | (histories.ages >= 2))
    whole = histories.take(asked)
    past = whole.keep(whole.ages >= back)
    target = whole.keep(whole.ages == back - 1)
    until = float(learn.times.max(initial=0.0))
    return Split(learn, past, past.weights(1.0, width), target.users, target.rows, until, asked)


def split_time(frame: pl.DataFrame, shelf: Shelf, start: float, end: float, *, repeats: bool = False) -> Split:
    """Everything before `start` is known; what customers bought from `start` to before `end` is to be foreseen.

    Customers without a past are asked as well: a shop must show them something. Where fewer than fifty purchases fall
    into the window, everything that speaks for an item is a target.

    Args:
        frame: Events, see `EventLog.frame`.
        shelf: The items.
        start: Seconds since 1970.
        end: Seconds since 1970.
        repeats: What a customer had bought before counts as well, as in shops where people buy again; without it, what they
            own is neither asked for nor in the way.
    """
    width = len(shelf)
    frame = frame.filter(pl.col("customer") != "")
    seconds = pl.col("time").dt.epoch("us") / 1e6
    bought = pl.col("kind") == EventKind.PURCHASE.value
    before = frame.filter(seconds < start)
    window = frame.filter((seconds >= start) & (seconds < end))
    if window.filter(bought).height >= 50:
        window = window.filter(bought)
    learn, names = read(before, shelf)
    ahead, asked = read(window, shelf)
    ahead = ahead.keep(ahead.strengths > 0)
    place = {name: user for user, name in enumerate(names)}
    who = np.array([place.get(name, -1) for name in asked], dtype=np.int64)
    past = _past(learn, who)
    owning, owners = read(before.filter(bought), shelf)
    place = {name: user for user, name in enumerate(owners)}
    owned = _past(owning, np.array([place.get(name, -1) for name in asked], dtype=np.int64)).weights(1.0, width)
    if repeats:
        owned = empty(len(who), width)
    had = owned.tocoo()
    new = ~np.isin(ahead.users * width + ahead.rows, had.row * np.int64(width) + had.col)
    split = Split(learn, past, owned, ahead.users[new], ahead.rows[new], start, who)
    return split.take(np.unique(split.users))


def ranks(scorer: Scorer, split: Split, width: int) -> NDArray[np.float64]:
    """Place of every target among all rows, from 0; rows tied with it count half. float64 (t,)."""
    return places_of(lambda users: scorer(split.past.take(users)), split, width)


def places_of(scores_of: Callable[[NDArray[np.int64]], Floats], split: Split, width: int) -> NDArray[np.float64]:
    """As `ranks`, for whoever scores the users of the split by their numbers, int64 (n,), in place of their histories."""
    places = np.zeros(len(split.targets), dtype=np.float64)
    for block, entries in _blocks(split, width):
        part = split.take(block)
        scores = np.require(scores_of(block), requirements="W")  # some give read-only views
        owned = part.owned.tocoo()
        scores[owned.row, owned.col] = -np.inf
        own = scores[part.users, part.targets][:, None]
        rivals = scores[part.users]
        places[entries] = (rivals > own).sum(axis=1) + ((rivals == own).sum(axis=1) - 1) / 2
    return places


def measures(
    places: NDArray[np.float64], split: Split, cutoffs: tuple[int, ...] = (5, 10)
) -> dict[str, NDArray[np.float64]]:
    """``recall@k`` and ``ndcg@k``, one value a user, float64 (users,).

    Args:
        places: What `ranks` gave.
        split: The users and targets they belong to.
        cutoffs: Values of k.
    """
    wanted = split.wanted
    found: dict[str, NDArray[np.float64]] = {}
    for cutoff in cutoffs:
        hit = places < cutoff
        gains = np.where(hit, 1 / np.log2(places + 2), 0.0)
        ideal = np.cumsum(1 / np.log2(np.arange(2, cutoff + 2)))[np.clip(wanted, 1, cutoff) - 1]
        found[f"recall@{cutoff}"] = np.bincount(split.users, weights=hit, minlength=len(wanted)) / np.maximum(wanted, 1)
        found[f"ndcg@{cutoff}"] = np.bincount(split.users, weights=gains, minlength=len(wanted)) / ideal
    return found


def _past(histories: Histories, users: NDArray[np.int64]) -> Histories:
    """Histories of `users`, empty for -1."""
    empty = len(histories)
    indptr = np.append(histories.indptr, histories.indptr[-1])
    padded = Histories(indptr, histories.rows, histories.strengths, histories.times)
    return padded.take(np.where(users < 0, empty, users))


def _blocks(split: Split, width: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    size = max(1, _CELLS // max(width, 1))
    count = len(split.past)
    with span("rank", count, "users") as progress:
        for start in range(0, count, size):
            block = np.arange(start, min(start + size, count), dtype=np.int64)
            entries = np.flatnonzero((split.users >= start) & (split.users < start + size))
            yield block, entries
            progress.advance(len(block))

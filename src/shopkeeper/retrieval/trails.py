"""Trails: what customers did, step by step, for models that read the order; one fold for learning and for serving.

Unlike `histories.Histories`, a trail keeps every event: an item looked at three times stands there three times, and what
speaks against an item is a step as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.records import Event
from shopkeeper.retrieval.histories import STRENGTH, Floats, Histories
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf

Ints = NDArray[np.int64]

KINDS: Final = tuple(STRENGTH)
"""The kinds of events that are steps; a kind's code is its place here. New ones go to the end: bundles keep the codes."""
SPEAKS: Final[Floats] = np.array(list(STRENGTH.values()), dtype=np.float32)
"""float32 (kinds,), what a step of each code says for its item, or against it."""
_CODES: Final = {kind: code for code, kind in enumerate(KINDS)}
_BY_NAME: Final = {kind.value: code for kind, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class Trails:
    """The steps of many users, oldest first: user u owns ``indptr[u]:indptr[u + 1]``.

    Attributes:
        indptr: int64 (users + 1,).
        rows: int64 (m,), shelf rows; an item may occur many times.
        times: float64 (m,), seconds since 1970, not falling within a user.
        kinds: int8 (m,), codes of `KINDS`.
    """

    indptr: Ints
    rows: Rows
    times: NDArray[np.float64]
    kinds: NDArray[np.int8]

    def __len__(self) -> int:
        """Number of users."""
        return len(self.indptr) - 1

    @property
    def lengths(self) -> Ints:
        """int64 (users,), steps a user."""
        return np.diff(self.indptr)

    @property
    def users(self) -> Ints:
        """int64 (m,), the user of every step."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def keep(self, mask: Mask) -> Trails:
        """The steps where `mask`, bool (m,), holds; users without any stay, empty."""
        return self._at(np.flatnonzero(mask), np.bincount(self.users[mask], minlength=len(self)))

    def take(self, users: Ints) -> Trails:
        """The trails of `users`, in that order; -1 gives an empty one."""
        known = users >= 0
        starts = np.where(known, self.indptr[users], 0)
        return self.cut(starts, np.where(known, self.indptr[users + 1] - starts, 0))

    def cut(self, starts: Ints, lengths: Ints) -> Trails:
        """One trail for each run of steps, which may overlap: int64 (n,) first steps, int64 (n,) steps in each."""
        offsets = np.cumsum(lengths) - lengths
        return self._at(np.repeat(starts - offsets, lengths) + np.arange(lengths.sum()), lengths)

    def newest(self, length: int) -> Trails:
        """The last `length` steps of every user."""
        lengths = np.minimum(self.lengths, length)
        return self.cut(self.indptr[1:] - lengths, lengths)

    def within(self, histories: Histories) -> Trails:
        """The steps on items that stand in the history of the same user.

        Args:
            histories: Of the same users in the same order.
        """
        if not len(self.rows) or not len(histories.rows):
            return self.keep(np.zeros(len(self.rows), dtype=np.bool_))
        width = max(int(self.rows.max()), int(histories.rows.max())) + 1
        return self.keep(np.isin(self.users * width + self.rows, histories.users * width + histories.rows))

    def padded(self) -> tuple[Ints, Ints, NDArray[np.float64]]:
        """Rows, kinds and times side by side, each (users, longest), zeros behind the end of a trail."""
        place = np.arange(len(self.rows)) - np.repeat(self.indptr[:-1], self.lengths)
        shape = (len(self), int(self.lengths.max(initial=0)))
        rows, kinds, times = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.float64)
        at = (self.users, place)
        rows[at], kinds[at], times[at] = self.rows, self.kinds, self.times
        return rows, kinds, times

    def alike(self, size: int) -> Iterator[Ints]:
        """The users who did something, by `size`, those with trails of similar length together: int64 (<= size,) each."""
        order = np.argsort(self.lengths, kind="stable")
        order = order[self.lengths[order] > 0]
        for start in range(0, len(order), size):
            yield order[start : start + size]

    def _at(self, steps: Ints, lengths: NDArray[np.integer]) -> Trails:
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Trails(indptr, self.rows[steps], self.times[steps], self.kinds[steps])


def read_trails(frame: pl.DataFrame, shelf: Shelf) -> tuple[Trails, list[str]]:
    """Fold a frame of events (see `EventLog.frame`) into trails.

    Returns:
        The trails, and the user of each: the same users in the same order as `histories.read` gives.
    """
    steps = frame.filter(pl.col("kind").is_in(list(_BY_NAME)) & (pl.col("item") != "")).select(
        pl.when(pl.col("customer") != "").then(pl.col("customer")).otherwise("session:" + pl.col("session")).alias("user"),
        pl.col("item"),
        pl.col("kind").replace_strict(_BY_NAME, return_dtype=pl.Int8),
        pl.col("time").dt.epoch("us") / 1e6,
    )  # fmt: skip
    items = steps["item"].unique().to_list()
    rows = pl.DataFrame(
        {"item": items, "row": [shelf.row(item) for item in items]}, schema={"item": pl.String, "row": pl.Int64}
    )
    steps = steps.join(rows, on="item", maintain_order="left").filter(pl.col("row").is_not_null())
    names = steps["user"].unique(maintain_order=True)
    codes = pl.DataFrame({"user": names, "code": np.arange(len(names), dtype=np.int64)})
    steps = steps.join(codes, on="user", maintain_order="left").sort("code", "time", maintain_order=True)
    lengths = np.bincount(steps["code"].to_numpy(), minlength=len(names))
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    columns = (steps[name].to_numpy() for name in ("row", "time", "kind"))
    return Trails(indptr, *columns), names.to_list()


def trail_of(events: Iterable[Event], shelf: Shelf) -> Trails:
    """The trail of one customer (or session), folded as `read_trails` does: one user.

    Args:
        events: Theirs, in any order; those of one moment keep theirs. Kinds that are no steps and unknown items are
            left out.
        shelf: The items.
    """
    steps = [
        (event.time.timestamp(), row, _CODES[event.kind])
        for event in events
        if event.kind in _CODES and event.item and (row := shelf.row(event.item)) is not None
    ]
    steps.sort(key=itemgetter(0))
    times, rows, kinds = zip(*steps, strict=True) if steps else ((), (), ())
    return Trails(
        np.array([0, len(steps)], dtype=np.int64),
        np.array(rows, dtype=np.int64),
        np.array(times, dtype=np.float64),
        np.array(kinds, dtype=np.int8),
    )


def chained(parts: Sequence[Trails]) -> Trails:
    """The users of several trails, one after the other."""
    lengths = np.concatenate([part.lengths for part in parts])
    rows, times, kinds = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "times", "kinds")
    )
    return Trails(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), rows, times, kinds)

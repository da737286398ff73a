"""What customers did, folded for learning and for scoring by the same function, and what a source of candidates is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from shopkeeper.records import EventKind
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.store.trusted import TRUST

Floats = NDArray[np.float32]
Matrix = sp.csr_array

STRENGTH: Final[Mapping[EventKind, float]] = MappingProxyType(
    {
        EventKind.PURCHASE: 1.0,
        EventKind.CART: 0.7,
        EventKind.LIKE: 0.6,
        EventKind.SHARE: 0.5,
        EventKind.REVIEW: 0.5,
        EventKind.CLICK: 0.3,
        EventKind.AD_CLICK: 0.3,
        EventKind.VIEW: 0.25,
        EventKind.UNCART: -0.2,
        EventKind.RETURN: -0.7,
        EventKind.DISMISS: -1.0,
    }
)
"""How much each kind of event says for an item (or against it). Kinds that are absent say nothing about taste."""

_NOTHING: Final = np.float32(1e-3)
_BY_NAME: Final = {kind.value: strength for kind, strength in STRENGTH.items()}


class Source(Protocol):
    """Scores every item for every history. Linear in the history, so a score splits exactly over what was done.

    ``scores(W) == W @ between(all, all)``, except for sources that say the same to everybody: their `between` is zero.

    Attributes:
        name: Short name, used for weights, contributions and reasons.
        decay: Weight of an item one step further back in the history, in (0, 1].
    """

    name: str
    decay: float

    def scores(self, weights: Matrix) -> Floats:
        """Score all items.

        Args:
            weights: float32 (users, rows), what each history says for each row.

        Returns:
            float32 (users, rows).
        """
        ...

    def between(self, history: Rows, items: Rows) -> Floats:
        """What one unit of weight on each history row adds to each item: float32 (len(history), len(items))."""
        ...


@dataclass(frozen=True, slots=True)
class Histories:
    """The items of many users, each item once a user, oldest first: user u owns ``indptr[u]:indptr[u + 1]``.

    Attributes:
        indptr: int64 (users + 1,).
        rows: int64 (m,), shelf rows.
        strengths: float32 (m,), in [-1, 1]; negative where the item was sent back or dismissed last.
        times: float64 (m,), seconds since 1970 of the last event on the item.
    """

    indptr: NDArray[np.int64]
    rows: Rows
    strengths: Floats
    times: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of users."""
        return len(self.indptr) - 1

    @property
    def users(self) -> NDArray[np.int64]:
        """int64 (m,), the user of every entry."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 (users,), items a user."""
        return np.diff(self.indptr)

    @property
    def ages(self) -> NDArray[np.int64]:
        """int64 (m,), steps back from the user's newest item, which has 0."""
        return np.repeat(self.indptr[1:], self.lengths) - 1 - np.arange(len(self.rows))

    @property
    def known(self) -> Floats:
        """float32 (users,), items that speak for the taste of each."""
        return np.bincount(self.users, weights=self.strengths > 0, minlength=len(self)).astype(np.float32)

    def keep(self, mask: NDArray[np.bool_]) -> Histories:
        """The entries where `mask`, bool (m,), holds; users without any stay, empty."""
        kept = np.bincount(self.users[mask], minlength=len(self))
        return Histories(_pointers(kept), self.rows[mask], self.strengths[mask], self.times[mask])

    def take(self, users: NDArray[np.int64]) -> Histories:
        """The histories of `users`, in that order."""
        lengths = self.lengths[users]
        indptr = _pointers(lengths)
        entries = np.repeat(self.indptr[users] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Histories(indptr, self.rows[entries], self.strengths[entries], self.times[entries])

    def weights(self, decay: float, width: int) -> Matrix:
        """Histories as a matrix whose newest items weigh most.

        Args:
            decay: Factor per step back.
            width: Number of rows of the shelf.

        Returns:
            float32 (users, width), see `faded`.
        """
        data = self.faded(decay)
        told = data != 0
        if told.all():
            return sp.csr_array((data, self.rows, self.indptr), shape=(len(self), width))
        indptr = np.concatenate([[0], np.cumsum(told)])[self.indptr]
        return sp.csr_array((data[told], self.rows[told], indptr), shape=(len(self), width))

    def faded(self, decay: float) -> Floats:
        """float32 (m,), strength x decay^age; exactly 0 once decay^age is below a thousandth."""
        fade = np.float32(decay) ** self.ages.astype(np.float32)
        return np.where(fade < _NOTHING, np.float32(0), self.strengths * fade)


def fold(
    users: ArrayLike, rows: ArrayLike, strengths: ArrayLike, times: ArrayLike, count: int | None = None
) -> Histories:
    """Fold events into histories: every item once a user, placed where it was last touched.

    An item is as strong as the strongest thing done with it, unless the last thing spoke against it.

    Args:
        users: int (m,), from 0.
        rows: int (m,), shelf rows.
        strengths: float (m,), see `STRENGTH`.
        times: float (m,), seconds, not falling.
        count: Number of users; the highest user + 1 when None.
    """
    user = np.asarray(users, dtype=np.int64)
    row = np.asarray(rows, dtype=np.int64)
    strength = np.asarray(strengths, dtype=np.float32)
    moment = np.asarray(times, dtype=np.float64)
    total = count if count is not None else int(user.max(initial=-1)) + 1
    if not len(user):
        return Histories(np.zeros(total + 1, dtype=np.int64), row, strength, moment)
    key = user * (row.max() + 1) + row
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    last = order[np.append(starts[1:], len(order)) - 1]
    best = np.maximum.reduceat(strength[order], starts)
    final = np.where(strength[last] < 0, strength[last], best)
    place = np.lexsort((last, user[last]))
    last = last[place]
    indptr = _pointers(np.bincount(user[last], minlength=total))
    return Histories(indptr, row[last], final[place].astype(np.float32), moment[last])


def joined(parts: Sequence[Histories]) -> Histories:
    """The users of several histories, one after the other."""
    lengths = np.concatenate([part.lengths for part in parts])
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "strengths", "times"))
    return Histories(_pointers(lengths), *columns)


def read(frame: pl.DataFrame, shelf: Shelf) -> tuple[Histories, list[str]]:
    """Fold a frame of events (see `EventLog.frame`) into histories.

    Whoever has no customer id is told apart by session. Events without a known item, or that say nothing about taste,
    are left out. Where the frame says how far customers are trusted (`store.trusted.TRUST`), all strengths of each are
    multiplied with it.

    Returns:
        The histories, and the user of each: a customer id, or a session id behind ``session:``.
    """
    said = frame.filter(pl.col("kind").is_in(list(_BY_NAME)) & (pl.col("item") != ""))
    who = pl.when(pl.col("customer") != "").then(pl.col("customer")).otherwise("session:" + pl.col("session"))
    trust = pl.col(TRUST).cast(pl.Float32) if TRUST in frame.columns else pl.lit(1.0, dtype=pl.Float32)
    said = said.select(
        who.alias("user"),
        pl.col("item"),
        (pl.col("kind").replace_strict(_BY_NAME, return_dtype=pl.Float32) * trust).alias("strength"),
        (pl.col("time").dt.epoch("us") / 1e6).alias("time"),
    )
    items = said["item"].unique().to_list()
    rows = pl.DataFrame(
        {"item": items, "row": [shelf.row(item) for item in items]}, schema={"item": pl.String, "row": pl.Int64}
    )
    said = said.join(rows, on="item", maintain_order="left").filter(pl.col("row").is_not_null())
    names = said["user"].unique(maintain_order=True)
    codes = pl.DataFrame({"user": names, "code": np.arange(len(names), dtype=np.int64)})
    said = said.join(codes, on="user", maintain_order="left")
    folded = fold(
        said["code"].to_numpy(),
        said["row"].to_numpy(),
        said["strength"].to_numpy(),
        said["time"].to_numpy(),
        len(names),
    )
    return folded, names.to_list()


def present(times: NDArray[np.float64]) -> float:
    """Now, as a log knows it: its latest event, in seconds since 1970, but never ahead of the clock.

    A log may end long ago; and what claims to come from the future counts as now.
    """
    clock = time.time()
    return min(float(times.max()), clock) if len(times) else clock


def empty(height: int, width: int) -> Matrix:
    """A float32 (height, width) matrix of zeros."""
    pointers = np.zeros(height + 1, dtype=np.int64)
    return sp.csr_array((np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64), pointers), shape=(height, width))


def product(left: Matrix, right: Matrix) -> Floats:
    """``left @ right`` as a dense float32 (users, rows); one user takes a shorter way to the same numbers."""
    if left.shape[0] != 1:
        many: Floats = (left @ right).toarray()
        return many
    one: Floats = (right[left.indices].T @ left.data)[None, :]
    return one


def widen(dense: Floats, width: int) -> Floats:
    """Pad (or cut) the second axis with zeros to `width`: rows that came after fitting score nothing."""
    missing = width - dense.shape[1]
    return np.pad(dense, ((0, 0), (0, missing))) if missing > 0 else dense[:, :width]


def _pointers(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

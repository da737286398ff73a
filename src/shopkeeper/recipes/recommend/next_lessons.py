"""What a sequence model learns from: trails cut into windows, each step with the one that it is to foresee."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.shelf import Rows
from shopkeeper.retrieval.trails import SPEAKS, Ints, Trails

_NEWEST = 500
"""Steps of a customer that teach at most, so that a robot does not outweigh a shop."""


@dataclass(frozen=True, slots=True)
class Windows:
    """A padded batch of windows; zeros behind the end of each.

    Attributes:
        rows: int64 (n, t), places of the items among those learnt from.
        kinds: int64 (n, t).
        times: float64 (n, t).
        wanted: int64 (n, t), the item of the next step.
        worth: float32 (n, t), how much foreseeing it counts; 0 where there is nothing to foresee.
    """

    rows: Tensor
    kinds: Tensor
    times: Tensor
    wanted: Tensor
    worth: Tensor


class Lessons:
    """Trails cut into windows of which each has something to foresee.

    A step is foreseen as much as its kind speaks for its item, and not at all where it speaks against it or says no more
    of the item than the step before it did.

    Args:
        trails: What customers did.
        rows: int64 (items,), rows learnt from, rising.
        length: Steps that foresee another one; of a longer trail each window begins with the last step of the one before.
        device: Where batches go.
    """

    def __init__(self, trails: Trails, rows: Rows, length: int, device: torch.device) -> None:
        trails = trails.newest(_NEWEST)
        counts = np.maximum(-(-(trails.lengths - 1) // length), 0)
        back = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        ends = np.repeat(trails.indptr[1:], counts) - back * length
        starts = np.maximum(ends - length - 1, np.repeat(trails.indptr[:-1], counts))
        windows = trails.cut(starts, ends - starts)
        windows = windows.take(np.unique(windows.users[_worth(windows) > 0]))
        self._windows = Trails(windows.indptr, np.searchsorted(rows, windows.rows), windows.times, windows.kinds)
        self._device = device

    @property
    def lengths(self) -> Ints:
        """int64 (windows,), steps of each."""
        return self._windows.lengths

    def batch(self, windows: Ints) -> Windows:
        """Some of the windows, int64 (n,), padded to the longest."""
        batch = self._windows.take(windows)
        rows, kinds, times = batch.padded()
        worth = np.zeros(rows.shape, dtype=np.float32)
        worth[np.arange(rows.shape[1]) < batch.lengths[:, None]] = _worth(batch)
        columns = (rows[:, :-1], kinds[:, :-1], times[:, :-1], rows[:, 1:], worth[:, 1:])
        return Windows(*(torch.from_numpy(column).to(self._device) for column in columns))


def _worth(trails: Trails) -> Floats:
    """How much it counts to foresee each step from the one before it, float32 (m,); 0 for the first of a trail."""
    says = SPEAKS[trails.kinds]
    onward = np.ones(len(says), dtype=np.bool_)
    onward[1:] = (trails.rows[1:] != trails.rows[:-1]) | (says[1:] > says[:-1])
    onward[trails.indptr[:-1][trails.lengths > 0]] = False
    return np.where(onward, np.maximum(says, 0), np.float32(0))

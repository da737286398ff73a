"""What a sequence model learns from: trails cut into windows, and which step of a window is to foresee which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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
        lengths: int64 (n,), steps of each.
    """

    rows: Tensor
    kinds: Tensor
    times: Tensor
    lengths: Tensor

    def turned(self, share: float) -> Windows:
        """About `share` of the windows read from their end: what was taken together has little order."""
        place = torch.arange(self.rows.shape[1], device=self.rows.device)
        back = self.lengths[:, None] - 1 - place
        turn = (torch.rand(len(self.rows), 1, device=place.device) < share) & (back >= 0)
        source = torch.where(turn, back, place)
        rows, kinds, times = (column.gather(1, source) for column in (self.rows, self.kinds, self.times))
        return Windows(rows, kinds, times, self.lengths)

    def asked(self, further: float) -> tuple[Tensor, Tensor]:
        """Which step each one is to foresee, and how much that counts.

        A step counts as much as its kind speaks for its item, and not at all where it speaks against it or says no more
        of the item than the step that foresees it.

        Args:
            further: Probability of the step after the next one in place of it, and so on (geometric).

        Returns:
            int64 (n, t) places, and float32 (n, t), 0 where there is nothing to foresee.
        """
        place = torch.arange(self.rows.shape[1], device=self.rows.device).expand_as(self.rows)
        ahead = place + 1
        if further > 0:
            ahead = ahead + (torch.rand(place.shape, device=place.device).log() / np.log(further)).to(torch.int64)
            ahead = torch.minimum(ahead, self.lengths[:, None] - 1).maximum(place + 1)
        there = ahead < self.lengths[:, None]
        ahead = ahead.clamp(max=place.shape[1] - 1)
        says = torch.from_numpy(SPEAKS).to(place.device)
        now, then = says[self.kinds], says[self.kinds.gather(1, ahead)]
        onward = (self.rows.gather(1, ahead) != self.rows) | (then > now)
        return ahead, then.clamp(min=0) * (there & onward)


class Lessons:
    """Trails cut into windows of which each has something to foresee.

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
        windows = windows.take(np.unique(windows.users[_foreseen(windows)]))
        self._windows = Trails(windows.indptr, np.searchsorted(rows, windows.rows), windows.times, windows.kinds)
        self._device = device

    @property
    def lengths(self) -> Ints:
        """int64 (windows,), steps of each."""
        return self._windows.lengths

    def batch(self, windows: Ints) -> Windows:
        """Some of the windows, int64 (n,), padded to the longest."""
        batch = self._windows.take(windows)
        columns = (*batch.padded(), batch.lengths)
        return Windows(*(torch.from_numpy(column).to(self._device) for column in columns))


def _foreseen(windows: Trails) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Bool (m,): the steps that the one before may foresee, see `Windows.asked`."""
    says = SPEAKS[windows.kinds]
    found = says > 0
    found[1:] &= (windows.rows[1:] != windows.rows[:-1]) | (says[1:] > says[:-1])
    first = windows.indptr[:-1]
    found[first[first < len(found)]] = False
    return found

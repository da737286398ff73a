"""What a customer keeps coming back to: how often and how lately they did something with each item."""

from __future__ import annotations

from typing import Final

import numpy as np

from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.popularity import DAY
from shopkeeper.retrieval.shelf import Rows
from shopkeeper.retrieval.trails import SPEAKS, Trails

HABIT: Final = "habit"


class Habit:
    """Counts of a customer's own steps, each fading by half every `half_life` days before their newest one.

    Unlike `popularity.Again`, which knows when an item was touched last, this knows how often: groceries are bought by habit (Hu et
    al. 2020, "Modeling personalized item frequency information for next-basket recommendation", build on the same counts).

    Args:
        half_life: Days.
    """

    name = HABIT

    def __init__(self, half_life: float = 60.0) -> None:
        self.half_life = half_life

    def scores(self, trails: Trails, width: int) -> Floats:
        """The fading count of every item: float32 (users, width)."""
        users, amounts = trails.users, self._amounts(trails)
        inside = trails.rows < width
        found = np.zeros((len(trails), width), dtype=np.float32)
        np.add.at(found, (users[inside], trails.rows[inside]), amounts[inside])
        return found

    def of(self, trails: Trails, items: Rows) -> Floats:
        """The same for some items of one user: float32 (k,)."""
        amounts = self._amounts(trails)
        found = [float(amounts[trails.rows == item].sum()) for item in items.tolist()]
        return np.array(found, dtype=np.float32)

    def _amounts(self, trails: Trails) -> Floats:
        """float32 (m,), what each step counts; steps that speak against an item count nothing."""
        newest = np.zeros(len(trails))
        some = trails.lengths > 0
        newest[some] = trails.times[trails.indptr[1:][some] - 1]
        age = np.maximum(newest[trails.users] - trails.times, 0) / DAY
        return np.asarray(np.maximum(SPEAKS[trails.kinds], 0) * np.exp2(-age / self.half_life), dtype=np.float32)

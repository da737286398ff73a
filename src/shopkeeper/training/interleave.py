"""Batches of several tasks in random turns, each batch of one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.training.batching import Batches, Ints


@dataclass(frozen=True, slots=True)
class OfTask:
    """A batch, and the task it belongs to."""

    task: str
    batch: Any


class Interleaved:
    """Batches of several tasks in random turns. An epoch has as many batches as all tasks together.

    Args:
        parts: Batches of each task.
        evenness: How the turns are shared: 0 by size, so that each batch comes once an epoch; 1 evenly, so that a small
            task is gone through again and again. Between them small tasks gain (annealed sampling, Stickland & Murray
            2019).

    Raises:
        TrainingError: A task has no examples.
    """

    def __init__(self, parts: Mapping[str, Batches[Any]], evenness: float = 0.0) -> None:
        for name, part in parts.items():
            if len(part) == 0:
                raise TrainingError("There is nothing to learn from.", where=f"task {name}", cure="Leave the task out.")
        self._parts = dict(parts)
        sizes = np.array([len(part) for part in parts.values()], dtype=np.float64)
        wishes = sizes ** (1 - evenness)
        edges: Ints = np.round(np.cumsum(wishes / wishes.sum()) * sizes.sum()).astype(np.int64)
        self._turns: Ints = edges - np.concatenate([[0], edges[:-1]])

    def __len__(self) -> int:
        return int(self._turns.sum())

    def epoch(self, rng: np.random.Generator) -> Iterator[OfTask]:
        """One pass, tasks and their batches in an order drawn from `rng`."""
        names = list(self._parts)
        passes = {name: self._parts[name].epoch(rng) for name in names}
        for place in rng.permutation(np.repeat(np.arange(len(names)), self._turns)):
            name = names[place]
            batch = next(passes[name], None)
            if batch is None:
                passes[name] = self._parts[name].epoch(rng)
                batch = next(passes[name])
            yield OfTask(name, batch)

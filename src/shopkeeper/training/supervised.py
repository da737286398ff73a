"""Learning from labels: batches of texts with what is wanted of each, and the loss that a criterion makes of them.

A criterion is a plain function (logits, wanted) -> one loss a row; see `criteria`. `supervised` turns it into a loss of
the loop. Anything that changes how a model is shown the examples (R-Drop, mixup) is another function of that shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shopkeeper.training.batching import Buckets, Ints
from shopkeeper.training.texts import TokenRows

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Logits float (n, k), wanted (n, ...) -> losses float (n,)."""
Inputs = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A batch of texts with labels.

    Attributes:
        inputs: Token numbers, mask and types, each int64 (n, t): the arguments of the model.
        wanted: int64 (n,) for classes, float32 (n, k) for several at once, float32 (n,) for numbers.
        weights: float32 (n,), how much each row counts.
        rows: int64 (n,), numbers of the examples.
    """

    inputs: Inputs
    wanted: Tensor
    weights: Tensor
    rows: Ints

    def to(self, device: torch.device) -> Labelled:
        """The same on another device."""
        inputs = tuple(part.to(device) for part in self.inputs)
        return Labelled(inputs, self.wanted.to(device), self.weights.to(device), self.rows)


def labelled(
    texts: TokenRows,
    wanted: NDArray[np.generic],
    size: int,
    *,
    weights: NDArray[np.float32] | None = None,
    share: float = 1.0,
) -> Buckets[Labelled]:
    """Batches of at most `size` texts with their labels.

    Args:
        texts: n texts or pairs as token numbers.
        wanted: (n, ...), see `Labelled`.
        size: Examples in a batch.
        weights: float32 (n,), 1 for all when None.
        share: Share of the examples, drawn anew, that one epoch goes through.
    """
    targets = torch.from_numpy(np.ascontiguousarray(wanted))
    counts = torch.ones(len(targets)) if weights is None else torch.from_numpy(weights.astype(np.float32))

    def collate(chosen: Ints) -> Labelled:
        place = torch.from_numpy(chosen)
        return Labelled(texts.batch(chosen), targets[place], counts[place], chosen)

    return Buckets(texts.lengths, size, collate, share=share)


def supervised(criterion: Criterion) -> Callable[[nn.Module, Labelled], Tensor]:
    """The loss of the loop: the weighted mean of `criterion` over the rows of a batch."""

    def loss(model: nn.Module, batch: Labelled) -> Tensor:
        batch = batch.to(next(model.parameters()).device)
        return weighted(criterion(model(*batch.inputs), batch.wanted), batch.weights)

    return loss


def weighted(losses: Tensor, weights: Tensor) -> Tensor:
    """Mean of float (n,) losses by float (n,) weights; 0 where all weights are 0."""
    return (losses.float() * weights).sum() / weights.sum().clamp_min(1e-9)


def class_numbers(labels: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    """Labels by name to int64 (n,) places in `names`.

    >>> class_numbers(["b", "a"], ["a", "b"]).tolist()
    [1, 0]
    """
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[label] for label in labels], dtype=np.int64)

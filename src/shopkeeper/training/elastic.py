"""Elastic weights (EWC, Kirkpatrick et al. 2017): what mattered to the old data may move less while new data are learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shopkeeper.errors import TrainingError
from shopkeeper.training.batching import Batches
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import Loss, Run
from shopkeeper.training.supervised import Labelled

B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where parameters stood after a period, and how much each of them mattered to it.

    Attributes:
        values: Parameters by name.
        importance: Diagonal of the Fisher information, of the same names and shapes.
    """

    values: Mapping[str, Tensor]
    importance: Mapping[str, Tensor]

    def __add__(self, later: Anchor) -> Anchor:
        """One anchor that pulls exactly like both: the sum of two parabolas is a parabola (and a constant).

        So the memory of any number of periods is one anchor. A head that grew meanwhile counts as unimportant to the
        earlier one where it did not exist.
        """
        values: dict[str, Tensor] = {}
        importance: dict[str, Tensor] = {}
        for name, newer in later.values.items():
            if name not in self.values:
                values[name], importance[name] = newer, later.importance[name]
                continue
            old, new = _grown(self.importance[name], newer), later.importance[name]
            total = importance[name] = old + new
            middle = (old * _grown(self.values[name], newer) + new * newer) / total
            values[name] = torch.where(total > 0, middle, newer)
        return Anchor(values, importance)

    def penalty(self, model: nn.Module) -> Tensor:
        """Half of sum importance x (parameter - value)^2 over all that is anchored; a scalar."""
        named = dict(model.named_parameters())
        parts = [
            (self.importance[name] * (named[name][: len(value)] - value) ** 2).sum()
            for name, value in self.values.items()
        ]
        return torch.stack(parts).sum() / 2


def anchor(model: nn.Module, examples: Batches[B], loss: Loss[B], *, most: int = 300, seed: int = 0) -> Anchor:
    """Anchor a model where it stands, after it has learnt `examples`.

    Args:
        model: Its parameters that require a gradient are anchored.
        examples: Batches of one example each: the square of a mean gradient is not the mean of the squares.
        loss: Minus the log-likelihood. With `own_answers` this gives the Fisher information itself; with the loss of
            training the empirical one, which vanishes for examples that are learnt well (Kunstner et al. 2019).
        most: Examples to look at.
        seed: Of their order and of anything `loss` draws.

    Raises:
        TrainingError: There are no examples.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    squares = {name: torch.zeros_like(p) for name, p in named.items()}
    training, count = model.training, 0
    model.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for batch in islice(examples.epoch(np.random.default_rng(seed)), most):
                count += 1
                gradients = torch.autograd.grad(loss(model, batch), list(named.values()), allow_unused=True)
                for name, gradient in zip(named, gradients, strict=True):
                    if gradient is not None:
                        squares[name] += gradient.detach() ** 2
    finally:
        model.train(training)
    if count == 0:
        raise TrainingError("Without old examples nobody knows what mattered to them.", where="elastic weights")
    values = {name: p.detach().clone() for name, p in named.items()}
    return Anchor(values, {name: square / count for name, square in squares.items()})


def own_answers(model: nn.Module, batch: Labelled) -> Tensor:
    """Cross-entropy against classes drawn from the model's own probabilities, whatever the labels say; a scalar."""
    batch = batch.to(next(model.parameters()).device)
    logits = model(*batch.inputs).float()
    drawn = torch.multinomial(logits.detach().softmax(dim=1), 1).squeeze(1)
    return functional.cross_entropy(logits, drawn)


class ElasticPenalty(Hook):
    """Adds the gradient of strength x `Anchor.penalty` to that of every batch.

    A checkpoint keeps the anchor, so that a resumed run is pulled to the same place as before.

    Args:
        anchor: Of all earlier periods, added up.
        strength: How stiff; 0 is plain training. Fisher values are small: 100 to 100,000 are common.
    """

    def __init__(self, anchor: Anchor, strength: float) -> None:
        self._anchor, self._strength = anchor, strength

    def start(self, run: Run) -> None:
        """Refuse a model that lacks what is anchored."""
        shapes = {name: p.shape for name, p in run.model.named_parameters()}
        for name, value in self._anchor.values.items():
            if name not in shapes or shapes[name][1:] != value.shape[1:] or len(value) > shapes[name][0]:
                raise TrainingError(
                    f"The model has no parameter {name} of shape {tuple(value.shape)}.",
                    where="elastic weights",
                    cure="Anchor the model that is trained, not another.",
                )

    def gradients(self, run: Run, batch: Any, share: float) -> None:  # noqa: ARG002
        """Pull every anchored parameter towards its anchor, the more the more it mattered."""
        named = dict(run.model.named_parameters())
        with torch.no_grad():
            for name, value in self._anchor.values.items():
                parameter = named[name]
                if parameter.grad is not None:
                    own = slice(len(value))
                    pull = self._anchor.importance[name] * (parameter[own] - value)
                    parameter.grad[own] += share * self._strength * pull

    def state(self) -> Mapping[str, Tensor]:
        """The anchor."""
        values = {f"value.{name}": value for name, value in self._anchor.values.items()}
        return values | {f"importance.{name}": value for name, value in self._anchor.importance.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take the anchor up again."""
        names = self._anchor.values
        self._anchor = Anchor(
            {name: state[f"value.{name}"] for name in names}, {name: state[f"importance.{name}"] for name in names}
        )


def _grown(old: Tensor, like: Tensor) -> Tensor:
    """`old` with rows of zeros below until it has the shape of `like`."""
    if old.shape == like.shape:
        return old
    grown = torch.zeros_like(like)
    grown[: len(old)] = old
    return grown

"""Losses of several tasks in one run, over a `models.multitask.MultiTask` and batches of `interleave.Interleaved`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from shopkeeper.models.multitask import MultiTask
from shopkeeper.training.interleave import OfTask

Losses = Mapping[str, Callable[[nn.Module, Any], Tensor]]
"""Loss (classifier, batch) of each task: `supervised`, `r_drop`, `mixup` of its criterion, or any other."""


def multi_task(losses: Losses, weights: Mapping[str, float] | None = None) -> Callable[[nn.Module, OfTask], Tensor]:
    """The loss of a `MultiTask` model with fixed weights.

    Args:
        losses: Loss of each task, called with the task's classifier.
        weights: What each task counts, 1 where none is given.
    """
    fixed = weights or {}

    def loss(model: nn.Module, turn: OfTask) -> Tensor:
        assert isinstance(model, MultiTask)
        return fixed.get(turn.task, 1.0) * losses[turn.task](model[turn.task], turn.batch)

    return loss


def multi_task_by_uncertainty(losses: Losses) -> Callable[[nn.Module, OfTask], Tensor]:
    """The loss of a `MultiTask` model that learns what each task counts (homoscedastic uncertainty, Kendall et al. 2018).

    With s the logarithm of a task's variance its loss L becomes exp(-s) L + s / 2, least where exp(s) = 2 L: a task whose
    loss stays high counts less. The logarithms are `MultiTask.doubts`; give them a rate of their own, such as
    ``rates={"doubts": 50}``, for they have far to go.
    """

    def loss(model: nn.Module, turn: OfTask) -> Tensor:
        assert isinstance(model, MultiTask)
        doubt = model.doubts[model.place(turn.task)]
        return (-doubt).exp() * losses[turn.task](model[turn.task], turn.batch) + doubt / 2

    return loss

"""Optimisers and schedules as plain functions, to be passed to the loop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

Group = dict[str, Any]


class Optimiser(Protocol):
    """Builds an optimiser over parameter groups that carry their own rate and decay."""

    __name__: str

    def __call__(self, groups: list[Group]) -> torch.optim.Optimizer:
        """Build it."""
        ...


class Schedule(Protocol):
    """Share of the run that is over, in [0, 1] -> multiplier of the peak rate."""

    __name__: str

    def __call__(self, over: float) -> float:
        """The multiplier."""
        ...


def adamw(groups: list[Group]) -> torch.optim.Optimizer:
    """AdamW with the usual moments (0.9, 0.999)."""
    return torch.optim.AdamW(groups)


def sgd(groups: list[Group]) -> torch.optim.Optimizer:
    """Plain gradient descent with Nesterov momentum 0.9."""
    return torch.optim.SGD(groups, momentum=0.9, nesterov=True)


def constant(over: float) -> float:  # noqa: ARG001 - a schedule by shape
    """The same rate from the first step to the last."""
    return 1.0


def warm_linear(over: float, warm: float = 0.1) -> float:
    """Up in a straight line for the first `warm` of the run, down in a straight line to zero at its end.

    >>> [warm_linear(over) for over in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    return max(over, 1e-3) / warm if over < warm else max(0.0, (1.0 - over) / (1.0 - warm))


def warm_cosine(over: float, warm: float = 0.1) -> float:
    """Up in a straight line for the first `warm` of the run, down along half a cosine to zero at its end."""
    return max(over, 1e-3) / warm if over < warm else 0.5 * (1.0 + math.cos(math.pi * (over - warm) / (1.0 - warm)))


def parameter_groups(model: nn.Module, rate: float, decay: float, rates: Mapping[str, float]) -> list[Group]:
    """What may change, grouped by rate and decay. Vectors (biases, norms) are not decayed.

    Args:
        model: Its parameters that require a gradient are grouped.
        rate: Peak learning rate.
        decay: Decoupled weight decay of matrices.
        rates: Multipliers of `rate` by prefix of the parameter's name; the longest prefix wins.

    Returns:
        Groups with ``params``, ``lr`` and ``weight_decay``; empty when everything is frozen.
    """
    groups: dict[tuple[float, float], Group] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        fitting = sorted((prefix for prefix in rates if name.startswith(prefix)), key=len)
        lr = rate * (rates[fitting[-1]] if fitting else 1.0)
        weight_decay = decay if parameter.ndim > 1 else 0.0
        group = groups.setdefault((lr, weight_decay), {"params": [], "lr": lr, "weight_decay": weight_decay})
        group["params"].append(parameter)
    return list(groups.values())

"""Optimisers and schedules as plain functions, to be passed to the loop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from shopkeeper.training.freezing import named_stack

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
    """AdamW with the usual moments (0.9, 0.999), each tensor in one pass over memory."""
    return torch.optim.AdamW(groups, fused=True)


def sgd(groups: list[Group]) -> torch.optim.Optimizer:
    """Plain gradient descent with Nesterov momentum 0.9."""
    return torch.optim.SGD(groups, momentum=0.9, nesterov=True)


def adafactor(groups: list[Group]) -> torch.optim.Optimizer:
    """Adafactor (Shazeer & Stern 2018): second moments by row and column, hardly any memory beyond the parameters.

    The rate is relative to the size of each tensor, so it should be about ten times that of AdamW.
    """
    return torch.optim.Adafactor(groups)


def lion(groups: list[Group]) -> torch.optim.Optimizer:
    """Lion, see the class. The rate should be three to ten times smaller than that of AdamW, the decay as much larger."""
    return Lion(groups)


class Lion(torch.optim.Optimizer):
    """Steps of one size in the direction of a momentum's sign; half of AdamW's memory (Chen et al. 2023).

    Args:
        params: Parameters or groups of them.
        lr: Size of a step.
        betas: Weight of the momentum in the direction of the step, and in its own next value.
        weight_decay: Decoupled decay.
    """

    def __init__(
        self, params: Any, lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; parameters without a gradient stay."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            now, later = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                slots = self.state[parameter]
                momentum = slots.setdefault("momentum", torch.zeros_like(parameter))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(momentum.lerp(parameter.grad, 1 - now).sign_(), alpha=-group["lr"])
                momentum.lerp_(parameter.grad, 1 - later)
        return value


def constant(over: float) -> float:  # noqa: ARG001 - a schedule by shape
    """The same rate from the first step to the last."""
    return 1.0


def warm_linear(over: float, warm: float = 0.1) -> float:
    """Up in a straight line for the first `warm` of the run, down in a straight line to zero at its end.

    >>> [round(warm_linear(over), 9) for over in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    return max(over, 1e-3) / warm if over < warm else max(0.0, (1.0 - over) / (1.0 - warm))


def warm_cosine(over: float, warm: float = 0.1) -> float:
    """Up in a straight line for the first `warm` of the run, down along half a cosine to zero at its end."""
    return max(over, 1e-3) / warm if over < warm else 0.5 * (1.0 + math.cos(math.pi * (over - warm) / (1.0 - warm)))


def warm_inverse_sqrt(over: float, warm: float = 0.1) -> float:
    """Up in a straight line for the first `warm` of the run, then down with one over the root (Vaswani et al. 2017).

    It does not end at zero, which suits a run that is to be continued.

    >>> [round(warm_inverse_sqrt(over), 9) for over in (0.05, 0.1, 0.4)]
    [0.5, 1.0, 0.5]
    """
    return max(over, 1e-3) / warm if over < warm else math.sqrt(warm / over)


def layer_rates(body: nn.Module, decay: float, prefix: str = "") -> dict[str, float]:
    """Rates that shrink layer by layer downwards, for `FitSettings.rates` (Howard & Ruder 2018; Sun et al. 2019).

    The topmost layer and what comes after the layers learn at the full rate, each layer below at `decay` times the rate
    of the one above it, the embeddings at that of a layer below the lowest.

    Args:
        body: The pretrained model, without its head.
        decay: 0.8 to 0.95 are usual; 1 gives even rates.
        prefix: Name of the body within the model that is trained, e.g. ``model.`` in a `Classifier`.
    """
    name, stack = named_stack(body)
    count = len(stack)
    rates = {f"{prefix}{name}.{layer}.": decay ** (count - 1 - layer) for layer in range(count)}
    for below, _ in body.named_parameters():
        if below.startswith(f"{name}."):
            break
        rates[prefix + below] = decay**count
    return rates


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

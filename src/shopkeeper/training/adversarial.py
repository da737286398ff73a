"""Adversarial training as hooks: also learn from the examples as they look after a small push in the worst direction.

The hidden states that enter the learning part of the model are pushed (`entrance.Entrance`), or its weights are. Sizes
are relative to the length of what is pushed, so that one size suits any model. Each hook adds the gradient at the pushed
place to that of the plain loss, whatever the loss is; it may run the model several times, as R-Drop does. In front of
other hooks that run the loss, FGM, PGD and FreeLB start from the plain gradient; behind them, from theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shopkeeper.errors import TrainingError
from shopkeeper.training.entrance import Entrance
from shopkeeper.training.hooks import Hook

if TYPE_CHECKING:
    from shopkeeper.training.loop import Run

_TINY = 1e-12


class _Push(Hook):
    """Common to those that push hidden states: every loss of the run is watched, the plain one costs nothing more."""

    def __init__(self, size: float = 0.05, weight: float = 1.0, at: nn.Module | None = None) -> None:
        self._size, self._weight, self._at = size, weight, at
        self._seen: list[Tensor] = []

    def start(self, run: Run) -> None:
        """Find the entrance and watch it."""
        self._entrance = Entrance(run.model, self._at)
        plain = run.loss

        def watched(model: nn.Module, batch: Any) -> Tensor:
            with self._entrance.watched() as self._seen:
                return plain(model, batch)

        run.loss = watched

    def _entered(self) -> list[Tensor]:
        """States of the loss that was computed last, with their gradients."""
        seen, self._seen = self._seen, []
        if not seen:
            raise TrainingError(
                "The loss never runs the layer whose input is to be pushed.",
                where=type(self).__name__,
                cure="Pass a module that it runs as `at`.",
            )
        return seen

    def _value(self, run: Run, batch: Any, shifts: Sequence[Tensor]) -> Tensor:
        with self._entrance.moved(shifts):
            return run.value(batch)

    def _backward(self, run: Run, batch: Any, shifts: Sequence[Tensor], share: float) -> None:
        (share * self._value(run, batch, shifts)).backward()  # type: ignore[no-untyped-call]

    def _climbed(
        self, shifts: Sequence[Tensor], seen: Sequence[Tensor], slopes: Sequence[Tensor | None], stride: float
    ) -> list[Tensor]:
        """Shifts after a step up the slope, drawn back into the ball of the allowed size."""
        found = []
        for shift, states, slope in zip(shifts, seen, slopes, strict=True):
            if slope is None:  # a loss that does not depend on this pass
                found.append(shift)
                continue
            farther = shift + stride * _steepest(states, slope)
            most = self._size * _lengths(states.detach().float() * _touched(slope))
            found.append(farther * (most / _lengths(farther).clamp_min(_TINY)).clamp_max(1.0))
        return found


class FGM(_Push):
    """One push along the gradient (Goodfellow et al. 2015; for texts Miyato et al. 2017). Doubles the time of a step.

    Args:
        size: Length of the push, as a share of the length of the states of a text.
        weight: What the pushed loss counts beside the plain one.
        at: Push the input of this module instead of that of the lowest learning layer.
    """

    def gradients(self, run: Run, batch: Any, share: float) -> None:
        """Push by the gradient that the plain loss left, and add the gradient found there."""
        seen = self._entered()
        if _unfelt(seen):
            return
        shifts = self._climbed(_nowhere(seen), seen, [states.grad for states in seen], self._size)
        self._backward(run, batch, shifts, share * self._weight)
        self._seen = []


class _Climb(_Push):
    """Common to those that push in several steps."""

    _reach = 1.0  # the usual steps together, as a share of the way to the edge

    def __init__(
        self,
        size: float = 0.05,
        steps: int = 2,
        stride: float | None = None,
        weight: float = 1.0,
        at: nn.Module | None = None,
    ) -> None:
        super().__init__(size, weight, at)
        self._steps, self._stride = steps, self._reach * size / steps if stride is None else stride


class PGD(_Climb):
    """Several steps up, each drawn back into a ball (Madry et al. 2018); learns from the last place.

    Args:
        size: Radius of the ball, as a share of the length of the states of a text.
        steps: Steps up; 1 is FGM.
        stride: Length of a step as a share in the same sense; 1.5 times what would reach the edge when None.
        weight: What the pushed loss counts beside the plain one.
        at: Push the input of this module instead of that of the lowest learning layer.
    """

    _reach = 1.5

    def gradients(self, run: Run, batch: Any, share: float) -> None:
        """Climb with gradients of the states alone, then add the gradient of the weights at the top."""
        seen = self._entered()
        if _unfelt(seen):
            return
        slopes: Sequence[Tensor | None] = [states.grad for states in seen]
        shifts = self._climbed(_nowhere(seen), seen, slopes, self._stride)
        for _ in range(self._steps - 1):
            value = self._value(run, batch, shifts)
            slopes = torch.autograd.grad(value, self._entered(), allow_unused=True)
            shifts = self._climbed(shifts, seen, slopes, self._stride)
        self._backward(run, batch, shifts, share * self._weight)
        self._seen = []


class FreeLB(_Climb):
    """Several steps up from a random place, learning at each of them (Zhu et al. 2020): no pass is for the climb alone.

    The plain gradient stays in, too. Unlike in the paper each pass draws its own dropout.

    Args:
        size: Radius of the ball, as a share of the length of the states of a text.
        steps: Places to learn from.
        stride: Length of a step as a share in the same sense; what would reach the edge from the centre when None.
        weight: What the mean of the pushed losses counts beside the plain one.
        at: Push the input of this module instead of that of the lowest learning layer.
    """

    def gradients(self, run: Run, batch: Any, share: float) -> None:
        """Add the mean gradient of the weights over the places of the climb."""
        seen = self._entered()
        if _unfelt(seen):
            return
        noise = [None if states.grad is None else _random(states) * _touched(states.grad) for states in seen]
        shifts = self._climbed(_nowhere(seen), seen, noise, self._size / 2)
        for _ in range(self._steps):
            self._backward(run, batch, shifts, share * self._weight / self._steps)
            shifts = self._climbed(shifts, seen, [states.grad for states in self._entered()], self._stride)


class AWP(Hook):
    """Push the weights instead of the states, and learn from there (adversarial weight perturbation, Wu et al. 2020).

    Flattens the place where training ends. Matrices alone are pushed; they are put back bit for bit.

    Args:
        size: Length of the push of each matrix, as a share of its length.
        weight: What the pushed loss counts beside the plain one.
        after: Share of the run that goes by before it begins.
    """

    def __init__(self, size: float = 0.005, weight: float = 1.0, after: float = 0.0) -> None:
        self._size, self._weight, self._after = size, weight, after

    def gradients(self, run: Run, batch: Any, share: float) -> None:
        """Push along the gradient added up so far, add the gradient found there, put everything back."""
        if run.over < self._after:
            return
        slopes = {p: p.grad for p in run.parameters if p.grad is not None and p.ndim > 1}
        kept = [parameter.detach().clone() for parameter in slopes]
        try:
            with torch.no_grad():
                for parameter, slope in slopes.items():
                    parameter.add_(slope * (self._size * parameter.norm() / slope.norm().clamp_min(_TINY)))
            (share * self._weight * run.value(batch)).backward()  # type: ignore[no-untyped-call]
        finally:
            with torch.no_grad():
                for parameter, value in zip(slopes, kept, strict=True):
                    parameter.copy_(value)


def _unfelt(seen: Sequence[Tensor]) -> bool:
    """No gradient came down to the states, as below the layers that gradual unfreezing has opened: nothing to push."""
    return all(states.grad is None for states in seen)


def _nowhere(seen: Sequence[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(states, dtype=torch.float32) for states in seen]


def _random(states: Tensor) -> Tensor:
    return 2 * torch.rand_like(states, dtype=torch.float32) - 1


def _steepest(states: Tensor, slope: Tensor) -> Tensor:
    """The gradient, in each row as long as the states it bears on; float32 of the shape of `states`."""
    steep = slope.float()
    return steep * (_lengths(states.detach().float() * _touched(slope)) / _lengths(steep).clamp_min(_TINY))


def _touched(slope: Tensor) -> Tensor:
    """Where the loss depends on a token at all, which is not so at padding; float (n, t, 1)."""
    return (slope != 0).any(dim=-1, keepdim=True).float()


def _lengths(rows: Tensor) -> Tensor:
    """Length of each row of (n, ...), kept in a shape that divides it."""
    lengths: Tensor = rows.flatten(1).norm(dim=1)
    return lengths.view(-1, *[1] * (rows.ndim - 1))

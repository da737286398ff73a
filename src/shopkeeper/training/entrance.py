"""Where hidden states enter the part of a model that learns, to watch them there or to push them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from shopkeeper.training.freezing import layer_stack


class Entrance:
    """The input of the lowest transformer layer with anything to learn.

    With all layers open, or none, these are the embedded tokens as they enter the first layer; with frozen lower layers
    the gradient need not pass through them. Passes without a gradient (a validation, a teacher) go by untouched.

    Args:
        model: What is trained.
        module: Another module of it, whose first argument is meant instead.
    """

    def __init__(self, model: nn.Module, module: nn.Module | None = None) -> None:
        self._module = module or lowest_learning(model)

    @contextmanager
    def watched(self) -> Iterator[list[Tensor]]:
        """Within it, the states that enter are noted, one for each forward pass; after a backward they hold their gradient."""
        seen: list[Tensor] = []

        def note(states: Tensor) -> Tensor:
            if states.requires_grad:
                states.retain_grad()
            else:
                states = states.detach().requires_grad_()
            seen.append(states)
            return states

        with self._through(note):
            yield seen

    @contextmanager
    def moved(self, shifts: Sequence[Tensor]) -> Iterator[None]:
        """Within it, the states of the n-th forward pass enter moved by ``shifts[n]``, of the same shape."""
        waiting = iter(shifts)
        with self._through(lambda states: states + next(waiting).to(states.dtype)):
            yield

    @contextmanager
    def _through(self, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
        def enter(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any] | None:
            if not torch.is_grad_enabled():
                return None
            if given:
                return (change(given[0]), *given[1:]), named
            return given, named | {"hidden_states": change(named["hidden_states"])}

        handle = self._module.register_forward_pre_hook(enter, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


def lowest_learning(model: nn.Module) -> nn.Module:
    """The lowest transformer layer with a parameter that may change; the first layer when there is none.

    Raises:
        TrainingError: The model has no stack of layers.
    """
    layers = layer_stack(model)
    learning = (layer for layer in layers if any(parameter.requires_grad for parameter in layer.parameters()))
    return next(learning, layers[0])

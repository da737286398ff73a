"""Which parameters of a pretrained body may change, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shopkeeper.errors import TrainingError
from shopkeeper.training.hooks import Hook

if TYPE_CHECKING:
    from shopkeeper.training.loop import Run


def open_top(body: nn.Module, layers: int | None) -> int:
    """Let the top `layers` transformer layers learn and freeze what lies below them, embeddings included.

    The layers are the longest `ModuleList` of the body, which holds for BERT-like and GPT-like models alike. What comes
    after them (a final norm) learns with them.

    Args:
        body: The pretrained model, without its head.
        layers: How many top layers learn; 0 freezes the whole body (train a head only), None frees everything.

    Returns:
        Number of parameters of the body that may change.

    Raises:
        TrainingError: `layers` is negative or more than the body has.
    """
    if layers is None:
        body.requires_grad_(requires_grad=True)
        return _open(body)
    body.requires_grad_(requires_grad=False)
    if layers == 0:
        return 0
    name, stack = named_stack(body)
    if not 0 < layers <= len(stack):
        raise TrainingError(
            f"Cannot open {layers} layers of a body that has {len(stack)}.",
            where="trainable layers",
            cure=f"Use a number from 0 to {len(stack)}, or none for everything.",
        )
    below = True
    first = f"{name}.{len(stack) - layers}."
    for parameter_name, parameter in body.named_parameters():
        below = below and not parameter_name.startswith(first)
        parameter.requires_grad = not below
    return _open(body)


def trainable_share(model: nn.Module) -> float:
    """Share of all parameters that may change, in [0, 1]."""
    return _open(model) / max(1, sum(parameter.numel() for parameter in model.parameters()))


def layer_count(body: nn.Module) -> int:
    """How many transformer layers the body has."""
    return len(named_stack(body)[1])


def layer_stack(body: nn.Module) -> nn.ModuleList:
    """The transformer layers of the body, lowest first: its longest `ModuleList`."""
    return named_stack(body)[1]


def frozen_layers(body: nn.Module) -> int:
    """How many of the lowest layers, and all that lies below them, do not learn; 0 when something below learns."""
    name, stack = named_stack(body)
    below = True
    for parameter_name, parameter in body.named_parameters():
        if parameter_name.startswith(f"{name}."):
            break
        below = below and not parameter.requires_grad
    if not below:
        return 0
    learning = [any(p.requires_grad for p in layer.parameters()) for layer in stack]
    return learning.index(True) if True in learning else len(stack)


def named_stack(body: nn.Module) -> tuple[str, nn.ModuleList]:
    """The transformer layers of the body and the name of the list they are in.

    Raises:
        TrainingError: It has no such list.
    """
    stacks = [(name, module) for name, module in body.named_modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise TrainingError(
            f"{type(body).__name__} has no stack of layers to freeze in part.",
            where="trainable layers",
            cure="Train everything or only a head.",
        )
    return max(stacks, key=lambda pair: len(pair[1]))


class GradualUnfreezing(Hook):
    """Begins with the head and the topmost layers, and opens one more layer each epoch (ULMFiT, Howard & Ruder 2018).

    A closed layer is one that no gradient reaches: the loss is cut off below the lowest open one. Its parameters belong
    to the run from the first step on, so let everything learn that is to be opened in the end. Embeddings are opened
    with the layer that would come after the lowest.

    Args:
        body: The pretrained model, without its head.
        first: Layers open in the first epoch; 0 for the head alone.
    """

    def __init__(self, body: nn.Module, first: int = 1) -> None:
        self._layers = list(layer_stack(body))
        self._first = self.open = first

    def start(self, run: Run) -> None:
        """Cut every loss of the run, wherever the cut is by then."""
        whole = run.loss

        def cut(model: nn.Module, batch: Any) -> Tensor:
            with _cut(self._layers, self.open):
                return whole(model, batch)

        run.loss = cut

    def epoch(self, run: Run, number: int) -> None:  # noqa: ARG002
        """One layer more than in the epoch before."""
        self.open = self._first + number - 1

    def state(self) -> Mapping[str, Tensor]:
        """How many layers are open: a run may be taken up within an epoch."""
        return {"open": torch.tensor([self.open])}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on with as many."""
        self.open = int(state["open"])


@contextmanager
def _cut(layers: Sequence[nn.Module], top: int) -> Iterator[None]:
    """Within it, no gradient passes below the `top` upper layers."""
    if top > len(layers):
        yield
        return
    if top == 0:
        handle = layers[-1].register_forward_hook(lambda _, __, out: _detached(out))
    else:
        handle = layers[-top].register_forward_pre_hook(
            lambda _, given, named: (_detached(given), _detached(named)), with_kwargs=True
        )
    try:
        yield
    finally:
        handle.remove()


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if type(value) in (tuple, list):
        return type(value)(_detached(part) for part in value)
    return {key: _detached(part) for key, part in value.items()} if type(value) is dict else value


def _open(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

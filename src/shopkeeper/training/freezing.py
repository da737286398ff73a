"""Which parameters of a pretrained body may change."""

from __future__ import annotations

from torch import nn

from shopkeeper.errors import TrainingError


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
    name, stack = _stack(body)
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
    return len(_stack(body)[1])


def layer_stack(body: nn.Module) -> nn.ModuleList:
    """The transformer layers of the body, lowest first: its longest `ModuleList`."""
    return _stack(body)[1]


def frozen_layers(body: nn.Module) -> int:
    """How many of the lowest layers, and all that lies below them, do not learn; 0 when something below learns."""
    name, stack = _stack(body)
    below = True
    for parameter_name, parameter in body.named_parameters():
        if parameter_name.startswith(f"{name}."):
            break
        below = below and not parameter.requires_grad
    if not below:
        return 0
    learning = [any(p.requires_grad for p in layer.parameters()) for layer in stack]
    return learning.index(True) if True in learning else len(stack)


def _stack(body: nn.Module) -> tuple[str, nn.ModuleList]:
    stacks = [(name, module) for name, module in body.named_modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise TrainingError(
            f"{type(body).__name__} has no stack of layers to freeze in part.",
            where="trainable layers",
            cure="Train everything or only a head.",
        )
    return max(stacks, key=lambda pair: len(pair[1]))


def _open(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

"""Learning from data that arrive in periods or categories without forgetting the earlier ones.

The means, to be combined at will: rehearse a small memory (`memory.herding`, `memory.Reservoir`, `memory.rehearsed`),
keep answering as before (`remembering`), hold on to what mattered (`elastic.ElasticPenalty`), or learn each period apart
and bring what was learnt together (`merge_deltas`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from shopkeeper.errors import TrainingError
from shopkeeper.training.distillation import taught
from shopkeeper.training.loop import Loss
from shopkeeper.training.supervised import Criterion, Labelled

State = Mapping[str, Tensor]
"""Parameters, or differences of parameters, by name."""


def remembering(
    criterion: Criterion, answers: Tensor, *, weight: float = 1.0, temperature: float = 2.0
) -> Loss[Labelled]:
    """Learning without forgetting (Li and Hoiem 2016): learn what the labels say, and keep answering as before.

    Args:
        criterion: What the labels ask for.
        answers: float (n, j), `distillation.answers` of the model before this period on the examples of this period and
            those in memory, one row for each example of the batches; j may be fewer classes than there are now.
        weight: How much the former self counts beside the labels.
        temperature: Evens out its probabilities.
    """
    return taught(criterion, answers, weight=weight, temperature=temperature)


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that learn, by name."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def put_back(model: nn.Module, state: State) -> None:
    """Set parameters to those of a snapshot.

    Raises:
        TrainingError: The model has no such parameter, or of another shape; nothing is changed then.
    """
    named = dict(model.named_parameters())
    for name, value in state.items():
        if name not in named or named[name].shape != value.shape:
            raise TrainingError(
                f"The model has no parameter {name} of shape {tuple(value.shape)}.",
                where="snapshot",
                cure="Put it back into the model it was taken from.",
            )
    with torch.no_grad():
        for name, value in state.items():
            named[name].copy_(value)


def delta(before: State, after: State) -> dict[str, Tensor]:
    """What a period changed: its task vector, after - before (Ilharco et al. 2023)."""
    return {name: value - before[name] for name, value in after.items()}


def merge_deltas(base: State, deltas: Sequence[State], weights: Sequence[float] | None = None) -> dict[str, Tensor]:
    """Parameters that hold what several periods changed: base + sum of weight x delta.

    Args:
        base: Where all of them started.
        deltas: What each changed, of the same names and shapes.
        weights: One for each delta; their mean when None.

    Raises:
        TrainingError: A delta is of another base, or the weights do not fit.
    """
    shares = [1 / len(deltas)] * len(deltas) if weights is None else list(weights)
    if len(shares) != len(deltas):
        raise TrainingError(f"{len(shares)} weights cannot weigh {len(deltas)} deltas.", where="merging")
    shapes = {name: value.shape for name, value in base.items()}
    for number, change in enumerate(deltas, start=1):
        if {name: value.shape for name, value in change.items()} != shapes:
            raise TrainingError(
                f"Delta {number} is not one of this base: names or shapes differ.",
                where="merging",
                cure="Merge what was learnt from the same model with the same layers open.",
            )
    merged = {name: value.clone() for name, value in base.items()}
    for share, change in zip(shares, deltas, strict=True):
        for name, value in change.items():
            merged[name] += share * value
    return merged


def grow(head: nn.Linear, classes: int, *, seed: int = 0) -> nn.Linear:
    """A head for more classes that answers for the earlier ones as before.

    Args:
        head: Knows the first classes.
        classes: How many there are now.
        seed: Of the new rows.

    Raises:
        TrainingError: There would be fewer classes than before.
    """
    known = head.out_features
    if classes < known:
        raise TrainingError(f"A head of {known} classes cannot grow to {classes}.", where="classes")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        grown = nn.Linear(head.in_features, classes, bias=head.bias is not None).to(head.weight.device)
    with torch.no_grad():
        grown.weight[:known] = head.weight
        if head.bias is not None:
            grown.bias[:known] = head.bias
    return grown

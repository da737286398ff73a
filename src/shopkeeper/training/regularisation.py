"""Losses that show a model its examples in another way than once and as they are. Each takes a criterion and gives a loss.

`label smoothing` is an argument of `criteria.classes`; weight decay and dropout are settings of the run and of the head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from shopkeeper.training.supervised import Criterion, Labelled, weighted

Apart = Callable[[Tensor, Tensor], Tensor]
"""Logits (n, k) and logits (n, k) of the same rows -> how far they are apart, float (n,)."""


class Halved(Protocol):
    """A model in two halves, such as `heads.Classifier`."""

    def pooled(self, *inputs: Tensor) -> Tensor:
        """One vector for each text, float (n, d)."""
        ...

    def head(self, pooled: Tensor) -> Tensor:
        """Logits, float (n, k)."""
        ...


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """Mean of both Kullback-Leibler divergences between the classes that two float (n, k) logits stand for."""
    first, second = functional.log_softmax(one.float(), dim=1), functional.log_softmax(other.float(), dim=1)
    return ((first.exp() - second.exp()) * (first - second)).sum(dim=1) / 2


def divergence_of_several(one: Tensor, other: Tensor) -> Tensor:
    """As `divergence`, for outputs that each are a yes or no of their own (`several`, `ordered`); mean over them."""
    first, second = one.float(), other.float()
    return ((first.sigmoid() - second.sigmoid()) * (first - second)).mean(dim=1) / 2


def difference(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared difference, for numbers."""
    return (one.float() - other.float()).square().flatten(1).mean(dim=1)


def r_drop(
    criterion: Criterion, weight: float = 1.0, apart: Apart = divergence
) -> Callable[[nn.Module, Labelled], Tensor]:
    """Two passes with different dropout must each be right and agree with each other (R-Drop, Liang et al. 2021).

    Twice the time of a step, and twice its memory.

    Args:
        criterion: What it means to be right.
        weight: What disagreement costs; 0.5 to 5 are usual.
        apart: How disagreement is measured; `divergence_of_several` or `difference` where classes are not what is learnt.
    """

    def loss(model: nn.Module, batch: Labelled) -> Tensor:
        batch = batch.to(next(model.parameters()).device)
        one, other = model(*batch.inputs), model(*batch.inputs)
        right = (criterion(one, batch.wanted) + criterion(other, batch.wanted)) / 2
        return weighted(right + weight * apart(one, other), batch.weights)

    return loss


def mixup(criterion: Criterion, alpha: float = 0.2) -> Callable[[nn.Module, Labelled], Tensor]:
    """Learn from mixtures of two examples' vectors, wanting both labels in the same proportion (Zhang et al. 2018).

    For texts the pooled vectors are mixed (Guo et al. 2019). The proportion is drawn for each batch from
    Beta(alpha, alpha) with PyTorch's generator, which the loop seeds and keeps in its checkpoints.

    Args:
        criterion: What it means to be right; any will do, since losses are mixed in place of labels.
        alpha: Towards 0 nothing is mixed, 1 mixes in any proportion alike.
    """
    proportions = torch.distributions.Beta(alpha, alpha)

    def loss(model: nn.Module, batch: Labelled) -> Tensor:
        batch = batch.to(next(model.parameters()).device)
        halves = cast("Halved", model)
        pooled = halves.pooled(*batch.inputs)
        share = float(proportions.sample())
        partner = torch.randperm(len(pooled)).to(pooled.device)
        logits = halves.head(share * pooled + (1 - share) * pooled[partner])
        own = weighted(criterion(logits, batch.wanted), batch.weights)
        theirs = weighted(criterion(logits, batch.wanted[partner]), batch.weights[partner])
        return share * own + (1 - share) * theirs

    return loss

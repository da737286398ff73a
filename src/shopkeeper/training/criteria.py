"""Criteria: plain functions (logits, wanted) -> one loss a row. `models.decisions` says how logits become answers.

Each function here makes a criterion; what it returns is computed in float32 whatever the body ran in.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from shopkeeper.training.supervised import Criterion

_LOG_OF_NOTHING = -4.0  # what symmetric cross-entropy takes for the logarithm of 0


def classes(smoothing: float = 0.0, counts: Tensor | None = None) -> Criterion:
    """One class of k: cross-entropy of float (n, k) logits and int64 (n,) classes.

    Args:
        smoothing: Share of the target spread evenly over all classes (Szegedy et al. 2016).
        counts: float (k,), relative weight of each class; even when None.
    """

    def criterion(logits: Tensor, wanted: Tensor) -> Tensor:
        return functional.cross_entropy(
            logits.float(), wanted, weight=counts, reduction="none", label_smoothing=smoothing
        )

    return criterion


def several(counts: Tensor | None = None) -> Criterion:
    """Any number of k labels: mean binary cross-entropy of float (n, k) logits and float (n, k) of 0 and 1.

    Args:
        counts: float (k,), how much a label that is there counts against one that is not; 1 when None.
    """

    def criterion(logits: Tensor, wanted: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(
            logits.float(), wanted.float(), pos_weight=counts, reduction="none"
        ).mean(dim=1)

    return criterion


def ordered() -> Criterion:
    """One of k classes that stand in an order (stars, grades of relevance), from k - 1 cumulative logits.

    Output j answers "is the class above j?"; the loss is the mean binary cross-entropy over these questions (Niu et al.
    2016). With a head whose outputs differ in their bias only it is CORAL (Cao et al. 2020); a plain linear head is more
    flexible, and `decisions.ordered_shares` sees to the order.

    The criterion takes float (n, k - 1) logits and int64 (n,) classes from 0 to k - 1.
    """

    def criterion(logits: Tensor, wanted: Tensor) -> Tensor:
        above = wanted.unsqueeze(1) > torch.arange(logits.shape[1], device=logits.device)
        return functional.binary_cross_entropy_with_logits(
            logits.float(), above.to(torch.float32), reduction="none"
        ).mean(dim=1)

    return criterion


def number(bend: float = 1.0) -> Criterion:
    """A number: Huber's loss (1964) of float (n, 1) or (n,) logits and float (n,) numbers, standardised beforehand.

    Args:
        bend: Error at which the square turns into a straight line, so that outliers pull no harder.
    """

    def criterion(logits: Tensor, wanted: Tensor) -> Tensor:
        return functional.huber_loss(logits.float().reshape(-1), wanted.float(), delta=bend, reduction="none")

    return criterion


def focal(gamma: float = 2.0, counts: Tensor | None = None) -> Criterion:
    """Cross-entropy that cares less about rows it has right: (1 - p) ** gamma * -log p (Lin et al. 2017).

    Args:
        gamma: 0 gives cross-entropy; the larger, the more the hard rows count.
        counts: float (k,), relative weight of each class; even when None.
    """

    def criterion(logits: Tensor, wanted: Tensor) -> Tensor:
        said = _log_share(logits, wanted)
        losses = -((1 - said.exp()).clamp_min(1e-6) ** gamma) * said
        return losses if counts is None else losses * counts[wanted]

    return criterion


def generalised_cross_entropy(q: float = 0.7) -> Criterion:
    """(1 - p ** q) / q of the wanted class: bounded, so that a wrong label cannot pull for ever (Zhang & Sabuncu 2018).

    Args:
        q: Towards 0 it is cross-entropy, fast to learn; 1 is the mean absolute error, which forgives most.
    """
    if not 0 < q <= 1:
        raise ValueError(f"q must be in (0, 1], not {q}")

    def criterion(logits: Tensor, wanted: Tensor) -> Tensor:
        return -torch.expm1(q * _log_share(logits, wanted)) / q

    return criterion


def symmetric_cross_entropy(straight: float = 0.1, reverse: float = 1.0) -> Criterion:
    """Cross-entropy, and cross-entropy with label and prediction exchanged, which wrong labels hurt less (Wang et al. 2019).

    Args:
        straight: Weight of the usual part.
        reverse: Weight of the exchanged part, where the logarithm of 0 counts as -4.
    """

    def criterion(logits: Tensor, wanted: Tensor) -> Tensor:
        said = _log_share(logits, wanted)
        return -straight * said - reverse * _LOG_OF_NOTHING * (1 - said.exp())

    return criterion


def _log_share(logits: Tensor, wanted: Tensor) -> Tensor:
    """Logarithm of the probability of the wanted class, float32 (n,)."""
    return functional.log_softmax(logits.float(), dim=1).gather(1, wanted.unsqueeze(1)).squeeze(1)

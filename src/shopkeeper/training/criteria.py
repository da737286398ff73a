"""Criteria: plain functions (logits, wanted) -> one loss a row, and the decisions that go with them."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from shopkeeper.training.supervised import Criterion


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

"""Objectives: plain functions on tensors, each a scalar to make small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def info_nce(
    queries: Tensor,
    passages: Tensor,
    *,
    scale: float = 20.0,
    symmetric: bool = True,
    also_right: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Contrast each query's own passage with everybody else's and with extra hard negatives.

    Cross-entropy of softmax(scale * cosine) over all passages (InfoNCE, van den Oord et al. 2018).

    Args:
        queries: float (n, d), any length.
        passages: float (m, d), m >= n; row i answers query i for i < n, the rest are extra negatives of all queries.
        scale: Inverse temperature of the cosine.
        symmetric: Also let each of the first n passages find its query among the n.
        also_right: Bool (n, m), True where a passage answers a query that is not its own; such pairs are left out.
        weights: float (n,), relative weight of each pair.

    Returns:
        Scalar.
    """
    count = len(queries)
    scores = scale * functional.normalize(queries.float(), dim=1) @ functional.normalize(passages.float(), dim=1).T
    if also_right is not None:
        own = torch.eye(count, len(passages), dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(also_right & ~own, float("-inf"))
    target = torch.arange(count, device=scores.device)
    losses = functional.cross_entropy(scores, target, reduction="none")
    if symmetric:
        losses = (losses + functional.cross_entropy(scores[:, :count].T, target, reduction="none")) / 2
    return _mean(losses, weights)


def cross_entropy(logits: Tensor, labels: Tensor, *, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of float (n, c) logits and int64 (n,) labels, optionally weighted by row and smoothed."""
    losses = functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
    return _mean(losses, weights)


def margin_mse(right: Tensor, wrong: Tensor, teacher_right: Tensor, teacher_wrong: Tensor) -> Tensor:
    """Squared error between the student's and the teacher's margin of right over wrong, all float (n,).

    Margin-MSE, Hofstätter et al. 2020: the student may score on its own scale, only differences are taught.
    """
    return functional.mse_loss((right - wrong).float(), (teacher_right - teacher_wrong).float())


def _mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses.mean() if weights is None else (losses * weights).sum() / weights.sum().clamp_min(1e-9)

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


def supervised_contrastive(vectors: Tensor, labels: Tensor, *, temperature: float = 0.07) -> Tensor:
    """Pull together what has the same label, push apart the rest of the batch (Khosla et al. 2020, their L_out).

    Args:
        vectors: float (n, d), any length.
        labels: int64 (n,).
        temperature: Divides the cosine.

    Returns:
        Scalar; rows whose label is alone in the batch are left out, 0 when all are.
    """
    unit = functional.normalize(vectors.float(), dim=1)
    own = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    scores = (unit @ unit.T / temperature).masked_fill(own, float("-inf"))
    alike = (labels.unsqueeze(1) == labels) & ~own
    shares = functional.log_softmax(scores, dim=1).masked_fill(~alike, 0.0)
    friends = alike.sum(dim=1)
    losses = -shares.sum(dim=1) / friends.clamp_min(1)
    return _mean(losses, (friends > 0).float())


def list_net(scores: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy between the shares that grades and scores give to each query's documents.

    ListNet (Cao et al. 2007) with shares proportional to 2 ** grade - 1 in place of exp(grade), so that a document of
    grade 0 gets none; this bounds nDCG (Bruch et al. 2019).

    Args:
        scores: float (q, m), of m documents of each of q queries.
        grades: float (q, m), 0 and up.
        mask: Bool (q, m), False where a query has no m-th document.

    Returns:
        Scalar, mean over the queries that have a document with a grade above 0.
    """
    gains = _gains(grades, mask)
    total = gains.sum(dim=1, keepdim=True)
    shares = functional.log_softmax(scores.float().masked_fill(~mask, float("-inf")), dim=1).masked_fill(~mask, 0.0)
    losses = -(gains / total.clamp_min(1e-9) * shares).sum(dim=1)
    return _mean(losses, (total[:, 0] > 0).float())


def rank_net(scores: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """Logistic loss of every pair of a query's documents whose grades differ (RankNet, Burges et al. 2005).

    Arguments as for `list_net`; scalar, mean over all such pairs.
    """
    losses, better = _pairs(scores, grades, mask)
    return _mean(losses, better.float())


def lambda_rank(scores: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """As `rank_net`, each pair weighted by how much nDCG an exchange of the two would cost, in the present order.

    LambdaRank (Burges et al. 2006); as a loss with these gradients it bounds nDCG (LambdaLoss, Wang et al. 2018).

    Arguments as for `list_net`; scalar, mean over the queries that have a pair.
    """
    losses, better = _pairs(scores, grades, mask)
    with torch.no_grad():
        gains = _gains(grades, mask)
        discounts = 1 / torch.log2(torch.arange(scores.shape[1], device=scores.device, dtype=torch.float32) + 2)
        place = scores.float().masked_fill(~mask, float("-inf")).argsort(dim=1, descending=True).argsort(dim=1)
        best = (gains.sort(dim=1, descending=True).values * discounts).sum(dim=1)
        at = discounts[place]
        costs = (gains.unsqueeze(2) - gains.unsqueeze(1)) * (at.unsqueeze(2) - at.unsqueeze(1))
        weights = costs.abs() * better / best.clamp_min(1e-9)[:, None, None]
    return _mean((losses * weights).sum(dim=(1, 2)), better.any(dim=2).any(dim=1).float())


def _pairs(scores: Tensor, grades: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Logistic loss float (q, m, m) of "row above column", and bool (q, m, m) where that is what the grades say."""
    values = scores.float()
    better = (grades.unsqueeze(2) > grades.unsqueeze(1)) & mask.unsqueeze(2) & mask.unsqueeze(1)
    return functional.softplus(values.unsqueeze(1) - values.unsqueeze(2)), better


def _gains(grades: Tensor, mask: Tensor) -> Tensor:
    return (torch.exp2(grades.float()) - 1) * mask


def _mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses.mean() if weights is None else (losses * weights).sum() / weights.sum().clamp_min(1e-9)

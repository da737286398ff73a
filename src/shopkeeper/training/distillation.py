"""A teacher's answers as what is to be learnt: of a larger model, of several, of a cross-encoder, or of one's former self.

The teacher speaks once, before training (`answers`, `encode`, `score`); the student then learns from arrays, so that no
second model has to be held or run beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shopkeeper.compute.precision import autocast
from shopkeeper.models.backbone import Backbone
from shopkeeper.training.batching import Buckets, Ints
from shopkeeper.training.loop import Loss
from shopkeeper.training.objectives import margin_mse
from shopkeeper.training.supervised import Criterion, Inputs, Labelled, weighted
from shopkeeper.training.texts import TokenRows


def softened(temperature: float = 2.0) -> Criterion:
    """Follow a teacher's logits (Hinton et al. 2015): T^2 x KL(teacher / T, student / T), one value a row.

    The criterion takes float (n, k) logits of the student and float (n, j) of the teacher, j <= k: a teacher that knows
    the first j classes only is followed in those.
    """

    def criterion(logits: Tensor, wanted: Tensor) -> Tensor:
        own = functional.log_softmax(logits.float()[:, : wanted.shape[1]] / temperature, dim=1)
        taught = functional.log_softmax(wanted.float() / temperature, dim=1)
        return temperature**2 * (taught.exp() * (taught - own)).sum(dim=1)

    return criterion


def similar(vectors: Tensor, wanted: Tensor) -> Tensor:
    """Criterion: one minus the cosine of float (n, d) vectors with the teacher's; float (n,)."""
    return 1.0 - functional.cosine_similarity(vectors.float(), wanted.float(), dim=1)


def squared(vectors: Tensor, wanted: Tensor) -> Tensor:
    """Criterion: mean squared difference of float (n, d) vectors from the teacher's; float (n,)."""
    return ((vectors.float() - wanted.float()) ** 2).mean(dim=1)


def taught(
    criterion: Criterion, answers: Tensor, *, weight: float = 1.0, temperature: float = 2.0, labels: float = 1.0
) -> Loss[Labelled]:
    """The loss of the loop that learns from labels and from a teacher: labels x criterion + weight x `softened`.

    Args:
        criterion: What the labels ask for.
        answers: float (n, j), the teacher's logits, one row for each example of the batches (`Labelled.rows`).
        weight: How much the teacher counts.
        temperature: Evens out the teacher's probabilities, so that its second choices are heard.
        labels: How much the labels count; 0 where there are none.
    """
    following = softened(temperature)

    def loss(model: nn.Module, batch: Labelled) -> Tensor:
        device = next(model.parameters()).device
        logits = model(*batch.to(device).inputs)
        losses = weight * following(logits, answers[torch.from_numpy(batch.rows)].to(device))
        if labels:
            losses = losses + labels * criterion(logits, batch.wanted.to(device))
        return weighted(losses, batch.weights.to(device))

    return loss


def imitating(backbone: Backbone, criterion: Criterion = similar) -> Loss[Labelled]:
    """The loss of the loop that teaches `backbone` to give a teacher's vectors, float (n, d), held in `Labelled.wanted`."""

    def loss(model: nn.Module, batch: Labelled) -> Tensor:
        batch = batch.to(next(model.parameters()).device)
        return weighted(criterion(backbone.unit_vectors(*batch.inputs), batch.wanted), batch.weights)

    return loss


@dataclass(frozen=True, slots=True)
class Triples:
    """Queries, each with a right and a less right passage, and by how much a cross-encoder parts the two.

    Attributes:
        queries: Ids, mask and types, each int64 (n, t).
        right: The same of the right passages.
        wrong: The same of the others.
        margins: float32 (n,), teacher's score of right minus that of wrong.
    """

    queries: Inputs
    right: Inputs
    wrong: Inputs
    margins: Tensor


def triples(
    queries: TokenRows, passages: TokenRows, chosen: Ints, margins: NDArray[np.float32], size: int
) -> Buckets[Triples]:
    """Batches of at most `size` triples.

    Args:
        queries: Distinct queries.
        passages: Distinct passages.
        chosen: int64 (n, 3), numbers of query, right and wrong passage.
        margins: float32 (n,), see `Triples`.
        size: Triples in a batch.
    """
    gaps = torch.from_numpy(np.ascontiguousarray(margins, dtype=np.float32))

    def collate(rows: Ints) -> Triples:
        query, right, wrong = chosen[rows].T
        return Triples(queries.batch(query), passages.batch(right), passages.batch(wrong), gaps[torch.from_numpy(rows)])

    return Buckets(passages.lengths[chosen[:, 1:]].max(axis=1, initial=1), size, collate)


def parting(backbone: Backbone, scale: float = 20.0) -> Loss[Triples]:
    """The loss of the loop that teaches a bi-encoder a cross-encoder's margins; see `objectives.margin_mse`.

    Args:
        backbone: The student; its score is scale x cosine, as a served encoder ranks by cosine.
        scale: Cosines span little, a cross-encoder's logits much: about the spread of its scores.
    """

    def loss(_: nn.Module, batch: Triples) -> Tensor:
        device = backbone.model.device
        query, right, wrong = (
            backbone.unit_vectors(*(part.to(device) for part in side))
            for side in (batch.queries, batch.right, batch.wrong)
        )
        scores = [scale * (query * passage).sum(dim=1) for passage in (right, wrong)]
        gaps = batch.margins.to(device)
        return margin_mse(scores[0], scores[1], gaps, torch.zeros_like(gaps))

    return loss


def answers(
    model: nn.Module,
    texts: TokenRows,
    rows: Ints | None = None,
    *,
    size: int = 64,
    bfloat16: bool = False,
    within: Callable[[Ints], AbstractContextManager[object]] = nullcontext,
) -> Tensor:
    """What a classifier says of texts: logits, float32 (n, k) on the CPU; leaves the model in the mode it was in.

    Args:
        model: Takes ids, mask and types, gives logits.
        texts: Texts or pairs.
        rows: int64 (n,), numbers of those asked about; all of them when None.
        size: Texts of a forward pass, of like lengths.
        bfloat16: See `precision.autocast`.
        within: Context of the forward pass over some rows, e.g. `trunk.Trunk.using`.
    """
    rows = np.arange(len(texts.ids)) if rows is None else rows
    device, training = next(model.parameters()).device, model.training
    order = np.argsort(-texts.lengths[rows], kind="stable")
    parts: list[Tensor] = []
    model.eval()
    try:
        with torch.no_grad(), autocast(device, bfloat16):
            for start in range(0, len(order), size):
                some = rows[order[start : start + size]]
                with within(some):
                    parts.append(model(*(part.to(device) for part in texts.batch(some))).float().cpu())
    finally:
        model.train(training)
    found = torch.cat(parts) if parts else torch.zeros(0, 0)
    return found[torch.from_numpy(np.argsort(order))]

"""Contrast between classes: a sentence encoder is tuned so that texts of one class come close to each other.

Supervised contrastive learning (Khosla et al. 2020) within batches of a few classes with a few texts of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from shopkeeper.models.backbone import Backbone
from shopkeeper.models.text import Floats
from shopkeeper.training.batching import Batches, Ints
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.freezing import layer_count, open_top
from shopkeeper.training.loop import fit
from shopkeeper.training.objectives import supervised_contrastive
from shopkeeper.training.plan import FitReport, FitSettings
from shopkeeper.training.supervised import Labelled
from shopkeeper.training.texts import TokenRows, tokenise
from shopkeeper.training.trunk import Trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """How to contrast.

    Attributes:
        steps: Batches, one optimiser step each.
        batch: Texts in a batch.
        alike: Texts of the same class in a batch.
        temperature: Divides the cosine.
        layers: Top layers of the encoder that learn; None for all, embeddings included.
        rate: Peak learning rate.
        longest: Tokens that a text is cut to.
        minutes: Wall-time budget.
    """

    steps: int = 60
    batch: int = 64
    alike: int = 2
    temperature: float = 0.07
    layers: int | None = 4
    rate: float = 1e-4
    longest: int = 64
    minutes: float = 10.0


def contrast(
    backbone: Backbone,
    texts: Sequence[str],
    labels: Ints,
    settings: Contrast,
    *,
    weights: Floats | None = None,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
) -> FitReport:
    """Bring texts of one class close to each other, by supervised contrast within the batch, in place.

    Args:
        backbone: The encoder.
        texts: n texts.
        labels: int64 (n,).
        settings: How.
        weights: float (n,), how often a text is drawn, relative to others of its class.
        seed: Of everything random.
        checkpoint: Where the state of the run is kept.
    """
    tokens = tokenise(backbone, texts, "", min(settings.longest, backbone.max_length))
    draws = Draws(tokens, labels, settings, weights)
    layers = None if settings.layers is None else min(settings.layers, layer_count(backbone.model))
    before = [parameter.requires_grad for parameter in backbone.model.parameters()]
    open_top(backbone.model, layers)
    plan = FitSettings(epochs=1, minutes=settings.minutes, rate=settings.rate)

    def loss(model: nn.Module, batch: Labelled) -> Tensor:
        batch = batch.to(next(model.parameters()).device)
        return supervised_contrastive(backbone.vectors(*batch.inputs), batch.wanted, temperature=settings.temperature)

    frozen = layers is not None and 0 < layers < layer_count(backbone.model)
    trunk = Trunk(backbone, tokens) if frozen else None
    attached: AbstractContextManager[object] = trunk.attached() if trunk is not None else nullcontext()
    with attached:
        report = fit(
            backbone.model,
            draws,
            trunk.loss(loss) if trunk is not None else loss,
            plan,
            hooks=[trunk] if trunk is not None else [],
            checkpoint=checkpoint,
            seed=seed,
            name="contrast",
        )
    for parameter, open_before in zip(backbone.model.parameters(), before, strict=True):
        parameter.requires_grad = open_before
    return report


class Draws(Batches[Labelled]):
    """Batches of a few classes with a few texts of each.

    Args:
        texts: n texts.
        labels: int64 (n,), their classes.
        settings: Steps in an epoch, and what goes into a batch.
        weights: float (n,), how often a text is drawn, relative to others of its class.
    """

    def __init__(self, texts: TokenRows, labels: Ints, settings: Contrast, weights: Floats | None = None) -> None:
        self._texts, self._settings = texts, settings
        self._groups = [np.flatnonzero(labels == number) for number in np.unique(labels)]
        self._chances = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
        self._classes = torch.from_numpy(np.ascontiguousarray(labels))

    def __len__(self) -> int:
        return self._settings.steps

    def epoch(self, rng: np.random.Generator) -> Iterator[Labelled]:
        """As many batches as there are steps; a class with too few texts gives some twice, apart by dropout."""
        groups = max(2, self._settings.batch // self._settings.alike)
        for _ in range(len(self)):
            chosen = rng.permutation(len(self._groups))[:groups].tolist()
            rows = np.concatenate([self._of_group(number, rng) for number in chosen])
            wanted = self._classes[torch.from_numpy(rows)]
            yield Labelled(self._texts.batch(rows), wanted, torch.ones(len(rows)), rows)

    def _of_group(self, number: int, rng: np.random.Generator) -> Ints:
        members = self._groups[number]
        chances = self._chances[members] / self._chances[members].sum()
        few = bool(np.count_nonzero(chances) < self._settings.alike)
        drawn: Ints = rng.choice(len(members), size=self._settings.alike, replace=few, p=chances)
        return members[drawn]

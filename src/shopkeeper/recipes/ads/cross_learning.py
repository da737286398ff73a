"""Fitting DCN-v2 to what was shown, clicked and bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from shopkeeper.models.cross_network import CrossNetwork, CrossShape
from shopkeeper.models.text import Floats
from shopkeeper.ranking.ads.examined_clicks import base_logit, losses
from shopkeeper.ranking.ads.features import BLOCKS
from shopkeeper.ranking.ads.model import TARGETS
from shopkeeper.recipes.ads.periods import Period, examples
from shopkeeper.training.batching import Buckets
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import fit
from shopkeeper.training.plan import FitReport, FitSettings

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossOptions:
    """What may be varied of DCN-v2.

    Attributes:
        vectors: Read the text vectors themselves, beside the features.
        width: Dimensions that each vector is led to.
        crosses: Cross layers.
        hidden: Deep layers.
        dropout: See `CrossShape`.
        rate: Peak learning rate.
        weight_decay: Decoupled decay of matrices.
        batch: Showings of one step.
        epochs: Passes over the showings at most.
        patience: Validations without improvement before training stops, two an epoch.
    """

    vectors: bool = True
    width: int = 24
    crosses: int = 2
    hidden: tuple[int, ...] = (96, 48)
    dropout: float = 0.2
    rate: float = 3e-3
    weight_decay: float = 0.05
    batch: int = 1_024
    epochs: int = 8
    patience: int = 5


def learn_cross(
    train: Period,
    valid: Period,
    vectors: Floats,
    *,
    minutes: float,
    seed: int,
    options: CrossOptions | None = None,
    hooks: Sequence[Hook] = (),
) -> tuple[CrossNetwork, FitReport]:
    """DCN-v2 with one output for clicks and one for the sales of what was clicked.

    Both share one body, as in Ma et al. 2018, "Entire space multi-task model": clicks are many, sales are few.

    Args:
        train: To learn from.
        valid: To stop by: the loss of clicks plus that of sales, each for each showing.
        vectors: float32 (rows, d), the items'.
        minutes: Wall-time budget.
        seed: Of everything random.
        options: What may be varied.
        hooks: What else happens in the loop.
    """
    options = options or CrossOptions()
    shape = CrossShape(
        features=train.table.shape[1],
        blocks=len(BLOCKS) if options.vectors else 0,
        dimension=vectors.shape[1],
        width=options.width,
        crosses=options.crosses,
        hidden=options.hidden,
        outputs=len(TARGETS),
        dropout=options.dropout,
    )
    spread = train.table.std(axis=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CrossNetwork(
            shape,
            train.table.mean(axis=0),
            np.where(spread > 1e-6, spread, np.float32(1e6)),
            _basis(vectors, options.width),
        )
        with torch.no_grad():
            for place, target in enumerate(TARGETS):
                rows = examples(train, target)
                model.join.bias[place] = base_logit(rows.hit, rows.looked)

    def batch(numbers: NDArray[np.int64]) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(part) for part in _parts(train, numbers, vectors, shape))

    def loss(network: nn.Module, given: tuple[Tensor, ...]) -> Tensor:
        table, blocks, looked, clicked, bought = given
        logits = network(table, blocks)
        log_chance = looked.log() + logsigmoid(logits[:, 0])
        click = -torch.where(clicked > 0, log_chance, torch.log1p(-log_chance.exp().clamp(max=1 - 1e-6)))
        sale = -torch.where(bought > 0, logsigmoid(logits[:, 1]), logsigmoid(-logits[:, 1])) * clicked
        return click.mean() + sale.mean()

    report = fit(
        model,
        Buckets(np.ones(len(train), dtype=np.int64), options.batch, batch),
        loss,
        FitSettings(
            epochs=options.epochs,
            minutes=minutes,
            rate=options.rate,
            weight_decay=options.weight_decay,
            checks=2,
            patience=options.patience,
            bfloat16=False,
        ),
        validate=lambda: (
            -sum(
                losses(logits[rows.chosen], rows.hit, rows.looked).sum() / len(valid)
                for logits, rows in zip(
                    cross_logits(model, valid, vectors).T, (examples(valid, t) for t in TARGETS), strict=True
                )
            )
        ),
        hooks=hooks,
        seed=seed,
        name="Learning clicks and sales",
    )
    return model, report


def cross_logits(model: CrossNetwork, period: Period, vectors: Floats) -> Values:
    """Logits of all showings of a period by both targets: float64 (n, 2)."""
    training = model.training
    model.eval()
    found = np.zeros((len(period), model.shape.outputs))
    with torch.no_grad():
        for first in range(0, len(period), 4_096):
            numbers = np.arange(first, min(first + 4_096, len(period)))
            table, blocks, *_ = _parts(period, numbers, vectors, model.shape)
            found[numbers] = model(torch.from_numpy(table), torch.from_numpy(blocks)).numpy()
    model.train(training)
    return found


def _parts(
    period: Period, numbers: NDArray[np.int64], vectors: Floats, shape: CrossShape
) -> tuple[NDArray[np.float32], ...]:
    """Table, blocks, looked, clicked and bought of some showings, float32."""
    blocks = np.zeros((len(numbers), shape.blocks, shape.dimension), dtype=np.float32)
    if shape.blocks:
        blocks[:, 0] = vectors[period.row[numbers]]
        blocks[:, 1:] = period.around[period.page[numbers]]
    plain = (period.looked, period.clicked, period.bought)
    return period.table[numbers], blocks, *(part[numbers].astype(np.float32) for part in plain)


def _basis(vectors: Floats, width: int) -> Floats:
    """The directions in which the items differ most, scaled so that what is led to them has deviation 1: float32 (d, k)."""
    middle = vectors - vectors.mean(axis=0)
    values, directions = np.linalg.eigh(middle.T @ middle / max(len(vectors), 1))
    kept = np.argsort(-values)[:width]
    kept = kept[values[kept] > 1e-6 * max(float(values.max()), 1e-12)]
    return np.asarray(directions[:, kept] / np.sqrt(values[kept]), dtype=np.float32)

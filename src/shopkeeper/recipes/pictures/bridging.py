"""How the bridge between words and pictures is learnt: from the shop's own items, without a label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shopkeeper.models.pictures.bridge import WIDTH, Bridge, Projection, Span
from shopkeeper.models.text import Floats
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings, fit

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeOptions:
    """What may be varied.

    Attributes:
        width: Length of the vectors in the common space.
        hidden: Units of the hidden layer beside the linear path; 0 for none.
        dropout: On inputs and hidden units.
        batch: Pairs of one step.
        hard: Share of the batches that hold items of one category each, so that its items are told apart.
        rate: Peak learning rate.
        weight_decay: Decoupled decay.
        epochs: Passes over the pairs at most.
        patience: Validations without improvement before training stops.
    """

    width: int = WIDTH
    hidden: int = 512
    dropout: float = 0.3
    batch: int = 256
    hard: float = 0.3
    rate: float = 1e-3
    weight_decay: float = 0.05
    epochs: int = 60
    patience: int = 8


@dataclass(frozen=True, slots=True)
class Pairs:
    """Words and pictures of the same items.

    Attributes:
        texts: One or more readings of the words (title alone, the whole passage), each float32 (n, t).
        pictures: float32 (n, p), see `modes.glimpses`.
        group: int64 (n,): items with the same number look or read the same, and are no negatives of each other.
        category: int64 (n,).
    """

    texts: Sequence[Floats]
    pictures: Floats
    group: Ints
    category: Ints

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pictures)

    def at(self, rows: Ints) -> Pairs:
        """Some pairs, in that order."""
        return Pairs([text[rows] for text in self.texts], self.pictures[rows], self.group[rows], self.category[rows])


class _Batches:
    """Pairs drawn at random, and between them such of one category."""

    def __init__(self, pairs: Pairs, size: int, hard: float) -> None:
        self._pairs, self._size, self._hard = pairs, size, hard
        self._texts = [torch.from_numpy(text) for text in pairs.texts]
        self._pictures = torch.from_numpy(pairs.pictures)
        self._group = torch.from_numpy(pairs.group)
        order = np.argsort(pairs.category, kind="stable")
        cuts = np.flatnonzero(np.diff(pairs.category[order])) + 1
        self._shelves = [rows for rows in np.split(order, cuts) if len(rows) >= 8]

    def __len__(self) -> int:
        return -(-len(self._pairs) // self._size)

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """One pass; see `training.batching.Batches`."""
        order = rng.permutation(len(self._pairs))
        for start in range(0, len(order), self._size):
            rows = order[start : start + self._size]
            if self._shelves and rng.random() < self._hard:
                rows = self._alike(rng)
            which = torch.from_numpy(rng.integers(len(self._texts), size=len(rows)))
            read = torch.stack([text[rows] for text in self._texts], dim=1)[torch.arange(len(rows)), which]
            group = self._group[rows]
            yield read, self._pictures[rows], group[:, None] == group[None, :]

    def _alike(self, rng: np.random.Generator) -> Ints:
        """A batch of items from few categories, an eighth of it from each."""
        piece = max(8, self._size // 8)
        found: list[Ints] = []
        for place in rng.permutation(len(self._shelves)):
            found.append(rng.permutation(self._shelves[place])[:piece])
            if sum(map(len, found)) >= self._size:
                break
        return np.concatenate(found)


def learn_bridge(
    train: Pairs,
    valid: Pairs,
    options: BridgeOptions | None = None,
    *,
    minutes: float = 5.0,
    seed: int = 7,
    hooks: Sequence[Hook] = (),
) -> tuple[Bridge, FitReport]:
    """Learn both projections; the state with the best mean reciprocal rank on `valid` is kept."""
    options = options or BridgeOptions()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        samples = np.concatenate(list(train.texts))
        bridge = Bridge(
            Projection(samples, options.width, options.hidden, options.dropout),
            Projection(train.pictures, options.width, options.hidden, options.dropout),
        )

    def validate() -> float:
        bridge.eval()
        with torch.inference_mode():
            text, picture = (
                bridge.text(torch.from_numpy(valid.texts[0])),
                bridge.picture(torch.from_numpy(valid.pictures)),
            )
        cosines = (text @ picture.T).numpy()
        same = valid.group[:, None] == valid.group[None, :]
        return float((reciprocal_ranks(cosines, same).mean() + reciprocal_ranks(cosines.T, same).mean()) / 2)

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        assert isinstance(model, Bridge)
        return model.loss(*batch)

    report = fit(
        bridge,
        _Batches(train, options.batch, options.hard),
        loss,
        FitSettings(
            epochs=options.epochs,
            minutes=minutes,
            rate=options.rate,
            weight_decay=options.weight_decay,
            patience=options.patience,
            bfloat16=False,
        ),
        validate=validate,
        hooks=hooks,
        seed=seed,
        name="Learning what words look like",
    )
    return bridge, report


def spans(bridge: Bridge) -> tuple[Span, Span]:
    """The two projections at serving: of texts, and of pictures."""
    return Span.of(bridge.text), Span.of(bridge.picture)


def reciprocal_ranks(cosines: Floats, same: NDArray[np.bool_]) -> Floats:
    """1 / rank of the best right answer of each row, float32 (n,).

    Args:
        cosines: float32 (n, m).
        same: bool (n, m), right answers; at least one a row.
    """
    best = np.where(same, cosines, -np.inf).max(axis=1, keepdims=True)
    ahead = np.count_nonzero(~same & (cosines >= best), axis=1)
    inverse: Floats = (1 / (1 + ahead)).astype(np.float32)
    return inverse

"""How a fusion is learnt: it must tell what the shop itself says of its items, from whatever modes an item has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shopkeeper.models.pictures.fusion import KINDS, Fusion, Kind
from shopkeeper.models.pictures.modes import Modes
from shopkeeper.models.text import Floats
from shopkeeper.records import Item
from shopkeeper.training.loop import FitReport, FitSettings, fit

Ints = NDArray[np.int64]
_LEAST = 8
"""Items that a value must have to be one of the classes."""
_MOST = 400
"""Classes of one question."""
_TOLD = 0.2
"""Share of the items that must tell a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionOptions:
    """What may be varied.

    Attributes:
        kinds: Which fusions are tried.
        width: Length of the fused vectors.
        dropout: On inputs and hidden units.
        lost: Probability with which a mode is left out in a training step.
        batch: Items of one step.
        rate: Peak learning rate.
        weight_decay: Decoupled decay.
        epochs: Passes over the items at most.
        patience: Validations without improvement before training stops.
    """

    kinds: tuple[Kind, ...] = KINDS
    width: int = 240
    dropout: float = 0.3
    lost: float = 0.2
    batch: int = 128
    rate: float = 1e-3
    weight_decay: float = 0.05
    epochs: int = 40
    patience: int = 6


@dataclass(frozen=True, slots=True)
class Questions:
    """What the shop says of its items, as classes.

    Attributes:
        names: Name of each question: ``category`` or an attribute.
        classes: The values of each, most frequent first.
        labels: int64 (n, questions), place of the value; -1 where the item does not tell, or tells a rare one.
    """

    names: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]
    labels: Ints

    @classmethod
    def of(cls, items: Sequence[Item], known: Ints) -> Questions:
        """Questions that the items at `known`, int64 (m,), answer often enough; values of all items."""
        told = {
            name: [item.attributes.get(name, "") for item in items] for name in {n for i in items for n in i.attributes}
        }
        told["category"] = [" > ".join(item.category) for item in items]
        names, classes, columns = [], [], []
        for name, values in sorted(told.items()):
            counts = Counter(values[row] for row in known.tolist() if values[row])
            often = sorted(counts, key=lambda value: (-counts[value], value))[:_MOST]
            kept = tuple(value for value in often if counts[value] >= _LEAST)
            if len(kept) < 2 or sum(counts[value] for value in kept) < _TOLD * len(known):
                continue
            place = {value: number for number, value in enumerate(kept)}
            names.append(name)
            classes.append(kept)
            columns.append([place.get(value, -1) for value in values])
        labels = np.array(columns, dtype=np.int64).reshape(len(names), len(items)).T
        return cls(tuple(names), tuple(classes), labels)


class Answering(nn.Module):
    """A fusion with a linear head for each question."""

    def __init__(self, fusion: Fusion, classes: Sequence[int]) -> None:
        super().__init__()
        self.fusion = fusion
        self.heads = nn.ModuleList([nn.Linear(fusion.width, count) for count in classes])

    def forward(self, modes: Sequence[Tensor]) -> list[Tensor]:
        """Logits of each question, (n, classes)."""
        hidden = self.fusion(*modes)
        return [head(hidden) for head in self.heads]


class _Batches:
    def __init__(self, modes: Modes, labels: Ints, size: int) -> None:
        self._modes, self._labels, self._size = tensors(modes), torch.from_numpy(labels), size

    def __len__(self) -> int:
        return -(-len(self._labels) // self._size)

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[list[Tensor], Tensor]]:
        """One pass; see `training.batching.Batches`."""
        order = torch.from_numpy(rng.permutation(len(self._labels)))
        for start in range(0, len(order), self._size):
            rows = order[start : start + self._size]
            yield [values[rows] for values in self._modes], self._labels[rows]


def learn_fusion(
    kind: Kind,
    modes: Modes,
    questions: Questions,
    train: Ints,
    valid: Ints,
    options: FusionOptions | None = None,
    *,
    minutes: float = 5.0,
    seed: int = 7,
) -> tuple[Answering, FitReport]:
    """Learn one kind of fusion; the state with the best mean accuracy over the questions on `valid` is kept.

    Args:
        kind: See `models.pictures.fusion.Fusion`.
        modes: Of all items; use `Modes.only` to learn from fewer.
        questions: About the same items.
        train: int64 (m,), rows to learn from.
        valid: Rows to choose by.
        options: What may be varied.
        minutes: Wall-time budget.
        seed: Of everything random.
    """
    options = options or FusionOptions()
    some = tensors(modes.at(train))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pictures = some[1][some[3][:, 1] > 0]
        fusion = Fusion(
            kind, some[0], pictures if len(pictures) else some[1], options.width, options.dropout, options.lost
        )
        model = Answering(fusion, [len(classes) for classes in questions.classes])
    asked, right = modes.at(valid), questions.labels[valid]

    def validate() -> float:
        shares = correct(model, asked, right)
        return float(np.mean([values.mean() for values in shares if len(values)]))

    def loss(learning: nn.Module, batch: tuple[list[Tensor], Tensor]) -> Tensor:
        given, labels = batch
        parts = [
            cross_entropy(logits, labels[:, place], ignore_index=-1)
            for place, logits in enumerate(learning(given))
            if bool((labels[:, place] >= 0).any())
        ]
        return torch.stack(parts).mean() if parts else torch.zeros((), requires_grad=True)

    report = fit(
        model,
        _Batches(modes.at(train), questions.labels[train], options.batch),
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
        seed=seed,
        name=f"Learning to join words and pictures ({kind})",
    )
    return model, report


def correct(model: Answering, modes: Modes, labels: Ints) -> list[Floats]:
    """For each question 1 where it is answered rightly and 0 where not, over the items that tell: float32 (told,) each."""
    said = answers(model, modes)
    out = []
    for place, logits in enumerate(said):
        told = labels[:, place] >= 0
        out.append((logits[told].argmax(axis=1) == labels[told, place]).astype(np.float32))
    return out


def answers(model: Answering, modes: Modes) -> list[Floats]:
    """Logits of each question, float32 (n, classes)."""
    model.eval()
    with torch.inference_mode():
        return [logits.numpy() for logits in model(tensors(modes))]


def tensors(modes: Modes) -> list[Tensor]:
    """The four arrays in the order in which a fusion takes them."""
    return [torch.from_numpy(values) for values in (modes.text, modes.picture, modes.video, modes.seen)]

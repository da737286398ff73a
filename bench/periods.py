"""Data that arrive in periods: the ten review categories of the Chinese shopping reviews, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bench.texts import Ints, shopping


@dataclass(frozen=True, slots=True)
class Course:
    """Periods of examples; texts are numbered over all of them.

    Attributes:
        wanted: int64 (n,), class of each text.
        train: Numbers of the texts of each period.
        test: The same for its test.
        classes: How many classes there are once each period has come.
    """

    wanted: torch.Tensor
    train: Sequence[Ints]
    test: Sequence[Ints]
    classes: Sequence[int]


def gather(data: Path, train: int, test: int, seed: int) -> tuple[list[str], Course, Course]:
    """Texts of all periods; sentiment by category; categories in pairs."""
    by_category, by_label = shopping(data, "cat"), shopping(data, "label")
    label = {
        text: name
        for part in (by_label.train, by_label.test)
        for text, name in zip(part.texts, part.labels, strict=True)
    }
    rng = np.random.default_rng(seed)
    names = rng.permutation(sorted(set(by_category.train.labels))).tolist()
    texts: list[str] = []
    parts: list[list[Ints]] = [[], []]
    for name in names:
        for place, (side, count) in enumerate(((by_category.train, train), (by_category.test, test))):
            own = np.flatnonzero(np.asarray(side.labels) == name)
            chosen = rng.permutation(own)[:count]
            parts[place].append(np.arange(len(texts), len(texts) + len(chosen)))
            texts.extend(side.texts[int(row)] for row in chosen)
    sentiment = torch.tensor([int(label[text] == "positive") for text in texts])
    category = torch.zeros(len(texts), dtype=torch.int64)
    for number, rows in enumerate(zip(*parts, strict=True)):
        category[torch.from_numpy(np.concatenate(rows))] = number
    pairs = [[np.concatenate(side[at : at + 2]) for at in range(0, len(names), 2)] for side in parts]
    grown = list(range(2, len(names) + 1, 2))
    return (
        texts,
        Course(sentiment, parts[0], parts[1], [2] * len(names)),
        Course(category, pairs[0], pairs[1], grown),
    )

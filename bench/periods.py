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


@dataclass(frozen=True, slots=True)
class Gathered:
    """The texts of all courses, numbered over all of them.

    Attributes:
        sentiment: By category, one after another.
        categories: The categories are the classes and arrive in pairs.
        rehearsal: Sentiment again, in another order, of other texts of the training side only: to choose strengths on.
    """

    texts: Sequence[str]
    sentiment: Course
    categories: Course
    rehearsal: Course


def gather(data: Path, train: int, test: int, seed: int) -> Gathered:
    """So many texts of each category to learn from and to test on; a quarter of that for the rehearsal."""
    by_category, by_label = shopping(data, "cat"), shopping(data, "label")
    label = {
        text: name
        for part in (by_label.train, by_label.test)
        for text, name in zip(part.texts, part.labels, strict=True)
    }
    rng = np.random.default_rng(seed)
    names = rng.permutation(sorted(set(by_category.train.labels))).tolist()
    texts: list[str] = []
    parts: list[list[Ints]] = [[], [], [], []]
    for name in names:
        learnt = rng.permutation(np.flatnonzero(np.asarray(by_category.train.labels) == name))
        tested = rng.permutation(np.flatnonzero(np.asarray(by_category.test.labels) == name))
        cuts = np.cumsum([train, train // 4, test // 4])
        chosen = [learnt[: cuts[0]], tested[:test], learnt[cuts[0] : cuts[1]], learnt[cuts[1] : cuts[2]]]
        for part, rows, side in zip(
            parts, chosen, (by_category.train, by_category.test, *[by_category.train] * 2), strict=True
        ):
            part.append(np.arange(len(texts), len(texts) + len(rows)))
            texts.extend(side.texts[int(row)] for row in rows)
    sentiment = torch.tensor([int(label[text] == "positive") for text in texts])
    category = torch.zeros(len(texts), dtype=torch.int64)
    for number, own in enumerate(zip(*parts, strict=True)):
        category[torch.from_numpy(np.concatenate(own))] = number
    pairs = [[np.concatenate(side[at : at + 2]) for at in range(0, len(names), 2)] for side in parts[:2]]
    order = rng.permutation(len(names)).tolist()
    first, second = ([part[place] for place in order] for part in parts[2:])
    two = [2] * len(names)
    return Gathered(
        texts,
        Course(sentiment, parts[0], parts[1], two),
        Course(category, pairs[0], pairs[1], list(range(2, len(names) + 1, 2))),
        Course(sentiment, first, second, two),
    )

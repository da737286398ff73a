"""Texts with the names of their classes: what a recipe of classes learns from, checked and parted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError

Ints = NDArray[np.int64]
_VALID, _MOST_VALID = 0.1, 2_000


@dataclass(frozen=True, slots=True)
class Texts:
    """n texts and the name of each one's class."""

    texts: Sequence[str]
    labels: Sequence[str]

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.texts)

    def take(self, rows: Ints | Sequence[int]) -> Texts:
        """Some of them, by number."""
        return Texts([self.texts[int(row)] for row in rows], [self.labels[int(row)] for row in rows])


def checked(train: Texts) -> list[str]:
    """The classes, in alphabetical order.

    Raises:
        TrainingError: There are fewer than two, or a text is missing.
    """
    classes = sorted(set(train.labels))
    if len(classes) < 2:
        raise TrainingError(
            f"All {len(train)} texts are of one class ({classes[0]!r})." if classes else "There are no texts.",
            where="classes",
            cure="Give texts of two classes or more.",
        )
    if not any(text.strip() for text in train.texts):
        raise TrainingError("All texts are empty.", where="texts", cure="Look at the column that holds the text.")
    return classes


def held_out(texts: Texts, seed: int) -> NDArray[np.bool_]:
    """Bool (n,): a tenth of each class, at most 2,000 in all, no text of which is left on the other side."""
    rng = np.random.default_rng(seed)
    labels = np.asarray(texts.labels)
    share = min(_VALID, _MOST_VALID / len(texts))
    chosen = np.zeros(len(texts), dtype=np.bool_)
    for name in np.unique(labels):
        rows = np.flatnonzero(labels == name)
        chosen[rng.permutation(rows)[: max(1, round(share * len(rows)))] if len(rows) > 1 else []] = True
    taken = {texts.texts[row] for row in np.flatnonzero(chosen).tolist()}
    return np.array([text in taken for text in texts.texts], dtype=np.bool_)


def languages(texts: Sequence[str]) -> list[str]:
    """A guess at each text's language, for the choice of a backbone."""
    return ["zh" if any("一" <= letter <= "鿿" for letter in text[:200]) else "en" for text in texts]

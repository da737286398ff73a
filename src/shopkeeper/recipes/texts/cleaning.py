"""Texts whose label is likely wrong, by confident learning (Northcutt et al. 2021) with the linear model of words."""

from __future__ import annotations

import numpy as np

from shopkeeper.recipes.texts.labelled_texts import Ints, Texts
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.training.noise import out_of_fold, suspicious
from shopkeeper.training.supervised import class_numbers

_FOLDS = 4


def wrongly_labelled(texts: Texts, classes: list[str], seed: int) -> Ints:
    """Rows to leave out, int64 (m,), the most suspicious first; a class keeps at least half of its texts.

    Args:
        texts: n texts.
        classes: Their classes, all of them.
        seed: Parts the texts into folds, each judged by a model that has not seen it.
    """
    labels = class_numbers(texts.labels, classes)

    def predict(known: Ints, asked: Ints) -> np.typing.NDArray[np.float32]:
        model, _ = fit_linear([texts.texts[row] for row in known.tolist()], labels[known], len(classes))
        return model.probabilities([texts.texts[row] for row in asked.tolist()])

    found = suspicious(labels, out_of_fold(predict, labels, _FOLDS, np.random.default_rng(seed)))
    left = np.bincount(labels, minlength=len(classes)) // 2
    kept = []
    for row in found.tolist():
        if left[labels[row]] > 0:
            left[labels[row]] -= 1
            kept.append(row)
    return np.array(kept, dtype=np.int64)

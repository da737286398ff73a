"""Wrong labels: put in on purpose to measure what they do, and found among real ones by confident learning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.training.batching import Ints

Shares = NDArray[np.float64]


def mislabelled(labels: Ints, share: float, rng: np.random.Generator, *, classes: int | None = None) -> Ints:
    """Give a share of the rows another class, any other with the same chance (symmetric noise).

    Args:
        labels: int64 (n,).
        share: In [0, 1]; this share of the rows, rounded, is wrong afterwards.
        rng: Randomness.
        classes: Number of classes k; one more than the largest label when None.

    Returns:
        int64 (n,); `labels` is left as it is.
    """
    count = classes or int(labels.max(initial=0)) + 1
    if count < 2:
        raise TrainingError("One class alone leaves no wrong label to give.", where="label noise")
    noisy = labels.copy()
    rows = rng.permutation(len(labels))[: round(share * len(labels))]
    noisy[rows] = (noisy[rows] + rng.integers(1, count, size=len(rows))) % count
    return noisy


def confused(labels: Ints, chances: Shares, rng: np.random.Generator) -> Ints:
    """Draw each label anew by what its class is taken for (class-dependent noise).

    Args:
        labels: int64 (n,).
        chances: float (k, k); row i holds the chances that class i is labelled 0 to k - 1.
        rng: Randomness.
    """
    edges = np.cumsum(chances[labels], axis=1)
    found: Ints = (rng.random((len(labels), 1)) * edges[:, -1:] >= edges).sum(axis=1).astype(np.int64)
    return found


def out_of_fold(
    predict: Callable[[Ints, Ints], NDArray[np.floating]], labels: Ints, folds: int, rng: np.random.Generator
) -> Shares:
    """Probabilities of every row by a model that has not seen it.

    Args:
        predict: Rows to learn from, rows to judge -> probabilities, float (judged, k).
        labels: int64 (n,), spread evenly over the folds.
        folds: How many models are trained.
        rng: Randomness.

    Returns:
        float64 (n, k).
    """
    shuffled = rng.permutation(len(labels))
    fold = np.empty(len(labels), dtype=np.int64)
    fold[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels)) % folds
    parts = [np.flatnonzero(fold == number) for number in range(folds)]
    judged = [predict(np.flatnonzero(fold != number), part) for number, part in enumerate(parts)]
    found = np.empty((len(labels), judged[0].shape[1]), dtype=np.float64)
    for part, probabilities in zip(parts, judged, strict=True):
        found[part] = probabilities
    return found


def confident_joint(labels: Ints, probabilities: Shares) -> Shares:
    """How often class j is labelled i, estimated from what a model is confident of (Northcutt et al. 2021).

    A row counts for the likeliest class whose probability reaches the mean probability of that class over the rows that
    carry its label: this allows for a model that is surer of some classes than of others.

    Args:
        labels: int64 (n,), as given.
        probabilities: float (n, k), out of fold.

    Returns:
        float64 (k, k): row the label, column the true class; adds up to 1, each row to the share of its label.
    """
    count = probabilities.shape[1]
    given = np.bincount(labels, minlength=count)
    counts = np.zeros((count, count))
    believed = _believed(labels, probabilities)
    sure = believed >= 0
    np.add.at(counts, (labels[sure], believed[sure]), 1.0)
    empty = counts.sum(axis=1) == 0
    counts[empty, empty] = 1.0  # nothing is known against these labels
    joint: Shares = counts / counts.sum(axis=1, keepdims=True) * given[:, None] / max(1, len(labels))
    return joint


def suspicious(labels: Ints, probabilities: Shares) -> Ints:
    """Rows that are likely to carry a wrong label, the likeliest first.

    For each label i and class j as many rows as the confident joint says are labelled i but j: those with the largest
    margin of j over i ("prune by noise rate", Northcutt et al. 2021). Look at them, or leave them out.

    Args:
        labels: int64 (n,), as given.
        probabilities: float (n, k), out of fold.

    Returns:
        int64 (m,), row numbers.
    """
    wrong = np.round(confident_joint(labels, probabilities) * len(labels)).astype(np.int64)
    np.fill_diagonal(wrong, 0)
    own = probabilities[np.arange(len(labels)), labels]
    margins: dict[int, float] = {}
    for label, truth in zip(*np.nonzero(wrong), strict=True):
        rows = np.flatnonzero(labels == label)
        margin = probabilities[rows, truth] - own[rows]
        for place in np.argsort(-margin, kind="stable")[: wrong[label, truth]]:
            row = int(rows[place])
            margins[row] = max(margins.get(row, -1.0), float(margin[place]))
    return np.array(sorted(margins, key=lambda row: -margins[row]), dtype=np.int64)


def _believed(labels: Ints, probabilities: Shares) -> Ints:
    """The class that a row is confidently of, int64 (n,); -1 where there is none."""
    count = probabilities.shape[1]
    thresholds = np.full(count, np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    reached = probabilities >= thresholds
    likeliest = np.where(reached, probabilities, -1.0).argmax(axis=1)
    return np.where(reached.any(axis=1), likeliest, -1).astype(np.int64)

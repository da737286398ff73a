"""Several models that answer together: by mean logits or mean probabilities, with weights that validation chooses.

An ensemble costs as many times as it has members. To serve at the price of one, let it teach a student: its
`logits_average` on the training texts goes to `distillation.taught`. Averaging weights instead of answers is `averaging`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.progress import track

Values = NDArray[np.float64]
_ROUNDS = 500
_SMALLEST = 1e-12


def over_seeds(train: Callable[[int], ArrayLike], seeds: Sequence[int]) -> Values:
    """Train once a seed and stack what each says.

    Args:
        train: Seed -> answers, float (n, k): trains a model of its own and asks it.
        seeds: One a member.

    Returns:
        float64 (m, n, k).
    """
    return np.stack([np.asarray(train(seed), dtype=np.float64) for seed in track(seeds, "Members", len(seeds))])


def logits_average(members: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Weighted mean of logits: the geometric mean of the members' probabilities, up to scale.

    Args:
        members: float (m, n, k), logits.
        weights: float (m,), even when None.

    Returns:
        float64 (n, k), logits. Each member's are centred first: a constant added to a row of logits says nothing.
    """
    logits = _members(members)
    return _mean(logits - logits.mean(axis=2, keepdims=True), weights)


def probability_average(members: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Weighted mean of probabilities, float (m, n, k), rows adding up to 1; float64 (n, k)."""
    return _mean(_members(members), weights)


def weights_by_likelihood(members: ArrayLike, labels: ArrayLike) -> Values:
    """Weights of `probability_average` that make validation likeliest.

    The log-likelihood of a mixture is concave in its weights, so expectation-maximisation finds the best ones. A member
    that adds nothing gets weight 0.

    Args:
        members: float (m, n, k), probabilities on validation examples no member has learnt from.
        labels: int (n,), their classes.

    Returns:
        float64 (m,), at least 0, adding up to 1.

    >>> weights_by_likelihood([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.5, 0.5]]], [0, 1]).round(3).tolist()
    [1.0, 0.0]
    """
    shares, wanted = _members(members), np.asarray(labels, dtype=np.int64)
    if wanted.shape != shares.shape[1:2] or not len(wanted):
        raise TrainingError(
            f"{len(wanted)} labels cannot weigh answers to {shares.shape[1]} examples.", where="ensemble weights"
        )
    given = np.maximum(shares[:, np.arange(len(wanted)), wanted], _SMALLEST)
    weights = np.full(len(shares), 1 / len(shares))
    for _ in range(_ROUNDS):
        parts = weights[:, None] * given
        weights = (parts / parts.sum(axis=0)).mean(axis=1)
    return weights


def _members(members: ArrayLike) -> Values:
    values = np.asarray(members, dtype=np.float64)
    if values.ndim != 3 or not len(values):
        raise TrainingError(
            f"An ensemble needs answers of shape (members, examples, classes), not {values.shape}.", where="ensemble"
        )
    return values


def _mean(values: Values, weights: ArrayLike | None) -> Values:
    shares = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(values),) or shares.min() < 0 or shares.sum() <= 0:
        raise TrainingError(f"The weights {shares.tolist()} do not fit {len(values)} members.", where="ensemble")
    mean: Values = np.tensordot(shares / shares.sum(), values, axes=1)
    return mean

"""How good predicted probabilities are. One value a row where that is natural, so that intervals and pairs come free.

Probabilities are float (n, c), rows summing to 1, or float (n,) for the probability of class 1 of two. Labels are
integers (n,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
_SMALLEST = 1e-12


def accuracy(labels: ArrayLike, probabilities: ArrayLike) -> Values:
    """1 where the likeliest class is the label, else 0; float (n,).

    >>> accuracy([1, 0, 1], [0.9, 0.2, 0.4]).tolist()
    [1.0, 1.0, 0.0]
    """
    wanted, shares = _rows(labels, probabilities)
    found: NDArray[np.float64] = (shares.argmax(axis=1) == wanted).astype(np.float64)
    return found


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> Values:
    """Minus the natural logarithm of the probability given to the label; float (n,), in nats.

    >>> log_loss([1, 0], [0.5, 0.5]).round(4).tolist()
    [0.6931, 0.6931]
    """
    wanted, shares = _rows(labels, probabilities)
    given = shares[np.arange(len(wanted)), wanted]
    losses: Values = -np.log(np.clip(given, _SMALLEST, 1.0))
    return losses


def macro_f1(labels: ArrayLike, predicted: ArrayLike, count: int) -> float:
    """Mean over `count` classes of the harmonic mean of precision and recall; classes that never occur are left out.

    >>> macro_f1([0, 0, 1, 1], [0, 0, 1, 0], 2)
    0.7333333333333334
    """
    wanted, found = np.asarray(labels).astype(np.int64), np.asarray(predicted).astype(np.int64)
    scores = []
    for name in range(count):
        right = int(((wanted == name) & (found == name)).sum())
        either = int((wanted == name).sum() + (found == name).sum())
        if either:
            scores.append(2 * right / either)
    return float(np.mean(scores)) if scores else float("nan")


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a random 1 scores above a random 0, ties counting one half.

    Args:
        labels: 0 or 1 (n,).
        scores: float (n,), any scale.

    Returns:
        In [0, 1]; NaN when one of the classes is absent.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    wanted = np.asarray(labels).astype(bool)
    values = np.asarray(scores, dtype=np.float64)
    ones, zeros = int(wanted.sum()), int((~wanted).sum())
    if ones == 0 or zeros == 0:
        return float("nan")
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[wanted].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def auc_interval(
    labels: ArrayLike, scores: ArrayLike, *, samples: int = 200, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of `auc` over rows; (NaN, NaN) when a class is absent."""
    wanted, values = np.asarray(labels).astype(np.int64), np.asarray(scores, dtype=np.float64)
    rng = np.random.default_rng(seed)
    drawn = [auc(wanted[rows], values[rows]) for rows in rng.integers(0, len(wanted), size=(samples, len(wanted)))]
    usable = [value for value in drawn if not np.isnan(value)]
    if not usable:
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Bin:
    """One stretch of a reliability diagram: rows, what was promised on average, what came true."""

    count: int
    promised: float
    found: float


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> list[Bin]:
    """The reliability diagram of a probability of class 1, in `bins` stretches that hold equally many rows each.

    Args:
        labels: 0 or 1 (n,).
        probabilities: float (n,), of class 1.
        bins: Stretches; fewer come back when there are fewer rows.
    """
    wanted = np.asarray(labels, dtype=np.float64)
    shares = np.asarray(probabilities, dtype=np.float64)
    if wanted.shape != shares.shape or wanted.ndim != 1:
        raise ValueError(f"labels and probabilities must both be (n,), not {wanted.shape} and {shares.shape}")
    order = np.argsort(shares, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [Bin(len(part), float(shares[part].mean()), float(wanted[part].mean())) for part in parts]


def calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: mean gap between what was promised and what came true, over equally full bins.

    ECE after Naeini et al. 2015, with bins of equal count (Nguyen and O'Connor 2015), which suits rare classes.

    >>> calibration_error([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], bins=1)
    0.0
    """
    found = reliability(labels, probabilities, bins)
    total = sum(part.count for part in found)
    return sum(part.count * abs(part.promised - part.found) for part in found) / total if total else float("nan")


def _rows(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.int64], Values]:
    wanted = np.asarray(labels).astype(np.int64)
    shares = np.asarray(probabilities, dtype=np.float64)
    if shares.ndim == 1:
        shares = np.stack([1.0 - shares, shares], axis=1)
    if wanted.ndim != 1 or shares.ndim != 2 or len(wanted) != len(shares):
        raise ValueError(f"labels {wanted.shape} and probabilities {shares.shape} do not belong together")
    if len(wanted) and not 0 <= wanted.min() <= wanted.max() < shares.shape[1]:
        raise ValueError(f"labels run from {wanted.min()} to {wanted.max()}, but there are {shares.shape[1]} classes")
    return wanted, shares

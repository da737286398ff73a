"""A fine-tuned and a linear classifier made honest, mixed as validation says, and marked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from shopkeeper.evaluation.classification import accuracy, calibration_error, log_loss, macro_f1
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.blended import mixed
from shopkeeper.models.text import Floats

Ints = NDArray[np.int64]
_SHARES = tuple(share / 10 for share in range(11))
_LEAST_GAIN = 0.0005  # of log-loss, below which the simpler of two blends is taken


def blend(wanted: Ints, tuned: Floats, linear: Floats) -> tuple[float, tuple[float, float], dict[str, float]]:
    """Scale both models' probabilities and mix them by log-loss on validation.

    Args:
        wanted: int64 (n,).
        tuned: Probabilities of the fine-tuned model, float32 (n, k).
        linear: Those of the linear model.

    Returns:
        Share of the fine-tuned model; both scales; log-loss of each and of the blend.
    """
    scales = honest_scale(wanted, tuned)[0], honest_scale(wanted, linear)[0]
    losses = {share: float(log_loss(wanted, mixed(tuned, linear, share, scales)).mean()) for share in _SHARES}
    best = min(losses, key=lambda share: losses[share])
    for simple in (1.0, 0.0):
        if losses[simple] - losses[best] < _LEAST_GAIN:
            best = simple
            break
    return best, scales, {"fine-tuned": losses[1.0], "linear": losses[0.0], "blend": losses[best]}


def honest_scale(wanted: Ints, shares: Floats) -> tuple[float, float]:
    """What log-probabilities are best multiplied by (the inverse of a temperature, Guo et al. 2017), and the log-loss then."""
    uniform = np.full_like(shares, 1.0 / shares.shape[1])

    def loss(power: float) -> float:
        return float(log_loss(wanted, mixed(shares, uniform, 1.0, (float(np.exp(power)), 1.0))).mean())

    found = minimize_scalar(loss, bounds=(-3.0, 2.0), method="bounded", options={"xatol": 0.02})
    return float(np.exp(found.x)), float(found.fun)


def marks(wanted: Ints, shares: Floats) -> dict[str, Any]:
    """Accuracy, macro F1 and log-loss with 95 % intervals where rows are independent, and calibration of the top class."""
    right = accuracy(wanted, shares)
    found: dict[str, Any] = {
        "macro_f1": {"value": macro_f1(wanted, shares.argmax(axis=1), shares.shape[1])},
        "ece": {"value": calibration_error(right, shares.max(axis=1))},
    }
    for name, values in (("accuracy", right), ("log_loss", log_loss(wanted, shares))):
        low, high = bootstrap_interval(values)
        found[name] = {"value": float(values.mean()), "low": low, "high": high}
    return found

"""The plots of a card: how the run learnt, and how far its probabilities can be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from shopkeeper.evaluation.plots import confusion_matrix, drawable, learning_curve, reliability_diagram
from shopkeeper.training.plan import FitReport


def learning_plots(report: FitReport, score: str = "") -> dict[str, bytes]:
    """The learning curve, for `save_bundle`; nothing where matplotlib is not installed.

    Args:
        report: Of the run.
        score: What validation measured.
    """
    if not drawable() or not report.losses:
        return {}
    return {"learning-curve": learning_curve(report.losses, report.scores, best_step=report.best_step, score=score)}


def class_plots(labels: ArrayLike, probabilities: ArrayLike, names: tuple[str, ...]) -> dict[str, bytes]:
    """Confusions and calibration, for `save_bundle`; nothing where matplotlib is not installed or there are no rows.

    Args:
        labels: int (n,), places in `names`.
        probabilities: float (n, c), rows summing to 1, or (n,) for the second of two classes.
        names: The classes.
    """
    wanted = np.asarray(labels, dtype=np.int64)
    shares = np.asarray(probabilities, dtype=np.float64)
    if not drawable() or not len(wanted):
        return {}
    full = shares if shares.ndim == 2 else np.stack([1 - shares, shares], axis=1)
    likeliest = full.argmax(axis=1)
    if shares.ndim == 1:
        calibration = reliability_diagram(wanted, shares)
    else:
        calibration = reliability_diagram(likeliest == wanted, full.max(axis=1))
    return {"confusions": confusion_matrix(wanted, likeliest, names), "calibration": calibration}

"""Fitting the linear model of words: the baseline of every text recipe, and its partner where the two together are better.

A linear support vector machine (squared hinge, one against the rest), because it is the strongest linear model on short
texts and takes seconds; its margins are scaled on validation so that their softmax is an honest probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.svm import LinearSVC

from shopkeeper.evaluation.classification import log_loss
from shopkeeper.models.linear import Features, LinearText, grams_for
from shopkeeper.models.text import Floats, softmax

STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Inverse strengths of the L2 penalty that validation chooses from."""
_SCALE = 3.0  # of margins when there is no validation


class Fit(NamedTuple):
    """What validation found out.

    Attributes:
        strength: Inverse strength of the L2 penalty.
        scale: What margins are multiplied by.
    """

    strength: float
    scale: float


def fit_linear(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    count: int,
    valid: Sequence[str] = (),
    valid_labels: NDArray[np.int64] | None = None,
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[LinearText, Fit]:
    """A linear classifier on TF-IDF, its penalty and scale chosen by log-loss on validation.

    Args:
        texts: n texts.
        labels: int64 (n,) in [0, count).
        count: Number of classes k.
        valid: Texts that choose; without them the penalty is the middle one.
        valid_labels: Their classes.
        strengths: Inverse penalties to choose from.

    Returns:
        The model, and what validation found out.
    """
    features = Features.fit(grams_for(texts), texts)
    known = features.of(texts)
    best: tuple[float, Fit, Floats, Floats] | None = None
    if valid_labels is not None and len(valid_labels):
        unseen = features.of(valid)
        for tried in strengths:
            weights, bias = _solve(known, labels, count, tried)
            scale, loss = _honest(valid_labels, np.asarray(unseen @ weights.T + bias))
            if best is None or loss < best[0]:
                best = loss, Fit(tried, scale), weights, bias
    if best is None:
        fit = Fit(strengths[len(strengths) // 2], _SCALE)
        best = 0.0, fit, *_solve(known, labels, count, fit.strength)
    _, fit, weights, bias = best
    return _scaled(features, weights, bias, fit), fit


def refit_linear(texts: Sequence[str], labels: NDArray[np.int64], count: int, fit: Fit) -> LinearText:
    """The same model from more texts: validation's too, once it has chosen; arguments as for `fit_linear`."""
    features = Features.fit(grams_for(texts), texts)
    return _scaled(features, *_solve(features.of(texts), labels, count, fit.strength), fit)


def _scaled(features: Features, weights: Floats, bias: Floats, fit: Fit) -> LinearText:
    scaled = np.asarray(fit.scale * weights, dtype=np.float32), np.asarray(fit.scale * bias, dtype=np.float32)
    return LinearText(features.grams, features.vocabularies, features.idf, *scaled)


def _honest(labels: NDArray[np.int64], margins: NDArray[np.floating]) -> tuple[float, float]:
    """The scale of the margins that makes log-loss smallest, and that loss."""

    def loss(power: float) -> float:
        return float(log_loss(labels, softmax(np.asarray(np.exp(power) * margins, dtype=np.float32))).mean())

    found = minimize_scalar(loss, bounds=(-2.0, 4.0), method="bounded", options={"xatol": 0.05})
    return float(np.exp(found.x)), float(found.fun)


def _solve(known: object, labels: NDArray[np.int64], count: int, strength: float) -> tuple[Floats, Floats]:
    """Weights float32 (k, features) and bias float32 (k,); classes without an example get a bias that rules them out."""
    present = np.unique(labels)
    weights = np.zeros((count, known.shape[1]), dtype=np.float32)  # type: ignore[attr-defined]
    bias = np.full(count, -30.0, dtype=np.float32)
    if len(present) == 1:
        bias[present] = 0.0
        return weights, bias
    model = LinearSVC(C=strength, tol=1e-3, max_iter=2_000, random_state=0).fit(known, labels)
    if len(present) == 2:
        weights[present[1]], bias[present] = 2 * model.coef_[0], (0.0, 2 * model.intercept_[0])
    else:
        weights[present], bias[present] = model.coef_, model.intercept_
    return weights, bias

"""What a purchase model has to beat: the items' own rates, and a linear model of the same words."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from shopkeeper.evaluation.classification import log_loss
from shopkeeper.models.chances import Rates, to_logit
from shopkeeper.recipes.customers.purchase_moments import Period, Periods
from shopkeeper.retrieval.analysis import terms

Values = NDArray[np.float64]
_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # pseudo-counts tried for the prior
_REGULARISATION = (0.01, 0.03, 0.1, 0.3, 1.0)  # inverse regularisation tried for the linear model


def item_rates(periods: Periods) -> Rates:
    """Each item's own purchase rate in training, drawn towards the mean; the pull is tuned on validation."""
    counts: dict[str, tuple[int, int]] = {}
    for moment in periods.train.moments:
        bought, seen = counts.get(moment.item, (0, 0))
        counts[moment.item] = (bought + moment.bought, seen + 1)
    mean = float(periods.train.labels.mean())
    tried = [Rates(counts, mean, strength) for strength in _STRENGTHS]
    losses = [log_loss(periods.valid.labels, rates.of(item_ids(periods.valid))).mean() for rates in tried]
    return tried[int(np.argmin(losses))]


def item_ids(period: Period) -> list[str]:
    """The item of each moment."""
    return [moment.item for moment in period.moments]


def weigh(labels: ArrayLike, words: Values, rates: Values) -> tuple[float, float, float]:
    """Weights of the words, of the item's rate and a constant that suit these labels best, none of the first two negative.

    Args:
        labels: 0 or 1 (n,).
        words: Probabilities of the classifier, float (n,).
        rates: The items' rates, float (n,).
    """
    wanted = np.asarray(labels, dtype=np.float64)
    first, second = to_logit(words), to_logit(rates)

    def loss(weights: Values) -> float:
        logits = weights[0] * first + weights[1] * second + weights[2]
        return float((np.logaddexp(0, logits) - wanted * logits).mean() + 1e-3 * (weights[:2] ** 2).sum())

    found = minimize(loss, np.array([0.5, 0.5, 0.0]), bounds=[(0, 3), (0, 3), (-5, 5)])
    return float(found.x[0]), float(found.x[1]), float(found.x[2])


def linear_words(periods: Periods) -> Values:
    """Logistic regression on TF-IDF of the customer's words, the item's words and the words they share.

    The regularisation is tuned on validation.

    Returns:
        float (n,), probability for each test moment.
    """
    vectoriser = TfidfVectorizer(analyzer=terms, sublinear_tf=True, min_df=2, max_features=50_000)
    vectoriser.fit([*periods.train.items, *periods.train.customers])

    def features(period: Period) -> sparse.csr_array:
        customers, items = vectoriser.transform(period.customers), vectoriser.transform(period.items)
        shared = customers.multiply(items)
        return sparse.csr_array(sparse.hstack([customers, items, shared, shared.sum(axis=1).reshape(-1, 1)]))

    train, valid, test = (features(period) for period in (periods.train, periods.valid, periods.test))
    best, best_loss = np.full(len(periods.test.labels), periods.train.labels.mean()), np.inf
    for strength in _REGULARISATION:
        model = LogisticRegression(C=strength, solver="liblinear", max_iter=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(train, periods.train.labels)
        loss = float(log_loss(periods.valid.labels, model.predict_proba(valid)).mean())
        if loss < best_loss:
            best, best_loss = model.predict_proba(test)[:, 1], loss
    return np.asarray(best, dtype=np.float64)


def straightened(labels: ArrayLike, logits: Sequence[float] | Values) -> tuple[float, float]:
    """Slope and shift that make logits honest probabilities on these labels (Platt 1999).

    Returns:
        (slope, shift), slope > 0; when the logits order the labels the wrong way round the slope is small, not negative.
    """
    wanted, values = np.asarray(labels), np.asarray(logits, dtype=np.float64)
    model = LogisticRegression(C=100.0).fit(values[:, None], wanted)
    slope, shift = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope > 0:
        return slope, shift
    mean = float(np.clip(wanted.mean(), 1e-6, 1 - 1e-6))
    return 1e-3, float(np.log(mean / (1 - mean)) - 1e-3 * values.mean())

"""What a purchase model has to beat: the items' own rates, and a linear model of the same words."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from shopkeeper.evaluation.classification import log_loss
from shopkeeper.recipes.purchase_moments import Period, Periods
from shopkeeper.retrieval.analysis import terms

Values = NDArray[np.float64]
_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # pseudo-counts tried for the prior
_REGULARISATION = (0.01, 0.03, 0.1, 0.3, 1.0)  # inverse regularisation tried for the linear model


def popularity_prior(periods: Periods) -> Values:
    """Each item's own purchase rate in training, drawn towards the mean; the pull is tuned on validation.

    Returns:
        float (n,), probability for each test moment.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for moment in periods.train.moments:
        counts[moment.item][0] += moment.bought
        counts[moment.item][1] += 1
    mean = float(periods.train.labels.mean())

    def rates(period: Period, strength: float) -> Values:
        found = [counts.get(moment.item, (0, 0)) for moment in period.moments]
        return np.array([(bought + strength * mean) / (seen + strength) for bought, seen in found])

    losses = [log_loss(periods.valid.labels, rates(periods.valid, strength)).mean() for strength in _STRENGTHS]
    return rates(periods.test, _STRENGTHS[int(np.argmin(losses))])


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

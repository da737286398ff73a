import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from shopkeeper.evaluation.classification import (
    accuracy,
    auc,
    auc_interval,
    calibration_error,
    log_loss,
    reliability,
)

rows = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 19)), min_size=2, max_size=60)


@given(rows)
def test_agreement_with_scikit_learn(pairs):
    labels = np.array([label for label, _ in pairs])
    shares = np.array([share / 20 for _, share in pairs])  # few distinct values, so ties abound
    two = np.stack([1 - shares, shares], axis=1)
    assert log_loss(labels, shares).mean() == pytest.approx(reference.log_loss(labels, two, labels=[0, 1]))
    assert log_loss(labels, two).tolist() == log_loss(labels, shares).tolist()
    assert accuracy(labels, shares).mean() == pytest.approx(reference.accuracy_score(labels, shares > 0.5))
    if 0 < labels.sum() < len(labels):
        assert auc(labels, shares) == pytest.approx(reference.roc_auc_score(labels, shares))
    else:
        assert np.isnan(auc(labels, shares))


@given(rows, st.integers(1, 12))
def test_calibration_error_is_between_zero_and_one(pairs, bins):
    labels, shares = [label for label, _ in pairs], [share / 20 for _, share in pairs]
    assert 0 <= calibration_error(labels, shares, bins) <= 1
    assert sum(part.count for part in reliability(labels, shares, bins)) == len(pairs)


def test_calibration_of_the_honest_and_the_boastful():
    rng = np.random.default_rng(0)
    truth = rng.random(20_000)
    labels = (rng.random(20_000) < truth).astype(int)
    assert calibration_error(labels, truth) < 0.02
    assert calibration_error(labels, np.where(truth > 0.5, 0.99, 0.01)) > 0.2


def test_auc_interval_covers_the_value():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500)
    scores = labels + rng.normal(size=500)
    low, high = auc_interval(labels, scores)
    assert low < auc(labels, scores) < high
    assert all(np.isnan(auc_interval([1, 1], [0.1, 0.2])))


def test_three_classes():
    shares = [[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]
    assert accuracy([1, 2], shares).tolist() == [1, 0]
    assert log_loss([1, 2], shares) == pytest.approx([-np.log(0.5), -np.log(0.1)])


def test_bad_shapes():
    with pytest.raises(ValueError, match="do not belong together"):
        accuracy([1, 0], [0.5])
    with pytest.raises(ValueError, match="there are 2 classes"):
        log_loss([2], [0.5])
    with pytest.raises(ValueError, match="must both be"):
        reliability([1, 0], [0.5])

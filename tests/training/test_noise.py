import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from shopkeeper.errors import TrainingError
from shopkeeper.training.noise import confident_joint, confused, mislabelled, out_of_fold, suspicious


@given(st.integers(1, 60), st.integers(2, 5), st.floats(0, 1), st.integers(0, 99))
def test_the_wished_share_is_wrong_and_the_labels_given_are_left_alone(count, k, share, seed):
    labels = np.random.default_rng(seed).integers(0, k, size=count)
    before = labels.copy()
    noisy = mislabelled(labels, share, np.random.default_rng(seed), classes=k)
    assert (labels == before).all()
    assert (noisy != labels).sum() == round(share * count)
    assert 0 <= noisy.min() <= noisy.max() < k


def test_wrong_labels_are_spread_evenly():
    noisy = mislabelled(np.zeros(9000, dtype=np.int64), 1.0, np.random.default_rng(0), classes=4)
    np.testing.assert_allclose(np.bincount(noisy) / 9000, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.02)
    with pytest.raises(TrainingError, match="One class alone"):
        mislabelled(np.zeros(3, dtype=np.int64), 0.5, np.random.default_rng(0))


def test_classes_are_confused_as_told():
    chances = np.array([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]])
    labels = np.repeat(np.arange(3), 5000)
    found = confused(labels, chances, np.random.default_rng(1))
    shares = np.array([np.bincount(found[labels == c], minlength=3) for c in range(3)]) / 5000
    np.testing.assert_allclose(shares, chances, atol=0.02)
    assert shares[0, 2] == 0


def test_the_joint_of_a_worked_case():
    labels = np.array([0, 0, 0, 1, 1])
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.4, 0.6]])
    # thresholds: class 0 (.9 + .9 + .1) / 3 = .633, class 1 (.9 + .6) / 2 = .75; the last row reaches neither
    np.testing.assert_allclose(confident_joint(labels, shares), [[0.4, 0.2], [0.0, 0.4]])
    assert suspicious(labels, shares).tolist() == [2]


def test_labels_that_all_agree_are_not_suspected():
    labels = np.arange(20) % 4
    assert len(suspicious(labels, np.eye(4)[labels])) == 0
    joint = confident_joint(np.zeros(3, dtype=np.int64), np.full((3, 2), 0.5))
    assert joint.sum() == pytest.approx(1)


def clouds(seed=0, count=900, k=3):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, size=count)
    return 2.5 * np.eye(k)[labels] + rng.normal(size=(count, k)) * 0.7, labels


def test_wrong_labels_are_found_and_the_noise_is_measured():
    rows, truth = clouds()
    noisy = mislabelled(truth, 0.2, np.random.default_rng(5))

    def predict(train, test):
        return LogisticRegression().fit(rows[train], noisy[train]).predict_proba(rows[test])

    shares = out_of_fold(predict, noisy, 5, np.random.default_rng(6))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    found = suspicious(noisy, shares)
    wrong = set(np.flatnonzero(noisy != truth).tolist())
    hits = len(wrong & set(found.tolist()))
    assert hits / len(wrong) > 0.85
    assert hits / len(found) > 0.85
    assert set(found[:50].tolist()) <= wrong, "the surest come first"
    off = confident_joint(noisy, shares)
    assert 1 - np.trace(off) == pytest.approx(0.2, abs=0.05)


@given(st.integers(2, 6), st.integers(0, 50))
def test_every_row_is_judged_once_by_folds_that_hold_every_class(folds, seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(3), folds * 2))

    def predict(train, test):
        assert not set(train) & set(test)
        assert len(train) + len(test) == len(labels)
        assert set(labels[test]) == {0, 1, 2}
        return np.tile(test[:, None].astype(float), 3)

    found = out_of_fold(predict, labels, folds, rng)
    np.testing.assert_array_equal(found[:, 0], np.arange(len(labels)))

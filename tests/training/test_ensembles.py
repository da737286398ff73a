import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from shopkeeper.errors import TrainingError
from shopkeeper.training import ensembles
from shopkeeper.training.ensembles import logits_average, over_seeds, probability_average, weights_by_likelihood

TABLES = arrays(np.float64, (3, 5, 4), elements=st.floats(-8, 8))


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(ensembles).failed == 0


@given(TABLES)
def test_mean_logits_are_the_geometric_mean_of_probabilities(logits):
    geometric = np.exp(np.log(softmax(logits)).mean(axis=0))
    expected = geometric / geometric.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(logits_average(logits)), expected, atol=1e-9)
    np.testing.assert_allclose(logits_average(logits + 5.0), logits_average(logits), atol=1e-9)


@given(TABLES)
def test_weights_pick_members_and_probabilities_stay_probabilities(logits):
    shares = softmax(logits)
    np.testing.assert_allclose(probability_average(shares, [0, 2, 0]), shares[1])
    mean = probability_average(shares, [1, 2, 3])
    np.testing.assert_allclose(mean.sum(axis=1), 1.0)
    assert (mean <= shares.max(axis=0) + 1e-12).all()


def test_an_average_is_likelier_than_its_members_are_on_average():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    shares = softmax(rng.normal(size=(5, 200, 4)) + 1.5 * np.eye(4)[labels])
    own = -np.log(shares[:, np.arange(200), labels]).mean(axis=1)
    assert -np.log(probability_average(shares)[np.arange(200), labels]).mean() < own.mean()


def test_weights_are_those_of_a_numeric_optimiser():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 300)
    quality = np.array([2.0, 1.5, 0.0])[:, None, None]
    shares = softmax(rng.normal(size=(3, 300, 3)) + quality * np.eye(3)[labels])
    given_to = shares[:, np.arange(300), labels]

    def loss(free):
        return -np.log(softmax(free) @ given_to).mean()

    found = weights_by_likelihood(shares, labels)
    assert found.sum() == pytest.approx(1)
    assert found[2] < 0.05 < found[1] < found[0]
    assert -np.log(found @ given_to).mean() == pytest.approx(minimize(loss, np.zeros(3)).fun, abs=1e-4)


def test_one_member_a_seed():
    members = over_seeds(lambda seed: np.full((2, 3), float(seed)), [4, 9])
    assert members.shape == (2, 2, 3)
    assert members[:, 0, 0].tolist() == [4, 9]


def test_what_does_not_fit_is_named():
    with pytest.raises(TrainingError, match="members, examples, classes"):
        logits_average(np.zeros((2, 3)))
    with pytest.raises(TrainingError, match="do not fit 2 members"):
        probability_average(np.zeros((2, 3, 2)), [1.0])
    with pytest.raises(TrainingError, match="do not fit 2 members"):
        probability_average(np.zeros((2, 3, 2)), [1.0, -1.0])
    with pytest.raises(TrainingError, match="4 labels cannot weigh answers to 3 examples"):
        weights_by_likelihood(np.full((2, 3, 2), 0.5), [0, 1, 0, 1])

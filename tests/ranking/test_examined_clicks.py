import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from shopkeeper.ranking.ads.examined_clicks import base_logit, fit_linear, losses, slopes, straightened

LOGITS = st.floats(-6, 6)
LOOKED = st.floats(0.05, 1.0)


def seen_clicks(n, looked, seed=0):
    """Features, clicks and looks of showings whose true logit is 1.5 x0 - x1 - 1."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    look = rng.choice(looked, n)
    clicked = rng.random(n) < look * expit(1.5 * x[:, 0] - x[:, 1] - 1)
    return x, clicked.astype(np.float64), look


@given(LOGITS, st.sampled_from([0, 1]), LOOKED)
def test_the_gradient_is_that_of_the_loss(logit, hit, looked):
    step = 1e-5
    up, down = losses([logit + step, logit - step], [hit, hit], [looked, looked])
    assert slopes([logit], [hit], [looked])[0][0] == pytest.approx((up - down) / (2 * step), abs=1e-4)


@given(LOGITS, LOOKED)
def test_the_curvature_is_the_expected_square_of_the_gradient(logit, looked):
    chance = looked * expit(logit)
    (one, curvature), (none, _) = slopes([logit], [1], [looked]), slopes([logit], [0], [looked])
    assert curvature[0] == pytest.approx(chance * one[0] ** 2 + (1 - chance) * none[0] ** 2, rel=1e-3, abs=1e-8)


def test_where_everything_is_looked_at_it_is_logistic_regression():
    x, clicked, _ = seen_clicks(2_000, [1.0])
    ours = fit_linear(x, clicked, np.ones(len(x)), ridge=1.0)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs = LogisticRegression(C=1.0, tol=1e-8).fit(scaled, clicked)
    assert np.allclose(ours.score(x), theirs.decision_function(scaled), atol=1e-3)


def test_the_place_is_out_of_what_is_learnt():
    x, clicked, looked = seen_clicks(40_000, [1.0, 0.5, 0.2])
    found = fit_linear(x, clicked, looked)
    assert found.weights == pytest.approx([1.5, -1.0, 0.0], abs=0.12)
    blind = fit_linear(x, clicked, np.ones(len(x)))
    truth = expit(1.5 * x[:, 0] - x[:, 1] - 1)
    assert np.abs(expit(found.score(x)) - truth).mean() < 0.02 < np.abs(expit(blind.score(x)) - truth).mean()


def test_a_feature_that_never_varies_weighs_nothing():
    x, clicked, looked = seen_clicks(500, [1.0, 0.5])
    x[:, 2] = 7
    found = fit_linear(x, clicked, looked)
    assert found.weights[2] == 0
    assert np.isfinite(found.score(x)).all()


def test_straightening_takes_back_a_stretched_logit():
    x, clicked, looked = seen_clicks(30_000, [1.0, 0.4])
    truth = 1.5 * x[:, 0] - x[:, 1] - 1.0
    slope, shift = straightened(3 * truth.astype(np.float64) + 2, clicked, looked)
    assert slope == pytest.approx(1 / 3, abs=0.03)
    assert shift == pytest.approx(-2 / 3, abs=0.08)


def test_a_part_that_says_the_opposite_says_nothing():
    x, clicked, looked = seen_clicks(3_000, [1.0])
    slope, shift = straightened(-x[:, 0].astype(np.float64), clicked, looked)
    assert slope == 0
    assert shift == pytest.approx(base_logit(clicked, looked))


def test_no_hit_at_all_has_a_finite_chance():
    assert np.isfinite(base_logit(np.zeros(10), np.ones(10)))
    assert expit(base_logit(np.zeros(10), np.ones(10))) < 0.1

"""BG/NBD and gamma-gamma against published values and simulated customers with known parameters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import TrainingError
from shopkeeper.ranking.customers.lifetime import Lifetime, Spending, fit_lifetime, fit_spending

CDNOW = Lifetime(0.2426, 4.4136, 0.7929, 2.4259)
"""Fader, Hardie, Lee 2005: CDNOW, in weeks."""


def simulated(truth: Lifetime, people: int, rng: np.random.Generator):
    """Repeats, last and age of customers who live as the model says."""
    rate, leave = rng.gamma(truth.r, 1 / truth.alpha, people), rng.beta(truth.a, truth.b, people)
    age = rng.uniform(20.0, 60.0, people)
    repeats, last = np.zeros(people), np.zeros(people)
    for one in range(people):
        now = rng.exponential(1 / rate[one])
        while now < age[one]:
            repeats[one], last[one] = repeats[one] + 1, now
            if rng.random() < leave[one]:
                break
            now += rng.exponential(1 / rate[one])
    return repeats, last, age


def test_the_published_example():
    assert CDNOW.expected(39, [2], [30.43], [38.86])[0] == pytest.approx(1.226, abs=2e-3)


def test_published_spending():
    found = Spending(6.25, 3.74, 15.44).mean([2, 1, 0], [22.35, 11.77, 0.0])
    assert found == pytest.approx([24.65, 18.91, 35.17], abs=0.06)


def test_fitting_finds_what_customers_were_made_of():
    rng = np.random.default_rng(3)
    truth = Lifetime(0.8, 8.0, 0.8, 2.5)
    repeats, last, age = simulated(truth, 4_000, rng)
    found = fit_lifetime(repeats, last, age)
    assert found.r / found.alpha == pytest.approx(truth.r / truth.alpha, rel=0.12)
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.15)
    wanted, given_ = (model.expected(26, repeats, last, age) for model in (truth, found))
    assert given_.mean() == pytest.approx(wanted.mean(), rel=0.08)


def test_fitting_does_not_mind_the_unit_of_time():
    repeats, last, age = simulated(Lifetime(0.8, 8.0, 0.8, 2.5), 500, np.random.default_rng(4))
    weeks, days = fit_lifetime(repeats, last, age), fit_lifetime(repeats, last * 7, age * 7)
    assert days.expected(70, repeats, last * 7, age * 7) == pytest.approx(
        weeks.expected(10, repeats, last, age), rel=1e-3
    )


def test_spending_finds_what_customers_were_made_of():
    rng = np.random.default_rng(5)
    truth = Spending(4.0, 3.5, 30.0)
    count = rng.integers(1, 12, 4_000)
    mean_rate = rng.gamma(truth.q, 1 / truth.scale, 4_000)
    average = rng.gamma(truth.p * count, 1 / (mean_rate * count))
    found = fit_spending(count, average)
    assert found.mean([0, 3, 10], [0, 20.0, 20.0]) == pytest.approx(truth.mean([0, 3, 10], [0, 20.0, 20.0]), rel=0.06)


@given(
    st.integers(0, 60),
    st.floats(0.0, 1.0),
    st.floats(0.1, 2_000.0),
    st.floats(0.1, 300.0),
    st.floats(0.05, 5.0),
    st.floats(0.05, 5.0),
)
def test_expectations_are_sane(repeats: int, share: float, age: float, horizon: float, a: float, b: float):
    model = Lifetime(0.5, 10.0, a, b)
    last = share * age if repeats else 0.0
    near, far = (model.expected(days, [repeats], [last], [age])[0] for days in (horizon, 2 * horizon))
    assert 0 <= near <= far + 1e-9
    assert 0 <= model.alive([repeats], [last], [age])[0] <= 1


def test_whoever_was_seen_lately_is_likelier_alive():
    alive = CDNOW.alive([3, 3], [10.0, 38.0], [39.0, 39.0])
    assert alive[0] < alive[1]
    assert CDNOW.alive([0], [0.0], [39.0])[0] == 1.0


@pytest.mark.parametrize(
    ("repeats", "last", "age", "said"),
    [
        ([1.0] * 5, [1.0] * 5, [2.0] * 5, "5 of 5"),
        ([0.0] * 30, [0.0] * 30, [2.0] * 30, "0 of 30"),
        ([1.0] * 30, [3.0] * 30, [2.0] * 30, "outside"),
        ([float("nan"), *[1.0] * 29], [1.0] * 30, [2.0] * 30, "not finite"),
    ],
)
def test_what_cannot_be_fitted_says_so(repeats, last, age, said):
    with pytest.raises(TrainingError, match=said):
        fit_lifetime(repeats, last, age)


def test_nobody_paid():
    with pytest.raises(TrainingError, match="0 customers paid"):
        fit_spending([1.0] * 50, [0.0] * 50)

"""Pages in the proportions of their customer."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.ranking.pages import calibration
from shopkeeper.ranking.pages.calibration import calibrated, divergence, memberships, mix


def test_examples_in_the_documentation_hold():
    result = doctest.testmod(calibration)
    assert result.attempted > 0
    assert result.failed == 0


def shelf(seed, n=40, width=4, most=2):
    rng = np.random.default_rng(seed)
    labels = [rng.choice(width, rng.integers(0, most + 1), replace=False).tolist() for _ in range(n)]
    return rng.random(n).astype(np.float32), memberships(labels, width), rng.dirichlet(np.ones(width))


def test_proportions_are_kept():
    belongs = memberships([[0]] * 50 + [[1]] * 50, 2)
    scores = np.linspace(1, 0, 100).astype(np.float32)
    assert calibrated(scores, belongs, [0.7, 0.3], 10, 0.0).tolist() == list(range(10))
    page = calibrated(scores, belongs, [0.7, 0.3], 10, 0.99)
    assert sorted(page[page < 50].tolist()) == list(range(7)), "the best of each"
    assert sorted(page[page >= 50].tolist()) == [50, 51, 52]


@pytest.mark.parametrize("seed", range(6))
def test_each_step_is_the_best_by_the_formula(seed):
    scores, belongs, wanted = shelf(seed)
    dense, theta, worth = belongs.toarray(), 0.6, (scores - scores.min()) / np.ptp(scores)
    page: list[int] = []
    while len(page) < 8:
        quality = {
            n: (1 - theta) * worth[[*page, n]].sum() - theta * divergence(wanted, dense[[*page, n]].mean(axis=0))
            for n in range(40)
            if n not in page
        }
        page.append(max(quality, key=quality.get))
    assert calibrated(scores, belongs, wanted, 8, theta).tolist() == page


@given(seed=st.integers(0, 200), k=st.integers(0, 45), theta=st.floats(0, 1))
def test_a_page_is_k_different_candidates_and_calibration_helps(seed, k, theta):
    scores, belongs, wanted = shelf(seed)
    page = calibrated(scores, belongs, wanted, k, theta)
    assert len(set(page.tolist())) == len(page) == min(k, 40)
    if k:
        far = [
            divergence(wanted, belongs[calibrated(scores, belongs, wanted, k, t)].toarray().mean(axis=0))
            for t in (0, 1)
        ]
        assert far[1] <= far[0] + 0.05


@given(st.integers(0, 300))
def test_divergence_is_the_textbooks_and_never_negative(seed):
    rng = np.random.default_rng(seed)
    wanted, shown = rng.dirichlet(np.ones(5), (2, 3))
    smooth = 0.99 * shown + 0.01 * wanted
    assert divergence(wanted, shown) == pytest.approx((wanted * np.log(wanted / smooth)).sum(axis=1))
    assert (divergence(wanted, shown) >= 0).all()
    assert divergence(wanted, wanted) == pytest.approx(0, abs=1e-12)
    assert np.isfinite(divergence(wanted, np.zeros(5))).all()


def test_little_history_means_the_shops_mix():
    shop = [0.5, 0.3, 0.2]
    assert mix(memberships([], 3), [], shop) == pytest.approx(shop)
    own = memberships([[2]] * 400, 3)
    assert mix(own[:2], [1.0, 1.0], shop)[2] == pytest.approx((2 + 5 * 0.2) / 7)
    assert mix(own, np.ones(400), shop)[2] > 0.98


def test_bad_input_is_refused():
    scores, belongs, wanted = shelf(0)
    with pytest.raises(InputError):
        calibrated(scores[:-1], belongs, wanted, 3, 0.5)
    with pytest.raises(InputError):
        calibrated(scores, belongs, wanted[:-1], 3, 0.5)
    with pytest.raises(InputError):
        calibrated(scores, belongs, wanted, 3, -0.1)
    with pytest.raises(InputError):
        calibrated(scores * np.float32(np.nan), belongs, wanted, 3, 0.5)
    with pytest.raises(InputError):
        memberships([[0, 4]], 4)

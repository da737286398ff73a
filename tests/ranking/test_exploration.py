"""Exploration whose logged chances are those it draws with, and that keeps to its budget."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta as beta_distribution

from shopkeeper.errors import InputError
from shopkeeper.ranking.pages.drawing import Evenly, Thompson, Trials
from shopkeeper.ranking.pages.exploration import Explorer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def candidates(n=60, seed=0):
    rng = np.random.default_rng(seed)
    looks = np.where(np.arange(n) % 3 == 0, rng.integers(0, 60, n), 1000.0)
    return rng.permutation(n) + 100, np.floor(looks * rng.beta(2, 30, n)), looks


class _Remembering:
    """The same drawing, whose chances are worked out once: they do not change while nothing is learnt."""

    def __init__(self, drawing):
        self.order, self._drawing, self._chances = drawing.order, drawing, None

    def chances(self, trials, places):
        if self._chances is None:
            self._chances = self._drawing.chances(trials, places)
        return self._chances


@pytest.mark.parametrize(("drawing", "pages"), [(Evenly(), 5_000), (Thompson(rate=0.06), 20_000)])
def test_pages_show_each_item_as_often_as_was_logged(drawing, pages):
    ranked, clicks, looks = candidates()
    explorer = Explorer(_Remembering(drawing), chance=0.4, share=0.25, clicks_a_day=1e9, pool=8)
    k = 8
    counts, inverse = np.zeros((200, k)), np.zeros(k)
    for n in range(pages):
        page = explorer.page(str(n), NOW, ranked, clicks, looks, k)
        counts[page.rows, np.arange(k)] += 1
        inverse += page.explored / page.propensities
    policy = np.zeros((200, k))
    policy[page.candidates] = page.policy
    error = np.sqrt(policy * (1 - policy) / pages)
    assert (np.abs(counts / pages - policy) <= 4.5 * error + 1e-12).all()
    kept = [3, 7]
    assert np.flatnonzero(inverse).tolist() == kept
    spread = np.sqrt((1 / page.policy[k:, kept]).sum(axis=0) / pages)
    assert (np.abs(inverse[kept] / pages - 8) <= 4.5 * spread).all(), "weights of the pool's 8 items sum to 8"


@pytest.mark.parametrize("drawing", [Evenly(), Thompson(rate=0.02), Thompson(normal=True)])
def test_20000_orders_are_drawn_as_often_as_their_chances_say(drawing):
    rng = np.random.default_rng(5)
    looks = rng.integers(0, 80, 10).astype(float)
    trials = Trials(np.floor(looks * rng.beta(2, 30, 10)), looks)
    chances, counts = drawing.chances(trials, 3), np.zeros((10, 3))
    for _ in range(20_000):
        counts[drawing.order(trials, rng)[:3], np.arange(3)] += 1
    error = np.sqrt(chances * (1 - chances) / 20_000)
    assert (np.abs(counts / 20_000 - chances) <= 4.5 * error + 5e-5).all()


@settings(max_examples=60)
@given(
    n=st.integers(0, 40),
    k=st.integers(0, 30),
    seed=st.integers(0, 99),
    chance=st.floats(0, 1),
    share=st.floats(0, 0.5),
)
def test_a_page_is_whole_its_policy_a_distribution_and_its_share_kept(n, k, seed, chance, share):
    ranked, clicks, looks = candidates(n, seed)
    explorer = Explorer(Evenly(), chance=chance, share=share, clicks_a_day=1e9)
    page = explorer.page(f"r{seed}", NOW, ranked, clicks, looks, k)
    size = min(n, k)
    assert len(set(page.rows.tolist())) == len(page.rows) == size
    assert page.policy.sum(axis=0) == pytest.approx(np.ones(size))
    assert page.explored.sum() <= share * size + 1e-9
    assert (page.propensities > 0).all()
    assert (page.propensities <= 1 + 1e-12).all()
    assert set(page.rows[page.explored].tolist()) <= set(ranked[k:][looks[k:] < 100].tolist())
    certain = page.rows[~page.explored].tolist()
    assert certain == ranked[: len(certain)].tolist(), "the others keep their order"


def test_a_request_gets_the_same_page_again_and_another_seed_another():
    ranked, clicks, looks = candidates()

    def pages(seed):
        explorer = Explorer(Thompson(), chance=0.5, clicks_a_day=1e9, seed=seed)
        return [explorer.page(f"r{n}", NOW, ranked, clicks, looks, 10).rows.tolist() for n in range(30)]

    assert pages(1) == pages(1)
    assert pages(1) != pages(2)


@pytest.mark.parametrize("rate", [0.005, 0.05, 0.3])
def test_thompsons_chances_are_the_integral(rate):
    rng = np.random.default_rng(1)
    looks = rng.integers(0, 90, 12).astype(float)
    trials = Trials(np.floor(looks * rng.beta(1, 12, 12)), looks)
    found = Thompson(rate=rate).chances(trials, 2)
    a, b = trials.clicks + 20 * rate, looks - trials.clicks + 20 * (1 - rate)
    for item in range(12):
        rest = np.delete(np.arange(12), item)

        def first(x, item=item, rest=rest):
            return beta_distribution.pdf(x, a[item], b[item]) * beta_distribution.cdf(x, a[rest], b[rest]).prod()

        wanted = quad(first, 0, 0.1, limit=300)[0] + quad(first, 0.1, 1, limit=300)[0]
        assert found[item, 0] == pytest.approx(wanted, rel=5e-3, abs=2e-5)
    assert found.sum(axis=0) == pytest.approx([1, 1])


def test_thompson_prefers_what_may_be_good_and_loses_interest_in_what_is_not():
    trials = Trials(np.array([5.0, 0.0, 0.0]), np.array([50.0, 0.0, 90.0]))
    best, unknown, bad = Thompson(rate=0.05).chances(trials, 1)[:, 0]
    assert best > unknown > bad
    assert Thompson().chances(Trials(np.zeros(1), np.zeros(1)), 1).tolist() == [[1.0]]
    assert Thompson().chances(Trials(np.zeros(0), np.zeros(0)), 2).shape == (0, 2)
    assert Thompson().chances(Trials(np.zeros(2), np.zeros(2)), 2) == pytest.approx(0.5, abs=1e-6)
    huge = Trials(np.array([400_000.0, 100_000.0]), np.array([1e6, 1e6]))
    assert Thompson().chances(huge, 1)[:, 0] == pytest.approx([1, 0], abs=1e-5)


def test_the_budget_of_a_day_is_kept_and_comes_back_the_next_day():
    ranked, clicks, looks = candidates()
    clicks = np.where(looks < 100, 0.0, looks * 0.2)  # what is ranked well is clicked, what is untried is not
    explorer = Explorer(Evenly(), chance=0.5, share=0.25, clicks_a_day=2.0)
    lost, explored = 0.0, []
    for n in range(300):
        page = explorer.page(f"r{n}", NOW, ranked, clicks, looks, 8)
        lost += page.cost
        explored.append(bool(page.explored.any()))
        if not page.cost:
            assert page.propensities.tolist() == [1.0] * 8
            assert page.rows.tolist() == ranked[:8].tolist()
    assert 1.5 < lost <= 2.0
    assert explorer.spent == pytest.approx(lost)
    assert any(explored)
    assert not any(explored[-100:])
    page = explorer.page("r0", NOW + timedelta(days=1), ranked, clicks, looks, 8)
    assert explorer.spent == page.cost > 0


def test_the_expected_loss_is_the_loss_of_clicks():
    ranked, clicks, looks = (
        np.arange(20),
        np.r_[np.full(10, 200.0), np.zeros(10)],
        np.r_[np.full(10, 1e3), np.zeros(10)],
    )
    explorer = Explorer(Evenly(), chance=0.5, share=0.5, clicks_a_day=1e9)
    page = explorer.page("r", NOW, ranked, clicks, looks, 2, examination=[1.0, 0.5])
    rate = (np.array([200.0, 0.0]) + 20 * (400 + 1) / (2000 + 20)) / np.array([1020.0, 20.0])
    assert page.cost == pytest.approx(0.5 * 0.5 * (rate[0] - rate[1]))


def test_nothing_untried_means_no_exploration():
    ranked, clicks, looks = candidates()
    page = Explorer(Evenly(), chance=1.0).page("r", NOW, ranked, clicks, looks + 1000, 10)
    assert page.rows.tolist() == ranked[:10].tolist()
    assert page.propensities.tolist() == [1.0] * 10
    off = Explorer(Evenly(), chance=0.0).page("r", NOW, ranked, clicks, looks, 10)
    assert off.propensities.tolist() == [1.0] * 10


def test_bad_input_is_refused():
    for arguments in ({"chance": 1.5}, {"share": 0.6}, {"clicks_a_day": -1}, {"clicks_a_day": float("nan")}):
        with pytest.raises(InputError):
            Explorer(Evenly(), **arguments)
    with pytest.raises(InputError):
        Thompson(rate=0.0)
    ranked, clicks, looks = candidates()
    with pytest.raises(InputError):
        Explorer(Evenly()).page("r", NOW, ranked, clicks[:-1], looks, 5)

"""Two rankers on one page, and which of them customers prefer."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.evaluation.interleaving import TEAMS, earned_clicks, preference, team_draft, team_text
from shopkeeper.records import Event, EventKind, Impression

rankings = st.lists(st.integers(0, 12), unique=True, max_size=10)


@given(rankings, rankings, st.integers(0, 12), st.integers(0, 1000))
def test_a_page_is_a_fair_mix_of_both(a, b, k, seed):
    rows, teams = team_draft(a, b, k, np.random.default_rng(seed))
    assert len(rows) == len(teams) == min(k, len(set(a) | set(b)))
    assert len(set(rows.tolist())) == len(rows)
    for team, ranking in enumerate((a, b)):
        own = rows[teams == team].tolist()
        assert own == sorted(own, key=ranking.index), "each in its own order"
        for row in own:
            before = rows[: rows.tolist().index(row)].tolist()
            assert set(ranking[: ranking.index(row)]) <= set(before), "always the best that is left"
    if len(a) == len(b) == 10 and k <= 10:
        assert abs(int((teams == 0).sum()) - int((teams == 1).sum())) <= 1


def test_equal_rankings_give_that_ranking_and_equal_teams():
    drawn = [team_draft(range(9), range(9), 8, np.random.default_rng(seed)) for seed in range(300)]
    assert all(rows.tolist() == list(range(8)) for rows, _ in drawn)
    places = np.mean([teams for _, teams in drawn], axis=0)
    assert np.abs(places - 0.5).max() < 0.12, "both stand equally high"


def browse(better: int, sessions: int, rng: np.random.Generator) -> np.ndarray:
    """Clicks of customers to whom the items 0 to 4 are worth twice the others; team `better` shows them first."""
    lists = (list(range(5, 12)) + list(range(5)), list(range(12)))
    earned = []
    for _ in range(sessions):
        rows, teams = team_draft(*(lists if better else lists[::-1]), 8, rng)
        chance = np.arange(1, 9) ** -0.6 * np.where(rows < 5, 0.4, 0.2)
        hit = rng.random(8) < chance
        earned.append([(hit & (teams == 0)).sum(), (hit & (teams == 1)).sum()])
    return np.array(earned)


@pytest.mark.parametrize("better", [0, 1])
def test_clicks_alone_tell_the_better_one(better):
    found = preference(browse(better, 600, np.random.default_rng(3)))
    assert found.winner == "ab"[better]
    assert (found.low > 0.5) == bool(better)
    assert (found.high < 0.5) != bool(better)


def test_no_difference_is_seldom_found():
    rng = np.random.default_rng(0)
    same = [preference(rng.poisson(0.5, (200, 2)), seed=n) for n in range(60)]
    assert sum(bool(found.winner) for found in same) <= 6
    assert sum(found.low <= 0.5 <= found.high for found in same) >= 53


def test_the_sign_test_is_the_textbooks():
    found = preference([[1, 0]] * 9 + [[0, 3]] + [[1, 1]] * 2 + [[0, 0]] * 5)
    assert (found.sessions, found.ties) == (12, 2)
    assert found.chance == pytest.approx(2 * (1 + 10) / 2**10)
    assert found.share == pytest.approx(2 / 12)
    assert found.winner == "a"
    assert preference(np.zeros((0, 2))).winner == preference([[2, 2]]).winner == ""


def test_credits_are_read_from_the_log():
    shown = Event(
        id="i",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        kind=EventKind.IMPRESSION,
        session="s",
        request="r",
        query="红鞋",
        impression=Impression(items=("x", "y", "z"), positions=(1, 2, 3), propensities=(1.0, 1.0, 1.0)),
        properties={TEAMS: team_text([1, 0, 1])},
    )

    def click(item, request="r", kind=EventKind.CLICK):
        return replace(
            shown, id=f"{item}{request}{kind}", kind=kind, item=item, request=request, impression=None, properties={}
        )

    log = [click("x"), shown, click("x", kind=EventKind.CART), click("y"), click("z"), click("w"), click("y", "other")]
    assert earned_clicks(log).tolist() == [[1, 2]]
    assert earned_clicks([replace(shown, properties={}), click("x")]).shape == (0, 2)
    assert earned_clicks([replace(shown, properties={TEAMS: "ab"}), click("x")]).shape == (0, 2), (
        "teams of another page"
    )
    again = [replace(event, id=event.id + "2", request="r2", session="t") for event in (shown, click("y"))]
    assert earned_clicks([*log, *again]).tolist() == [[1, 2], [1, 0]]

"""Weeks of clicks in the practice shop teach a ranker, and interleaving notices."""

from pathlib import Path

import pytest

from bench.click_loop import run


@pytest.mark.slow
def test_a_month_of_clicks_teaches_and_interleaving_tells_from_clicks_alone(tmp_path: Path):
    rows = {row.system: row.metrics for row in run(tmp_path, quick=True, seed=7)}
    none, naive, weighted = "no learning", "clicks as they come", "shopkeeper, clicks weighted by examination"
    for language in ("en", "zh"):
        assert rows[f"{weighted}, week 4"][f"ndcg@10_{language}"].value > rows[none][f"ndcg@10_{language}"].value + 0.02
    taken = [rows[f"{name}, week 4"]["examination_error"].value for name in (weighted, naive)]
    assert taken[0] < 0.5 * taken[1]
    told = rows[f"shopkeeper interleaving: {weighted} against {none}"]
    assert told["sessions_won"].low > 0.5
    assert told["ndcg@10_gain"].low > 0

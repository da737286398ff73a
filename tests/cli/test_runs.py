"""`shopkeeper runs`, `runs compare` and the wrong calls of `tune`, as people and programs call them."""

import json

import pytest
from test_commands import run, shop  # noqa: F401 - fixtures


def test_every_training_leaves_a_run_that_is_listed_and_compared(shop):  # noqa: F811
    shop("train", "search", "purchase")
    shop("--set", "train.epochs=2", "train", "search")
    listed = json.loads(shop("runs", "--json")[1])
    assert [(one["run"], one["state"]) for one in listed] == [
        ("search/1", "done"),
        ("purchase/1", "failed"),
        ("search/2", "done"),
    ]
    assert "cannot be fine-tuned" in listed[1]["notes"]
    only = json.loads(shop("runs", "--task", "search", "--json")[1])
    assert [one["run"] for one in only] == ["search/1", "search/2"]
    code, out, _ = shop("runs")
    assert code == 0
    assert "search/2" in out

    found = json.loads(shop("runs", "compare", "search/1", "search/2", "--json")[1])
    assert found["runs"] == ["search/1", "search/2"]
    assert found["settings"] == {"epochs": [3, 2]}
    assert any("ndcg" in name for name in found["metrics"])
    assert all(len(row) == 2 for row in found["metrics"].values())
    code, out, _ = shop("runs", "compare", "search/1", "search/2")
    assert code == 0
    assert "epochs" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("runs", "compare", "search/1", "search/7"), 1, "no run 'search/1'"),
        (("runs", "compare", "search/1"), 1, "Name two"),
        (("tune", "cooking"), 1, "relevance, purchase"),
        (("tune", "relevance"), 1, "at least two"),
        (("tune", "relevance", "--trials", "0"), 2, "trials"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(run, arguments, code, said):  # noqa: F811
    run("init")
    found, out, err = run(*arguments)
    assert found == code
    assert said in out + err


def test_no_runs_are_an_empty_list(run):  # noqa: F811
    run("init")
    assert json.loads(run("runs", "--json")[1]) == []

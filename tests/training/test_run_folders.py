"""Run folders: numbers are given once, records survive, comparisons show what differs."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shopkeeper.errors import InputError, NotFoundError, TrainingError
from shopkeeper.training.runs import compare, find_run, list_runs, only_one, open_run


def test_a_run_is_opened_ended_and_found_again(tmp_path):
    run = open_run(tmp_path, "relevance", {"minutes": 5.0}, seed=3, data={"items": 40})
    assert (run.record().state, run.record().seconds) == ("open", None)
    run.end({"validation": {"mrr": {"value": 0.5, "low": 0.4, "high": 0.6}}}, settings={"rate": 1e-3}, notes="fine")
    run.plot("learning-curve", b"png")
    record = find_run(tmp_path, "relevance/1")
    assert record == run.record()
    assert (record.state, record.seed, record.notes) == ("done", 3, "fine")
    assert record.settings == {"minutes": 5.0, "rate": 1e-3}
    assert record.seconds >= 0
    assert (tmp_path / "runs" / "relevance" / "1" / "plots" / "learning-curve.png").read_bytes() == b"png"


def test_numbers_are_given_once_however_many_ask(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: open_run(tmp_path, "purchase", {"n": n}), range(24)))
    assert sorted(run.record().number for run in runs) == list(range(1, 25))
    assert sorted(run.record().settings["n"] for run in runs) == list(range(24))
    assert len(list_runs(tmp_path, "purchase")) == 24


def test_runs_are_listed_in_the_order_in_which_they_began(tmp_path):
    names = ["b", "a", "b"]
    for task in names:
        open_run(tmp_path, task, {})
    assert [record.task for record in list_runs(tmp_path)] == names
    assert [record.name for record in list_runs(tmp_path, "b")] == ["b/1", "b/2"]
    assert list_runs(tmp_path / "nowhere") == []


def test_a_failed_run_says_why(tmp_path):
    run = open_run(tmp_path, "a", {})
    run.fail("The loss became nan.")
    assert (run.record().state, run.record().notes) == ("failed", "The loss became nan.")


def test_comparing_shows_settings_that_differ_and_every_metric(tmp_path):
    for rate, mrr in ((1e-3, 0.4), (1e-4, 0.5)):
        run = open_run(tmp_path, "a", {"rate": rate, "epochs": 3}, seed=7, data={"items": 40})
        run.end({"validation": {"mrr": {"value": mrr, "low": 0.0}, "rows": 10}})
    third = open_run(tmp_path, "a", {"epochs": 3}, seed=8, data={"items": 41})
    found = compare([*list_runs(tmp_path)[:2], third.record()])
    assert found.names == ("a/1", "a/2", "a/3")
    assert found.settings == {"seed": (7, 7, 8), "rate": (1e-3, 1e-4, None), "data items": (40, 40, 41)}
    assert found.metrics == {"validation mrr": (0.4, 0.5, None), "validation rows": (10, 10, None)}


def test_an_unknown_run_names_the_known_ones_and_a_broken_one_its_file(tmp_path):
    with pytest.raises(NotFoundError, match="shopkeeper train"):
        find_run(tmp_path, "a/1")
    run = open_run(tmp_path, "a", {})
    with pytest.raises(NotFoundError, match="a/1"):
        find_run(tmp_path, "a/2")
    (run.folder / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"a/1/run\.json"):
        list_runs(tmp_path)


def test_a_task_is_trained_by_one_at_a_time_and_the_killed_are_written_down(tmp_path):
    killed = open_run(tmp_path, "intent", {})
    with only_one(tmp_path, "intent"):
        assert killed.record().state == "failed"
        assert "Killed" in killed.record().notes
        running = open_run(tmp_path, "intent", {})
        with pytest.raises(TrainingError, match="Somebody else is training intent"), only_one(tmp_path, "intent"):
            pass
        with only_one(tmp_path, "topic"):
            pass
        assert running.record().state == "open", "whoever came in vain has touched nothing"
    with only_one(tmp_path, "intent"):
        pass
    assert [record.state for record in list_runs(tmp_path)] == ["failed", "failed"]

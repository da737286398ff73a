"""A search on functions whose optimum is known, on a real run of the loop, through kills and with several workers."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from test_loop import FAST, Net, accuracy, examples, loss

from shopkeeper.errors import ExtraMissingError, InputError, TrainingError
from shopkeeper.progress import Span, listening
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.search_space import Among, Between, Whole, check_inside
from shopkeeper.training.tuning import Pruned, Pruning, Tried, search

SPACE = {"x": Between(-5.0, 5.0), "n": Whole(0, 10), "kind": Among(("bad", "good", None))}
DEFAULTS = {"x": -4.0, "n": 0, "kind": "bad"}


def hill(trial):
    """Highest, 0, at x = 2, n = 7, kind = good."""
    v = trial.values
    rows = -np.array([(v["x"] - 2) ** 2, 0.1 * (v["n"] - 7) ** 2, float(v["kind"] != "good")])
    return Tried(float(rows.mean()), rows)


@dataclass
class Slowly:
    seconds: float = 0.05
    note: Path | None = None

    def __call__(self, trial):
        if self.note is not None:
            with self.note.open("a") as file:
                file.write(f"{trial.number} {os.getpid()}\n")
        time.sleep(self.seconds)
        return hill(trial)


def dies(trial):
    os._exit(3)


def find(objective=hill, **changes):
    return search(objective, **{"space": SPACE, "start": [DEFAULTS], "trials": 20, "seed": 1} | changes)


def test_the_known_top_is_found_and_the_defaults_come_first():
    report = find(trials=40)
    assert report.attempts[0] == report.defaults
    assert report.defaults.values == DEFAULTS
    assert len(report.attempts) == 40
    assert report.best.values["kind"] == "good"
    assert report.best.values["x"] == pytest.approx(2.0, abs=0.7)
    assert report.best.score > -0.2 > report.defaults.score
    np.testing.assert_allclose(report.best.rows.mean(), report.best.score, atol=1e-6)
    json.dumps([attempt.to_json() for attempt in report.attempts])


def test_the_same_seed_proposes_the_same_and_defaults_that_are_best_stay():
    first, second, other = find(trials=6), find(trials=6), find(trials=6, seed=2)
    assert [a.values for a in first.attempts] == [a.values for a in second.attempts]
    assert [a.values for a in first.attempts] != [a.values for a in other.attempts]
    top = {"x": 2.0, "n": 7, "kind": "good"}
    assert find(trials=6, start=[top]).best.values == top


def test_taken_up_again_it_goes_on_counting(tmp_path):
    journal = tmp_path / "journal.jsonl"
    find(trials=5, storage=journal)
    report = find(trials=12, storage=journal)
    assert [attempt.number for attempt in report.attempts] == list(range(12))
    assert [a.values for a in report.attempts] == [a.values for a in find(trials=12).attempts]
    assert [a.values for a in find(trials=12, storage=journal).attempts] == [a.values for a in report.attempts]
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_killed_and_taken_up_again_it_tries_what_it_would_have_tried(tmp_path):
    journal, note = tmp_path / "journal.jsonl", tmp_path / "note"
    code = f"""
from pathlib import Path
from test_tuning import Slowly, find
find(Slowly(0.3, Path({str(note)!r})), trials=9, storage=Path({str(journal)!r}))
"""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=environ)
    try:
        end = time.monotonic() + 60
        while not (note.exists() and len(note.read_text().splitlines()) >= 4):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "tri')  # a line that the kill cut short
    report = find(trials=9, storage=journal)
    done = [attempt for attempt in report.attempts if attempt.state == "done"]
    assert [attempt.state for attempt in report.attempts].count("cut") == 1
    assert [attempt.values for attempt in done] == [attempt.values for attempt in find(trials=9).attempts]


@pytest.mark.slow
def test_two_workers_share_the_trials(tmp_path):
    note = tmp_path / "note"
    report = find(Slowly(0.2, note), trials=9, workers=2, storage=tmp_path / "journal.jsonl")
    assert [attempt.number for attempt in report.attempts] == list(range(9))
    assert report.defaults.values == DEFAULTS
    assert len({line.split()[1] for line in note.read_text().splitlines()}) == 2
    assert len({json.dumps(attempt.values) for attempt in report.attempts}) == 9


@pytest.mark.slow
def test_a_dead_worker_is_an_error():
    with pytest.raises(TrainingError, match="A worker of the search died"):
        find(dies, workers=2, trials=2)


def test_two_searches_do_not_share_a_journal(tmp_path):
    journal = tmp_path / "journal.jsonl"

    def nested(trial):
        with pytest.raises(InputError, match="Another search is at work"):
            find(storage=journal)
        return hill(trial)

    assert find(nested, trials=1, storage=journal).best.score < 0


def learn(trial, nets=None):
    model = Net()
    if nets is not None:
        nets.append(model)
    settings = FitSettings(epochs=5, rate=trial.values["rate"], bfloat16=False, patience=10)
    report = fit(
        model, examples(), loss, settings, validate=lambda: accuracy(model), hooks=[Pruning(trial)], name="toy"
    )
    return Tried(float(report.best))


def test_a_bad_run_of_the_loop_is_stopped_early_and_leaves_all_in_order():
    nets, spans = [], []
    rates = [{"rate": rate} for rate in (0.02, 0.03, 0.04, 0.025, 0.03, 1e-7)]
    with listening(lambda span: spans.append(span) if isinstance(span, Span) and span.name == "toy" else None):
        report = search(lambda trial: learn(trial, nets), {"rate": Between(1e-8, 1.0, log=True)}, start=rates, trials=6)
    *good, bad = report.attempts
    assert bad.state == "pruned"
    assert 2 <= len(bad.checks) < 6
    assert good[0].state == "done"
    assert len(good[0].checks) == 6
    assert report.best.score > 0.9 > bad.score
    assert not any(net.training for net in nets)
    assert all(parameter.grad is None for parameter in nets[-1].parameters())
    assert all(span.finished for span in spans)


def test_the_defaults_are_never_stopped_early():
    rates = [{"rate": 1e-7}, *({"rate": rate} for rate in (0.02, 0.03, 0.04, 0.02))]
    report = search(learn, {"rate": Between(1e-8, 1.0, log=True)}, start=rates, trials=5)
    assert report.defaults.state == "done"
    assert report.defaults.score < 0.8
    assert report.best.score > 0.9


def test_the_time_is_kept_but_the_defaults_run_to_their_end():
    def slow(trial):
        for _ in range(8):
            time.sleep(0.05)
            trial.report(0.0)
        return Tried(0.0)

    report = find(slow, minutes=0.0001, trials=50)
    assert [attempt.state for attempt in report.attempts] == ["done"]
    report = find(slow, minutes=0.6 / 60, trials=50)
    assert [attempt.state for attempt in report.attempts] == ["done", "cut"]
    assert report.seconds < 2


def test_a_training_error_is_a_result_but_not_for_the_defaults():
    def fails(trial):
        if trial.number == 2:
            raise TrainingError("The loss became nan.")
        return hill(trial)

    report = find(fails, trials=4)
    assert [attempt.state for attempt in report.attempts] == ["done", "done", "failed", "done"]
    assert "nan" in report.attempts[2].why

    def never(trial):
        raise TrainingError("There is nothing to learn from.")

    with pytest.raises(TrainingError, match="nothing to learn"):
        find(never)


def test_ctrl_c_inside_a_run_ends_the_search_and_keeps_what_is_done(tmp_path):
    journal = tmp_path / "journal.jsonl"

    def impatient(trial):
        def interrupted(model, batch):
            if trial.number == 1:
                raise KeyboardInterrupt
            return loss(model, batch)

        model = Net()
        fit(model, examples(), interrupted, FAST, hooks=[Pruning(trial)])
        return hill(trial)

    with pytest.raises(KeyboardInterrupt):
        find(impatient, storage=journal)
    report = find(storage=journal, trials=3)
    assert [attempt.state for attempt in report.attempts] == ["done", "cut", "done", "done"]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ({"x": 9.0, "n": 0, "kind": "bad"}, "x = 9.0, which is not in Between"),
        ({"x": 0.0, "n": 0}, "no kind"),
        ({"x": 0.0, "n": 0, "kind": "bad", "xx": 1}, "Did you mean 'x'"),
        ({"x": 0.0, "n": 0.5, "kind": "bad"}, "n = 0.5"),
    ],
)
def test_a_start_outside_the_space_is_an_error(start, said):
    with pytest.raises(InputError, match=said):
        find(start=[start])


@given(some.floats(-10, 10), some.integers(-5, 15), some.sampled_from(["bad", "good", None, "other"]))
def test_inside_is_inside(x, n, kind):
    inside = -5 <= x <= 5 and 0 <= n <= 10 and kind != "other"
    try:
        check_inside(SPACE, {"x": x, "n": n, "kind": kind})
    except InputError:
        assert not inside
    else:
        assert inside


def test_a_foreign_file_and_a_missing_package_say_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "journal").write_text("this is not a journal\nat all\n")
    with pytest.raises(InputError, match=r"not the journal of a search.*Remove it"):
        find(storage=tmp_path / "journal")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ExtraMissingError, match=r"optuna is not installed.*shopkeeper\[learning\]"):
        find()


def test_pruned_is_no_error_of_the_house():
    assert not issubclass(Pruned, TrainingError)

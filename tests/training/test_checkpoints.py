"""A run that is cut off at any moment ends as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from interruption import Cut
from test_loop import Net, accuracy, examples, loss, weights

from shopkeeper.errors import TrainingError
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitSettings, fit

SETTINGS = FitSettings(epochs=5, rate=0.02, bfloat16=False, patience=10, accumulate=2, checks=2)


def train(folder, *hooks, settings=SETTINGS, of="", twist=0.0, pooler=0.0):
    model = Net(dropout=0.3)
    if pooler:
        model.pooler = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(model.pooler.weight, pooler)
    with torch.no_grad():
        next(model.parameters())[0] += twist
    report = fit(
        model,
        examples(),
        loss,
        settings,
        validate=lambda: accuracy(model),
        hooks=hooks,
        checkpoint=folder and Checkpoint(folder, of, seconds=0),
        seed=5,
    )
    return model, report


@pytest.mark.parametrize("cuts", [[1], [3], [4], [5], [8, 9], [2, 7, 13, 19]])
def test_a_run_that_is_cut_ends_like_one_that_is_not(tmp_path, cuts):
    whole, expected = train(None)
    for cut in cuts:
        with pytest.raises(ConnectionAbortedError):
            train(tmp_path / "run", Cut(cut))
    model, report = train(tmp_path / "run")
    assert torch.equal(weights(whole), weights(model))
    assert report.losses == expected.losses
    assert report.scores == expected.scores
    assert report.best_step == expected.best_step
    assert report.resumed == cuts[-1] - 1, "the plug was pulled before the state of that step was written"
    assert ("taken up at step" in str(report)) == (report.resumed > 0)
    assert [place.name for place in (tmp_path / "run").iterdir()] == ["state"]


@pytest.mark.parametrize("settings", [SETTINGS, replace(SETTINGS, patience=2), replace(SETTINGS, minutes=0.2 / 60)])
def test_a_run_that_ended_is_not_run_again_until_its_folder_is_cleared(tmp_path, settings):
    class Slow(Hook):
        def step(self, run):
            time.sleep(0.02)

    model, report = train(tmp_path / "run", Slow(), settings=settings)
    again, found = train(tmp_path / "run", Cut(report.steps), settings=settings)
    assert torch.equal(weights(model), weights(again))
    assert (found.losses, found.scores, found.stopped) == (report.losses, report.scores, report.stopped)
    assert found.resumed == report.steps
    Checkpoint(tmp_path / "run").clear()
    assert list(tmp_path.iterdir()) == []
    assert train(tmp_path / "run")[1].resumed == 0


@pytest.mark.parametrize("other", [{"settings": replace(SETTINGS, epochs=1)}, {"of": "other data"}, {"twist": 0.5}])
def test_a_run_with_other_settings_data_or_weights_does_not_take_up_the_state(tmp_path, other):
    with pytest.raises(ConnectionAbortedError):
        train(tmp_path / "run", Cut(4))
    report = train(tmp_path / "run", **other)[1]
    assert report.resumed == 0
    assert report.losses == train(None, **other)[1].losses


def test_a_pooler_that_is_drawn_anew_makes_no_other_run(tmp_path):
    with pytest.raises(ConnectionAbortedError):
        train(tmp_path / "run", Cut(4), pooler=1.0)
    assert train(tmp_path / "run", pooler=2.0)[1].resumed == 3


def test_a_loss_that_is_no_number_leaves_no_state_that_leads_there(tmp_path):
    class Spoil(Hook):
        def step(self, run):
            if run.step == 3:
                run.loss = lambda model, batch: loss(model, batch) * float("nan")

    with pytest.raises(TrainingError, match="became nan"):
        train(tmp_path / "run", Spoil())
    assert list(tmp_path.iterdir()) == []


def test_parts_of_one_work_lie_in_its_folder_and_go_with_it(tmp_path):
    work = Checkpoint(tmp_path / "work", "data", 5.0)
    part = work.part("first")
    assert (part.of, part.seconds) == ("data", 5.0)
    work.write({"a": torch.ones(2)}, {"run": "one"})
    part.write({"a": torch.zeros(2)}, {"run": "two"})
    work.write({"a": torch.ones(2)}, {"run": "one"})
    assert part.read("two")[0]["a"].sum() == 0
    assert part.read("one") is None
    work.clear()
    assert part.read("two") is None


def test_a_damaged_state_is_named(tmp_path):
    with pytest.raises(ConnectionAbortedError):
        train(tmp_path / "run", Cut(4))
    (tmp_path / "run" / "state" / "state.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(TrainingError, match="Remove the folder"):
        train(tmp_path / "run")


def test_a_hook_keeps_its_memory(tmp_path):
    class Sum(Hook):
        total = 0.0

        def step(self, run):
            self.total += run.losses[-1]

        def state(self):
            return {"total": torch.tensor(self.total, dtype=torch.float64)}

        def restore(self, state):
            self.total = float(state["total"])

    whole, cut, rest = Sum(), Sum(), Sum()
    train(None, whole)
    with pytest.raises(ConnectionAbortedError):
        train(tmp_path / "run", cut, Cut(7))
    train(tmp_path / "run", rest)
    assert rest.total == pytest.approx(whole.total, abs=1e-9)


def test_an_unwritable_place_is_an_error_that_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="Make room"):
        train(tmp_path / "file" / "run")


_CHILD = """
import json, sys, time
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/.."]
from pathlib import Path
from test_checkpoints import SETTINGS, train
from shopkeeper.training.hooks import Hook
class Slow(Hook):
    def step(self, run):
        time.sleep(0.02)
        print(run.step, flush=True)
model, report = train(Path(sys.argv[2]), Slow())
from test_loop import weights
print(json.dumps({"weights": weights(model).tolist(), "losses": report.losses}))
"""


def test_kill_nine_and_go_on(tmp_path):
    whole, expected = train(None)
    command = [sys.executable, "-c", _CHILD, os.fspath(Path(__file__).parent), os.fspath(tmp_path / "run")]
    rng = np.random.default_rng(0)
    for _ in range(3):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(int(rng.integers(1, 5))):
            child.stdout.readline()
        time.sleep(float(rng.random()) * 0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    result = json.loads(done[-1])
    assert int(done[0]) > 1, "it began anew"
    assert result["losses"] == list(expected.losses)
    assert np.array_equal(np.float32(result["weights"]), weights(whole).numpy())


def test_two_kills_at_the_worst_moments_leave_a_whole_state(tmp_path, monkeypatch):
    kept = Checkpoint(tmp_path / "run", seconds=0)
    kept.write({"a": torch.ones(1)}, {"run": "r", "step": 1})
    (tmp_path / "run" / "state").rename(tmp_path / "run" / ".old")  # killed between the renames
    (tmp_path / "run" / ".deadbeef").mkdir()  # and in the middle of writing, before
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("pulled")))
    with pytest.raises(TrainingError):
        kept.write({"a": torch.zeros(1)}, {"run": "r", "step": 2})
    assert kept.read("r")[1]["step"] == 1
    monkeypatch.undo()
    kept.write({"a": torch.zeros(1)}, {"run": "r", "step": 3})
    assert kept.read("r")[1]["step"] == 3
    assert [place.name for place in (tmp_path / "run").iterdir()] == ["state"]

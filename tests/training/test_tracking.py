"""Trackers of a real run of the loop: what they write, what a kill leaves, what a resumed run adds."""

import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_loop import FAST, Net, accuracy, examples, loss

from shopkeeper.errors import ExtraMissingError, TrainingError
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import fit
from shopkeeper.training.tracking import LOG, JsonLines, TensorBoard, WeightsAndBiases, read_log, trackers

KILLED = """
import sys, time
from pathlib import Path
from test_loop import FAST, Net, accuracy, examples, loss
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import fit
from shopkeeper.training.tracking import trackers

class Slow(Hook):
    def step(self, run):
        if run.step == 20:
            run.checkpoint = None  # the kill comes well after the last checkpoint
        if run.step == 29:
            time.sleep(60)

folder = Path(sys.argv[1])
model = Net(0.2)
fit(model, examples(), loss, FAST, validate=lambda: accuracy(model), seed=2,
    hooks=[*trackers(folder / "run"), Slow()], checkpoint=Checkpoint(folder / "state", seconds=0))
"""


def track(model, *hooks, checkpoint=None, seed=2):
    return fit(
        model,
        examples(),
        loss,
        FAST,
        validate=lambda: accuracy(model),
        hooks=hooks,
        checkpoint=checkpoint,
        seed=seed,
    )


def scalars(folder, name):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return [(event.step, event.value) for event in found.Scalars(name)]


def test_the_log_tells_the_run_line_by_line(tmp_path):
    report = track(Net(), JsonLines(tmp_path / "run"))
    lines = read_log(tmp_path / "run")
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 49))
    assert [line["loss"] for line in steps] == list(report.losses)
    assert [(line["step"], line["score"]) for line in lines if "score" in line] == list(report.scores)
    assert lines[-1]["stopped"] == "epochs"
    assert lines[-1]["best_step"] == report.best_step
    assert all(first["seconds"] <= second["seconds"] for first, second in itertools.pairwise(lines))
    assert max(line["rate"] for line in steps) <= FAST.rate


def test_a_finished_log_is_never_overwritten(tmp_path):
    track(Net(), JsonLines(tmp_path))
    before = (tmp_path / LOG).read_bytes()
    with pytest.raises(TrainingError, match=r"which has ended.*folder of its own"):
        track(Net(), JsonLines(tmp_path))
    assert (tmp_path / LOG).read_bytes() == before


def test_a_run_that_died_before_its_first_checkpoint_begins_its_log_anew(tmp_path):
    (tmp_path / LOG).write_text('{"step": 1, "loss": 9.0}\n{"step": 2, "lo')
    track(Net(), JsonLines(tmp_path))
    lines = read_log(tmp_path)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 49))
    assert 9.0 not in [line.get("loss") for line in lines]


def test_kill_and_resume_leave_the_log_of_one_uninterrupted_run(tmp_path):
    here = Path(__file__).parent
    environ = {**os.environ, "PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)], env=environ)
    try:
        _wait(lambda: any(line["step"] == 29 for line in read_log(tmp_path / "run")), process)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    model = Net(0.2)
    hooks = [*trackers(tmp_path / "run"), Hook()]
    report = track(model, *hooks, checkpoint=Checkpoint(tmp_path / "state", seconds=0))
    track(Net(0.2), *trackers(tmp_path / "whole"))
    resumed, whole = read_log(tmp_path / "run"), read_log(tmp_path / "whole")
    for line in (*resumed, *whole):
        del line["seconds"]
    assert resumed == whole
    assert len(resumed) == 48 + len(report.scores) + 1
    for name in ("loss", "rate", "validation"):
        assert scalars(tmp_path / "run", name) == scalars(tmp_path / "whole", name)


def test_tensorboard_shows_the_curves(tmp_path):
    report = track(Net(), TensorBoard(tmp_path))
    assert scalars(tmp_path, "loss") == [
        (step, pytest.approx(value, rel=1e-6)) for step, value in enumerate(report.losses, 1)
    ]
    assert scalars(tmp_path, "validation") == [(step, pytest.approx(value)) for step, value in report.scores]


def test_weights_and_biases_offline_keeps_everything_in_the_folder(tmp_path, monkeypatch):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # whoever dares to call out meets a closed door
    monkeypatch.setenv("WANDB_PROJECT", "toy")
    hooks = trackers(tmp_path / "toys" / "1")
    assert [type(hook) for hook in hooks] == [JsonLines, TensorBoard, WeightsAndBiases]
    report = track(Net(), *hooks)
    (file,) = (tmp_path / "toys" / "1" / "wandb").glob("offline-run-*/run-*.wandb")
    for _ in range(300):  # its own process may write on for a while after the run is finished
        found = wandb_history(file)
        if sum(map(len, found)) >= 3 * len(report.losses) + 2 * len(report.scores):
            break
        time.sleep(0.1)
    assert [row["loss"] for row in found if "loss" in row] == list(report.losses)
    assert [(row["step"], row["validation"]) for row in found if "validation" in row] == list(report.scores)


def wandb_history(file):
    """The logged rows of an offline file: a header of 7 bytes, then LevelDB's log of protobuf records."""
    from wandb.proto import wandb_internal_pb2

    data, place, record, rows = file.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        left = 32_768 - place % 32_768
        if left < 7:
            place += left
            continue
        size, kind = struct.unpack_from("<HB", data, place + 4)
        if place + 7 + size > len(data):  # it is being written
            break
        record += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            found = wandb_internal_pb2.Record()
            found.ParseFromString(record)
            record = b""
            if found.WhichOneof("record_type") == "history":
                rows.append({i.key or i.nested_key[0]: json.loads(i.value_json) for i in found.history.item})
    return rows


@pytest.mark.parametrize(
    ("module", "make"), [("tensorboard", TensorBoard), ("wandb", lambda f: WeightsAndBiases("p", f))]
)
def test_a_missing_package_says_how_to_install_it(tmp_path, monkeypatch, module, make):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissingError, match=rf"{module} is not installed.*shopkeeper\[tracking\]"):
        make(tmp_path)


def test_hooks_are_closed_when_training_fails(tmp_path):
    closed = []

    class Fails(Hook):
        def step(self, run):
            raise ZeroDivisionError

        def close(self):
            closed.append(True)

    with pytest.raises(ZeroDivisionError):
        track(Net(), Fails(), JsonLines(tmp_path))
    assert closed == [True]
    assert [line["step"] for line in read_log(tmp_path)] == [0]


def _wait(ready, process, seconds=60.0):
    end = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, "the run ended by itself"
        assert time.monotonic() < end, "the run is too slow"
        time.sleep(0.02)

"""What a run leaves behind for people: JSON lines, TensorBoard, Weights & Biases; each is a hook of the loop.

Each survives a kill: what was written stays, and a run that goes on from its checkpoint first drops what the killed one
wrote beyond it, so that no step stands there twice.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from shopkeeper.errors import TrainingError
from shopkeeper.extras import require
from shopkeeper.training.hooks import Hook

if TYPE_CHECKING:
    from shopkeeper.training.loop import Run
    from shopkeeper.training.plan import FitReport

__all__ = ["LOG", "JsonLines", "TensorBoard", "WeightsAndBiases", "read_log", "trackers"]

LOG = "log.jsonl"
_FLUSH = 10  # seconds after which TensorBoard's file is written at the latest


def trackers(folder: Path) -> tuple[Hook, ...]:
    """What follows a run unless somebody says otherwise: JSON lines always, TensorBoard where it is installed.

    Weights & Biases joins them where its own variable ``WANDB_PROJECT`` names a project; it stays offline unless
    ``WANDB_MODE`` says otherwise.
    """
    hooks: list[Hook] = [JsonLines(folder)]
    if importlib.util.find_spec("tensorboard") is not None:
        hooks.append(TensorBoard(folder))
    if project := os.environ.get("WANDB_PROJECT"):
        mode: Literal["online", "offline"] = "online" if os.environ.get("WANDB_MODE") == "online" else "offline"
        hooks.append(WeightsAndBiases(project, folder, mode=mode))
    return tuple(hooks)


class JsonLines(Hook):
    """One line of JSON for each step, each check and the end of the run, in ``folder/log.jsonl``.

    Steps carry ``step``, ``loss``, ``rate`` and ``seconds``; checks ``step``, ``score`` and ``seconds``; the last line
    ``step``, ``best_step``, ``stopped`` and ``seconds``. The file is closed between two lines: nothing waits in memory.

    Args:
        folder: Made when first written.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / LOG

    def start(self, run: Run) -> None:
        """The log begins anew, unless `restore` follows."""
        self._run, self._begun = run, False

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: ARG002 - the file is the memory
        """Keep the lines up to where the run goes on."""
        checked = {step for step, _ in self._run.scores}
        self._begin(
            [
                line
                for line in read_log(self.file.parent)
                if ("loss" in line and line["step"] <= self._run.step) or ("score" in line and line["step"] in checked)
            ]
        )

    def step(self, run: Run) -> None:
        """A line for the step."""
        self._write(run, loss=run.losses[-1], rate=float(run.optimiser.param_groups[-1]["lr"]))

    def check(self, run: Run, score: float) -> None:
        """A line for the validation."""
        self._write(run, score=score)

    def end(self, run: Run, report: FitReport) -> None:
        """The last line."""
        self._write(run, best_step=report.best_step, stopped=report.stopped)

    def _write(self, run: Run, **values: Any) -> None:
        if not self._begun:
            if any("stopped" in line for line in read_log(self.file.parent)):
                raise TrainingError(
                    "Here lies the log of another run, which has ended.",
                    where=str(self.file),
                    cure="Give each run a folder of its own, see shopkeeper.training.runs.open_run.",
                )
            self._begin([])
        line = {"step": run.step, **values, "seconds": round(time.monotonic() - run.started, 3)}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _begin(self, kept: list[dict[str, Any]]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        aside = self.file.with_name(f".{LOG}")
        aside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        aside.replace(self.file)
        self._begun = True


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines that `JsonLines` wrote in `folder`; a last one that a kill cut short is left out."""
    file = folder / LOG
    lines: list[dict[str, Any]] = []
    if file.is_file():
        for text in file.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                continue
    return lines


class TensorBoard(Hook):
    """Loss, rate and validation as curves for ``tensorboard --logdir FOLDER``.

    Args:
        folder: Where the event files go; several runs below one folder are drawn over one another.

    Raises:
        ExtraMissingError: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require("tensorboard", "tracking")
        self._folder = folder
        self._writer: Any = None

    def start(self, run: Run) -> None:
        """Open a file; what an earlier one says is hidden, unless `restore` follows."""
        self._run, self._writer = run, None

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: ARG002 - the files are the memory
        """Hide what the killed run wrote beyond the step where this one goes on."""
        self._open(self._run.step + 1)

    def step(self, run: Run) -> None:
        """A point on the curves of loss and rate."""
        self._point("loss", run.losses[-1], run.step)
        self._point("rate", float(run.optimiser.param_groups[-1]["lr"]), run.step)

    def check(self, run: Run, score: float) -> None:
        """A point on the curve of validation."""
        self._point("validation", score, run.step)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()

    def _point(self, name: str, value: float, step: int) -> None:
        if self._writer is None:
            self._open(0)
        self._writer.add_scalar(name, value, step)

    def _open(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder.mkdir(parents=True, exist_ok=True)
        newest = max((_second(file) for file in self._folder.glob("events.out.tfevents.*")), default=0)
        while int(time.time()) <= newest:  # files are read in the order of their names, which hold whole seconds
            time.sleep(0.05)
        self._writer = SummaryWriter(str(self._folder), purge_step=step, flush_secs=_FLUSH)


def _second(file: Path) -> int:
    """The second in which an event file was begun; 0 for a name of another form, or of a clock that runs ahead."""
    part = file.name.split(".")[3] if file.name.count(".") > 2 else ""
    second = int(part) if part.isdigit() else 0
    return second if second <= time.time() else 0


class WeightsAndBiases(Hook):
    """Loss, rate and validation as a run of Weights & Biases; settings of the run as its configuration.

    Offline, everything stays in ``folder/wandb`` until somebody calls ``wandb sync`` on it. A run that was killed and
    goes on writes a second folder there under the same id.

    Args:
        project: Project of Weights & Biases.
        folder: Where its files go.
        mode: ``online`` sends the figures to the server that ``wandb login`` named; never the default.

    Raises:
        ExtraMissingError: wandb is not installed.
    """

    def __init__(self, project: str, folder: Path, mode: Literal["online", "offline"] = "offline") -> None:
        self._wandb: Any = require("wandb", "tracking")
        self._project, self._folder, self._mode = project, folder, mode
        self._open: Any = None

    def start(self, run: Run) -> None:
        """Open the run."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{self._folder.resolve()} {run.identity}"
        self._open = self._wandb.init(
            project=self._project,
            dir=str(self._folder),
            id=hashlib.blake2b(name.encode(), digest_size=8).hexdigest(),
            name=f"{self._folder.parent.name}/{self._folder.name}",
            config=run.settings.describe(),
            mode=self._mode,
            settings=self._wandb.Settings(
                silent=True, console="off", save_code=False, disable_git=True, x_disable_machine_info=True
            ),
        )

    def step(self, run: Run) -> None:
        """Loss and rate of the step."""
        rate = float(run.optimiser.param_groups[-1]["lr"])
        self._open.log({"loss": run.losses[-1], "rate": rate, "step": run.step})

    def check(self, run: Run, score: float) -> None:
        """The validation score."""
        self._open.log({"validation": score, "step": run.step})

    def end(self, run: Run, report: FitReport) -> None:  # noqa: ARG002 - the report says it all
        """How the run ended, as its summary."""
        self._open.summary.update({"best_step": report.best_step, "best": report.best, "stopped": report.stopped})

    def close(self) -> None:
        """Close the run and its process."""
        if self._open is not None:
            self._open.finish()
            self._open = None

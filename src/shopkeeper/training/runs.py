"""Runs on disk: what was tried, on which data, and what came of it. Old runs stay; a number is never written twice.

```
<home>/runs/<task>/<number>/
    run.json        settings, seed, fingerprint of the data, start, end, metrics
    log.jsonl       the loop's steps and checks (`tracking.JsonLines`), beside TensorBoard's event files
    plots/*.png
```
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from shopkeeper.errors import InputError, NotFoundError, TrainingError

__all__ = ["Comparison", "RunFolder", "RunRecord", "compare", "find_run", "list_runs", "only_one", "open_run"]

_RECORD = "run.json"
State = Literal["open", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What run.json says.

    Attributes:
        task: What was learnt.
        number: Of this task's runs, from 1.
        state: ``open`` while it is under way; one that was killed stays so until the task is trained again.
        settings: JSON values by name.
        data: Fingerprint of the data.
        started: UTC time, ISO 8601; `ended` as well, empty while open.
        metrics: What came of it, a tree of numbers like a card's.
        notes: Anything else; why it failed.
    """

    task: str
    number: int
    state: State = "open"
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""

    @property
    def name(self) -> str:
        """How people call it: ``relevance/3``."""
        return f"{self.task}/{self.number}"

    @property
    def seconds(self) -> float | None:
        """Wall time, None while it is open."""
        if not self.ended:
            return None
        return (datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.started)).total_seconds()


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run."""

    folder: Path

    def record(self) -> RunRecord:
        """What is known about it.

        Raises:
            InputError: run.json cannot be read.
        """
        file = self.folder / _RECORD
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            known = {one.name for one in fields(RunRecord)}
            return RunRecord(**{key: value for key, value in values.items() if key in known})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"The run cannot be read: {error}.", where=str(file), cure="Remove that run's folder."
            ) from error

    def end(
        self,
        metrics: Mapping[str, Any],
        *,
        settings: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        notes: str = "",
    ) -> None:
        """It ended well; what is only known now, such as all settings in force, is added."""
        record = self.record()
        self._write(
            replace(
                record,
                state="done",
                ended=_now(),
                metrics=metrics,
                settings={**record.settings, **(settings or {})},
                data={**record.data, **(data or {})},
                notes=notes,
            )
        )

    def fail(self, why: str) -> None:
        """It ended badly."""
        self._write(replace(self.record(), state="failed", ended=_now(), notes=why))

    def plot(self, name: str, png: bytes) -> Path:
        """Keep a picture as ``plots/<name>.png``."""
        file = self.folder / "plots" / f"{name}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png)
        return file

    def _write(self, record: RunRecord) -> None:
        text = json.dumps(asdict(record), indent=1, ensure_ascii=False, default=str)
        aside = self.folder / f".{_RECORD}.{uuid.uuid4().hex}"
        aside.write_text(text + "\n", encoding="utf-8")
        aside.replace(self.folder / _RECORD)


def open_run(
    home: Path,
    task: str,
    settings: Mapping[str, Any],
    *,
    seed: int = 0,
    data: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Begin a run in a folder of its own, under the next number of its task; safe across processes.

    Args:
        home: The shop's folder.
        task: What is to be learnt; the name of a folder.
        settings: JSON values by name.
        seed: Of everything random.
        data: Fingerprint of the data.

    Raises:
        TrainingError: The folder cannot be made.
    """
    place = home / "runs" / task
    try:
        place.mkdir(parents=True, exist_ok=True)
        number = max(_numbers(place), default=0)
        while True:
            number += 1
            try:
                (place / str(number)).mkdir()
                break
            except FileExistsError:
                continue
        run = RunFolder(place / str(number))
        record = RunRecord(
            task=task, number=number, settings=dict(settings), seed=seed, data=dict(data or {}), started=_now()
        )
        run._write(record)
    except OSError as error:
        raise _unwritable(place, error) from error
    return run


@contextmanager
def only_one(home: Path, task: str) -> Iterator[None]:
    """Within, nobody else trains this task in this shop; runs that a kill left open are written down as failed.

    Raises:
        TrainingError: Somebody else does, or the folder cannot be made.
    """
    place = home / "runs" / task
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise TrainingError(
            f"Somebody else is training {task} in this shop.", where=os.fspath(place), cure="Wait until that has ended."
        ) from None
    except OSError as error:
        raise _unwritable(place, error) from error
    try:
        for number in _numbers(place):
            run = RunFolder(place / str(number))
            if (run.folder / _RECORD).is_file() and run.record().state == "open":
                run.fail("Killed before it ended.")
        yield
    finally:
        lock.release()


def list_runs(home: Path, task: str = "") -> list[RunRecord]:
    """All runs of a task, or of all tasks, oldest first."""
    folders = sorted((home / "runs").glob(f"{task or '*'}/*/{_RECORD}"))
    records = [RunFolder(file.parent).record() for file in folders]
    return sorted(records, key=lambda record: (record.started, record.task, record.number))


def find_run(home: Path, name: str) -> RunRecord:
    """The run called ``task/number``.

    Raises:
        NotFoundError: There is none; the message names those that there are.
    """
    task, _, number = name.partition("/")
    known = list_runs(home)
    for record in known:
        if record.task == task and str(record.number) == number:
            return record
    names = ", ".join(record.name for record in known[-10:])
    raise NotFoundError(
        f"There is no run {name!r}.",
        where=str(home / "runs"),
        cure=f"The latest are: {names}." if known else "Run: shopkeeper train",
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side: one row a name, one value a run, None where a run has none.

    Attributes:
        names: The runs.
        settings: Settings, seed and data that are not the same everywhere.
        metrics: Every figure.
    """

    names: tuple[str, ...]
    settings: Mapping[str, tuple[Any, ...]]
    metrics: Mapping[str, tuple[Any, ...]]


def compare(runs: Sequence[RunRecord]) -> Comparison:
    """Put runs side by side."""
    settings = [
        {
            "seed": run.seed,
            **_leaves(run.settings),
            **{f"data {key}": value for key, value in _leaves(run.data).items()},
        }
        for run in runs
    ]
    table = _rows(settings)
    differing = {name: row for name, row in table.items() if any(value != row[0] for value in row)}
    metrics = _rows([_leaves(run.metrics) for run in runs])
    return Comparison(tuple(run.name for run in runs), differing, metrics)


def _unwritable(place: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"The run's folder cannot be made: {error}.", where=os.fspath(place), cure="Check the disk and its rights."
    )


def _rows(columns: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    names = dict.fromkeys(name for column in columns for name in column)
    return {name: tuple(column.get(name) for column in columns) for name in names}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of a tree by their path; a figure with an interval stays one: its ``value``."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix} {key}".strip()
        if not isinstance(value, Mapping):
            found[name] = value
        elif "value" in value:
            found[name] = value["value"]
        else:
            found |= _leaves(value, name)
    return found


def _numbers(place: Path) -> list[int]:
    return [int(folder.name) for folder in place.iterdir() if folder.name.isdecimal()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")

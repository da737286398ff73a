"""The journal of a search: Optuna's JSON log in one file, shared by processes, whole after a kill.

Its locks belong to the operating system, which frees them when a process dies; a line that a kill cut short is removed.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from shopkeeper.errors import InputError, TrainingError
from shopkeeper.extras import require

if TYPE_CHECKING:
    import optuna

    Frozen = optuna.trial.FrozenTrial

_NAME = "search"


class Journal:
    """Trials on disk.

    Args:
        file: Made on first use.

    Raises:
        ExtraMissingError: optuna is not installed.
        InputError: The file is no journal.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        optuna: Any = require("optuna", "learning")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        journals: Any = require("optuna.storages.journal", "learning")
        lock = FileLock(_beside(file, "lock"))
        with lock:
            _mend(file)
        try:
            storage = optuna.storages.JournalStorage(journals.JournalFileBackend(str(file), lock_obj=_Lock(lock)))
            self.study: optuna.Study = optuna.create_study(
                storage=storage, study_name=_NAME, direction="maximize", load_if_exists=True
            )
        except (ValueError, KeyError) as error:
            raise InputError(
                f"This is not the journal of a search: {error}.", where=str(file), cure="Remove it."
            ) from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other searches away; workers of this one share.

        Raises:
            InputError: Another search is at work.
        """
        lock = FileLock(_beside(self.file, "search"), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                "Another search is at work on this journal.", where=str(self.file), cure="Wait for it, or stop it."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def tidy(self, start: Sequence[Mapping[str, Any]]) -> None:
        """Give up what a kill left open, and see that the first trials are there."""
        for trial in self.trials():
            if trial.state.name == "RUNNING":
                self.study.tell(trial.number, state=type(trial.state).FAIL)
        known = [trial for trial in self.trials() if trial.state.name in ("WAITING", "COMPLETE") or _counts(trial)]
        for place, values in enumerate(start):
            if not any(trial.user_attrs.get("start") == place for trial in known):
                self.study.enqueue_trial(dict(values), {"start": place, "defaults": place == 0})

    def trials(self) -> list[Frozen]:
        """All of them, in order."""
        trials: list[Frozen] = self.study.get_trials(deepcopy=False)
        return trials

    def counted(self) -> int:
        """Trials that came to something, if only to an error of training."""
        return sum(map(_counts, self.trials()))

    def first(self) -> Frozen | None:
        """The trial of the defaults that came to something."""
        return next((t for t in self.trials() if t.user_attrs.get("defaults") and _counts(t)), None)

    def ask(self, sampler: Any, pruner: Any, trials: int, until: float) -> optuna.Trial | None:
        """The next trial; None when enough are finished or under way, or the time is over."""
        self.study.sampler, self.study.pruner = sampler, pruner
        with FileLock(_beside(self.file, "ask")):
            known = self.trials()
            taken = sum(_counts(trial) or trial.state.name == "RUNNING" for trial in known)
            begun = any(trial.user_attrs.get("defaults") and trial.state.name != "WAITING" for trial in known)
            if taken >= trials or (begun and time.time() >= until):
                return None
            asked: optuna.Trial = self.study.ask()
            return asked

    def finish(self, trial: optuna.Trial, score: float, rows: NDArray[np.float64] | None) -> None:
        """It came to a score."""
        if rows is not None:
            trial.set_user_attr("rows", np.asarray(rows, dtype=np.float64).round(9).tolist())
        self.study.tell(trial, score)

    def prune(self, trial: optuna.Trial) -> None:
        """It was stopped early."""
        self._end(trial, "PRUNED")

    def fail(self, trial: optuna.Trial, why: str) -> None:
        """Training failed, which counts as a result."""
        trial.set_user_attr("why", why)
        self._end(trial, "FAIL")

    def cut(self, trial: optuna.Trial) -> None:
        """It came to nothing and may be proposed again."""
        self._end(trial, "FAIL")

    def share(
        self, work: Callable[..., None], arguments: tuple[Any, ...], workers: int, tell: Callable[[int], None]
    ) -> None:
        """Call ``work(journal, *arguments, worker=n)`` in so many processes and wait for them.

        Raises:
            TrainingError: A worker died.
        """
        context = multiprocessing.get_context("spawn")
        errors = context.SimpleQueue()
        processes = [
            context.Process(target=_worker, args=(self.file, work, arguments, number, errors), daemon=True)
            for number in range(workers)
        ]
        for process in processes:
            process.start()
        try:
            while any(process.is_alive() for process in processes):
                time.sleep(0.2)
                tell(self.counted())
                if not errors.empty():
                    raise errors.get()
        finally:
            for process in processes:
                process.terminate()
                process.join()
        if not errors.empty():
            raise errors.get()
        if any(process.exitcode for process in processes):
            raise TrainingError(
                "A worker of the search died.", where=str(self.file), cure="Use fewer workers, or more memory."
            )

    def _end(self, trial: optuna.Trial, state: str) -> None:
        import optuna

        self.study.tell(trial, state=optuna.trial.TrialState[state])


def _counts(trial: Frozen) -> bool:
    return trial.state.name in ("COMPLETE", "PRUNED") or (trial.state.name == "FAIL" and "why" in trial.user_attrs)


class _Lock:
    """Optuna's protocol of a lock over one of the operating system."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _beside(file: Path, what: str) -> Path:
    return file.with_name(f".{file.name}.{what}")


def _mend(file: Path) -> None:
    """Remove a last line that a kill cut short."""
    if not file.is_file():
        return
    content = file.read_bytes()
    if content and not content.endswith(b"\n"):
        with file.open("r+b") as stream:
            stream.truncate(content.rfind(b"\n") + 1)


def _worker(file: Path, work: Callable[..., None], arguments: tuple[Any, ...], number: int, errors: Any) -> None:
    """A process of a shared search; it dies with the one that began it."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    try:
        work(Journal(file), *arguments, worker=number)
    except KeyboardInterrupt:
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - it is raised again where the search was called
        errors.put(error)

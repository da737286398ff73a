"""Search for good settings: the defaults first, then what Optuna's tree of Parzen estimators proposes.

Every trial is a line of a JSON journal, so that a search survives a kill, goes on where it was, and several processes
can share it. Bad trials are stopped early when they are below the median of the earlier ones at the same check. The
search reports; whether the best trial is truly better than the defaults is judged by whoever knows the metric.

Sources: Akiba et al. 2019 (Optuna); Bergstra et al. 2011 (TPE); Golovin et al. 2017 (median stopping rule).
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError, TrainingError
from shopkeeper.progress import span
from shopkeeper.training.hooks import Hook
from shopkeeper.training.search_space import Among, Between, Space, Whole, check_inside
from shopkeeper.training.trial_journal import Journal

if TYPE_CHECKING:
    import optuna

    from shopkeeper.training.loop import Run
    from shopkeeper.training.plan import FitReport

__all__ = [
    "Among", "Attempt", "Between", "Objective", "Pruned", "Pruning", "SearchReport", "Space", "Trial", "Tried",
    "Whole", "search",
]  # fmt: skip

_STARTUP = 8  # trials drawn at random before the sampler believes in what it has seen
_FEW = 4  # trials that must be finished before one is stopped for being below their median


class Pruned(Exception):  # noqa: N818 - a signal, not an error
    """This trial is not worth its time: raised through the loop to end it."""


class _Late(Pruned):
    """The time of the whole search is over."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trial came to.

    Attributes:
        score: Higher is better.
        rows: Its parts, float (n,), one a query or a row in the same order in every trial: they tell luck from gain.
    """

    score: float
    rows: NDArray[np.float64] | None = None


class Trial:
    """One try, as the objective sees it.

    Attributes:
        number: In the order of the search, from 0.
        values: What to try, by name.
    """

    def __init__(self, trial: optuna.Trial, values: Mapping[str, Any], until: float, *, spared: bool) -> None:
        self.number, self.values = trial.number, values
        self._trial, self._until, self._spared = trial, until, spared
        self._reports = 0

    def report(self, score: float) -> None:
        """Tell how it goes, at comparable moments of every trial.

        Raises:
            Pruned: It goes badly; never for the defaults.
        """
        self._trial.report(score, self._reports)
        self._reports += 1
        self.hurry()
        if not self._spared and self._trial.should_prune():
            raise Pruned

    def hurry(self) -> None:
        """Look at the clock.

        Raises:
            Pruned: The time of the search is over; never for the defaults.
        """
        if not self._spared and time.time() > self._until:
            raise _Late


Objective = Callable[[Trial], Tried]
"""Must be importable by name (a function or an instance of a class of a module) where there are several workers."""


class Pruning(Hook):
    """Reports every check of a run to its trial, which may end it there.

    Raises:
        Pruned: Out of `fit`. The model is then in evaluation mode, in the state of the last check.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def step(self, run: Run) -> None:  # noqa: ARG002 - only the clock matters
        """Is there time left?"""
        self._trial.hurry()

    def check(self, run: Run, score: float) -> None:  # noqa: ARG002 - only the score matters
        """How does it go?"""
        self._trial.report(score)

    def end(self, run: Run, report: FitReport) -> None:  # noqa: ARG002 - only the report matters
        """Half a run is no result: pass Ctrl-C on."""
        if report.stopped == "interrupted":
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class Attempt:
    """A trial of a search, over.

    Attributes:
        state: ``pruned`` is stopped early, ``failed`` is an error of training (`why`), ``cut`` is a kill or the end of
            the time; only ``done`` counts for the best.
        score: The last one seen.
        checks: Scores reported on the way.
    """

    number: int
    values: Mapping[str, Any]
    state: Literal["done", "pruned", "failed", "cut"]
    score: float | None
    checks: tuple[float, ...] = ()
    rows: NDArray[np.float64] | None = field(default=None, compare=False)
    seconds: float = 0.0
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values, without rows."""
        names = ("number", "values", "state", "score", "checks", "seconds", "why")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class SearchReport:
    """All trials so far, those of earlier calls on the same journal included, in order.

    Attributes:
        defaults: The first trial.
        seconds: Wall time of this call.
    """

    attempts: tuple[Attempt, ...]
    defaults: Attempt
    seconds: float

    @property
    def best(self) -> Attempt:
        """The best trial that ran to its end; the defaults when none is better."""
        done = [attempt for attempt in self.attempts if attempt.state == "done"]
        return max([self.defaults, *done], key=lambda attempt: -math.inf if attempt.score is None else attempt.score)


def search(
    objective: Objective,
    space: Space,
    *,
    start: Sequence[Mapping[str, Any]],
    trials: int,
    minutes: float = 60.0,
    seed: int = 0,
    storage: Path | None = None,
    workers: int = 1,
) -> SearchReport:
    """Try settings and report what each came to.

    Args:
        objective: Runs one trial.
        space: What may vary.
        start: What is tried first; the defaults at its head, which are never stopped early.
        trials: Of the whole search: one that is taken up again stops at the same number.
        minutes: Wall time of this call; a trial that is under way then is cut, the defaults are not.
        seed: Of the proposals. One worker killed and called again proposes what it would have proposed uncut.
        storage: The journal, a file; a temporary one when None. Another space or other data need another file.
        workers: Processes that share the journal.

    Raises:
        InputError: The defaults are not in the space, or another search is at work on this journal.
        TrainingError: The defaults cannot be trained, or a worker died.
        ExtraMissingError: optuna is not installed.
    """
    if not start or trials < 1 or workers < 1:
        raise InputError("A search needs defaults to start from, at least one trial and one worker.", where="search")
    for values in start:
        check_inside(space, values)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="shopkeeper-") as folder:
        journal = Journal(storage or Path(folder) / "journal.jsonl")
        with journal.alone(), span("Searching for settings", trials, "trials") as progress:
            journal.tidy(start)
            progress.advance(journal.counted())
            plan = _Plan(space, trials, time.time() + minutes * 60, seed)

            def tell(finished: int) -> None:
                progress.advance(finished - progress.done)

            if workers == 1:
                _work(journal, objective, plan, tell=tell)
            else:
                journal.share(_work, (objective, plan), workers, tell)
            attempts = tuple(_attempt(trial) for trial in journal.trials() if trial.state.is_finished())
            first = journal.first()
    defaults = next((a for a in attempts if first is not None and a.number == first.number), None)
    if defaults is None or defaults.state != "done":
        raise TrainingError("The defaults did not come to a result.", where="search", cure="Give it more minutes.")
    return SearchReport(attempts, defaults, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class _Plan:
    space: Space
    trials: int
    until: float
    seed: int


def _work(
    journal: Journal,
    objective: Objective,
    plan: _Plan,
    *,
    worker: int = 0,
    tell: Callable[[int], None] = lambda _: None,
) -> None:
    """Run trials until there are enough or the time is over."""
    import optuna

    pruner = optuna.pruners.MedianPruner(n_startup_trials=_FEW, n_warmup_steps=1)
    while True:
        seeds = np.random.SeedSequence([plan.seed, journal.counted(), worker]).generate_state(1)
        sampler = optuna.samplers.TPESampler(n_startup_trials=_STARTUP, seed=int(seeds[0]))
        asked = journal.ask(sampler, pruner, plan.trials, plan.until)
        if asked is None:
            return
        spared = bool(asked.user_attrs.get("defaults"))
        values = {name: kind.draw(name, asked) for name, kind in plan.space.items()}
        try:
            tried = objective(Trial(asked, values, plan.until, spared=spared))
        except _Late:
            journal.cut(asked)
        except Pruned:
            journal.prune(asked)
        except TrainingError as error:
            journal.fail(asked, str(error))
            if spared:
                raise
        except BaseException:
            journal.cut(asked)
            raise
        else:
            journal.finish(asked, tried.score, tried.rows)
        tell(journal.counted())


def _attempt(trial: optuna.trial.FrozenTrial) -> Attempt:
    checks = tuple(score for _, score in sorted(trial.intermediate_values.items()))
    why, rows = str(trial.user_attrs.get("why", "")), trial.user_attrs.get("rows")
    unfinished: Literal["failed", "cut"] = "failed" if why else "cut"
    states: dict[str, Literal["done", "pruned"]] = {"COMPLETE": "done", "PRUNED": "pruned"}
    score = trial.value if trial.value is not None else (checks[-1] if checks else None)
    return Attempt(
        trial.number,
        dict(trial.params),
        states.get(trial.state.name, unfinished),
        score,
        checks,
        None if rows is None else np.asarray(rows, dtype=np.float64),
        trial.duration.total_seconds() if trial.duration is not None else 0.0,
        why,
    )

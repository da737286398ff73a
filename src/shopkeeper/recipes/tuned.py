"""What a search found for a recipe, judged and kept: ``<home>/tuned/<task>.json``, which training uses afterwards.

The best of many trials is partly the luckiest. The gain over the defaults is bootstrapped over the rows of validation,
paired, at a level corrected for the number of trials (Bonferroni); unless the interval leaves out zero, the defaults stay.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from shopkeeper.errors import InputError
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.recipes.customers.purchase import PurchaseOptions
from shopkeeper.recipes.search.contrast import RelevanceOptions
from shopkeeper.training.tuning import SearchReport

Options = TypeVar("Options", RelevanceOptions, PurchaseOptions)

_logger = logging.getLogger(__name__)
_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """Is the best trial better than the defaults?

    Attributes:
        better: True when it is clear, or when there are no rows to doubt it by and the score is higher.
        gain: Of the best over the defaults, on validation.
        low: Lower end of its interval; None without rows.
        level: Of the interval, corrected for `compared`.
        compared: Trials that were compared with the defaults, those stopped early included.
    """

    better: bool
    gain: float
    low: float | None
    high: float | None
    level: float
    compared: int

    def __str__(self) -> str:
        """For people."""
        if not self.compared:
            return "No trial but the defaults was finished: they stay."
        if self.gain == 0:
            return f"None of {self.compared} trials beat the defaults: they stay."
        if self.low is None:
            said = "no rows to tell it from chance"
        else:
            said = f"{self.low:+.4f} to {self.high:+.4f} at {self.level:.2%}, corrected for {self.compared} trials"
        end = "better than the defaults" if self.better else "not clearly better than the defaults, which stay"
        return f"The best trial changed validation by {self.gain:+.4f} ({said}): {end}."


def judge(report: SearchReport) -> Verdict:
    """Compare the best trial of a search with its first, the defaults."""
    best, defaults = report.best, report.defaults
    compared = sum(attempt.state in ("done", "pruned") for attempt in report.attempts) - 1
    level = 1 - _CHANCE / max(1, compared)
    gain = (best.score or 0.0) - (defaults.score or 0.0)
    if best is defaults:
        return Verdict(better=False, gain=0.0, low=None, high=None, level=level, compared=compared)
    if best.rows is None or defaults.rows is None or best.rows.shape != defaults.rows.shape:
        return Verdict(better=gain > 0, gain=gain, low=None, high=None, level=level, compared=compared)
    found = paired_difference(defaults.rows, best.rows, level=level, resamples=20_000)
    return Verdict(better=found.low > 0, gain=gain, low=found.low, high=found.high, level=level, compared=compared)


def keep(home: Path, task: str, report: SearchReport, verdict: Verdict, *, encoder: str) -> Path:
    """Write what was found where training looks for it; the values are empty where the defaults stay."""
    file = _file(home, task)
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "task": task,
        "encoder": encoder,
        "values": dict(report.best.values) if verdict.better else {},
        "verdict": asdict(verdict),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "trials": [attempt.to_json() for attempt in report.attempts],
    }
    aside = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    aside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(file)
    return file


def tuned_values(home: Path, task: str, encoder: str) -> Mapping[str, Any]:
    """What a search chose for a task and this encoder; empty where there was none or the defaults stayed.

    Raises:
        InputError: The file is damaged.
    """
    file = _file(home, task)
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        values, meant = dict(content["values"]), content["encoder"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"What was tuned cannot be read: {error}.", where=str(file), cure=f"Remove it: shopkeeper tune {task}"
        ) from error
    if values and meant != encoder:
        _logger.warning("%s was tuned for %s, not for %s: the defaults are used", task, meant, encoder)
        return {}
    return values


def with_tuned(options: Options, values: Mapping[str, Any]) -> Options:
    """Options with some values as a search chose them, which the card will show.

    Raises:
        InputError: There is no such option.
    """
    try:
        return replace(options, **values, tuned=tuple(sorted(values)))
    except TypeError as error:
        raise InputError(
            f"What was tuned does not fit: {error}.", where=type(options).__name__, cure="Run: shopkeeper tune TASK"
        ) from error


def _file(home: Path, task: str) -> Path:
    return home / "tuned" / f"{task}.json"

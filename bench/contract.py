"""What a bench returns: one row a system, one value with an interval a metric."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shopkeeper.evaluation.intervals import bootstrap_interval

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure, with a 95 % interval where it is a mean over queries, users or rows."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def mean(cls, values: ArrayLike, seed: int = 0) -> Metric:
        """Mean of one value per query or user, float (n,), with its bootstrap interval."""
        array = np.asarray(values, dtype=np.float64)
        low, high = bootstrap_interval(array, seed=seed)
        return cls(float(array.mean()), low, high)


@dataclass(frozen=True, slots=True)
class Row:
    """One system's results. Ours have names that start with ``shopkeeper``."""

    system: str
    metrics: Mapping[str, Metric]
    seconds: float = 0.0
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One run of one bench: everything that `bench/results/*.json` holds."""

    bench: str
    args: Mapping[str, Any]
    rows: Sequence[Row]
    command: str
    seconds: float
    commit: str = field(default_factory=lambda: commit())
    machine: str = field(default_factory=lambda: machine())
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    peak_mb: float = field(default_factory=lambda: peak_mb())

    def to_json(self) -> dict[str, Any]:
        """The report as plain data; metrics without an interval carry the value alone."""
        tree = asdict(self)
        for row in tree["rows"]:
            row["metrics"] = {
                name: {key: number for key, number in metric.items() if number is not None}
                for name, metric in row["metrics"].items()
            }
        return tree


def commit() -> str:
    """Short hash of the commit measured, with ``+`` when the tree is dirty."""
    try:
        short = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "src", "bench/*.py"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return short + ("+" if dirty else "")


def machine() -> str:
    """Processor kind and core count, enough to judge a timing by."""
    import os

    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def peak_mb() -> float:
    """Most memory this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)

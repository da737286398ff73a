"""Has the world moved since a model was trained? The population stability index of each feature and of the score.

    PSI = sum over bins of (now - then) ln(now / then)

over the deciles of training and one bin for missing values (Siddiqi 2006, "Credit risk scorecards": above .25 a column has
moved). By chance alone PSI is about a chi-squared variable times (1 / n now + 1 / n then) (Yurdakul and Naranjo 2020,
"Statistical properties of the population stability index"), so that few rows need more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.tasks.guard.task import GuardTask

Values = NDArray[np.float64]

MOVED: Final = 0.25
"""PSI from which a column has moved."""
_BINS, _LEAST, _CHANCE = 10, 1e-4, 0.001
_PRIOR = 5.0
"""Rows of training mixed into those of now: an empty bin of few rows says little."""
SCORE: Final = "score"
"""Name of the model's own score among the columns."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column has moved.

    Attributes:
        name: The feature, or ``score``.
        psi: Population stability index.
        limit: From which on it has moved, given how many rows there are.
        before: Mean in training, NaN where it never applied.
        after: Mean now, likewise.
    """

    name: str
    psi: float
    limit: float
    before: float
    after: float

    @property
    def moved(self) -> bool:
        """Has it?"""
        return self.psi > self.limit


@dataclass(frozen=True, slots=True)
class Reference:
    """How columns were distributed in training.

    Attributes:
        edges: float64 (f, 9), deciles.
        shares: float64 (f, 11), of rows in each bin, missing values last.
        means: float64 (f,), NaN where a column never applied.
        count: Rows.
    """

    edges: Values
    shares: Values
    means: Values
    count: int

    @classmethod
    def fit(cls, table: Floats | Values) -> Reference:
        """Of float (n, f), NaN where something does not apply."""
        columns = np.asarray(table, dtype=np.float64)
        edges = np.zeros((columns.shape[1], _BINS - 1))
        for place, column in enumerate(columns.T):
            there = column[~np.isnan(column)]
            if len(there):
                edges[place] = np.quantile(there, np.linspace(0, 1, _BINS + 1)[1:-1])
        return cls(edges, _shares(columns, edges), _means(columns), len(columns))

    def compare(self, table: Floats | Values, names: Sequence[str]) -> list[Drift]:
        """Each column's drift, the farthest first.

        Args:
            table: float (m, f), of now.
            names: f of them.

        Raises:
            InputError: There are no rows, or the columns are not those of training.
        """
        columns = np.asarray(table, dtype=np.float64)
        if columns.ndim != 2 or not len(columns) or not columns.shape[1] == len(self.edges) == len(names):
            raise InputError(
                f"{columns.shape} values cannot be compared with {len(self.edges)} columns of training.",
                where="drift",
                cure="Look at more days, or train again.",
            )
        seen = _shares(columns, self.edges)
        now = (len(columns) * seen + _PRIOR * self.shares) / (len(columns) + _PRIOR)
        index = stability(self.shares, now)
        noise = chi2.ppf(1 - _CHANCE, _BINS) * (1 / self.count + 1 / len(columns))
        limit, after = max(MOVED, float(noise)), _means(columns)
        found = [
            Drift(name, float(psi), limit, float(mean), float(new))
            for name, psi, mean, new in zip(names, index, self.means, after, strict=True)
        ]
        return sorted(found, key=lambda drift: -drift.psi)

    def save(self) -> dict[str, NDArray[Any]]:
        """Arrays by name, for a bundle."""
        return {
            "drift.edges": self.edges,
            "drift.shares": self.shares,
            "drift.means": self.means,
            "drift.count": np.array([self.count]),
        }

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]]) -> Reference:
        """Read what `save` gave."""
        edges, shares, means = (arrays[f"drift.{part}"] for part in ("edges", "shares", "means"))
        return cls(edges, shares, means, int(arrays["drift.count"][0]))


def stability(then: Values, now: Values) -> Values:
    """The population stability index over the last axis; shares below 1e-4 count as that.

    >>> stability(np.array([0.5, 0.5]), np.array([0.5, 0.5])).tolist()
    0.0
    """
    before, after = np.maximum(then, _LEAST), np.maximum(now, _LEAST)
    return np.asarray(((after - before) * np.log(after / before)).sum(axis=-1))


def drift(task: GuardTask, days: float = 7, until: datetime | None = None) -> list[Drift]:
    """How far features and score of the last days' payments have moved from those of training, the farthest first.

    Args:
        task: The guard, with the bundle it judges by.
        days: How far back.
        until: Up to when; now when None.

    Raises:
        InputError: There were no payments.
    """
    found = moved_since(task, days, until)
    if not found:
        raise InputError(f"There were no payments in the last {days:g} days.", where="days", cure="Ask for more days.")
    return found


def moved_since(task: GuardTask, days: float = 7, until: datetime | None = None) -> list[Drift]:
    """What `drift` says, empty where there were no payments."""
    names, table = task.recent(days, until)
    if not len(table):
        return []
    columns = np.column_stack([table, task.model.scores(table)])
    return Reference.load(task.bundle.arrays()).compare(columns, [*names, SCORE])


def _shares(columns: Values, edges: Values) -> Values:
    found = np.zeros((columns.shape[1], _BINS + 1))
    for place, column in enumerate(columns.T):
        bins = np.where(np.isnan(column), _BINS, np.searchsorted(edges[place], column, side="right"))
        found[place] = np.bincount(bins, minlength=_BINS + 1) / max(len(column), 1)
    return found


def _means(columns: Values) -> Values:
    there = ~np.isnan(columns)
    counts = there.sum(axis=0)
    sums = np.where(there, columns, 0).sum(axis=0)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))

"""Where a search may look: a name for each value, and what it may be."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shopkeeper.errors import InputError

if TYPE_CHECKING:
    import optuna

Value = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Between:
    """A real number in [low, high]; `log` looks at its order of magnitude, which suits rates."""

    low: float
    high: float
    log: bool = False

    def draw(self, name: str, trial: optuna.Trial) -> float:
        """The value of a trial."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def holds(self, value: Any) -> bool:
        """May it be this?"""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from low to high, both included."""

    low: int
    high: int

    def draw(self, name: str, trial: optuna.Trial) -> int:
        """The value of a trial."""
        return trial.suggest_int(name, self.low, self.high)

    def holds(self, value: Any) -> bool:
        """May it be this?"""
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Among:
    """One of some values that have no order."""

    values: Sequence[Value]

    def draw(self, name: str, trial: optuna.Trial) -> Value:
        """The value of a trial."""
        return trial.suggest_categorical(name, list(self.values))

    def holds(self, value: Any) -> bool:
        """May it be this?"""
        return any(value == one and type(value) is type(one) for one in self.values)


Space = Mapping[str, Between | Whole | Among]


def check_inside(space: Space, values: Mapping[str, Any]) -> None:
    """See that `values` names every value of the space and nothing else, each within its bounds.

    Raises:
        InputError: It does not.
    """
    for name in values:
        if name not in space:
            near = difflib.get_close_matches(name, space, n=1)
            raise InputError(
                f"The search has no value {name!r}.",
                where="search",
                cure=f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(space)}.",
            )
    for name, span in space.items():
        if name not in values:
            raise InputError(f"The start has no {name}.", where="search", cure="Name every value of the space.")
        if not span.holds(values[name]):
            raise InputError(
                f"The start has {name} = {values[name]!r}, which is not in {span}.",
                where="search",
                cure="Widen the space: where the defaults are not in it, nothing can be compared with them.",
            )

"""Hooks: whatever looks into a run between its steps, passed to the loop as an argument.

Adversarial training, weight averaging, gradual unfreezing, penalties of continual learning and tracking are hooks; each
overrides the moments it cares about. The loop calls them in the order in which they were passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from shopkeeper.training.loop import Run
    from shopkeeper.training.plan import FitReport


class Hook:
    """Does nothing; override what is needed. A hook with memory of its own also overrides `state` and `restore`."""

    def start(self, run: Run) -> None:
        """Before the first validation. `run.model`, `run.optimiser` and `run.settings` are ready."""

    def epoch(self, run: Run, number: int) -> None:
        """Before epoch `number`, counted from 1."""

    def gradients(self, run: Run, batch: Any, share: float) -> None:
        """After the gradients of `batch` were added up; more may be added, each scaled by `share` (1 / accumulated batches)."""

    def step(self, run: Run) -> None:
        """After an optimiser step; `run.step` counts it already, `run.losses[-1]` is its loss."""

    def check(self, run: Run, score: float) -> None:
        """After a validation, `score` of the model as it stands."""

    def finish(self, run: Run) -> None:
        """After the last step, before the best state is put back. A hook may offer another state: `run.offer`."""

    def end(self, run: Run, report: FitReport) -> None:
        """After the best state was put back."""

    def close(self) -> None:
        """At the very end, also of a run that an error ended: let go of files and processes."""

    def state(self) -> Mapping[str, Tensor]:
        """What a checkpoint has to keep."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave; the model and the optimiser are restored already."""


def call(hooks: Sequence[Hook], moment: str, *arguments: Any) -> None:
    """Call one moment of every hook."""
    for hook in hooks:
        getattr(hook, moment)(*arguments)


@contextmanager
def closing(hooks: Sequence[Hook]) -> Iterator[None]:
    """Close every hook when the enclosed run is over, however it ended."""
    try:
        yield
    finally:
        call(hooks, "close")

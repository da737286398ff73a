"""Averages of weights: along one run as hooks, and of several runs as a soup. One model's time at serving, for free.

Transformers have no statistics of batches to be computed anew after averaging; a model with batch normalisation would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from shopkeeper.errors import TrainingError
from shopkeeper.training.hooks import Hook

if TYPE_CHECKING:
    from shopkeeper.training.loop import Run


class _Average(Hook):
    """Common to both: a mean of the learning parameters, kept in checkpoints and offered at the end of the run.

    Validation decides between the mean and the best single state; without validation the mean is taken.
    """

    def __init__(self) -> None:
        self._mean: list[Tensor] = []
        self._parameters: list[Tensor] = []
        self._count = 0

    def start(self, run: Run) -> None:
        """Begin with nothing."""
        self._parameters = list(run.parameters)
        self._mean, self._count = [], 0

    def finish(self, run: Run) -> None:
        """Offer the mean."""
        if self._mean:
            run.offer(self._mean)

    def state(self) -> Mapping[str, Tensor]:
        """The mean, and of how many states it is."""
        return {"count": torch.tensor([self._count])} | {f"mean{n}": value for n, value in enumerate(self._mean)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on with them."""
        self._count = int(state["count"])
        self._mean = [state[f"mean{n}"].to(self._parameters[n].device) for n in range(len(state) - 1)]

    def _add(self, share: float) -> None:
        """Move the mean by `share` of the way to the parameters as they are; the first state is the mean."""
        self._count += 1
        if not self._mean:
            self._mean = [parameter.detach().clone() for parameter in self._parameters]
            return
        for mean, parameter in zip(self._mean, self._parameters, strict=True):
            mean.lerp_(parameter.detach(), share)


class StochasticWeightAveraging(_Average):
    """The plain mean of states of the later part of a run (SWA, Izmailov et al. 2018).

    It needs a rate that stays high enough to move: `optimisers.constant` or `warm_inverse_sqrt`.

    Args:
        after: Share of the run that goes by before the first state is taken.
        every: Steps from one state to the next; an epoch when None.
    """

    def __init__(self, after: float = 0.5, every: int | None = None) -> None:
        super().__init__()
        self._after, self._every = after, every

    def step(self, run: Run) -> None:
        """Take a state when it is time."""
        if run.over >= self._after and run.step % (self._every or run.per_epoch) == 0:
            self._add(1 / (self._count + 1))


class ExponentialAverage(_Average):
    """A mean in which older states fade (Polyak & Juditsky 1992; as in Tarvainen & Valpola 2017).

    Args:
        keep: What the mean keeps of itself in a step; less in the first steps, so that the start is soon forgotten.
    """

    def __init__(self, keep: float = 0.99) -> None:
        super().__init__()
        self._keep = keep

    def step(self, run: Run) -> None:  # noqa: ARG002
        """Take the new state in."""
        self._add(1 - min(self._keep, (1 + self._count) / (10 + self._count)))


@dataclass(frozen=True, slots=True)
class Soup:
    """A mean of some states, and which ones are in it, best first."""

    state: Sequence[Tensor]
    members: Sequence[int]
    score: float


def soup(states: Sequence[Sequence[Tensor]], score: Callable[[Sequence[Tensor]], float]) -> Soup:
    """Average runs that began at the same weights, as far as it helps (greedy model soup, Wortsman et al. 2022).

    From the best state on, each next best joins the mean if the score does not get worse. The soup is never below the
    best single state on the data that `score` uses; measure it on others.

    Args:
        states: Of each run the same tensors in the same order, e.g. its learning parameters.
        score: Validation score of a state, higher is better.

    Raises:
        TrainingError: There is no state.
    """
    if not states:
        raise TrainingError("There is nothing to make a soup of.", where="soup", cure="Pass the states of some runs.")
    alone = [score(state) for state in states]
    order = sorted(range(len(states)), key=lambda number: -alone[number])
    members, best = order[:1], alone[order[0]]
    mean = [tensor.detach().clone() for tensor in states[order[0]]]
    for number in order[1:]:
        share = 1 / (len(members) + 1)
        wider = [old.lerp(new.detach(), share) for old, new in zip(mean, states[number], strict=True)]
        if (found := score(wider)) >= best:
            mean, best = wider, found
            members.append(number)
    return Soup(mean, members, best)

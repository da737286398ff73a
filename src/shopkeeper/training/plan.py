"""What a run of the loop is told, and what it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shopkeeper.training.optimisers import Optimiser, Schedule, adamw, warm_cosine

Stop = Literal["epochs", "patience", "minutes", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How to fit. The defaults suit a small pretrained encoder on a CPU.

    Attributes:
        epochs: Passes over the examples at most.
        minutes: Wall-time budget of the whole run, validation included; the schedule is squeezed to end within it.
        rate: Peak learning rate.
        rates: Multipliers of `rate` by prefix of a parameter's name, e.g. ``{"head": 10}``; the longest prefix wins.
        weight_decay: Decoupled decay of matrices; biases, norms and other vectors are never decayed.
        schedule: Share of the run that is over, in [0, 1] -> multiplier of the rate.
        clip: Largest norm of the gradient; 0 turns clipping off.
        accumulate: Batches whose gradients are averaged into one step.
        bfloat16: Multiply matrices in bfloat16 where the hardware does so natively; parameters stay float32.
        checks: Validations in an epoch.
        patience: Validations without improvement before stopping early.
    """

    epochs: int = 3
    minutes: float = 10.0
    rate: float = 2e-4
    rates: Mapping[str, float] = field(default_factory=dict)
    weight_decay: float = 0.01
    optimiser: Optimiser = adamw
    schedule: Schedule = warm_cosine
    clip: float = 1.0
    accumulate: int = 1
    bfloat16: bool = True
    checks: int = 1
    patience: int = 3

    def describe(self) -> dict[str, Any]:
        """Plain values for a card; functions go by their names."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        named = {"optimiser": self.optimiser.__name__, "schedule": self.schedule.__name__, "rates": dict(self.rates)}
        return values | named


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What happened. The model holds the best state that validation saw, which may be the one it came with.

    Attributes:
        losses: Training loss of each step.
        scores: (step, validation score) of each check; step 0 is before training.
        best_step: Step whose state the model now holds; `steps` when there was no validation.
        resumed: Steps that an earlier run did which was cut off, and whose checkpoint this one took up.
    """

    steps: int
    epochs: float
    seconds: float
    losses: tuple[float, ...]
    scores: tuple[tuple[int, float], ...]
    best_step: int
    stopped: Stop
    resumed: int = 0

    def __str__(self) -> str:
        """For people: the beginning of a sentence on what was kept."""
        taken_up = f", taken up at step {self.resumed}" if self.resumed else ""
        return f"{self.steps} steps, {self.epochs:.1f} epochs, {self.seconds:.0f} s{taken_up}, ended by {self.stopped}"

    @property
    def before(self) -> float | None:
        """Validation score before the first step."""
        return self.scores[0][1] if self.scores else None

    @property
    def best(self) -> float | None:
        """Validation score of the state kept."""
        return next((score for step, score in self.scores if step == self.best_step), None)

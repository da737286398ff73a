"""The one fine-tuning loop. Every recipe calls `fit`; what differs between recipes arrives as arguments.

A loss is a plain function of the model and a batch, a schedule a plain function of the share of the run that is over,
an optimiser a plain function of parameter groups. Nothing here knows what the model is for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from shopkeeper.compute.precision import autocast
from shopkeeper.errors import TrainingError
from shopkeeper.progress import Span, span
from shopkeeper.training.batching import Batches
from shopkeeper.training.optimisers import Optimiser, Schedule, adamw, parameter_groups, warm_cosine

B = TypeVar("B")
Loss = Callable[[nn.Module, B], Tensor]
Stop = Literal["epochs", "patience", "minutes", "interrupted"]

_BUDGET_MATTERS = 0.1  # before this share of the wall-time budget the schedule follows steps alone


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
    """

    steps: int
    epochs: float
    seconds: float
    losses: tuple[float, ...]
    scores: tuple[tuple[int, float], ...]
    best_step: int
    stopped: Stop

    @property
    def before(self) -> float | None:
        """Validation score before the first step."""
        return self.scores[0][1] if self.scores else None

    @property
    def best(self) -> float | None:
        """Validation score of the state kept."""
        return next((score for step, score in self.scores if step == self.best_step), None)


def fit(
    model: nn.Module,
    examples: Batches[B],
    loss: Loss[B],
    settings: FitSettings,
    *,
    validate: Callable[[], float] | None = None,
    seed: int = 0,
    name: str = "training",
) -> FitReport:
    """Fine-tune `model` in place and leave it in the best state seen, in evaluation mode.

    The same seed gives the same weights on the same machine, as long as the wall-time budget does not cut the run.
    Ctrl-C ends training early and keeps the best state; `FitReport.stopped` says so.

    Args:
        model: Whatever `loss` understands; only parameters that require a gradient change.
        examples: Gives one epoch of batches after another.
        loss: Scalar tensor to make small.
        settings: How long, how fast, with which optimiser.
        validate: Score of the model as it stands, higher is better; called before the first step, then
            `settings.checks` times an epoch. Without it there is no early stopping and the last state is kept.
        seed: Order of examples, dropout and anything else random.
        name: What the progress bar calls it.

    Raises:
        TrainingError: No examples, nothing to train, or a loss that is not a number.
    """
    if len(examples) == 0:
        raise TrainingError("There is nothing to learn from: not one batch of examples.", where=name)
    groups = parameter_groups(model, settings.rate, settings.weight_decay, settings.rates)
    if not groups:
        raise TrainingError(
            "Every parameter is frozen.", where=name, cure="Open a head or at least one layer for training."
        )
    per_epoch = math.ceil(len(examples) / settings.accumulate)
    devices: list[int] | None = [] if _device(model).type == "cpu" else None
    with torch.random.fork_rng(devices=devices), span(name, per_epoch * settings.epochs, "steps") as progress:
        torch.manual_seed(seed)
        run = _Run(model, loss, settings, settings.optimiser(groups), validate, progress, per_epoch)
        try:
            stopped = run.epochs(examples, np.random.default_rng(seed))
        except KeyboardInterrupt:
            stopped = "interrupted"
        model.eval()
        return run.report(stopped)


class _Run:
    """The state of one run: how far it is, what it saw, which state was best."""

    def __init__(
        self,
        model: nn.Module,
        loss: Loss[Any],
        settings: FitSettings,
        optimiser: torch.optim.Optimizer,
        validate: Callable[[], float] | None,
        progress: Span,
        per_epoch: int,
    ) -> None:
        self.model, self.loss, self.settings = model, loss, settings
        self.optimiser, self.validate, self.progress = optimiser, validate, progress
        self.peaks = [float(group["lr"]) for group in optimiser.param_groups]
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.per_epoch = per_epoch
        self.started = time.monotonic()
        self.step = 0
        self.losses: list[float] = []
        self.scores: list[tuple[int, float]] = []
        self.best = (-math.inf, 0)
        self.best_state: list[Tensor] = []

    def epochs(self, examples: Batches[Any], rng: np.random.Generator) -> Stop:
        self.check()
        gap = max(1, round(self.per_epoch / self.settings.checks))
        for epoch in range(1, self.settings.epochs + 1):
            batches = examples.epoch(rng)
            for number in range(1, self.per_epoch + 1):
                group = list(islice(batches, self.settings.accumulate))
                if not group:
                    break
                self.advance(group, epoch, number)
                if self.over >= 1.0 and self.step < self.per_epoch * self.settings.epochs:
                    self.check()
                    return "minutes"
                if number % gap == 0 and self.per_epoch - number >= gap // 2:
                    self.check()
            self.check()
            if self.impatient:
                return "patience"
        return "epochs"

    def advance(self, batches: Sequence[Any], epoch: int, number: int) -> None:
        """One optimiser step over `batches`."""
        _train_mode(self.model)
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * self.settings.schedule(self.over)
        total = 0.0
        for batch in batches:
            with autocast(_device(self.model), self.settings.bfloat16):
                value = self.loss(self.model, batch) / len(batches)
            found = float(value.detach())
            if not math.isfinite(found):
                raise TrainingError(
                    f"The loss became {found * len(batches)}.",
                    where=f"{self.progress.name}, epoch {epoch}, step {number}: {_preview(batch)}",
                    cure="Lower the learning rate, turn bfloat16 off, or look for broken values in that batch.",
                )
            value.backward()  # type: ignore[no-untyped-call]
            total += found
        if self.settings.clip > 0:
            nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.losses.append(total)
        recent = self.losses[-20:]
        self.progress.advance(
            loss=f"{sum(recent) / len(recent):.4f}", rate=f"{self.optimiser.param_groups[-1]['lr']:.1e}"
        )

    def check(self) -> None:
        """Validate, and remember the state if it is the best so far."""
        if self.validate is None or (self.scores and self.scores[-1][0] == self.step):
            return
        self.model.eval()
        with torch.no_grad():
            score = float(self.validate())
        self.scores.append((self.step, score))
        if score > self.best[0]:
            self.best = (score, self.step)
            self.best_state = [p.detach().clone() for p in self.parameters]
        self.progress.advance(0, validation=f"{score:.4f}")

    @property
    def over(self) -> float:
        """Share of the run that is over: of its steps, or of its time once that is what will end it."""
        steps = self.step / (self.per_epoch * self.settings.epochs)
        seconds = (time.monotonic() - self.started) / (self.settings.minutes * 60)
        return min(1.0, max(steps, seconds) if seconds > _BUDGET_MATTERS else steps)

    @property
    def impatient(self) -> bool:
        """Has validation failed to improve for `patience` checks?"""
        return sum(step > self.best[1] for step, _ in self.scores) >= self.settings.patience

    def report(self, stopped: Stop) -> FitReport:
        """Put the best state back and sum up."""
        with torch.no_grad():
            for parameter, kept in zip(self.parameters, self.best_state, strict=bool(self.best_state)):
                parameter.copy_(kept)
        return FitReport(
            steps=self.step,
            epochs=self.step / self.per_epoch,
            seconds=time.monotonic() - self.started,
            losses=tuple(self.losses),
            scores=tuple(self.scores),
            best_step=self.best[1] if self.best_state else self.step,
            stopped=stopped,
        )


def _train_mode(model: nn.Module) -> None:
    """Training mode for what learns; wholly frozen parts stay deterministic (no dropout)."""
    model.train()
    for module in _frozen(model):
        module.eval()


def _frozen(module: nn.Module) -> Iterator[nn.Module]:
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        yield module
        return
    for child in module.children():
        yield from _frozen(child)


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _preview(batch: object) -> str:
    text = repr(batch).replace("\n", " ")
    return text if len(text) <= 200 else f"{text[:200]}..."

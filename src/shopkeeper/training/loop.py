"""The one fine-tuning loop. Every recipe calls `fit`; what differs between recipes arrives as arguments.

A loss is a plain function of the model and a batch, a schedule a plain function of the share of the run that is over,
an optimiser a plain function of parameter groups, a hook whatever looks in between the steps. Nothing here knows what
the model is for.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from shopkeeper.compute.precision import autocast
from shopkeeper.errors import TrainingError
from shopkeeper.progress import Span, span
from shopkeeper.training.batching import Batches
from shopkeeper.training.checkpoints import Checkpoint, pack_optimiser, unpack_optimiser
from shopkeeper.training.hooks import Hook, call, closing
from shopkeeper.training.optimisers import parameter_groups
from shopkeeper.training.plan import FitReport, FitSettings, Stop

__all__ = ["FitReport", "FitSettings", "Loss", "Run", "fit"]

B = TypeVar("B")
Loss = Callable[[nn.Module, B], Tensor]

_BUDGET_MATTERS = 0.1  # before this share of the wall-time budget the schedule follows steps alone


def fit(
    model: nn.Module,
    examples: Batches[B],
    loss: Loss[B],
    settings: FitSettings,
    *,
    validate: Callable[[], float] | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
    seed: int = 0,
    name: str = "training",
) -> FitReport:
    """Fine-tune `model` in place and leave it in the best state seen, in evaluation mode.

    The same seed gives the same weights on the same machine, as long as the wall-time budget does not cut the run; so
    does a run that was killed and called again with the same arguments and the same `checkpoint`. Ctrl-C ends training
    early and keeps the best state; `FitReport.stopped` says so.

    Args:
        model: Whatever `loss` understands; only parameters that require a gradient change.
        examples: Gives one epoch of batches after another.
        loss: Scalar tensor to make small.
        settings: How long, how fast, with which optimiser.
        validate: Score of the model as it stands, higher is better; called before the first step, then
            `settings.checks` times an epoch. Without it there is no early stopping and the last state is kept.
        hooks: What else happens between the steps, see `hooks.Hook`.
        checkpoint: Where to keep the state of the run, so that it survives a kill; None keeps nothing. It is not cleared
            at the end: until the result is safe, another call goes on from the last state.
        seed: Order of examples, dropout and anything else random.
        name: What the progress bar calls it.

    Raises:
        TrainingError: No examples, nothing to train, a loss that is not a number, or a disk that is full.
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
    steps = per_epoch * settings.epochs
    with torch.random.fork_rng(devices=devices), span(name, steps, "steps") as progress, closing(hooks):
        torch.manual_seed(seed)
        run = Run(model, loss, settings, settings.optimiser(groups), validate, progress, per_epoch, hooks, checkpoint)
        run.identity = _identity(model, settings, per_epoch, seed, weights=checkpoint is not None)
        try:
            stopped = run.epochs(examples, np.random.default_rng(seed))
            run.write(ended=stopped)
        except KeyboardInterrupt:
            stopped = "interrupted"
        call(hooks, "finish", run)
        model.eval()
        report = run.report(stopped)
        call(hooks, "end", run, report)
        return report


class Run:
    """The state of one run: how far it is, what it saw, which state was best. Hooks read it.

    Attributes:
        model: What is being trained.
        loss: Its loss.
        step: Optimiser steps done.
        resumed: How many of them an earlier run did that was cut off.
        place: Epoch, counted from 1, and how many of its steps are done.
        steps: Optimiser steps that all epochs would take.
        losses: Training loss of each step.
        scores: (step, validation score) of each check.
        order: State of the generator from which the order of the current epoch was drawn.
        ended: How an earlier run ended that got no farther than that; None while there is something left to do.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss[Any],
        settings: FitSettings,
        optimiser: torch.optim.Optimizer,
        validate: Callable[[], float] | None,
        progress: Span,
        per_epoch: int,
        hooks: Sequence[Hook] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.model, self.loss, self.settings = model, loss, settings
        self.optimiser, self.validate, self.progress = optimiser, validate, progress
        self.hooks, self.checkpoint = hooks, checkpoint
        self.peaks = [float(group["lr"]) for group in optimiser.param_groups]
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.per_epoch = per_epoch
        self.steps = per_epoch * settings.epochs
        self.identity = ""
        self.started = self.written = time.monotonic()
        self.step = self.resumed = 0
        self.ended: Stop | None = None
        self.order: Mapping[str, Any] = {}
        self.place = (1, 0)
        self.losses: list[float] = []
        self.scores: list[tuple[int, float]] = []
        self.best = (-math.inf, 0)
        self.best_state: list[Tensor] = []

    def epochs(self, examples: Batches[Any], rng: np.random.Generator) -> Stop:
        """Go through all epochs, from the checkpoint if there is one, and say why the run ended."""
        call(self.hooks, "start", self)
        resumed = self._resume(rng)
        if self.ended is not None:
            return self.ended
        if resumed is None:
            self.check()
        gap = max(1, round(self.per_epoch / self.settings.checks))
        first, done = self.place
        for epoch in range(first, self.settings.epochs + 1):
            self.order = dict(rng.bit_generator.state)
            batches = examples.epoch(rng)
            if done:
                for _ in range(done * self.settings.accumulate):
                    next(batches, None)
            else:
                call(self.hooks, "epoch", self, epoch)
            if resumed is not None:
                torch.set_rng_state(resumed)
                resumed = None
            for number in range(done + 1, self.per_epoch + 1):
                group = list(islice(batches, self.settings.accumulate))
                if not group:
                    break
                self.advance(group, epoch, number)
                if self.over >= 1.0 and self.step < self.steps:
                    self.check()
                    return "minutes"
                if number % gap == 0 and self.per_epoch - number >= gap // 2:
                    self.check()
                self.place = (epoch, number)
                self.write()
            self.check()
            if self.impatient:
                return "patience"
            self.place, done = (epoch + 1, 0), 0
            self.order = dict(rng.bit_generator.state)
            self.write()
        return "epochs"

    def advance(self, batches: Sequence[Any], epoch: int, number: int) -> None:
        """One optimiser step over `batches`."""
        _train_mode(self.model)
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * self.settings.schedule(self.over)
        total = 0.0
        for batch in batches:
            value = self.value(batch) / len(batches)
            found = float(value.detach())
            if not math.isfinite(found):
                if self.checkpoint is not None:
                    self.checkpoint.clear()  # it would lead here again
                raise TrainingError(
                    f"The loss became {found * len(batches)}.",
                    where=f"{self.progress.name}, epoch {epoch}, step {number}: {_preview(batch)}",
                    cure="Lower the learning rate, turn bfloat16 off, or look for broken values in that batch.",
                )
            value.backward()  # type: ignore[no-untyped-call]
            call(self.hooks, "gradients", self, batch, 1 / len(batches))
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
        call(self.hooks, "step", self)

    def value(self, batch: Any) -> Tensor:
        """The loss of a batch, computed in the precision of the run; a scalar with a gradient."""
        with autocast(_device(self.model), self.settings.bfloat16):
            return self.loss(self.model, batch)

    def check(self) -> None:
        """Validate, and remember the state if it is the best so far."""
        if self.validate is None or (self.scores and self.scores[-1][0] == self.step):
            return
        score = self._score()
        self.scores.append((self.step, score))
        if score > self.best[0]:
            self._keep(score)
        self.progress.advance(0, validation=f"{score:.4f}")
        call(self.hooks, "check", self, score)

    def offer(self, state: Sequence[Tensor]) -> float | None:
        """Let validation judge another state of `parameters` than the one training reached, and keep the better one.

        Args:
            state: One tensor for each of `parameters`.

        Returns:
            Its score; None without validation, and then the state is taken.
        """
        with torch.no_grad():
            for parameter, value in zip(self.parameters, state, strict=True):
                parameter.copy_(value)
        if self.validate is None:
            return None
        score = self._score()
        if score > self.best[0]:
            self._keep(score)
        return score

    @property
    def over(self) -> float:
        """Share of the run that is over: of its steps, or of its time once that is what will end it."""
        steps = self.step / self.steps
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
            resumed=self.resumed,
        )

    def _score(self) -> float:
        assert self.validate is not None
        self.model.eval()
        with torch.no_grad():
            return float(self.validate())

    def _keep(self, score: float) -> None:
        self.best = (score, self.step)
        self.best_state = [p.detach().clone() for p in self.parameters]

    def write(self, ended: Stop | None = None) -> None:
        """Write a checkpoint when it is time, and in any case when the run has `ended`."""
        if self.checkpoint is None or self.ended is not None:
            return
        if ended is None and time.monotonic() - self.written < self.checkpoint.seconds:
            return
        moments, plain = pack_optimiser(self.optimiser)
        tensors = {f"model.{name}": value for name, value in self._learning().items()}
        tensors |= {f"best.{place}": value for place, value in enumerate(self.best_state)}
        tensors |= {f"optimiser.{name}": value for name, value in moments.items()}
        tensors |= {f"hook{n}.{name}": v for n, hook in enumerate(self.hooks) for name, v in hook.state().items()}
        tensors["random"] = torch.get_rng_state()
        values = {
            "run": self.identity,
            "step": self.step,
            "place": self.place,
            "seconds": time.monotonic() - self.started,
            "losses": self.losses,
            "scores": self.scores,
            "best": self.best,
            "optimiser": plain,
            "order": self.order,
            "ended": ended,
        }
        self.checkpoint.write(tensors, values)
        self.written = time.monotonic()

    def _resume(self, rng: np.random.Generator) -> Tensor | None:
        """Take up the state of an earlier run that was cut off; returns its random state, None when there is none."""
        found = self.checkpoint.read(self.identity) if self.checkpoint is not None else None
        if found is None:
            return None
        tensors, values = found
        with torch.no_grad():
            for name, parameter in self._learning().items():
                parameter.copy_(tensors[f"model.{name}"])
        unpack_optimiser(self.optimiser, _under("optimiser.", tensors), values["optimiser"])
        self.best_state = [tensors[f"best.{place}"] for place in range(len(_under("best.", tensors)))]
        self.best = (float(values["best"][0]), int(values["best"][1]))
        self.step = self.resumed = int(values["step"])
        self.losses = list(values["losses"])
        self.place = (int(values["place"][0]), int(values["place"][1]))
        self.scores = [(int(step), float(score)) for step, score in values["scores"]]
        self.started = time.monotonic() - float(values["seconds"])
        for number, hook in enumerate(self.hooks):
            hook.restore(_under(f"hook{number}.", tensors))
        rng.bit_generator.state = values["order"]
        self.ended = values["ended"]
        self.progress.advance(self.step, resumed=f"at step {self.step}")
        return tensors["random"]

    def _learning(self) -> dict[str, Tensor]:
        """Parameters that learn, and buffers, by name."""
        named = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        return named | {f"buffer.{name}": buffer for name, buffer in self.model.named_buffers()}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _identity(model: nn.Module, settings: FitSettings, per_epoch: int, seed: int, *, weights: bool) -> str:
    """What a checkpoint must agree in to be of the same run: settings, seed, length, what learns, the weights it starts from."""
    shapes = [(name, tuple(p.shape)) for name, p in model.named_parameters() if p.requires_grad]
    text = json.dumps([settings.describe(), per_epoch, seed, shapes], default=str)
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name, parameter in model.named_parameters() if weights else ():
        if "pooler." not in name:  # BERT's own gives no vector, and is drawn anew wherever a model comes without it
            digest.update(parameter.detach().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


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

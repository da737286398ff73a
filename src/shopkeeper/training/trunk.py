"""The frozen lower layers of a model, run once for every text: later epochs start from what they gave.

Frozen layers without dropout say the same about a text in every epoch. `Trunk` keeps their output (bfloat16) the first
time a text comes by and, inside `using`, lets the layers below answer from memory; outside of it the model is what it
always was. Layers are skipped by standing in for their `forward`, so that parameters keep their names and any
architecture with a stack of layers works.

A text's output depends in its last bits on the texts beside it. As a hook, a trunk keeps in checkpoints which texts went
through the lower layers together, so that a run that is taken up finds the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shopkeeper.compute.precision import autocast
from shopkeeper.errors import TrainingError
from shopkeeper.models.backbone import Backbone, run
from shopkeeper.training.batching import Ints
from shopkeeper.training.freezing import frozen_layers, layer_stack
from shopkeeper.training.hooks import Hook
from shopkeeper.training.supervised import Labelled
from shopkeeper.training.texts import TokenRows

_TOKENS = 8_192  # padded tokens in one pass through the lower layers
_MOST_BYTES = 4e9


def pays(backbone: Backbone, *texts: TokenRows) -> bool:
    """Whether keeping what the frozen layers say about these texts saves work and fits into memory (4 GB)."""
    if backbone.adapters is not None or frozen_layers(backbone.model) == 0:
        return False
    tokens = sum(int(part.lengths.sum()) for part in texts)
    return tokens * backbone.dimension * 2 <= _MOST_BYTES


class Trunk(Hook):
    """The lower layers of a backbone that do not learn, and what they said about some texts.

    Args:
        backbone: Its embeddings and lowest layers must be frozen already (`freezing.open_top`).
        texts: The texts of all examples, as token numbers.
        bfloat16: Compute in bfloat16 where that helps; what is kept is bfloat16 either way.

    Raises:
        TrainingError: No layer is frozen, or something below the lowest learning layer learns.
    """

    def __init__(self, backbone: Backbone, texts: TokenRows, *, bfloat16: bool = True) -> None:
        self._model: nn.Module = backbone.model
        self._stack = layer_stack(backbone.model)
        self.below = frozen_layers(backbone.model)
        if self.below == 0:
            raise TrainingError(
                "No layer is frozen, so nothing can be kept.",
                where="trunk",
                cure="Freeze layers with open_top first, or train without a trunk.",
            )
        self._texts, self._bfloat16 = texts, bfloat16
        self._current: Tensor | None = None
        self._known = np.zeros(len(texts.ids), dtype=np.bool_)
        self._groups = np.full(len(texts.ids), -1, dtype=np.int64)  # texts of one number went through together
        self._starts = np.concatenate([[0], np.cumsum(texts.lengths)])
        self._kept = torch.zeros((int(self._starts[-1]), backbone.dimension), dtype=torch.bfloat16)

    @property
    def megabytes(self) -> float:
        """Memory that the kept outputs take."""
        return self._kept.numel() * self._kept.element_size() / 1e6

    @contextmanager
    def using(self, rows: Ints | Sequence[int]) -> Iterator[None]:
        """Within, one or more forward passes over the texts `rows`, padded to the longest, begin above the trunk."""
        wanted = np.unique(np.asarray(rows, dtype=np.int64))
        for group in self._together(wanted[~self._known[wanted]]):
            self._fill(group)
        self._current = self._padded(rows)
        try:
            yield
        finally:
            self._current = None

    def loss(self, loss: Callable[[nn.Module, Labelled], Tensor]) -> Callable[[nn.Module, Labelled], Tensor]:
        """The same loss over batches whose `rows` are this trunk's texts."""

        def above(model: nn.Module, batch: Labelled) -> Tensor:
            with self.using(batch.rows):
                return loss(model, batch)

        return above

    @contextmanager
    def attached(self) -> Iterator[Trunk]:
        """Let the layers below answer from memory inside `using`; they are put back at the end.

        Several trunks of one model may be attached at once, the last one let go first.
        """
        layers = list(self._stack)[: self.below]
        before = [vars(layer).get("forward") for layer in layers]
        for place, layer in enumerate(layers):
            layer.forward = self._standing_in(layer, first=place == 0)
        try:
            yield self
        finally:
            for layer, earlier in zip(layers, before, strict=True):
                if earlier is None:
                    del layer.forward
                else:
                    layer.forward = earlier

    def state(self) -> Mapping[str, Tensor]:
        """Which texts went through together."""
        return {"groups": torch.from_numpy(self._groups)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Let them go through together again, when one of them comes by."""
        self._groups = state["groups"].numpy().copy()
        self._known[:] = False

    def _together(self, missing: Ints) -> Iterator[Ints]:
        """The groups that `missing` texts belong to; those that never came by become one."""
        groups = self._groups[missing]
        for number in np.unique(groups[groups >= 0]):
            yield np.flatnonzero(self._groups == number)
        if len(fresh := missing[groups < 0]):
            self._groups[fresh] = self._groups.max() + 1
            yield fresh

    def _standing_in(self, layer: nn.Module, *, first: bool) -> Callable[..., Any]:
        original = layer.forward

        def forward(hidden_states: Tensor, *arguments: Any, **named: Any) -> Any:
            if self._current is None:
                return original(hidden_states, *arguments, **named)
            return self._current.to(hidden_states.device, hidden_states.dtype) if first else hidden_states

        return forward

    def _padded(self, rows: Ints | Sequence[int]) -> Tensor:
        counts = [int(self._starts[row + 1] - self._starts[row]) for row in rows]
        hidden = torch.zeros((len(counts), max(counts), self._kept.shape[1]), dtype=self._kept.dtype)
        for place, (row, count) in enumerate(zip(rows, counts, strict=True)):
            start = int(self._starts[row])
            hidden[place, :count] = self._kept[start : start + count]
        return hidden

    def _fill(self, missing: Ints) -> None:
        """Run the lower layers for texts that come by for the first time."""
        modes = {module: module.training for module in self._model.modules()}
        device = next(self._model.parameters()).device
        self._model.eval()
        try:
            with torch.no_grad(), autocast(device, self._bfloat16):
                for rows in _portions(missing, self._texts.lengths):
                    inputs = (part.to(device) for part in self._texts.batch(rows))
                    found = self._below(*inputs).to("cpu", torch.bfloat16)
                    for place, row in enumerate(rows.tolist()):
                        start, stop = int(self._starts[row]), int(self._starts[row + 1])
                        self._kept[start:stop] = found[place, : stop - start]
        finally:
            for module, training in modes.items():
                module.training = training
        self._known[missing] = True

    def _below(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """Input of the lowest learning layer (output of the last one when none learns), float (n, t, d)."""
        layers = list(self._stack)
        if self.below == len(layers):
            return _output(layers[-1], lambda: run(self._model, ids, mask, types))
        return _input(layers[self.below], lambda: run(self._model, ids, mask, types))


class _EnoughError(Exception):
    """Ends a forward pass whose rest is not needed."""


def _input(layer: nn.Module, forward: Callable[[], Tensor]) -> Tensor:
    found: list[Tensor] = []

    def catch(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.append(arguments[0] if arguments else named["hidden_states"])
        raise _EnoughError

    handle = layer.register_forward_pre_hook(catch, with_kwargs=True)
    try:
        forward()
    except _EnoughError:
        pass
    finally:
        handle.remove()
    return found[0]


def _output(layer: nn.Module, forward: Callable[[], Tensor]) -> Tensor:
    found: list[Tensor] = []

    def catch(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)
        raise _EnoughError

    handle = layer.register_forward_hook(catch)
    try:
        forward()
    except _EnoughError:
        pass
    finally:
        handle.remove()
    return found[0]


def _portions(rows: Ints, lengths: Ints) -> Iterator[Ints]:
    """Cut rows, shortest text first, into portions of at most so many padded tokens."""
    order = rows[np.argsort(lengths[rows], kind="stable")]
    start = 0
    for stop in range(1, len(order) + 1):
        full = stop == len(order) or (stop + 1 - start) * int(lengths[order[stop]]) > _TOKENS
        if full:
            yield order[start:stop]
            start = stop

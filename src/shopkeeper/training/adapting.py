"""What training with adapters needs beyond the loop: the hook that moves AdaLoRA's ranks to where they matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shopkeeper.errors import TrainingError
from shopkeeper.models.adapters import AdaLora
from shopkeeper.models.backbone import Backbone
from shopkeeper.training.hooks import Hook

if TYPE_CHECKING:
    from shopkeeper.training.loop import Run

_SMOOTH = 0.85  # of sensitivity and of its uncertainty, both as in the paper


def adapter_hooks(backbone: Backbone) -> tuple[Hook, ...]:
    """The hooks that the active adapter needs in a run; none for most kinds."""
    adapters = backbone.adapters
    if adapters is None or adapters.active is None:
        return ()
    kind = adapters.kinds[adapters.active]
    return (RankBudget(kind, adapters.active),) if isinstance(kind, AdaLora) else ()


class RankBudget(Hook):
    """Ranks from `start` down to `rank` on average, taken from the directions that matter least (Zhang et al. 2023).

    A direction is a column of B, a value of E and a row of A. It matters as much as the smoothed |weight * gradient| of
    its value, plus the mean over its vectors, each times how much that figure wavers (equations 8 to 11 of the paper).
    The budget falls with the cube of the time that is left (equation 12): whole up to `warm` of the run, at its end from
    `settled` on; then the chosen directions stay.

    Args:
        adapter: Which rank, which penalty.
        name: The adapter's name on its backbone.
        warm: Share of the run before the first direction is given up.
        settled: Share of the run after which no other is.
        every: Steps from one choice to the next.
    """

    def __init__(
        self,
        adapter: AdaLora,
        name: str = "default",
        *,
        warm: float = 0.15,
        settled: float = 0.6,
        every: int = 5,
    ) -> None:
        self._adapter, self._name = adapter, name
        self._warm, self._settled, self._every = warm, settled, every
        self._triplets: list[tuple[nn.Parameter, nn.Parameter, nn.Parameter]] = []
        self._batches = 0.0
        self._meant: list[Tensor] = []
        self._wavers: list[Tensor] = []
        self._kept: list[Tensor] = []

    @property
    def ranks(self) -> tuple[int, ...]:
        """Directions that each matrix uses, in the order of the model."""
        return tuple(int((values != 0).sum()) for values, _, _ in self._triplets)

    def start(self, run: Run) -> None:
        """Find the matrices.

        Raises:
            TrainingError: There are none, or they are frozen.
        """
        found = [module for module in run.model.modules() if self._name in getattr(module, "lora_E", ())]
        parts = ("lora_E", "lora_A", "lora_B")
        self._triplets = [tuple(getattr(module, part)[self._name] for part in parts) for module in found]
        if not found or not all(part.requires_grad for triplet in self._triplets for part in triplet):
            raise TrainingError(
                f"No AdaLoRA adapter {self._name!r} learns in this run.",
                where=run.progress.name,
                cure="Put one on with adapt and leave it active.",
            )
        self._meant = [torch.zeros_like(part) for triplet in self._triplets for part in triplet]
        self._wavers = [torch.zeros_like(part) for part in self._meant]

    def gradients(self, run: Run, batch: Any, share: float) -> None:  # noqa: ARG002 - a hook by shape
        """Add the penalty's gradient; after the last batch of a step, see how much each weight matters."""
        penalty = torch.stack([_skew(rows) + _skew(columns.T) for _, rows, columns in self._triplets]).sum() / (
            2 * len(self._triplets)
        )
        (self._adapter.orthogonal * share * penalty).backward()  # type: ignore[no-untyped-call]
        self._batches += share
        if self._batches < 1 - 1e-6 or self._kept:
            return
        self._batches = 0.0
        parts = [part for triplet in self._triplets for part in triplet]
        for part, meant, wavers in zip(parts, self._meant, self._wavers, strict=True):
            assert part.grad is not None
            now = (part.detach() * part.grad).abs()
            meant.lerp_(now, 1 - _SMOOTH)
            wavers.lerp_((now - meant).abs(), 1 - _SMOOTH)

    def step(self, run: Run) -> None:
        """Give up directions beyond the budget."""
        if run.over < self._warm:
            return
        if not self._kept and (run.over >= self._settled or run.step % self._every == 0):
            kept = self._choose(self.budget(run.over))
            if run.over >= self._settled:
                self._kept = kept
            self._keep(kept)
        elif self._kept:
            self._keep(self._kept)

    def budget(self, over: float) -> int:
        """Directions of all matrices together that may be in use when `over` of the run is over."""
        most = sum(len(values) for values, _, _ in self._triplets)
        least = self._adapter.rank * len(self._triplets)
        left = 1 - (over - self._warm) / (self._settled - self._warm)
        return least + round((most - least) * min(1.0, max(0.0, left)) ** 3)

    def _choose(self, budget: int) -> list[Tensor]:
        """The `budget` directions that matter most, as bool (start, 1) for each matrix."""
        scores = [meant * wavers for meant, wavers in zip(self._meant, self._wavers, strict=True)]
        matters = [
            scores[at].squeeze(1) + scores[at + 1].mean(dim=1) + scores[at + 2].mean(dim=0)
            for at in range(0, len(scores), 3)
        ]
        best = torch.cat(matters).argsort(descending=True, stable=True)[:budget]
        chosen = torch.zeros(sum(map(len, matters)), dtype=torch.bool, device=best.device)
        chosen[best] = True
        return [part.unsqueeze(1) for part in torch.split(chosen, [len(part) for part in matters])]

    def _keep(self, kept: list[Tensor]) -> None:
        with torch.no_grad():
            for (values, _, _), mask in zip(self._triplets, kept, strict=True):
                values.mul_(mask)

    def state(self) -> Mapping[str, Tensor]:
        """Sensitivities, and the choice once it is made."""
        named = {"meant": self._meant, "wavers": self._wavers, "kept": self._kept}
        return {f"{name}.{at}": value for name, values in named.items() for at, value in enumerate(values)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take them up."""
        for name, values in (("meant", self._meant), ("wavers", self._wavers)):
            for at, value in enumerate(values):
                value.copy_(state[f"{name}.{at}"])
        device = self._meant[0].device
        self._kept = [state[f"kept.{at}"].to(device) for at in range(len(self._triplets)) if f"kept.{at}" in state]


def _skew(rows: Tensor) -> Tensor:
    """How far the rows, float (r, d), are from orthonormal: the Frobenius norm of R R' - I."""
    norm: Tensor = torch.linalg.matrix_norm(rows @ rows.T - torch.eye(len(rows), device=rows.device))
    return norm

"""A learnt `models.cross_network.CrossNetwork` at work, in numpy: no PyTorch where pages are served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import ModelError
from shopkeeper.models.text import Floats

MOST: Final = 8.0
"""Deviations beyond which a plain feature says no more: an outlier multiplied with itself would say everything."""


class CrossScorer:
    """The forward pass of DCN-v2 for the candidates of one page.

    Args:
        weights: What `CrossNetwork.save` gave.

    Raises:
        ModelError: A weight is missing, or their shapes do not fit together.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._weights = {name: np.asarray(value, dtype=np.float32) for name, value in weights.items()}
        try:
            self._centre, self._spread = self._weights["centre"], self._weights["spread"]
            self._lead = [weight.T.copy() for weight, _ in self._layers("lead", bias=False)]
            self._crosses, self._deep = self._layers("crosses"), self._layers("deep")
            self._join = self._weights["join.weight"].T.copy(), self._weights["join.bias"]
            self.logits(
                np.zeros((1, len(self._centre)), dtype=np.float32),
                np.zeros((1, self.dimension), dtype=np.float32),
                np.zeros((max(len(self._lead) - 1, 0), self.dimension), dtype=np.float32),
            )
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"The weights of the cross network do not fit together: {error}.", cure="Train the task `ads` again."
            ) from error

    @property
    def dimension(self) -> int:
        """Length of the vectors it reads, 0 when it reads none."""
        return len(self._lead[0]) if self._lead else 0

    def logits(self, table: Floats, items: Floats, around: Floats) -> Floats:
        """Logits of the candidates of one moment: float32 (n, outputs).

        Args:
            table: float32 (n, features).
            items: float32 (n, d), their vectors; the first block.
            around: float32 (blocks - 1, d), vectors that all share; the other blocks.
        """
        plain = np.clip((table - self._centre) / self._spread, -MOST, MOST)
        parts = [plain]
        if self._lead:
            parts.append(items @ self._lead[0])
            parts += [
                np.broadcast_to(vector @ lead, (len(table), lead.shape[1]))
                for vector, lead in zip(around, self._lead[1:], strict=True)
            ]
        x0 = np.concatenate(parts, axis=1, dtype=np.float32)
        x, deep = x0, x0
        for weight, bias in self._crosses:
            x = x0 * (x @ weight.T + bias) + x
        for weight, bias in self._deep:
            deep = np.maximum(deep @ weight.T + bias, 0)
        logits: Floats = np.concatenate([x, deep], axis=1) @ self._join[0] + self._join[1]
        return logits

    def save(self) -> dict[str, NDArray[Any]]:
        """The weights again."""
        return dict(self._weights)

    def _layers(self, name: str, *, bias: bool = True) -> list[tuple[Floats, Floats]]:
        count = sum(key.startswith(f"{name}.") and key.endswith(".weight") for key in self._weights)
        nothing = np.zeros(0, dtype=np.float32)
        return [
            (self._weights[f"{name}.{place}.weight"], self._weights[f"{name}.{place}.bias"] if bias else nothing)
            for place in range(count)
        ]

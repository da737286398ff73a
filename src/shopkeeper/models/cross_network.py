"""DCN-v2: a network that multiplies its inputs with each other, layer by layer, beside a plain deep one.

Wang et al. 2021, "DCN V2: improved deep & cross network and practical lessons for web-scale learning to rank systems":

    x_(l+1) = x_0 * (W_l x_l + b_l) + x_l        (* elementwise)

Layer l holds all products of l + 1 inputs. Here the inputs are plain features and text vectors: those of the item, and of
what stands around it (query, customer, page), each led to a few dimensions that are learnt. Products of the two say how
an item fits; PyTorch learns, numpy serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shopkeeper.models.cross_scorer import MOST
from shopkeeper.models.text import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossShape:
    """How large a network is.

    Attributes:
        features: Columns of plain features.
        blocks: Vectors beside them; 0 for none.
        dimension: Length of each vector.
        width: Dimensions that a vector is led to.
        crosses: Cross layers.
        hidden: Widths of the deep layers.
        outputs: Logits.
        dropout: On what the vectors are led to, and after each deep layer.
    """

    features: int
    blocks: int = 0
    dimension: int = 0
    width: int = 24
    crosses: int = 2
    hidden: tuple[int, ...] = (96, 48)
    outputs: int = 1
    dropout: float = 0.2

    @property
    def inputs(self) -> int:
        """Length of x_0."""
        return self.features + self.blocks * self.width


class CrossNetwork(nn.Module):
    """DCN-v2 in its parallel form: cross layers and deep layers side by side, joined by one linear layer.

    Args:
        shape: How large it is.
        centre: float32 (features,), taken from the plain features.
        spread: float32 (features,), which they are then divided by, above 0.
        basis: float32 (dimension, width), where the vectors' projections begin; random when None.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self, shape: CrossShape, centre: Floats | None = None, spread: Floats | None = None, basis: Floats | None = None
    ) -> None:
        super().__init__()
        self.shape = shape
        for name, given, usual in (("centre", centre, 0.0), ("spread", spread, 1.0)):
            value = torch.full((shape.features,), usual) if given is None else torch.from_numpy(given)
            self.register_buffer(name, value)
        self.lead = nn.ModuleList(_led(shape, basis) for _ in range(shape.blocks))
        self.crosses = nn.ModuleList(_crossed(shape.inputs) for _ in range(shape.crosses))
        sizes = (shape.inputs, *shape.hidden)
        self.deep = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.join = nn.Linear(shape.inputs + sizes[-1], shape.outputs)
        nn.init.zeros_(self.join.weight)
        nn.init.zeros_(self.join.bias)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, table: Tensor, blocks: Tensor) -> Tensor:
        """Logits.

        Args:
            table: float32 (n, features).
            blocks: float32 (n, blocks, dimension); zeros where a vector is unknown.

        Returns:
            float32 (n, outputs).
        """
        plain = ((table - self.centre) / self.spread).clamp(-MOST, MOST)
        led = [self.dropout(linear(blocks[:, place])) for place, linear in enumerate(self.lead)]
        x0 = torch.cat([plain, *led], dim=1)
        x, deep = x0, x0
        for cross in self.crosses:
            x = x0 * cross(x) + x
        for layer in self.deep:
            deep = self.dropout(layer(deep).relu())
        logits: Tensor = self.join(torch.cat([x, deep], dim=1))
        return logits

    def save(self) -> dict[str, NDArray[Any]]:
        """Weights by name, float32, for `models.cross_scorer.CrossScorer`."""
        return {name: value.detach().cpu().float().numpy().copy() for name, value in self.state_dict().items()}


def _led(shape: CrossShape, basis: Floats | None) -> nn.Linear:
    linear = nn.Linear(shape.dimension, shape.width, bias=False)
    if basis is not None:
        nn.init.zeros_(linear.weight)
        with torch.no_grad():
            linear.weight[: basis.shape[1]] = torch.from_numpy(np.ascontiguousarray(basis.T))
    return linear


def _crossed(inputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, inputs)
    nn.init.normal_(linear.weight, std=0.5 * inputs**-0.5)
    nn.init.zeros_(linear.bias)
    return linear

"""From the vectors of texts and of pictures into one space, in which the two of one item lie together.

Two small projections over encoders that stay as they are, in the manner of Radford et al. (2021), "Learning transferable
visual models from natural language supervision", and of Zhai et al. (2022), "LiT", whose towers were frozen as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from shopkeeper.models.text import Floats, unit

WIDTH = 192
"""Length of the vectors in the common space."""
_SCALE = 12.0


class Projection(nn.Module):
    """Standardised input to the common space: a linear path and beside it one hidden layer, which begins at nothing.

    Args:
        samples: float32 (n, d), vectors like those to be projected; their mean and deviation are taken away.
        width: Length of what comes out.
        hidden: Units of the hidden layer; 0 leaves the linear path alone.
        dropout: On the input and the hidden layer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, samples: Floats, width: int = WIDTH, hidden: int = 512, dropout: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(samples.mean(axis=0)))
        self.register_buffer("deviation", torch.from_numpy(samples.std(axis=0) + np.float32(1e-4)))
        self.drop = nn.Dropout(dropout)
        self.straight = nn.Linear(samples.shape[1], width)
        self.within = nn.Linear(samples.shape[1], hidden) if hidden else None
        self.out = nn.Linear(hidden, width) if hidden else None
        if self.out is not None:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """(n, d) to (n, width), unit length."""
        given = self.drop((vectors - self.mean) / self.deviation)
        found = self.straight(given)
        if self.within is not None and self.out is not None:
            found = found + self.out(self.drop(torch.relu(self.within(given))))
        return normalize(found, dim=1)


class Bridge(nn.Module):
    """Both projections and the learnt scale of their cosines."""

    def __init__(self, text: Projection, picture: Projection) -> None:
        super().__init__()
        self.text = text
        self.picture = picture
        self.scale = nn.Parameter(torch.tensor(math.log(_SCALE)))

    def loss(self, texts: Tensor, pictures: Tensor, same: Tensor) -> Tensor:
        """Symmetric cross-entropy of finding each text's picture in the batch and each picture's text, a scalar.

        Args:
            texts: float32 (n, t).
            pictures: float32 (n, p), of the same items.
            same: bool (n, n), pairs that are as good as the item's own (the same picture or title): never negatives.
        """
        logits = self.scale.clamp(max=math.log(100)).exp() * self.text(texts) @ self.picture(pictures).T
        others = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
        logits = logits.masked_fill(others, -torch.inf)
        right = torch.arange(len(logits), device=logits.device)
        return (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2


@dataclass(frozen=True, slots=True)
class Span:
    """One projection at serving: NumPy, without PyTorch.

    Attributes:
        arrays: ``mean``, ``deviation``, ``straight.weight`` and so on, as `Projection.state_dict` names them.
    """

    arrays: Mapping[str, Floats]

    @classmethod
    def of(cls, projection: Projection) -> Span:
        """A trained projection, as it stands."""
        return cls({name: value.detach().cpu().numpy() for name, value in projection.state_dict().items()})

    @property
    def reads(self) -> int:
        """Length of the vectors that it takes."""
        return len(self.arrays["mean"])

    def __call__(self, vectors: Floats) -> Floats:
        """float32 (n, d) to unit vectors float32 (n, width); zero rows, of which nothing is known, stay zero."""
        own = self.arrays
        given = (vectors - own["mean"]) / own["deviation"]
        found: NDArray[np.floating] = given @ own["straight.weight"].T + own["straight.bias"]
        if "within.weight" in own:
            hidden = np.maximum(given @ own["within.weight"].T + own["within.bias"], 0)
            found = found + hidden @ own["out.weight"].T + own["out.bias"]
        placed = unit(np.asarray(found, dtype=np.float32))
        placed[~vectors.any(axis=1)] = 0
        return placed

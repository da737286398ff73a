"""Fusion layers: words, pictures and video of an item in one vector, whichever of them it has.

Four ways, under one interface; `recipes.pictures.looks` chooses by validation. In training each mode is left out now and then
(Neverova et al. 2015, "ModDrop"), so that an item without a picture, or without words, is no stranger.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["concat", "gated", "crossed", "late"]
KINDS: tuple[Kind, ...] = ("concat", "gated", "crossed", "late")
MODES = ("text", "picture", "video")
"""What an item may have, in the order of all arrays here."""
DIRECTIONS = 200
_FLAT = 1e-6
"""Directions with less than this share of the largest variance are noise."""


class Entrance(nn.Module):
    """One mode's vectors, whitened, to the common width.

    Args:
        samples: float32 (n, d), vectors like those to come.
        width: Length of what comes out.
        dropout: On the whitened vectors.
        directions: Principal directions that are kept; a long vector of few items would be learnt by heart.
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, samples: Tensor, width: int, dropout: float, directions: int = DIRECTIONS) -> None:
        super().__init__()
        mean = samples.mean(dim=0)
        centred = (samples - mean).double()
        values, axes = torch.linalg.eigh(centred.T @ centred / max(len(samples), 1))
        kept = [
            place for place in range(len(values) - 1, -1, -1) if values[place] > _FLAT * values[-1].clamp_min(1e-12)
        ]
        kept = kept[:directions] or [len(values) - 1]
        self.register_buffer("mean", mean)
        self.register_buffer("basis", (axes[:, kept] / (values[kept].clamp_min(0).sqrt() + 1e-4)).float().contiguous())
        self.drop = nn.Dropout(dropout)
        self.inner = nn.Linear(len(kept), width)

    def forward(self, vectors: Tensor) -> Tensor:
        """(n, d) to (n, width)."""
        return torch.relu(self.inner(self.drop((vectors - self.mean) @ self.basis)))


class Fusion(nn.Module):
    """Vectors of the three modes to one, (n, width).

    Pictures and frames share an entrance: a frame is a picture.

    Args:
        kind: ``concat``: all side by side through one hidden layer. ``gated``: a share of each, decided by all (Arevalo et
            al. 2017, "Gated multimodal units"). ``crossed``: a learnt question attends to the modes after they have
            attended to each other (Vaswani et al. 2017). ``late``: each by itself to the end, so that a linear head adds
            up what each of them says.
        text: float32 (n, t), vectors like those to come.
        picture: float32 (n, p), likewise.
        width: Length of what comes out; for ``late`` a third of it for each mode.
        dropout: On inputs and hidden layers.
        lost: Probability with which a mode is left out in a training step, where another one is there.
    """

    def __init__(
        self, kind: Kind, text: Tensor, picture: Tensor, width: int = 240, dropout: float = 0.2, lost: float = 0.2
    ) -> None:
        super().__init__()
        self.kind = kind
        self.lost = lost
        own = width // len(MODES) if kind == "late" else width
        self.width = own * len(MODES) if kind == "late" else width
        self.text = Entrance(text, own, dropout)
        self.picture = Entrance(picture, own, dropout)
        self.absent = nn.Parameter(torch.zeros(len(MODES), own))
        self.joint: nn.Module
        if kind == "concat":
            self.joint = nn.Sequential(nn.Dropout(dropout), nn.Linear(len(MODES) * (own + 1), width), nn.ReLU())
        elif kind == "gated":
            self.joint = nn.Linear(len(MODES) * (own + 1), len(MODES) * own)
        elif kind == "crossed":
            self.asked = nn.Parameter(torch.randn(1, 1, own) * 0.02)
            self.place = nn.Parameter(torch.randn(len(MODES), own) * 0.02)
            self.joint = _Crossed(own, dropout)

    def forward(self, text: Tensor, picture: Tensor, video: Tensor, seen: Tensor) -> Tensor:
        """Fuse.

        Args:
            text: float32 (n, t).
            picture: float32 (n, p).
            video: float32 (n, p), pooled frames.
            seen: float32 (n, 3), 1 where an item has the mode; what it lacks may hold anything.
        """
        if self.training and self.lost:
            seen = _some_lost(seen, self.lost)
        there = seen.unsqueeze(2)
        parts = torch.stack([self.text(text), self.picture(picture), self.picture(video)], dim=1)
        parts = torch.where(there > 0, parts, self.absent)
        beside = torch.cat([parts.flatten(1), seen], dim=1)
        if self.kind == "concat":
            found: Tensor = self.joint(beside)
            return found
        if self.kind == "gated":
            opened = self.joint(beside).view_as(parts) - 30 * (1 - there)
            return (torch.softmax(opened, dim=1) * parts).sum(dim=1)
        if self.kind == "crossed":
            asked = self.asked.expand(len(parts), -1, -1)
            answered: Tensor = self.joint(torch.cat([asked, parts + self.place], dim=1))
            return answered
        return (parts * there * len(MODES) / seen.sum(dim=1).clamp_min(1).view(-1, 1, 1)).flatten(1)


class _Crossed(nn.Module):
    """One block of attention among a question and the modes; the question's state is the answer."""

    def __init__(self, width: int, dropout: float, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.wide = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, 1 + modes, width) to (n, width)."""
        count, length, width = tokens.shape
        split = self.project(self.before(tokens)).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(query @ key.transpose(2, 3) * (width // self.heads) ** -0.5, dim=3)
        tokens = tokens + self.drop(self.out((weights @ value).transpose(1, 2).reshape(count, length, width)))
        first = tokens[:, 0]
        found: Tensor = first + self.drop(self.wide(self.between(first)))
        return found


def _some_lost(seen: Tensor, lost: float) -> Tensor:
    """Modes left out at random, but never the last one of an item."""
    kept = seen * (torch.rand_like(seen) >= lost)
    nothing = kept.sum(dim=1, keepdim=True) == 0
    return torch.where(nothing, seen, kept)

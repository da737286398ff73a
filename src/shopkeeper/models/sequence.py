"""A causal transformer over what a customer did: steps in, one unit vector out that points to the item to come.

An item's vector is an ID vector plus its projected text vector, brought to length 1; the same vectors are read as steps and
compared with the state (tied weights). Attention (Kang & McAuley 2018, "Self-attentive sequential recommendation") is told
how many steps and how much time lie between two events by learnt biases, as in HSTU (Zhai et al. 2024, "Actions speak
louder than words"). Trails are padded on the right: attention looks back only, so padding needs no mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from shopkeeper.models.export import hushed

GAPS = 32
"""Buckets of time between two events: bucket b begins at 2^b - 1 seconds, and the last one holds everything beyond 68 years."""
_SMALL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceShape:
    """How large a sequence model is.

    Attributes:
        kinds: Number of kinds of events.
        width: Length d of item vectors and states.
        layers: Transformer layers.
        heads: Attention heads; they divide `width`.
        length: Steps back that are told apart, and the most that are read.
        dropout: On the steps, within attention and after each branch.
    """

    kinds: int
    width: int = 64
    layers: int = 2
    heads: int = 2
    length: int = 50
    dropout: float = 0.5


class ItemVectors(nn.Module):
    """Unit vectors of the items that were learnt from: ID vector + linear(text features).

    Args:
        items: Number of items.
        width: Length d of the vectors.
        text: float32 (items, k) text features, or None.
    """

    text: Tensor | None

    def __init__(self, items: int, width: int, text: Tensor | None = None) -> None:
        super().__init__()
        small = _SMALL if text is not None else width**-0.5
        self.ids = nn.Parameter(torch.randn(items, width) * small)
        self.register_buffer("text", text, persistent=False)
        self.project = nn.Linear(text.shape[1], width) if text is not None else None
        if self.project is not None:
            nn.init.normal_(self.project.weight, std=width**-0.5)
            nn.init.zeros_(self.project.bias)

    def forward(self, rows: Tensor | None = None, hide: float = 0.0) -> Tensor:
        """Unit vectors, float32 (n, d).

        Args:
            rows: int64 (n,), or None for all items.
            hide: Probability with which an item goes by its text alone.
        """
        own = self.ids if rows is None else self.ids[rows]
        if self.project is None or self.text is None:
            return normalize(own, dim=-1)
        if hide > 0:
            own = own * (torch.rand(len(own), 1, device=own.device) >= hide)
        said: Tensor = self.project(self.text if rows is None else self.text[rows])
        return normalize(own + said, dim=-1)


class _Layer(nn.Module):
    def __init__(self, shape: SequenceShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.norm, self.norm_after = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)
        self.attend, self.join = nn.Linear(shape.width, 3 * shape.width), nn.Linear(shape.width, shape.width)
        self.widen, self.narrow = nn.Linear(shape.width, 4 * shape.width), nn.Linear(4 * shape.width, shape.width)
        self.steps, self.gaps = nn.Embedding(shape.length, shape.heads), nn.Embedding(GAPS, shape.heads)
        self.dropout = nn.Dropout(shape.dropout)
        for linear in (self.attend, self.join, self.widen, self.narrow):
            nn.init.normal_(linear.weight, std=_SMALL)
            nn.init.zeros_(linear.bias)
        nn.init.zeros_(self.steps.weight)
        nn.init.zeros_(self.gaps.weight)

    def forward(self, x: Tensor, back: Tensor, gaps: Tensor, future: Tensor) -> Tensor:
        """One layer: x float32 (n, t, d); back int64 (t, t); gaps int64 (n, t, t); future bool (t, t)."""
        n, t, width = x.shape
        parts = self.attend(self.norm(x)).reshape(n, t, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        bias = (self.steps(back) + self.gaps(gaps)).permute(0, 3, 1, 2)
        logits = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5 + bias
        weights = self.dropout(logits.masked_fill(future, -torch.inf).softmax(dim=-1))
        mixed = (weights @ value).transpose(1, 2).reshape(n, t, width)
        x = x + self.dropout(self.join(mixed))
        changed: Tensor = x + self.dropout(self.narrow(gelu(self.widen(self.norm_after(x)))))
        return changed


class SequenceBody(nn.Module):
    """Steps to states."""

    def __init__(self, shape: SequenceShape) -> None:
        super().__init__()
        self.shape = shape
        self.kinds = nn.Embedding(shape.kinds, shape.width)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.dropout = nn.Dropout(shape.dropout)
        nn.init.normal_(self.kinds.weight, std=_SMALL)

    def forward(self, vectors: Tensor, kinds: Tensor, times: Tensor) -> Tensor:
        """What each step, and all before it, points to.

        Args:
            vectors: float32 (n, t, d), unit vectors of the items.
            kinds: int64 (n, t), codes below `shape.kinds`.
            times: float64 (n, t), seconds, not falling within a row.

        Returns:
            float32 (n, t, d), unit vectors.
        """
        place = torch.arange(vectors.shape[1], device=vectors.device)
        apart = place[:, None] - place[None, :]
        back = apart.clamp(0, self.shape.length - 1)
        gaps = gap_buckets(times)
        x = self.dropout(vectors * self.shape.width**0.5 + self.kinds(kinds))
        for layer in self.layers:
            x = layer(x, back, gaps, apart < 0)
        return normalize(self.norm(x), dim=-1)


class SequenceModel(nn.Module):
    """Item vectors and body together, as they are trained.

    Args:
        items: Number of items that are learnt from.
        shape: How large it is.
        text: float32 (items, k) text features, or None.
    """

    def __init__(self, items: int, shape: SequenceShape, text: Tensor | None = None) -> None:
        super().__init__()
        self.items = ItemVectors(items, shape.width, text)
        self.body = SequenceBody(shape)


class _NewestState(nn.Module):
    def __init__(self, body: SequenceBody) -> None:
        super().__init__()
        self.body = body

    def forward(self, vectors: Tensor, kinds: Tensor, times: Tensor, newest: Tensor) -> Tensor:
        states: Tensor = self.body(vectors, kinds, times)
        return states[torch.arange(vectors.shape[0]), newest]


def gap_buckets(times: Tensor) -> Tensor:
    """Bucket of the time between every two steps of a row: int64 (n, t, t) below `GAPS`, for times float64 (n, t).

    >>> gap_buckets(torch.tensor([[0.0, 0.5, 1.0, 7.0, 1e12]], dtype=torch.float64))[0, 0].tolist()
    [0, 0, 1, 3, 31]
    """
    apart = (times[:, :, None] - times[:, None, :]).abs().float()
    return torch.log2(apart + 1).clamp(0, GAPS - 1).to(torch.int64)


def export_sequence(body: SequenceBody) -> bytes:
    """The ONNX graph that `retrieval.next_items.NextItems` runs.

    Inputs are ``vectors``, ``kinds`` and ``times`` as in `SequenceBody.forward`, and ``newest``, int64 (n,), the place of
    the last step of each row; the output is the state there, float32 (n, d).
    """
    graph = _NewestState(body)
    device, training = next(body.parameters()).device, body.training
    vectors = torch.randn(2, 3, body.shape.width)
    kinds = torch.zeros((2, 3), dtype=torch.int64)
    times = torch.tensor([[0.0, 1.0, 9.0], [0.0, 5.0, 5.0]], dtype=torch.float64)
    free = torch.export.Dim.DYNAMIC
    both = {0: free, 1: free}
    try:
        with hushed():
            program = torch.onnx.export(
                graph.eval().cpu(),
                (vectors, kinds, times, torch.tensor([2, 1])),
                input_names=["vectors", "kinds", "times", "newest"],
                output_names=["states"],
                dynamic_shapes=(both, both, both, {0: free}),
                dynamo=True,
                verbose=False,
            )
            assert program is not None
            written: bytes = program.model_proto.SerializeToString()
    finally:
        body.to(device).train(training)
    return written

"""The encoders: a backbone in PyTorch here; an ONNX graph and the static one in modules that need no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer

from shopkeeper.compute.precision import autocast
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.batches import Batch, Batcher, shown
from shopkeeper.models.onnx import OnnxEncoder
from shopkeeper.models.static import StaticEncoder
from shopkeeper.models.text import Floats, Side, unit

__all__ = ["OnnxEncoder", "StaticEncoder", "TorchEncoder", "batcher_of"]


class TorchEncoder:
    """Encodes with a backbone as it stands: after a training step, the vectors are the new ones.

    Args:
        backbone: The model; moved nowhere, so its device is the encoder's.
        bf16: Compute in bfloat16 where the device is faster at it.
    """

    def __init__(self, backbone: Backbone, *, bf16: bool = False) -> None:
        self._backbone = backbone
        self._bf16 = bf16
        self._batcher = batcher_of(backbone)

    @property
    def name(self) -> str:
        """Name of the backbone."""
        return self._backbone.name

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return self._backbone.dimension

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:
        """See `text.Encoder.encode`; leaves the model in the mode (training or evaluation) it was in."""
        model = self._backbone.model
        device = model.device
        training = model.training
        model.eval()
        try:
            out = np.zeros((len(texts), self.dimension), dtype=np.float32)
            with torch.inference_mode(), autocast(device, self._bf16):
                for part in shown(self._batcher.texts(texts, side, batch), len(texts), self.name):
                    vectors = self._backbone.unit_vectors(*tensors(part, device))
                    out[part.rows] = vectors.float().cpu().numpy()
        finally:
            model.train(training)
        return unit(out)


def batcher_of(backbone: Backbone) -> Batcher:
    """A batcher with a tokenizer of its own, so that others may set truncation on the backbone's."""
    own = Tokenizer.from_str(backbone.tokenizer.backend_tokenizer.to_str())
    pad = backbone.tokenizer.pad_token_id
    return Batcher(own, 0 if pad is None else pad, backbone.max_length, dict(backbone.prefixes))


def tensors(batch: Batch, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, mask and types of a batch as tensors on `device`."""
    arrays = (batch.input_ids, batch.attention_mask, batch.token_type_ids)
    first, second, third = (torch.from_numpy(array).to(device) for array in arrays)
    return first, second, third

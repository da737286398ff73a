"""Heads on top of a backbone: the pair classifier, backbone -> pool -> dropout -> linear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from shopkeeper.compute.precision import autocast
from shopkeeper.models.backbone import Backbone, run
from shopkeeper.models.encoders import batcher_of, tensors
from shopkeeper.models.text import Floats, softmax


class Classifier(nn.Module):
    """Classes of a text or of a pair of texts.

    Attributes:
        backbone: Its weights are this module's own, under ``model``; pooling and tokenizer come from it.
        classes: Number of classes k; for two, class 1 is "yes".
    """

    def __init__(self, backbone: Backbone, *, classes: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = backbone
        self.classes = classes
        self.model: nn.Module = backbone.model
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(backbone.dimension, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Logits, float (n, k); the arguments are those of `Backbone.vectors`."""
        return self.head(self.pooled(input_ids, attention_mask, token_type_ids))

    def pooled(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """What the head sees: one vector for each text, float (n, d)."""
        return self.backbone.pool(run(self.model, input_ids, attention_mask, token_type_ids), attention_mask)

    def head(self, pooled: Tensor) -> Tensor:
        """Logits, float (n, k), of pooled vectors, float (n, d)."""
        return head(self.linear, self.dropout(pooled))


def head(linear: nn.Module, pooled: Tensor) -> Tensor:
    """Logits in float32 even where the body runs in bfloat16: eight bits of a logit would put close ones level.

    Args:
        linear: The head, its parameters in float32.
        pooled: Floats (n, d).
    """
    if not torch.is_autocast_enabled(pooled.device.type):
        return linear(pooled)  # type: ignore[no-any-return]
    with torch.autocast(pooled.device.type, enabled=False):
        return linear(pooled.float())  # type: ignore[no-any-return]


class TorchScorer:
    """Scores with a `Classifier` as it stands; the serving twin is `onnx.OnnxScorer`."""

    def __init__(self, classifier: Classifier, *, bf16: bool = False) -> None:
        self._classifier = classifier
        self._bf16 = bf16
        self._batcher = batcher_of(classifier.backbone)

    @property
    def name(self) -> str:
        """Name of the backbone."""
        return self._classifier.backbone.name

    def probabilities(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """See `text.Scorer.probabilities`; leaves the module in the mode it was in."""
        classifier = self._classifier
        device = classifier.linear.weight.device
        training = classifier.training
        classifier.eval()
        try:
            out = np.zeros((len(texts_a), classifier.classes), dtype=np.float32)
            with torch.inference_mode(), autocast(device, self._bf16):
                for part in self._batcher.inputs(texts_a, texts_b, batch):
                    out[part.rows] = classifier(*tensors(part, device)).float().cpu().numpy()
        finally:
            classifier.train(training)
        return softmax(out)

    def score(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """See `text.Scorer.score`."""
        scores: Floats = self.probabilities(texts_a, texts_b, batch)[:, -1]
        return scores

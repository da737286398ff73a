"""A smaller student that begins as part of its teacher: every so many layers are kept, the rest is left out."""

from __future__ import annotations

import copy

import numpy as np
from torch import nn

from shopkeeper.errors import TrainingError
from shopkeeper.models.backbone import Backbone
from shopkeeper.training.freezing import layer_count


def shrink(backbone: Backbone, layers: int) -> Backbone:
    """A copy of a backbone with fewer transformer layers, evenly chosen, the first and the last among them.

    The student knows what its teacher knew in those layers and learns the rest by `distillation` (after DistilBERT, Sanh
    et al. 2019). Saved and read like any other backbone.

    Args:
        backbone: Left as it is.
        layers: Layers of the student, at least 1 and at most those of the teacher.

    Raises:
        TrainingError: There are not so many layers.
    """
    count = layer_count(backbone.model)
    if not 1 <= layers <= count:
        raise TrainingError(
            f"A model of {count} layers cannot shrink to {layers}.",
            where="shrinking",
            cure=f"Keep from 1 to {count} layers.",
        )
    model = copy.deepcopy(backbone.model)
    stack = max((part for part in model.modules() if isinstance(part, nn.ModuleList)), key=len)
    kept = np.linspace(0, count - 1, layers).round().astype(int).tolist()
    chosen = [stack[place] for place in kept]
    del stack[:]
    stack.extend(chosen)
    _renumber(stack)
    model.config.num_hidden_layers = layers
    kinds = getattr(model.config, "layer_types", None)
    if kinds is not None:
        model.config.layer_types = [kinds[place] for place in kept]
    return Backbone(
        name=f"{backbone.name}-{layers}-layers",
        model=model,
        tokenizer=backbone.tokenizer,
        pooling=backbone.pooling,
        prefixes=dict(backbone.prefixes),
        max_length=backbone.max_length,
        licence=backbone.licence,
        source=backbone.source,
    )


def _renumber(stack: nn.ModuleList) -> None:
    """Layers of decoders know their own place, by which they find what they keep."""
    for place, layer in enumerate(stack):
        for module in layer.modules():
            if isinstance(getattr(module, "layer_idx", None), int):
                module.layer_idx = place  # type: ignore[assignment]

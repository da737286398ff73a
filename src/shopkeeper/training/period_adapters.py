"""One adapter a period: what a period teaches is learnt in a fresh LoRA, which is then added to the weights by a share.

With a share of 1/t for period t the weights hold the mean of what all periods changed, at no more memory than one model:
the running average of Kozal et al. 2024 (Continual learning with weight interpolation), with task vectors (Ilharco et al.
2023) of low rank, which leave less room to overwrite what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from shopkeeper.errors import TrainingError
from shopkeeper.models.adapters import Lora, adapt, merge, remove
from shopkeeper.models.backbone import Backbone
from shopkeeper.training.continual import delta, merge_deltas, put_back, snapshot
from shopkeeper.training.freezing import frozen_layers, layer_stack

_NAME = "period"


@contextmanager
def period_adapter(backbone: Backbone, adapter: Lora | None = None, *, seed: int = 0) -> Iterator[None]:
    """Within, a fresh LoRA learns in place of the open layers; at the end it is folded in and they are open again.

    Frozen lower layers stay as they are, so that a trunk goes on answering for them. After an error the adapter is taken
    off and the weights are those of before.

    Args:
        backbone: Layers are open or frozen as `freezing.open_top` left them; carries no adapter.
        adapter: Of rank 8 when None.
        seed: Of its first values.

    Raises:
        TrainingError: The backbone carries an adapter already.
    """
    if backbone.adapters is not None:
        raise TrainingError(
            f"The backbone carries the adapters {', '.join(backbone.adapters.kinds)}.",
            where="period adapter",
            cure="Fold them in (merge) or take them off (remove) first.",
        )
    model: nn.Module = backbone.model
    learning = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    below = frozen_layers(model)
    adapt(backbone, adapter or Lora(), _NAME, seed=seed)
    for layer in list(layer_stack(model))[:below]:
        layer.requires_grad_(requires_grad=False)
    try:
        yield
    except BaseException:
        remove(backbone, _NAME)
        raise
    else:
        merge(backbone)
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad = learning[name]


@contextmanager
def by_share(model: nn.Module, share: float) -> Iterator[None]:
    """Of what parameters change within, only this share stays: 1/t for period t makes the mean of all periods.

    Args:
        model: Its parameters that require a gradient are meant; a head of new classes must have grown before.
        share: In [0, 1].
    """
    before = snapshot(model)
    yield
    put_back(model, merge_deltas(before, [delta(before, snapshot(model))], [share]))

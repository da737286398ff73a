"""Adapters: a small part is trained in place of the whole model, kept on its own, and put into any copy of its base.

`kinds` says which there are, `attach` puts them in, switches and folds them, `weights` and `inserts` are the two ways in
which they act, `delta` keeps them on disk.
"""

from shopkeeper.models.adapters.attach import Adapters, activate, adapt, foldable, merge, remove, using
from shopkeeper.models.adapters.delta import load_delta, save_delta
from shopkeeper.models.adapters.kinds import (
    RATES,
    AdaLora,
    Adapter,
    Bottleneck,
    Ia3,
    Lora,
    Prefix,
    Prompt,
    adapter_named,
    name_of,
)

__all__ = [
    "RATES",
    "AdaLora",
    "Adapter",
    "Adapters",
    "Bottleneck",
    "Ia3",
    "Lora",
    "Prefix",
    "Prompt",
    "activate",
    "adapt",
    "adapter_named",
    "foldable",
    "load_delta",
    "merge",
    "name_of",
    "remove",
    "save_delta",
    "using",
]

"""Which parameters are an adapter's, and what tells one base from another."""

from __future__ import annotations

import re
from hashlib import blake2b

from torch import nn

from shopkeeper.models.adapters.inserts import HOME

_PLACE = re.compile(rf"(?:^|\.)(?:lora_\w+|ia3_l|ranknum|{HOME})\.([\w-]+)")
_SAMPLE = 64


def owner(parameter: str) -> str | None:
    """Name of the adapter that a parameter belongs to, judged by its own name; None for the base's own.

    >>> owner("layer.0.query.lora_A.default.weight"), owner("layer.0.query.base_layer.weight")
    ('default', None)
    """
    found = _PLACE.search(parameter)
    return found.group(1) if found else None


def fingerprint(model: nn.Module) -> str:
    """What tells the weights of a base from those of another: names, shapes and a sample of each; adapters left out.

    So is BERT's own pooler: no vector comes from it, and where a checkpoint lacks it, each loading draws it anew.
    """
    total = blake2b(digest_size=16)
    for name, parameter in model.named_parameters():
        if owner(name) is None and not name.startswith("pooler."):
            values = parameter.detach().reshape(-1)
            sample = values[:: max(1, len(values) // _SAMPLE)].float().cpu().numpy()
            total.update(f"{name.replace('.base_layer', '')} {tuple(parameter.shape)}".encode() + sample.tobytes())
    return total.hexdigest()

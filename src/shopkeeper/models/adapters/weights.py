"""Adapters that change matrices: LoRA, DoRA, AdaLoRA and (IA)^3, put into the layers by peft."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from shopkeeper.errors import ModelError
from shopkeeper.extras import require
from shopkeeper.models.adapters.inserts import layer_stack
from shopkeeper.models.adapters.kinds import AdaLora, Ia3, Lora

_KEYS_VALUES = re.compile(r"(^|[._])(k|v|key|value|kv|qkv|query_key_value|Wqkv|c_attn)(_proj|_lin|_proj_with_bias)?$")
_ADAPTER = re.compile(r"\.(lora_\w+|adapters)\.")


def inject(model: Any, adapter: Lora | AdaLora | Ia3, name: str) -> None:
    """Wrap the matrices of every layer.

    Raises:
        ExtraMissingError: peft is not installed.
        ModelError: The layers hold no matrices that this kind fits, or carry adapters of another kind.
    """
    peft = require("peft", "learning")
    kind = type(_config(peft, model, adapter)).__name__.removesuffix("Config")
    others = {type(layer).__module__.split(".")[2] for layer in tuner_layers(model)}
    if others - {kind.lower()}:
        raise ModelError(
            f"The matrices carry adapters of another kind already ({', '.join(sorted(others))}).",
            where=f"adapter {name}",
            cure="Remove them or fold them in first.",
        )
    peft.inject_adapter_in_model(_config(peft, model, adapter), model, name)
    del model.peft_config  # each injection is its own; what is in the model is seen from the model


def fold(model: nn.Module, name: str) -> None:
    """Add an adapter into the matrices, for good, and unwrap them; other adapters on them are dropped."""
    for layer in tuner_layers(model):
        layer.merge(adapter_names=[name])
    _unwrap(model)


def discard(model: nn.Module, name: str) -> None:
    """Take an adapter, which must not be active, out of the layers; unwrap them when it was the last."""
    for layer in tuner_layers(model):
        layer.delete_adapter(name)
    if not any(layer._all_available_adapter_names() for layer in tuner_layers(model)):
        _unwrap(model)


def tuner_layers(model: nn.Module) -> Iterator[Any]:
    """The wrapped matrices."""
    return (module for module in model.modules() if hasattr(module, "get_base_layer"))


def _unwrap(model: nn.Module) -> None:
    for path, module in list(model.named_modules()):
        if hasattr(module, "get_base_layer"):
            parent, _, child = path.rpartition(".")
            setattr(model.get_submodule(parent), child, module.get_base_layer())


def _config(peft: Any, model: Any, adapter: Lora | AdaLora | Ia3) -> Any:
    """What peft calls it, for all matrices of the layers, found by what they are, not by an architecture's names."""
    found = dict(_matrices(model))
    transposed = any(not isinstance(module, nn.Linear) for module in found.values())
    match adapter:
        case Lora(rank, alpha, dropout, dora):
            values = {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout, "use_dora": dora}
            return peft.LoraConfig(target_modules=list(found), fan_in_fan_out=transposed, **values)
        case AdaLora(rank, start, alpha, dropout):
            values = {"target_r": rank, "init_r": start, "lora_alpha": alpha, "lora_dropout": dropout}
            values["total_step"] = 1_000_000  # peft wants one; `RankBudget` keeps the schedule
            return peft.AdaLoraConfig(target_modules=list(found), fan_in_fan_out=transposed, **values)
        case Ia3():
            inside = [name for name, module in found.items() if _narrows(module)]
            scaled = [name for name in found if _KEYS_VALUES.search(name)]
            if not inside or not scaled:
                raise ModelError(
                    "Keys, values or feed-forward parts were not recognised in this architecture.",
                    where=type(model).__name__,
                    cure="Use lora instead.",
                )
            return peft.IA3Config(target_modules=scaled + inside, feedforward_modules=inside, fan_in_fan_out=transposed)


def _matrices(model: Any) -> Iterator[tuple[str, nn.Module]]:
    """Linear maps within the layers, by their names in the model as it was before any adapter."""
    from transformers.pytorch_utils import Conv1D

    stack, layers = layer_stack(model)
    for name, module in layers.named_modules():
        if isinstance(module, nn.Linear | Conv1D) and not _ADAPTER.search(f".{name}."):
            yield f"{stack}.{name}".removesuffix(".base_layer"), module


def _narrows(module: Any) -> bool:
    """Does it lead back from the wide inside of a feed-forward part?"""
    if isinstance(module, nn.Linear):
        return module.in_features > module.out_features
    return bool(module.weight.shape[0] > module.weight.shape[1])

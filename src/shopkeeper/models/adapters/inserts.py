"""Adapters that change what flows through the layers: bottlenecks, prompts and prefixes.

peft's prompts leave out position numbers and token types and change the length of what comes back; these act through
hooks, so that the model is called, pooled and exported as before.
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from shopkeeper.errors import ModelError
from shopkeeper.models.adapters.kinds import Bottleneck, Prefix, Prompt

HOME = "adapters"


class Insert(nn.Module):
    """A part of an adapter that acts only while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.on = False


class Narrow(Insert):
    """Float (n, t, width) -> itself plus a net of `size` hidden units, which begins as zero."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, size)
        self.up = nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def after(self, layer: nn.Module, given: Any, out: Any) -> Any:  # noqa: ARG002 - a hook by shape
        """Forward hook of a layer."""
        if not self.on:
            return None
        if isinstance(out, tuple):
            return (self._added(out[0]), *out[1:])
        return self._added(out)

    def _added(self, hidden: Tensor) -> Tensor:
        added: Tensor = self.up(gelu(self.down(hidden)))
        return hidden + added.to(hidden.dtype)


class Rows(Insert):
    """Learned tokens before the text: `rows[0]` among the word embeddings, `rows[i]` as they enter layer i.

    The text keeps the positions it has without them; all learned tokens stand at the first position.
    """

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows)

    def before(self, model: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Pre-hook of the model: lengthens embeddings, mask, positions and types."""
        if not self.on:
            return None
        named = dict(named)
        ids, words, mask = named.pop("input_ids", None), named.pop("inputs_embeds", None), named["attention_mask"]
        words = model.get_input_embeddings()(ids) if words is None else words
        rows = (
            self.rows[0].to(words.dtype).expand(words.shape[0], -1, -1)
        )  # len() would fix the size of an exported batch
        places, first = _positions(model, mask)
        places = named.get("position_ids", places)
        zeros = mask.new_zeros((mask.shape[0], rows.shape[1]))
        named["inputs_embeds"] = torch.cat([rows, words], dim=1)
        named["attention_mask"] = torch.cat([zeros + 1, mask], dim=1)
        named["position_ids"] = torch.cat([zeros + first, places.expand(mask.shape[0], -1)], dim=1)
        if named.get("token_type_ids") is not None:
            named["token_type_ids"] = torch.cat([zeros, named["token_type_ids"]], dim=1)
        return given, named

    def enter(self, depth: int, layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:  # noqa: ARG002
        """Pre-hook of layer `depth`: what became of the learned tokens gives way to the next ones."""
        if not self.on:
            return None
        hidden = given[0] if given else named["hidden_states"]
        rows = self.rows[depth].to(hidden.dtype).expand(hidden.shape[0], -1, -1)
        hidden = torch.cat([rows, hidden[:, rows.shape[1] :]], dim=1)
        return ((hidden, *given[1:]), named) if given else (given, named | {"hidden_states": hidden})

    def after(self, model: nn.Module, given: Any, out: Any) -> Any:  # noqa: ARG002
        """Forward hook of the model: only the text's own tokens come back."""
        if self.on:
            out.last_hidden_state = out.last_hidden_state[:, self.rows.shape[1] :]
        return out


def insert(model: Any, adapter: Bottleneck | Prefix | Prompt, name: str) -> None:
    """Add the parts of an adapter, turned off, where they act; every other adapter must be off."""
    _, layers = layer_stack(model)
    device = model.get_input_embeddings().weight.device
    if isinstance(adapter, Bottleneck):
        for layer in layers:
            part = Narrow(model.config.hidden_size, adapter.size).to(device)
            _home(layer)[name] = part
            layer.register_forward_hook(part.after)
        return
    if "position_ids" not in signature(model.forward).parameters:
        raise ModelError("This architecture takes no positions.", where=type(model).__name__, cure="Use lora instead.")
    rows = Rows(_first_rows(model, adapter.tokens, len(layers) if isinstance(adapter, Prefix) else 1).to(device))
    _home(model.get_input_embeddings())[name] = rows
    model.register_forward_pre_hook(rows.before, with_kwargs=True)
    model.register_forward_hook(rows.after)
    if isinstance(adapter, Prefix):
        for depth, layer in enumerate(layers):
            if depth:
                layer.register_forward_pre_hook(partial(rows.enter, depth), with_kwargs=True)


def take_out(model: nn.Module, name: str) -> None:
    """Remove the parts of an adapter and their hooks."""
    parts: list[nn.Module] = []
    for module in list(model.modules()):
        home = module._modules.get(HOME)
        if isinstance(home, nn.ModuleDict) and name in home:
            parts.append(home.pop(name))
            if not home:
                del module._modules[HOME]
    for module in model.modules():
        for hooks, flags in (
            (module._forward_hooks, module._forward_hooks_with_kwargs),
            (module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs),
        ):
            for key in [key for key, hook in hooks.items() if _owner(hook) in parts]:
                del hooks[key]
                flags.pop(key, None)


def layer_stack(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """Name and layers of the body: the longest `ModuleList`, for BERT-like and GPT-like models alike."""
    stacks = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise ModelError(f"{type(model).__name__} has no stack of layers for an adapter.", where="adapter")
    return max(stacks, key=lambda pair: len(pair[1]))


def _home(module: nn.Module) -> nn.ModuleDict:
    if HOME not in module._modules:
        module.add_module(HOME, nn.ModuleDict())
    home = module._modules[HOME]
    assert isinstance(home, nn.ModuleDict)
    return home


def _owner(hook: Any) -> Any:
    return getattr(hook.func if isinstance(hook, partial) else hook, "__self__", None)


def _positions(model: Any, mask: Tensor) -> tuple[Tensor, int]:
    """The positions that the model would give, int64 (1 or n, t), and the first of them; RoBERTa counts after its filler."""
    filler = getattr(getattr(model, "embeddings", None), "padding_idx", None)
    if filler is None:
        return torch.arange(mask.shape[1], device=mask.device)[None], 0
    return mask.cumsum(dim=1) * mask + filler, filler + 1


def _first_rows(model: Any, tokens: int, depth: int) -> Tensor:
    """Random words of the vocabulary, as they enter each layer, float (depth, tokens, d): a start that the model knows."""
    words = model.get_input_embeddings()
    ids = torch.randint(words.weight.shape[0], (1, tokens)).to(words.weight.device)
    found = [words(ids)]
    _, layers = layer_stack(model)
    handles = [
        layer.register_forward_pre_hook(
            lambda _, given, named: found.append(given[0] if given else named["hidden_states"]), with_kwargs=True
        )
        for layer in layers[1:depth]
    ]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return torch.cat([rows.detach() for rows in found])

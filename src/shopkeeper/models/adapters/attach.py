"""Put adapters on a backbone, switch between them, fold one in, take one out."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from shopkeeper.errors import ModelError
from shopkeeper.models.adapters.base import fingerprint
from shopkeeper.models.adapters.inserts import HOME, Insert, insert, take_out
from shopkeeper.models.adapters.kinds import AdaLora, Adapter, Ia3, Lora, checked
from shopkeeper.models.adapters.weights import discard, fold, inject, tuner_layers

if TYPE_CHECKING:
    from shopkeeper.models.backbone import Backbone


@dataclass(slots=True)
class Adapters:
    """What a backbone carries.

    Attributes:
        base: Fingerprint of the weights underneath, taken before the first adapter was put on.
        kinds: The adapters, by name.
        active: Name of the one in use, None for the base alone.
        turn: Held by whoever relies on `active`.
    """

    base: str
    kinds: dict[str, Adapter] = field(default_factory=dict)
    active: str | None = None
    turn: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def __reduce__(self) -> Any:
        return Adapters, (self.base, dict(self.kinds), self.active)  # a copy gets a lock of its own


def adapt(backbone: Backbone, adapter: Adapter, name: str = "default", *, seed: int = 0) -> None:
    """Put an adapter on a backbone, in place: it is active, it alone learns, everything else is frozen.

    LoRA, DoRA, AdaLoRA, (IA)^3 and bottlenecks begin as the base; prompts and prefixes begin as random words. Heads are
    not touched, and layers may be opened afterwards.

    Args:
        backbone: Changed in place; it is used and trained as before.
        adapter: Which kind.
        name: One base may carry several, under different names.
        seed: Of its first values.

    Raises:
        ExtraMissingError: peft is needed and not installed.
        ModelError: The name is taken or unfit, or the architecture does not suit this kind.
    """
    adapter = checked(adapter)
    if re.fullmatch(r"[A-Za-z0-9][\w-]*", name) is None or name in dir(nn.ModuleDict):
        raise ModelError(f"{name!r} cannot be an adapter's name.", cure="Use letters, digits, - and _.")
    adapters = backbone.adapters or Adapters(fingerprint(backbone.model))
    if name in adapters.kinds:
        raise ModelError(f"There is an adapter {name!r} already.", where=backbone.name, cure="Choose another name.")
    with adapters.turn, torch.random.fork_rng(devices=[]):
        before = adapters.active
        _switch(backbone.model, None)
        torch.manual_seed(seed)
        try:
            if isinstance(adapter, Lora | AdaLora | Ia3):
                inject(backbone.model, adapter, name)
            else:
                insert(backbone.model, adapter, name)
        except ModelError:
            _switch(backbone.model, before)
            raise
        adapters.kinds[name] = adapter
        backbone.adapters = adapters
        backbone.model.requires_grad_(requires_grad=False)
        activate(backbone, name)


def activate(backbone: Backbone, name: str | None) -> None:
    """Use one of the adapters, or with None the base alone; of the adapters, only the one in use learns.

    Raises:
        ModelError: The backbone carries none of that name.
    """
    adapters = _adapters(backbone, name)
    with adapters.turn:
        _switch(backbone.model, name)
        adapters.active = name


@contextmanager
def using(backbone: Backbone, name: str | None) -> Iterator[None]:
    """As `activate` for a while: other threads that ask for an adapter wait, and the one before comes back.

    Raises:
        ModelError: The backbone carries none of that name.
    """
    adapters = _adapters(backbone, name)
    with adapters.turn:
        before = adapters.active
        if name != before:
            activate(backbone, name)
        try:
            yield
        finally:
            if name != before:
                activate(backbone, before)


def merge(backbone: Backbone) -> None:
    """Fold the active adapter into the weights: a plain backbone with the same vectors; other adapters are dropped.

    Raises:
        ModelError: No adapter is active, or it is of a kind that is not a change of weights.
    """
    adapters = _adapters(backbone, None)
    with adapters.turn:
        name = adapters.active
        if name is None or not foldable(backbone):
            what = "No adapter is active" if name is None else f"{adapters.kinds[name]} is not a change of weights"
            raise ModelError(
                f"{what}: there is nothing to fold in.", where=backbone.name, cure="Save the delta (save_delta)."
            )
        fold(backbone.model, name)
        for other in adapters.kinds:
            take_out(backbone.model, other)
        backbone.adapters = None
        backbone.model.requires_grad_(requires_grad=True)


def foldable(backbone: Backbone) -> bool:
    """Is an adapter active that `merge` can fold in?"""
    adapters = backbone.adapters
    return bool(adapters and adapters.active and isinstance(adapters.kinds[adapters.active], Lora | AdaLora | Ia3))


def remove(backbone: Backbone, name: str) -> None:
    """Take an adapter off; if it was active, the base alone is in use. Without any left the backbone is plain again.

    Raises:
        ModelError: The backbone carries none of that name.
    """
    adapters = _adapters(backbone, name)
    with adapters.turn:
        active = adapters.active
        _switch(backbone.model, None)
        discard(backbone.model, name)
        take_out(backbone.model, name)
        del adapters.kinds[name]
        activate(backbone, None if active == name else active)
        if not adapters.kinds:
            backbone.adapters = None
            backbone.model.requires_grad_(requires_grad=True)


def _switch(model: nn.Module, name: str | None) -> None:
    for layer in tuner_layers(model):
        layer.set_adapter([] if name is None else [name])
    for module in model.modules():
        home = module._modules.get(HOME)
        if isinstance(home, nn.ModuleDict):
            for own, part in home.items():
                assert isinstance(part, Insert)
                part.on = own == name
                part.requires_grad_(own == name)


def _adapters(backbone: Backbone, name: str | None) -> Adapters:
    found = backbone.adapters
    if found is None or (name is not None and name not in found.kinds):
        known = ", ".join(found.kinds) if found else "none"
        raise ModelError(
            f"There is no adapter {name!r}; there are: {known}." if name else "It carries no adapter.",
            where=backbone.name,
            cure="Put it on with adapt or load_delta.",
        )
    return found

"""The kinds of adapters, as plain values, and their names at the edge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from shopkeeper.errors import InputError, ModelError


@dataclass(frozen=True, slots=True)
class Lora:
    """Adds a product of two thin matrices to each matrix (LoRA, Hu et al. 2021).

    Attributes:
        rank: Width of the thin side.
        alpha: The product is scaled by alpha / rank.
        dropout: Of what enters the product, while training.
        dora: Learn the length of each weight vector apart from its direction (DoRA, Liu et al. 2024).
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    dora: bool = False


@dataclass(frozen=True, slots=True)
class AdaLora:
    """As LoRA, in the form of a singular value decomposition whose ranks move to where they matter (Zhang et al. 2023).

    It needs `training.adapting.RankBudget` in the run: without it every matrix keeps the rank it starts with.

    Attributes:
        rank: Mean rank of the matrices in the end.
        start: Rank of each at first.
        alpha: The product is scaled by alpha / start.
        dropout: As in `Lora`.
        orthogonal: Weight of the penalty that keeps the singular vectors orthonormal.
    """

    rank: int = 8
    start: int = 12
    alpha: float = 16.0
    dropout: float = 0.0
    orthogonal: float = 0.1


@dataclass(frozen=True, slots=True)
class Ia3:
    """Scales keys, values and the inside of the feed-forward parts, one factor a feature ((IA)^3, Liu et al. 2022)."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Puts learned tokens in front of the text in every layer (Li & Liang 2021, as deep prompts: Liu et al. 2021)."""

    tokens: int = 20


@dataclass(frozen=True, slots=True)
class Prompt:
    """Puts learned tokens in front of the text in the first layer (Lester et al. 2021)."""

    tokens: int = 20


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Adds a narrow feed-forward net to the output of each layer (Houlsby et al. 2019; once a layer: Pfeiffer et al. 2021)."""

    size: int = 64


Adapter = Lora | AdaLora | Ia3 | Prefix | Prompt | Bottleneck

RATES: Mapping[type[Adapter], float] = {
    Lora: 1e-3,
    AdaLora: 2e-3,
    Ia3: 5e-3,
    Prefix: 5e-3,
    Prompt: 1e-2,
    Bottleneck: 1e-3,
}
"""Peak learning rate to begin with: the few numbers of an adapter have farther to go than a model's weights."""

_SPELLING = re.compile(
    r"(?P<sized>lora|dora|adalora|prefix|prompt|bottleneck)(:(?P<size>[1-9]\d{0,4}))?|(?P<plain>ia3|none)"
)
_CHOICES = "lora:8, dora:8, adalora:8, ia3, prefix:20, prompt:20, bottleneck:64, none"


def adapter_named(text: str) -> Adapter | None:
    """What a command line or a settings file calls it; the number after the colon may be left out.

    >>> adapter_named("lora:16"), adapter_named("none")
    (Lora(rank=16, alpha=32.0, dropout=0.0, dora=False), None)

    Raises:
        InputError: There is no such adapter; the message names those there are.
    """
    found = _SPELLING.fullmatch(text.strip().lower())
    if found is None:
        raise InputError(f"There is no adapter {text!r}.", where="adapter", cure=f"Choose from {_CHOICES}.")
    number = int(found["size"] or 0)
    match found["sized"] or found["plain"]:
        case "none":
            return None
        case "ia3":
            return Ia3()
        case "adalora":
            rank = number or AdaLora().rank
            return AdaLora(rank, start=rank + (rank + 1) // 2, alpha=2.0 * rank)
        case "prefix":
            return Prefix(number or Prefix().tokens)
        case "prompt":
            return Prompt(number or Prompt().tokens)
        case "bottleneck":
            return Bottleneck(number or Bottleneck().size)
        case name:
            rank = number or Lora().rank
            return Lora(rank, alpha=2.0 * rank, dora=name == "dora")


def name_of(adapter: Adapter) -> str:
    """The short name: what `adapter_named` reads, without what cannot be said there.

    >>> name_of(Lora(16, dora=True)), name_of(Ia3())
    ('dora:16', 'ia3')
    """
    match adapter:
        case Lora(rank=rank, dora=dora):
            return f"{'dora' if dora else 'lora'}:{rank}"
        case AdaLora(rank=rank):
            return f"adalora:{rank}"
        case Ia3():
            return "ia3"
        case Prefix(tokens=tokens) | Prompt(tokens=tokens):
            return f"{type(adapter).__name__.lower()}:{tokens}"
        case Bottleneck(size=size):
            return f"bottleneck:{size}"


def checked(adapter: Adapter) -> Adapter:
    """The same adapter.

    Raises:
        ModelError: One of its sizes is not a positive number.
    """
    for field in ("rank", "start", "tokens", "size", "alpha"):
        value = getattr(adapter, field, 1)
        if value <= 0:
            raise ModelError(f"{type(adapter).__name__}: {field} is {value}, and must be positive.", where="adapter")
    if isinstance(adapter, AdaLora) and adapter.start < adapter.rank:
        return replace(adapter, start=adapter.rank)
    return adapter


def from_json(kind: str, values: Mapping[str, Any]) -> Adapter:
    """Read what `dataclasses.asdict` wrote of the class `kind`.

    Raises:
        ModelError: There is no such kind, or its values are others.
    """
    for known in get_args(Adapter):
        if known.__name__ == kind:
            try:
                return checked(known(**values))
            except TypeError as error:
                raise ModelError(f"An adapter of kind {kind} cannot be made of that: {error}.") from error
    raise ModelError(f"There is no adapter of kind {kind!r}.", cure="It may come from a later version: upgrade.")

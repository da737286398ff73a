"""One language model, its tokenizer, and how a text becomes one vector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from shopkeeper.errors import ModelError
from shopkeeper.models.hub import quiet

if TYPE_CHECKING:
    from shopkeeper.models.adapters import Adapters

Pooling = Literal["mean", "cls", "last"]
FILE = "backbone.json"
LONGEST = 256


@dataclass(slots=True)
class Backbone:
    """A language model, its tokenizer, and how a text becomes one vector.

    Attributes:
        name: Short name, for cards and logs.
        model: A transformers `PreTrainedModel` without a head, float32, in evaluation mode when loaded.
        tokenizer: A fast transformers tokenizer with a padding token, padding on the right.
        pooling: Mean of the tokens, the first token (cls) or the last one (causal models).
        prefixes: What to put before a text, by side (``query`` or ``passage``).
        max_length: Tokens that a text is cut to.
        licence: Licence of the weights, empty when unknown.
        source: Where the weights came from.
        adapters: What `adapters.adapt` put on the model, None for a plain one.
    """

    name: str
    model: Any
    tokenizer: Any
    pooling: Pooling = "mean"
    prefixes: Mapping[str, str] = field(default_factory=dict)
    max_length: int = LONGEST
    licence: str = ""
    source: str = ""
    adapters: Adapters | None = None

    @property
    def dimension(self) -> int:
        """Length d of the pooled vectors."""
        return int(self.model.config.hidden_size)

    @property
    def causal(self) -> bool:
        """Whether a token sees only the tokens before it."""
        return self.pooling == "last"

    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """One vector for each text; see `pool`."""
        return pool(hidden, mask, self.pooling)

    def vectors(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Run the model and pool; float (n, d), not normalised. Padding may be on either side.

        Args:
            input_ids: Integers (n, t).
            attention_mask: Integers (n, t), 1 at tokens, 0 at padding.
            token_type_ids: Integers (n, t), 1 in the second text of a pair; for models that know them.
        """
        return self.pool(run(self.model, input_ids, attention_mask, token_type_ids), attention_mask)

    def unit_vectors(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """As `vectors`, every row of length 1."""
        return normalize(self.vectors(input_ids, attention_mask, token_type_ids), dim=-1)

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), configuration, tokenizer and `backbone.json`; `read_backbone` reads them.

        Raises:
            ModelError: It carries adapters.
        """
        if self.adapters is not None:
            raise ModelError(
                f"The model carries adapters ({', '.join(self.adapters.kinds)}) and cannot be saved as a whole.",
                where=self.name,
                cure="Fold the active one in (adapters.merge), or save it alone (adapters.save_delta).",
            )
        folder.mkdir(parents=True, exist_ok=True)
        with quiet():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        about = {name: getattr(self, name) for name in ("name", "pooling", "max_length", "licence", "source")}
        about["prefixes"] = dict(self.prefixes)
        (folder / FILE).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Reduce token vectors to one vector for each text.

    Args:
        hidden: Floats (n, t, d).
        mask: (n, t), 1 at tokens, 0 at padding, which may be on either side; a row without tokens gives zeros
            for the mean and the first or last position otherwise.
        pooling: Which reduction.

    Returns:
        Floats (n, d).
    """
    if pooling == "mean":
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)
    count = mask.shape[1]
    places = torch.arange(count, device=mask.device)
    seen = mask.to(places.dtype)
    at = (seen * places).amax(dim=1) if pooling == "last" else count - (seen * (count - places)).amax(dim=1)
    at = at.clamp(max=count - 1)
    return hidden.gather(1, at[:, None, None].expand(-1, 1, hidden.shape[2])).squeeze(1)


def run(model: Any, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
    """Token vectors of the last layer, float (n, t, d), right for padding on either side."""
    extra: dict[str, Tensor] = {}
    if is_causal(model):
        extra["position_ids"] = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)
        return model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **extra)[0]  # type: ignore[no-any-return]
    if token_type_ids is not None and getattr(model.config, "type_vocab_size", 0) > 1:
        extra["token_type_ids"] = token_type_ids
    return model(input_ids=input_ids, attention_mask=attention_mask, **extra)[0]  # type: ignore[no-any-return]


def is_causal(model: Any) -> bool:
    """Whether the architecture is a decoder, judged by the language-model heads transformers has for it."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

    kind = model.config.model_type
    return bool(kind in CAUSAL and kind not in MASKED)

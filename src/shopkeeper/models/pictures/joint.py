"""CLIP-like models through transformers: pictures and texts in one space from the start, from a folder or a model hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shopkeeper.errors import ModelError
from shopkeeper.models.hub import from_hub, quiet
from shopkeeper.models.text import Floats, unit
from shopkeeper.settings import Settings

_LENGTH = 64


class JointBody(nn.Module):
    """The picture side: uint8 (n, side, side, 3) to float32 (n, d), as the model's own processor would prepare it."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: nn.Module, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.model: Any = model
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1) * 255)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        given = (pictures.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        return _vectors(self.model.get_image_features(pixel_values=given))


@dataclass(frozen=True, slots=True)
class Joint:
    """A joint encoder, opened.

    Attributes:
        name: Id or folder.
        side: Pixels of a side of what it reads.
        body: The picture side.
        tokenizer: Of its text side.
    """

    name: str
    side: int
    body: JointBody
    tokenizer: Any

    def encode_texts(self, texts: Sequence[str], batch: int = 64) -> Floats:
        """Unit vectors of texts in the space of the pictures, float32 (n, d)."""
        if not texts:
            return self.encode_texts([" "])[:0]
        parts = []
        whole = str(self.body.model.config.model_type).startswith("siglip")  # reads the last place, padding and all
        names = ("input_ids",) if whole else ("input_ids", "attention_mask")
        limit = min(_LENGTH, int(self.body.model.config.text_config.max_position_embeddings))
        with torch.inference_mode():
            for start in range(0, len(texts), batch):
                some = [text or " " for text in texts[start : start + batch]]
                padding = "max_length" if whole else True
                read = self.tokenizer(some, padding=padding, truncation=True, max_length=limit, return_tensors="pt")
                given = {name: read[name] for name in names if name in read}
                parts.append(_vectors(self.body.model.get_text_features(**given)).float().numpy())
        return unit(np.concatenate(parts))


def load_joint(name: str, settings: Settings) -> Joint:
    """Load a CLIP-like or SigLIP-like model with a picture and a text side.

    Args:
        name: A local folder or a Hugging Face id.
        settings: Where the cache is and whether a hub may be asked.

    Raises:
        ModelError: There is no such model here, or it has not both sides.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _read(folder, name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) is None:
        raise ModelError(f"There is no folder {name!r}, and it is not a Hugging Face id.", where="models.pictures")
    return from_hub(name, settings, lambda folder: _read(folder, name))


def _read(folder: Path, name: str) -> Joint:
    from transformers import AutoModel, AutoTokenizer
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    try:
        with quiet():
            model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            processor: Any = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")  # type: ignore[no-untyped-call]
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"The model cannot be loaded: {lines[0]}.",
            where=str(folder),
            cure="It must hold config.json, safetensors weights, a tokenizer and preprocessor_config.json.",
        ) from error
    if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
        raise ModelError(
            "This model has no picture side and text side in one space.",
            where=str(folder),
            cure="Give a CLIP-like or SigLIP-like model, or efficientnet-lite0.",
        )
    body = JointBody(model.eval(), processor.image_mean, processor.image_std)
    return Joint(name, int(model.config.vision_config.image_size), body, tokenizer)


def _vectors(said: Any) -> Tensor:
    """What the two sides of a model answer: a tensor, or an output that holds one."""
    found: Tensor = said if isinstance(said, Tensor) else said.pooler_output
    return nn.functional.normalize(found, dim=1)

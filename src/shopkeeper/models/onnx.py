"""Runs one exported ONNX graph with its tokenizer: the serving side, without torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from shopkeeper.errors import ModelError
from shopkeeper.models.batches import Batch, Batcher, shown
from shopkeeper.models.text import Floats, Side, softmax, unit

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
ABOUT = "graph.json"


class Graph:
    """A graph folder, opened; safe to share between threads.

    Args:
        folder: Holds model.onnx, tokenizer.json and graph.json.
        threads: CPU threads of one call.

    Raises:
        ModelError: A file is missing or damaged.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        for name in (MODEL, TOKENIZER, ABOUT):
            if not (folder / name).is_file():
                raise ModelError(f"{name} is missing.", where=str(folder), cure="Export the model again.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self.about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            self._session = onnxruntime.InferenceSession(
                str(folder / MODEL), options, providers=["CPUExecutionProvider"]
            )
            self.batcher = Batcher(tokenizer, self.about["pad"], self.about["max_length"], self.about["prefixes"])
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise ModelError(
                f"The exported model cannot be opened: {lines[0]}.", where=str(folder), cure="Export it again."
            ) from error
        self._inputs = [value.name for value in self._session.get_inputs()]

    def run(self, batch: Batch) -> Floats:
        """The graph's output for a batch, float32 (n, width), in the batch's own order."""
        arrays = {name: getattr(batch, name) for name in self._inputs}
        return np.asarray(self._session.run(None, arrays)[0], dtype=np.float32)


class OnnxEncoder:
    """Encodes with the ONNX graph in a folder that `export.export_onnx` wrote; needs neither torch nor transformers.

    Args:
        folder: Holds model.onnx, tokenizer.json and encoder.json.
        threads: CPU threads; one gives the shortest wait for a single query beside other requests.
        name: Name to go by, the backbone's when empty.

    Raises:
        ModelError: The folder is not such a one.
    """

    def __init__(self, folder: Path, *, threads: int = 1, name: str = "") -> None:
        self._graph = Graph(folder, threads=threads)
        self._name = name or str(self._graph.about["name"])
        self._about = self._graph.about
        if "dimension" not in self._about:
            raise ModelError("This graph is not an encoder.", where=str(folder), cure="Use OnnxScorer for a scorer.")

    @property
    def name(self) -> str:
        """Name and version."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return int(self._about["dimension"])

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:
        """See `text.Encoder.encode`."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for part in shown(self._graph.batcher.texts(texts, side, batch), len(texts), self.name):
            out[part.rows] = self._graph.run(part)
        return unit(out)


class OnnxScorer:
    """Scores with the ONNX graph of a `heads.PairClassifier`.

    Args:
        folder: Holds model.onnx, tokenizer.json and graph.json.
        threads: CPU threads of one call.
        name: Name to go by, the backbone's when empty.

    Raises:
        ModelError: The folder is not such a one.
    """

    def __init__(self, folder: Path, *, threads: int = 1, name: str = "") -> None:
        self._graph = Graph(folder, threads=threads)
        self._name = name or str(self._graph.about["name"])
        if "classes" not in self._graph.about:
            raise ModelError("This graph is not a scorer.", where=str(folder), cure="Use OnnxEncoder for an encoder.")

    @property
    def name(self) -> str:
        """Name and version."""
        return self._name

    def probabilities(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """See `text.Scorer.probabilities`."""
        out = np.zeros((len(texts_a), int(self._graph.about["classes"])), dtype=np.float32)
        for part in shown(self._graph.batcher.inputs(texts_a, texts_b, batch), len(texts_a), self.name):
            out[part.rows] = self._graph.run(part)
        return softmax(out)

    def score(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """See `text.Scorer.score`."""
        scores: Floats = self.probabilities(texts_a, texts_b, batch)[:, -1]
        return scores

"""Runs one exported ONNX graph with its tokenizer: the serving side, without torch.

A graph in int8 scales its activations by the largest one in the batch, so a text's vector would depend on its
neighbours. Texts therefore go through one by one, without padding, several at a time where there are threads: the
same text always gives the same vector, and on a CPU this costs nothing (measured in docs/models.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from shopkeeper.errors import ModelError
from shopkeeper.models.batches import Batch, Batcher, Integers, shown
from shopkeeper.models.text import Floats, Side, softmax, unit

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
ABOUT = "graph.json"


class Graph:
    """A graph folder, opened; safe to share between threads.

    Args:
        folder: Holds model.onnx, tokenizer.json and graph.json.
        threads: Texts that run at the same time, each on one CPU thread.

    Raises:
        ModelError: A file is missing or damaged.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        for name in (MODEL, TOKENIZER, ABOUT):
            if not (folder / name).is_file():
                raise ModelError(f"{name} is missing.", where=str(folder), cure="Export the model again.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
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
        self._threads = max(1, threads)
        self._inputs = [value.name for value in self._session.get_inputs()]

    def outputs(self, arrays: Mapping[str, Integers]) -> Floats:
        """What the graph says to one batch, given as (n, t) by name; names that it does not take are left out."""
        found: Floats = self._session.run(None, {wanted: arrays[wanted] for wanted in self._inputs})[0]
        return found

    def run(self, batches: Iterator[Batch], out: Floats, name: str) -> None:
        """Fill the rows of `out` (n, width) with the graph's outputs, reporting progress under `name`."""

        def one(batch: Batch) -> None:
            out[batch.rows] = self.outputs({wanted: getattr(batch, wanted) for wanted in self._inputs})

        if self._threads == 1 or len(out) == 1:
            for batch in shown(batches, len(out), name):
                one(batch)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(one, shown(batches, len(out), name)):
                pass


class OnnxEncoder:
    """Encodes with the ONNX graph in a folder that `export.export_onnx` wrote; needs neither torch nor transformers.

    Args:
        folder: Holds model.onnx, tokenizer.json and encoder.json.
        threads: Texts of one call that run at the same time; a single query always takes one CPU thread.
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

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:  # noqa: ARG002
        """See `text.Encoder.encode`; `batch` changes nothing here."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        self._graph.run(self._graph.batcher.texts(texts, side, 1), out, self.name)
        return unit(out)


class OnnxScorer:
    """Scores with the ONNX graph of a `heads.Classifier`.

    Args:
        folder: Holds model.onnx, tokenizer.json and graph.json.
        threads: Texts of one call that run at the same time.
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

    def probabilities(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:  # noqa: ARG002
        """See `text.Scorer.probabilities`."""
        out = np.zeros((len(texts_a), int(self._graph.about["classes"])), dtype=np.float32)
        self._graph.run(self._graph.batcher.inputs(texts_a, texts_b, 1), out, self.name)
        return softmax(out)

    def score(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """See `text.Scorer.score`."""
        scores: Floats = self.probabilities(texts_a, texts_b, batch)[:, -1]
        return scores

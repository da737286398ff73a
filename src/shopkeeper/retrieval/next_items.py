"""The sequence model at serving: a customer's trail in, a score for every row of the shelf out; ONNX, without PyTorch."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import onnxruntime

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.text import unit
from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.trails import KINDS, Trails

_TOGETHER = 64
"""Trails of similar length that run through the graph at once."""
_UNKNOWN = np.float32(-1)


@dataclass(frozen=True, slots=True)
class TextPath:
    """From text vectors to item vectors, for items without behaviour.

    Attributes:
        matrix: float32 (t, d).
        shift: float32 (d,).
    """

    matrix: Floats
    shift: Floats

    def __call__(self, vectors: Floats) -> Floats:
        """Unit item vectors, float32 (n, d), of encoder vectors, float32 (n, t); zeros stay zeros."""
        if vectors.shape[1] != len(self.matrix):
            raise ModelError(
                f"The sequence model was learnt with text vectors of length {len(self.matrix)}, not {vectors.shape[1]}.",
                cure="Train again after a change of the encoder: shopkeeper train recommend",
            )
        found = unit(vectors.astype(np.float32) @ self.matrix + self.shift)
        found[~vectors.any(axis=1)] = 0
        return found


class NextItems:
    """Scores what a customer may want next. Any number of threads may score while one puts rows.

    Args:
        graph: What `models.sequence.export_sequence` wrote.
        table: float32 (rows, d), unit vectors of the shelf's rows; zeros where nothing is known of an item.
        length: Steps of a trail that are read, the newest ones.
        text: How an item without behaviour gets a vector; None leaves it unknown.
        threads: CPU threads of the graph.

    Raises:
        ModelError: The graph cannot be opened.
    """

    def __init__(
        self, graph: bytes, table: Floats, length: int, text: TextPath | None = None, *, threads: int = 1
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(
                f"The sequence model cannot be opened: {str(error).splitlines()[0]}.",
                cure="Train again: shopkeeper train recommend",
            ) from error
        self._table = np.ascontiguousarray(table, dtype=np.float32)
        self._behaved = np.any(self._table != 0, axis=1)
        self._known = self._behaved.copy()
        self._length, self._text = length, text
        self._writing = threading.Lock()

    @classmethod
    def load(cls, bundle: Bundle, shelf: Shelf, vectors: Floats | None = None, *, threads: int = 1) -> NextItems:
        """Open the sequence model of a bundle over a shelf, whose rows may stand in another order than at training.

        Args:
            bundle: What `recipes.recommend.behaviour.train_behaviour` saved.
            shelf: The items.
            vectors: float32 (rows, t), encoder vectors of the shelf's rows, for items that the bundle has not seen.
            threads: CPU threads of the graph.

        Raises:
            ModelError: The bundle holds none or is damaged, or the text vectors are of another encoder.
        """
        try:
            arrays, about = bundle.arrays(), bundle.parameters
            items, ids, kinds = arrays["items"], about["items"], about["kinds"]
            graph, length = arrays["graph"].tobytes(), int(about["length"])
        except KeyError as error:
            raise ModelError(
                f"This bundle holds no sequence model: {error.args[0]} is missing.",
                where=str(bundle.folder),
                cure="Train again: shopkeeper train recommend",
            ) from error
        if kinds != [kind.value for kind in KINDS][: len(kinds)] or len(ids) != len(items):
            raise ModelError(
                "The sequence model was saved by another version: its kinds of events are others.",
                where=str(bundle.folder),
                cure="Train again: shopkeeper train recommend",
            )
        text = TextPath(arrays["text.matrix"], arrays["text.shift"]) if "text.matrix" in arrays else None
        table = np.zeros((len(shelf), items.shape[1]), dtype=np.float32)
        pairs = [(row, place) for place, item in enumerate(ids) if (row := shelf.row(item)) is not None]
        rows, places = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        table[rows] = items[places]
        found = cls(graph, table, length, text, threads=threads)
        if vectors is not None:
            found.put(np.arange(len(vectors), dtype=np.int64), vectors)
        return found

    def put(self, rows: Rows, vectors: Floats) -> None:
        """Take in encoder vectors of items; those that were learnt from behaviour keep theirs.

        Args:
            rows: int64 (n,), shelf rows, also beyond the table.
            vectors: float32 (n, t).

        Raises:
            ModelError: The vectors are of another encoder.
        """
        if self._text is None or not len(rows):
            return
        made = self._text(vectors)
        with self._writing:
            self._grow(int(rows.max()) + 1)
            new = ~self._behaved[rows]
            self._table[rows[new]] = made[new]
            self._known[rows[new]] = np.any(made[new] != 0, axis=1)

    def states(self, trails: Trails) -> Floats:
        """What each trail points to: float32 (users, d), unit vectors; zeros for a trail without a known item."""
        table = self._table
        inside = trails.rows < len(table)
        known = inside & self._known[np.where(inside, trails.rows, 0)]
        trails = trails.keep(known).newest(self._length)
        out = np.zeros((len(trails), table.shape[1]), dtype=np.float32)
        for users in trails.alike(_TOGETHER):
            batch = trails.take(users)
            rows, kinds, times = batch.padded()
            feed = {"vectors": table[rows], "kinds": kinds, "times": times, "newest": batch.lengths - 1}
            out[users] = self._session.run(None, feed)[0]
        return out

    def scores(self, trails: Trails, width: int) -> Floats:
        """Cosine between what each trail points to and each row.

        Args:
            trails: Of n users.
            width: Number of rows of the shelf.

        Returns:
            float32 (n, width) in [-1, 1]; -1 where nothing is known of an item, 0 for a trail that says nothing.
        """
        table, known = self._table[:width], self._known[:width]
        out = np.empty((len(trails), width), dtype=np.float32)
        out[:, len(table) :] = _UNKNOWN
        np.matmul(self.states(trails), table.T, out=out[:, : len(table)])
        out[:, np.flatnonzero(~known)] = _UNKNOWN
        return out

    def _grow(self, height: int) -> None:
        """Make room; readers may hold the old arrays, and find what the new ones hold with the next call."""
        missing = height - len(self._table)
        if missing <= 0:
            return
        missing += height // 2
        self._known, self._behaved = np.pad(self._known, (0, missing)), np.pad(self._behaved, (0, missing))
        self._table = np.pad(self._table, ((0, missing), (0, 0)))

"""The serving side of a tagger, without torch: an ONNX graph of emissions by piece, and the table of clues in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from shopkeeper.models.onnx import Graph
from shopkeeper.models.tagging.characters import Pieces, Reader, Reading
from shopkeeper.models.tagging.viterbi import Bools, Chain
from shopkeeper.models.text import Floats


@dataclass(frozen=True, slots=True)
class OnnxMember:
    """A `text_tagger.Member`; texts go through the graph one by one, as `models.onnx` explains.

    Attributes:
        tags: The k tags.
        chain: What tags score at the ends and after one another.
        reader: Reads as the model's own did.
        graph: A graph that `export.export_tagger` wrote; None where clues are all there is.
        table: Weight of each clue for each tag, float32 (buckets + 1, k), of which row 0 is not used; None without clues.
        weight: How much it counts among others.
        threads: Texts that run at the same time.
    """

    tags: Sequence[str]
    chain: Chain
    reader: Reader
    graph: Graph | None = field(repr=False)
    table: Floats | None = field(repr=False)
    weight: float = 1.0
    threads: int = 1

    @property
    def name(self) -> str:
        """``backbone`` or ``linear``."""
        return "linear" if self.graph is None else "backbone"

    def emissions(self, texts: Sequence[str]) -> tuple[Floats, Bools]:
        """See `text_tagger.Member.emissions`."""
        readings = [self.reader.read(text) for text in texts]
        batch = self.reader.batch(readings)
        total = np.zeros((*batch.piece.shape, len(self.tags)), dtype=np.float32)
        if self.table is not None:
            known = self.table[batch.clues]
            known[batch.clues == 0] = 0.0
            total += known.sum(axis=2)
        if self.graph is not None:
            with ThreadPoolExecutor(max(1, self.threads)) as pool:
                for row, own in enumerate(pool.map(self._by_piece, readings)):
                    total[row] += own[batch.piece[row]]
        return total, batch.seen

    def _by_piece(self, reading: Reading) -> Floats:
        """Emissions of one text's pieces, float32 (t, k)."""
        assert self.graph is not None
        ids = np.array([reading.ids], dtype=np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        own: Floats = self.graph.outputs(given)[0]
        return own


def pieces_of(graph: Graph) -> Pieces:
    """The graph's own tokenizer, which leaves the cutting to the `Reader`."""
    tokenizer = graph.batcher.tokenizer
    tokenizer.no_truncation()
    return Pieces(tokenizer, int(graph.about["pad"]), graph.about["unknown"])

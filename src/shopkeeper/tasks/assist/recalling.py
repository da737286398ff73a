"""An encoder that recalls the last texts: a turn is read for what is wanted, for what answers it and for what is sought."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shopkeeper.models.text import Encoder, Floats, Side
from shopkeeper.tasks.latest import Latest


class RecallingEncoder:
    """An `Encoder` that keeps the vectors of the last texts in memory. Safe for many threads.

    Only for encoders that read each text by itself, as those that serve do: a vector must not depend on its neighbours.

    Args:
        encoder: What encodes a text that is new.
        size: Texts that are kept.
    """

    def __init__(self, encoder: Encoder, size: int = 256) -> None:
        self._encoder = encoder
        self._kept: Latest[Floats] = Latest(size)

    @property
    def name(self) -> str:
        """The wrapped encoder's name."""
        return self._encoder.name

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._encoder.dimension

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:
        """See `Encoder.encode`; each distinct text that is new costs one pass."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        known = {text: self._kept.get(f"{side} {text}") for text in texts}
        new = [text for text, vector in known.items() if vector is None]
        for text, vector in zip(new, self._encoder.encode(new, side, batch) if new else (), strict=True):
            known[text] = vector
            self._kept.put(f"{side} {text}", vector)
        return np.stack([vector for text in texts if (vector := known[text]) is not None])

    def forget(self) -> None:
        """Let go of all texts: they are what customers wrote."""
        self._kept.clear()

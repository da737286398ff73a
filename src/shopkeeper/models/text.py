"""What a text encoder can do, whatever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Side = Literal["query", "passage"]
Floats = NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into unit vectors whose dot product is their similarity."""

    @property
    def name(self) -> str:
        """Name and version, for logs and impressions."""
        ...

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        ...

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:
        """Encode texts.

        Args:
            texts: Any strings, n of them; empty ones give the zero vector's nearest meaning, never NaN.
            side: Whether these are queries or passages; some models prefix the two differently.
            batch: Texts per forward pass; results do not depend on it beyond 1e-3.

        Returns:
            float32 (n, d), every row of length 1, in the order of `texts`.
        """
        ...


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length 1; a row that is zero or not finite becomes the first axis, so that nothing is NaN."""
    vectors = np.nan_to_num(vectors, nan=0.0, posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    empty = lengths[:, 0] < 1e-6
    vectors[empty] = 0.0
    vectors[empty, 0] = 1.0
    lengths[empty] = 1.0
    scaled: Floats = np.divide(vectors, lengths, dtype=np.float32)
    return scaled

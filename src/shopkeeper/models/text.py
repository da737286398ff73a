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


class Scorer(Protocol):
    """Classifies texts or pairs of texts; the last class is the one a score speaks of."""

    @property
    def name(self) -> str:
        """Name and version, for logs and impressions."""
        ...

    def probabilities(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """Probability of each class.

        Args:
            texts_a: First texts, n of them.
            texts_b: Second texts, one for each first; None to classify single texts.
            batch: Texts per forward pass.

        Returns:
            float32 (n, k), rows adding up to 1.
        """
        ...

    def score(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """Probability of the last class, float32 (n,)."""
        ...


def softmax(logits: Floats) -> Floats:
    """Rows of logits (n, k) to rows of probabilities; logits that are not finite count as 0."""
    logits = np.nan_to_num(logits, nan=0.0, posinf=0.0, neginf=0.0)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    shares: Floats = np.divide(powers, powers.sum(axis=1, keepdims=True), dtype=np.float32)
    return shares


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

"""A tiny deterministic encoder: hashed words, so that texts that share words are near each other. No weights, no network."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from shopkeeper.models.text import Floats, Side
from shopkeeper.retrieval.analysis import terms


class HashEncoder:
    def __init__(self, dimension: int = 64) -> None:
        self.dimension = dimension
        self.encoded = 0

    @property
    def name(self) -> str:
        return "hash"

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:
        self.encoded += len(texts)
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for place, text in enumerate(texts):
            for term in terms(text):
                rng = np.random.default_rng(zlib.crc32(term.encode()))
                out[place] += rng.standard_normal(self.dimension).astype(np.float32)
            if not out[place].any():
                out[place, 0] = 1
        return out / np.linalg.norm(out, axis=1, keepdims=True)

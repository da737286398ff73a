"""Item vectors on disk, so that a restart or a rebuild encodes only texts it has never seen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Encoder, Floats, Side
from shopkeeper.progress import span

_KEY_BYTES = 16
_CHUNK = 512


class CachedEncoder:
    """An `Encoder` that remembers passages by the hash of their text.

    The file is append-only: records of a 16-byte BLAKE2b key and a float16 vector. A record torn by a crash is cut off
    at the next opening. Queries are not kept: they rarely repeat and must not be written down.

    Args:
        encoder: What encodes unseen texts.
        file: The cache; its name should hold the encoder's name and version, because the key does not.
    """

    def __init__(self, encoder: Encoder, file: Path) -> None:
        self._encoder = encoder
        self._file = file
        self._record = np.dtype([("key", f"V{_KEY_BYTES}"), ("vector", np.float16, (encoder.dimension,))])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        whole = file.stat().st_size // self._record.itemsize * self._record.itemsize
        if whole != file.stat().st_size:
            with file.open("r+b") as handle:
                handle.truncate(whole)
        self._place: dict[bytes, int] = {}
        self._stored = self._map()
        for place, key in enumerate(self._stored["key"]):
            self._place[key.tobytes()] = place

    @property
    def name(self) -> str:
        """The wrapped encoder's name."""
        return self._encoder.name

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._encoder.dimension

    def __len__(self) -> int:
        """Number of vectors kept."""
        return len(self._place)

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:
        """Encode texts, passages from the cache where known; see `Encoder.encode`."""
        if side == "query":
            return self._encoder.encode(texts, side, batch)
        keys = [
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest() for text in texts
        ]
        missing = list({key: text for key, text in zip(keys, texts, strict=True) if key not in self._place}.items())
        with span("encoding items", len(missing), "texts") as progress:
            for start in range(0, len(missing), _CHUNK):
                piece = missing[start : start + _CHUNK]
                self._append([key for key, _ in piece], self._encoder.encode([text for _, text in piece], side, batch))
                progress.advance(len(piece))
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        places = np.array([self._place[key] for key in keys])
        vectors = self._stored["vector"][places].astype(np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)

    def _append(self, keys: Sequence[bytes], vectors: Floats) -> None:
        records = np.empty(len(keys), dtype=self._record)
        records["key"] = np.frombuffer(b"".join(keys), dtype=f"V{_KEY_BYTES}")
        records["vector"] = vectors
        first = len(self._stored)
        with self._file.open("ab") as handle:
            handle.write(records.tobytes())
        self._stored = self._map()
        self._place.update((key, first + offset) for offset, key in enumerate(keys))

    def _map(self) -> NDArray[np.void]:
        if self._file.stat().st_size == 0:
            return np.empty(0, dtype=self._record)
        return np.memmap(self._file, dtype=self._record, mode="r")

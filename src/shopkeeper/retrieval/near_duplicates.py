"""Which text repeats an earlier one, word for word or nearly: MinHash of character shingles over the last texts.

Works alike for scripts with and without blanks: letters and digits alone are looked at, in shingles of four.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopkeeper.retrieval.analysis import normalise

Hashes = NDArray[np.uint64]
_SHINGLE = 4
_BANDS, _ROWS = 16, 4
_MOST_CHARACTERS = 2_000
_FEWEST = 8
_IN_BUCKET = 8
_MIX = np.uint64(0x9E3779B97F4A7C15)


class NearDuplicates:
    """The last texts that were new, and which of them a further one repeats.

    Signatures of 64 hashes estimate the share of common shingles (Broder 1997); candidates share one of 16 bands of four
    (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3): a pair at .7 is missed once in 80, at .8 once
    in 5,000. Memory is bounded by `window`, about 3 kB a text.

    Args:
        window: How many texts are remembered; a repeated one is remembered anew.
        least: Share of common shingles from which on a text is a repetition.
        seed: Of the hashes.
    """

    def __init__(self, window: int = 20_000, least: float = 0.7, seed: int = 7) -> None:
        rng = np.random.default_rng(seed)
        self._least = least
        self._factors = rng.integers(1, 2**63, _BANDS * _ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._offsets = rng.integers(0, 2**63, _BANDS * _ROWS, dtype=np.uint64)
        self._signatures = np.zeros((window, _BANDS * _ROWS), dtype=np.uint32)
        self._bands = np.zeros((window, _BANDS), dtype=np.uint64)
        self._ids: list[str] = [""] * window
        self._next = 0
        self._buckets: dict[int, deque[int]] = {}

    def find(self, ids: Sequence[str], texts: Sequence[str]) -> list[str]:
        """For each text the id of the earlier one that it repeats, empty where it is new; the texts are remembered.

        Texts of fewer than eight letters repeat nothing: "very good" is said by many. At most the first 2,000 letters
        are read. An id never repeats itself.
        """
        signatures, known = self._sign(texts)
        bands = _banded(signatures)
        found = [""] * len(ids)
        for row in np.flatnonzero(known).tolist():
            keys = bands[row].tolist()
            slot = self._nearest(signatures[row], keys, ids[row])
            if slot is None:
                self._remember(ids[row], signatures[row], bands[row])
            elif self._ids[slot] != ids[row]:
                found[row] = self._ids[slot]
        return found

    def _nearest(self, signature: NDArray[np.uint32], keys: Sequence[int], own: str) -> int | None:
        slots = list({slot for key in keys for slot in self._buckets.get(key, ())})
        if not slots:
            return None
        shares = (self._signatures[slots] == signature).mean(axis=1)
        same = [slot for slot in slots if self._ids[slot] == own]
        if same:
            return same[0]
        best = int(shares.argmax())
        return slots[best] if shares[best] >= self._least else None

    def _remember(self, own: str, signature: NDArray[np.uint32], bands: Hashes) -> None:
        slot = self._next
        self._next = (slot + 1) % len(self._ids)
        if self._ids[slot]:
            for key in self._bands[slot].tolist():
                bucket = self._buckets.get(key)
                if bucket is not None and slot in bucket:
                    bucket.remove(slot)
                    if not bucket:
                        del self._buckets[key]
        self._ids[slot], self._signatures[slot], self._bands[slot] = own, signature, bands
        for key in bands.tolist():
            self._buckets.setdefault(key, deque(maxlen=_IN_BUCKET)).append(slot)

    def _sign(self, texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Signatures uint32 (n, 64), and which texts are long enough to have one."""
        shingles = [_shingles(text) for text in texts]
        known = np.array([len(own) > 0 for own in shingles], dtype=np.bool_)
        signatures = np.zeros((len(texts), len(self._factors)), dtype=np.uint32)
        if known.any():
            held = [own for own in shingles if len(own)]
            starts = np.cumsum([0, *(len(own) for own in held[:-1])])
            together = np.concatenate(held)
            for place, (factor, offset) in enumerate(zip(self._factors, self._offsets, strict=True)):
                hashed = ((together * factor + offset) >> np.uint64(32)).astype(np.uint32)
                signatures[known, place] = np.minimum.reduceat(hashed, starts)
        return signatures, known


def _shingles(text: str) -> Hashes:
    """Hashes of the shingles of a text, uint64; none where it is too short."""
    letters = "".join(filter(str.isalnum, normalise(text[: 2 * _MOST_CHARACTERS])))[:_MOST_CHARACTERS]
    if len(letters) < _FEWEST:
        return np.zeros(0, dtype=np.uint64)
    codes = np.frombuffer(letters.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    hashed = np.zeros(len(codes) - _SHINGLE + 1, dtype=np.uint64)
    for place in range(_SHINGLE):
        hashed = (hashed ^ codes[place : place + len(hashed)]) * _MIX
        hashed ^= hashed >> np.uint64(29)
    return hashed


def _banded(signatures: NDArray[np.uint32]) -> Hashes:
    """Keys of the bands, uint64 (n, 16); equal bands of different places have different keys."""
    keys = np.broadcast_to(np.arange(1, _BANDS + 1, dtype=np.uint64), (len(signatures), _BANDS)).copy()
    parts = signatures.reshape(len(signatures), _BANDS, _ROWS).astype(np.uint64)
    for row in range(_ROWS):
        keys = (keys ^ parts[:, :, row]) * _MIX
        keys ^= keys >> np.uint64(31)
    return keys

"""Items found by what they look like: from words, from a picture, or from another item."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.pictures.colours import histogram
from shopkeeper.models.pictures.gallery import Gallery, Shots
from shopkeeper.models.pictures.images import Pixels
from shopkeeper.models.pictures.modes import glimpses, modes_of
from shopkeeper.models.pictures.sight import Sight
from shopkeeper.models.text import Floats, unit
from shopkeeper.records import Item
from shopkeeper.retrieval.shelf import Mask, Rows, Scores
from shopkeeper.retrieval.vectors import VectorIndex

_UNSEEN = np.float32(0.6)
"""What the likeness of words counts where a picture is searched for and an item has none: the lesser evidence."""
_CANDIDATES = 400
_SURE = 0.6
_HALF = np.float32(np.sqrt(0.5))


def packed(looks: Floats) -> str:
    """A place among pictures, float32 (d,), as letters and digits: a byte a direction, for addresses and requests."""
    bytes_ = np.clip(np.rint(looks * (127 / max(float(np.abs(looks).max()), 1e-9))), -127, 127).astype(np.int8)
    return base64.urlsafe_b64encode(bytes_.tobytes()).decode().rstrip("=")


def unpacked(token: str, width: int) -> Floats:
    """What `packed` wrote: float32 (width,), length 1.

    Raises:
        InputError: It is none of this shop's.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != width:
        raise InputError(
            "This does not say what a picture looks like.",
            where="looks",
            cure="Send the picture to POST /v1/search/image, and `looks` of its answer as it came.",
        )
    found: Floats = unit(np.frombuffer(raw, dtype=np.int8).astype(np.float32)[None])[0]
    return found


class Looks:
    """The pictures of a shelf's items, in one space with words.

    Args:
        gallery: Reads and encodes files.
        sight: What was learnt of pictures.
        exact_below: See `vectors.VectorIndex`.
    """

    def __init__(self, gallery: Gallery, sight: Sight, *, exact_below: int = 50_000) -> None:
        self.gallery = gallery
        self.sight = sight
        self._pictures = VectorIndex(sight.width, exact_below)
        self._words = VectorIndex(sight.width, exact_below)
        self._fused: Floats = np.zeros((0, 0), dtype=np.float32)

    def __len__(self) -> int:
        """Number of items of which a picture or video is seen."""
        return len(self._pictures)

    def upsert(self, rows: Rows, items: Sequence[Item], text: Floats) -> Floats:
        """Take up items, known or new, and describe them by all that is known of them.

        Args:
            rows: int64 (n,), distinct.
            items: The items of these rows.
            text: float32 (n, t), encoder vectors of their passages.

        Returns:
            float32 (n, t + d), see `described`.
        """
        shots = self.gallery.shots(items)
        seen = shots.seen
        self._pictures.remove(rows)
        self._pictures.upsert(rows[seen], self._mean(shots)[seen])
        self._words.upsert(rows, self.sight.text(text))
        fused = self.sight.fused(modes_of(text, shots, (self.sight.text, self.sight.picture)))
        missing = int(rows.max(initial=-1)) + 1 - len(self._fused)
        if missing > 0:
            kept = self._fused.reshape(len(self._fused), fused.shape[1])
            self._fused = np.pad(kept, ((0, missing + len(kept) // 4), (0, 0)))
        self._fused[rows] = fused
        return described(text, fused)

    def described(self, text: Floats) -> Floats:
        """All rows by all that is known of them, as `upsert` gave it: float32 (n, t + d), n as many as `text` has."""
        return described(text, self._fused[: len(text)])

    def remove(self, rows: Rows) -> None:
        """Take rows out; unknown ones are ignored."""
        self._pictures.remove(rows)
        self._words.remove(rows)

    def of_words(self, vector: Floats) -> Floats:
        """Where a query's vector, float32 (t,), lies among the pictures: float32 (d,)."""
        placed: Floats = self.sight.text(vector[None])[0]
        return placed

    def of_picture(self, pixels: Pixels) -> Floats:
        """Where a picture, uint8 (side, side, 3), lies among the items' pictures: float32 (d,)."""
        placed: Floats = self.sight.picture(self.glimpse(pixels))[0]
        return placed

    def glimpse(self, pixels: Pixels) -> Floats:
        """What is known of one picture, as `modes.glimpses` gives it: float32 (1, d + 24)."""
        return np.hstack([self.gallery.encoder.encode([pixels]), histogram([pixels])])

    def near(self, looks: Floats, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """Rows whose pictures are nearest to a place in the space, best first, with cosines."""
        return self._pictures.search(looks, k, allowed)

    def cosines(self, looks: Floats, rows: Rows) -> Scores:
        """Cosines of the pictures of any rows with a place in the space, 0 for those without: float32 (n,)."""
        return self._pictures.scores(looks, rows)

    def place(self, row: int) -> Floats | None:
        """Where the pictures of a row lie, float32 (d,); None for a row without."""
        vector: Floats = self._pictures.vectors(np.array([row], dtype=np.int64))[0]
        return vector if vector.any() else None

    def like(self, looks: Floats, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """The k items most like a picture: by their own pictures, and by what their words look like.

        Args:
            looks: float32 (d,), what `of_picture` gave.
            k: How many.
            allowed: bool (rows,), which rows may be found.

        Returns:
            Rows int64 (n,) and scores float32 (n,), best first.
        """
        depth = max(k, _CANDIDATES)
        rows = np.union1d(*(index.search(looks, depth, allowed)[0] for index in (self._pictures, self._words)))
        scores = self.likeness(looks, rows)
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]

    def likeness(self, looks: Floats, rows: Rows) -> Scores:
        """How like a picture any rows are, by their own pictures and by what their words look like: float32 (n,)."""
        own, words = self.cosines(looks, rows), self._words.scores(looks, rows)
        share = np.float32(self.sight.own)
        scores: Scores = np.where(own == 0, _UNSEEN * words, share * own + (1 - share) * words).astype(np.float32)
        return scores

    def told(self, items: Sequence[Item], text: Floats, sure: float = _SURE) -> list[str]:
        """What can be seen of items and is not said by them, in words, for models that read: ``colour: navy, style: retro``.

        Args:
            items: n items.
            text: float32 (n, t), encoder vectors of their passages.
            sure: Probability from which on something is told.

        Returns:
            n texts; empty where nothing is seen, or nothing that is sure enough and new.
        """
        shots = self.gallery.shots(items)
        seen = shots.seen
        said = self.sight.said(modes_of(text, shots, (self.sight.text, self.sight.picture)))
        found: list[list[str]] = [[] for _ in items]
        for name, (values, shares) in said.items():
            for row in np.flatnonzero(seen & (shares >= sure)).tolist():
                item = items[row]
                if name not in item.attributes and not (name == "category" and item.category):
                    found[row].append(f"{name}: {values[row]}")
        return [", ".join(words) for words in found]

    def _mean(self, shots: Shots) -> Floats:
        """Where the pictures of items lie, float32 (count, d): of those without pictures the frames of their videos."""
        placed = self.sight.picture(glimpses(shots)) if len(shots) else np.zeros((0, self.sight.width), np.float32)
        still = np.zeros(shots.count, dtype=np.bool_)
        still[shots.item[~shots.moving]] = True
        counted: NDArray[np.bool_] = ~(shots.moving & still[shots.item])
        total = np.zeros((shots.count, self.sight.width), dtype=np.float32)
        np.add.at(total, shots.item[counted], placed[counted])
        return unit(total)


def described(text: Floats, fused: Floats) -> Floats:
    """Words and all that is known of items side by side, half each: unit vectors float32 (n, t + d).

    Args:
        text: float32 (n, t), unit vectors.
        fused: float32 (n, d), what `models.pictures.sight.Sight.fused` gave.
    """
    return np.hstack([_HALF * text, _HALF * fused])

"""What each item has of words, pictures and video, as arrays that a fusion reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.pictures.bridge import Span
from shopkeeper.models.pictures.gallery import Shots
from shopkeeper.models.text import Floats

_SHARP = np.float32(12)
"""What cosines are multiplied with before they become shares of attention."""


@dataclass(frozen=True, slots=True)
class Modes:
    """One row an item.

    Attributes:
        text: float32 (n, t), encoder vectors.
        picture: float32 (n, p), mean over the item's pictures of what `glimpses` gives; zeros where it has none.
        video: float32 (n, p), frames pooled by `pooled`.
        seen: float32 (n, 3), 1 where the item has words, pictures, video.
    """

    text: Floats
    picture: Floats
    video: Floats
    seen: Floats

    def __len__(self) -> int:
        """Number of items."""
        return len(self.text)

    def at(self, rows: NDArray[np.integer]) -> Modes:
        """Some items, in that order."""
        return Modes(self.text[rows], self.picture[rows], self.video[rows], self.seen[rows])

    def only(self, *modes: int) -> Modes:
        """The same items, of which nothing is known but these modes (0 words, 1 pictures, 2 video)."""
        kept = np.zeros_like(self.seen)
        kept[:, list(modes)] = self.seen[:, list(modes)]
        return Modes(self.text, self.picture, self.video, kept)


def glimpses(shots: Shots) -> Floats:
    """What is known of each picture and frame: its vector and beside it its colours, float32 (m, d + 24)."""
    return np.hstack([shots.vectors, shots.colours])


def modes_of(text: Floats, shots: Shots, bridge: tuple[Span, Span] | None = None) -> Modes:
    """The modes of items.

    Args:
        text: float32 (n, t), encoder vectors; zero rows have no words.
        shots: Of the same items.
        bridge: Projections of texts and of pictures. With them, frames count the more the better they agree with the
            item's words: a clip shows hands, logos and rooms as well. Without them all frames count alike.
    """
    known = glimpses(shots)
    still = np.flatnonzero(~shots.moving)
    frames = np.flatnonzero(shots.moving)
    weights = np.ones(len(frames), dtype=np.float32)
    if bridge is not None and len(frames):
        own, others = bridge
        weights = np.exp(_SHARP * np.sum(own(text)[shots.item[frames]] * others(known[frames]), axis=1))
    picture = _mean(known[still], shots.item[still], np.ones(len(still), dtype=np.float32), len(text))
    video = _mean(known[frames], shots.item[frames], weights, len(text))
    seen = np.stack([values.any(axis=1) for values in (text, picture, video)], axis=1).astype(np.float32)
    return Modes(text, picture, video, seen)


def _mean(values: Floats, item: NDArray[np.int64], weights: Floats, count: int) -> Floats:
    out = np.zeros((count, values.shape[1]), dtype=np.float32)
    total = np.zeros((count, 1), dtype=np.float32)
    np.add.at(out, item, values * weights[:, None])
    np.add.at(total, item, weights[:, None])
    return np.divide(out, total, out=out, where=total > 0)

"""The likeliest sequence of BIO tags, by Viterbi's algorithm (Viterbi 1967), in NumPy: for training and for serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Floats

Bools = NDArray[np.bool_]
_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Chain:
    """What a sequence of k tags scores beside the emissions.

    Attributes:
        start: Of the first tag, float32 (k,).
        end: Of the last tag, float32 (k,).
        moves: Of each tag (row) followed by each (column), float32 (k, k).
    """

    start: Floats
    end: Floats
    moves: Floats

    @classmethod
    def of(cls, tags: Sequence[str], start: Floats, end: Floats, moves: Floats) -> Chain:
        """With learnt scores, and what BIO forbids out of reach."""
        first, after = rules(tags)
        return cls(start + first, end, moves + after)

    def best(self, emissions: Floats, seen: Bools) -> list[list[int]]:
        """The likeliest sequence of each text; as long as the text has characters.

        Args:
            emissions: float32 (n, c, k).
            seen: (n, c), True at characters, False at padding on the right; the first column is True.
        """
        alpha = self.start + emissions[:, 0]
        back = []
        for place in range(1, emissions.shape[1]):
            scores = alpha[:, :, None] + self.moves
            before = scores.argmax(axis=1)
            after = np.take_along_axis(scores, before[:, None, :], axis=1)[:, 0] + emissions[:, place]
            alpha = np.where(seen[:, place, None], after, alpha)
            back.append(before)
        last = (alpha + self.end).argmax(axis=1).tolist()
        table = np.stack(back).tolist() if back else []
        return [_trace(table, row, tag, int(seen[row].sum())) for row, tag in enumerate(last)]


def rules(tags: Sequence[str]) -> tuple[Floats, Floats]:
    """What BIO forbids, 0 or nearly minus infinity: of first tags, float32 (k,), and of each after each, (k, k)."""
    allowed = [[_may_follow(one, other) for other in tags] for one in ["O", *tags]]
    table = np.where(np.array(allowed), np.float32(0), np.float32(_NEVER))
    return table[0], table[1:]


def _may_follow(one: str, other: str) -> bool:
    """May tag `other` come after tag `one`? Only an I is choosy: it continues a B or an I of its kind."""
    return not other.startswith("I-") or (one != "O" and one[2:] == other[2:])


def _trace(back: list[list[list[int]]], row: int, tag: int, length: int) -> list[int]:
    path = [tag]
    for place in range(length - 2, -1, -1):
        path.append(back[place][row][path[-1]])
    return path[::-1]

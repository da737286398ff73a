"""How augmentations take a text apart, and how they draw what to change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.models.chinese import dictionary

T = TypeVar("T")

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
HAN_RUN = re.compile(f"[{HAN}]+")
_PIECE = re.compile(rf"[{HAN}]+|[^\W{HAN}]+(?:['’][^\W{HAN}]+)*|\s+|[^\w\s]|.", re.DOTALL)


def pieces_of(text: str) -> list[str]:
    """Words, punctuation marks and spaces in order; joined they are the text again.

    >>> pieces_of("don't wait, 买手机!")
    ["don't", ' ', 'wait', ',', ' ', '买', '手机', '!']
    """
    pieces: list[str] = []
    for piece in _PIECE.findall(text):
        pieces.extend(dictionary().lcut(piece) if HAN_RUN.match(piece) else [piece])
    return pieces


def is_word(piece: str) -> bool:
    """Whether a piece says something: it has a letter, a digit or a Chinese character."""
    return any(letter.isalnum() for letter in piece)


def check_rate(rate: float) -> None:
    """Refuse a rate that is no share."""
    if not 0 <= rate <= 1:
        raise TrainingError(
            f"{rate} is no share.", where="rate of an augmentation", cure="Use a number from 0 to 1, such as 0.1."
        )


def count_of(rate: float, of: int) -> int:
    """How many of `of` places to change: the share, rounded, and at least one unless `rate` is 0.

    >>> [count_of(0.1, of) for of in (0, 3, 24)]
    [0, 1, 2]
    """
    return max(1, round(rate * of)) if rate > 0 and of else 0


def some(choices: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """At most `count` different ones of `choices`, in random order."""
    if not choices or count <= 0:
        return []
    drawn = rng.choice(len(choices), size=min(count, len(choices)), replace=False)
    return [choices[int(place)] for place in drawn]


def one(choices: Sequence[T], rng: np.random.Generator) -> T:
    """One of `choices`."""
    return choices[int(rng.integers(len(choices)))]

"""Slips of people at a keyboard, as augmentations: fingers on Latin letters, the wrong candidate in Chinese."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import numpy as np

from shopkeeper.training.wording import check_rate, count_of, one, some

_LATIN_WORD = re.compile("[A-Za-z]{3,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def typos(rate: float = 0.1) -> Callable[[str, np.random.Generator], str]:
    """One slip of the finger in some Latin words of three letters and more.

    A letter becomes its neighbour on the keyboard, changes places with the next one, is left out or comes twice.
    """
    check_rate(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        words = list(_LATIN_WORD.finditer(text))
        for word in sorted(some(words, count_of(rate, len(words)), rng), key=lambda word: -word.start()):
            text = text[: word.start()] + _slip(word.group(), rng) + text[word.end() :]
        return text

    return augment


def homophones(rate: float = 0.1) -> Callable[[str, np.random.Generator], str]:
    """Put common characters of the same pinyin, whatever the tone, in the place of some Chinese characters.

    That is what choosing the wrong candidate of an input method gives.
    """
    check_rate(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        sounds, sharing = _pinyin()
        letters = list(text)
        places = [at for at, letter in enumerate(letters) if len(sharing.get(sounds.get(letter, ""), "")) > 1]
        han = sum(letter in sounds for letter in letters)
        for place in some(places, count_of(rate, han), rng):
            others = sharing[sounds[letters[place]]].replace(letters[place], "")
            letters[place] = others[rng.integers(len(others))]
        return "".join(letters)

    return augment


def _slip(word: str, rng: np.random.Generator) -> str:
    place = int(rng.integers(len(word)))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    match rng.integers(4):
        case 0:
            near = one(_keyboard()[letter.lower()], rng)
            return before + (near.upper() if letter.isupper() else near) + after
        case 1 if after[:1] not in ("", letter):
            return before + after[0] + letter + after[1:]
        case 2:
            return before + after
        case _:
            return before + letter + letter + after


@cache
def _keyboard() -> dict[str, tuple[str, ...]]:
    """The letters next to each letter on a QWERTY keyboard, whose rows are shifted by half a key each."""
    at = {letter: (row, place + row / 2) for row, letters in enumerate(_ROWS) for place, letter in enumerate(letters)}
    return {
        letter: tuple(
            other for other, (y, x) in at.items() if other != letter and abs(y - row) <= 1 and abs(x - place) <= 1
        )
        for letter, (row, place) in at.items()
    }


@cache
def _pinyin() -> tuple[dict[str, str], dict[str, str]]:
    """Pinyin without tone of every common character (level 1 of GB 2312, 3,755 of them), and the characters of each."""
    from pypinyin import lazy_pinyin

    codes = (bytes((high, low)) for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF))
    common = [code.decode("gb2312", "ignore") for code in codes]
    sounds = {letter: lazy_pinyin(letter)[0] for letter in common if letter}
    sharing: dict[str, str] = {}
    for letter, sound in sounds.items():
        sharing[sound] = sharing.get(sound, "") + letter
    return sounds, sharing

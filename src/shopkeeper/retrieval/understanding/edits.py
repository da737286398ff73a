"""How far a mistyped word is from the right one: counted in slips, and weighed by how easily each slip happens."""

from __future__ import annotations

import re
from functools import cache

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SWAP, _TWICE, _NEAR, _VOWEL, _LEFT_OUT, _PUT_IN, _OTHER = 0.8, 0.6, 0.9, 0.9, 1.0, 1.0, 1.3
_FIRST = 0.4
"""Added where the first letter is wrong: people seldom mistype it."""
_ALIKE = 0.7
"""What is left of the cost where both sound the same."""
_VOWELS = frozenset("aeiouy")
_SOUNDS = (
    (re.compile("^(?:kn|gn|pn)"), "n"),
    (re.compile("^wr"), "r"),
    (re.compile("^x"), "s"),
    (re.compile("ph"), "f"),
    (re.compile("gh(?=[^aeiou]|$)"), ""),
    (re.compile("sch|ck|q|c(?![eiyh])"), "k"),
    (re.compile("c(?=[eiy])|z"), "s"),
    (re.compile("tio|sh|ch"), "x"),
    (re.compile("dg(?=[eiy])|g(?=[eiy])"), "j"),
    (re.compile("(?<=.)[aeiouywh]"), ""),
    (re.compile(r"(.)\1+"), r"\1"),
)


def distance(typed: str, meant: str, most: int) -> int:
    """Slips between two words, `most` + 1 for all that is further.

    A letter too many, too few or another one is one slip, and so are two neighbours that changed places (the restricted
    distance of Damerau, 1964, and Levenshtein, 1966).

    >>> distance("wireles", "wireless", 2), distance("muose", "mouse", 2), distance("fan", "camera", 2)
    (1, 1, 3)
    """
    if abs(len(typed) - len(meant)) > most:
        return most + 1
    typed, meant = _differing(typed, meant)
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(typed, 1):
        older, before, row = before, row, [i] * (len(meant) + 1)
        for j, other in enumerate(meant, 1):
            cost = before[j - 1] if letter == other else 1 + min(before[j - 1], before[j], row[j - 1])
            if i > 1 and j > 1 and letter == meant[j - 2] and other == typed[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            row[j] = cost
        if min(row) > most and (not before or min(before) > most):
            return most + 1
    return min(row[-1], most + 1)


def slip_cost(typed: str, meant: str) -> float:
    """What typing `typed` for `meant` costs: the easier the slip, the less, about 1 for each.

    Keys that lie side by side, doubled letters, vowels for vowels and neighbours that changed places are easier than
    others, and a word that sounds the same is easier still.

    >>> slip_cost("mpuse", "mouse") < slip_cost("mzuse", "mouse")
    True
    """
    alike = sound(typed) == sound(meant)
    first = 0.0 if typed[:1] == meant[:1] else _FIRST
    typed, meant = _differing(typed, meant, margin=1)
    older: list[float] = []
    before: list[float] = []
    row = [0.0]
    for j in range(1, len(meant) + 1):
        row.append(row[-1] + _missing(meant, j - 1))
    for i, letter in enumerate(typed, 1):
        older, before, row = before, row, [row[0] + _surplus(typed, i - 1)]
        for j, other in enumerate(meant, 1):
            cost = min(
                before[j - 1] + _instead(letter, other),
                before[j] + _surplus(typed, i - 1),
                row[j - 1] + _missing(meant, j - 1),
            )
            if i > 1 and j > 1 and letter == meant[j - 2] and other == typed[i - 2]:
                cost = min(cost, older[j - 2] + _SWAP)
            row.append(cost)
    return _ALIKE * row[-1] if alike else row[-1] + first


@cache
def neighbours() -> dict[str, str]:
    """The letters beside each letter on a QWERTY keyboard, whose rows are shifted by half a key each."""
    at = {letter: (row, place + row / 2) for row, letters in enumerate(_ROWS) for place, letter in enumerate(letters)}
    return {
        letter: "".join(o for o, (y, x) in at.items() if o != letter and abs(y - row) <= 1 and abs(x - place) <= 1)
        for letter, (row, place) in at.items()
    }


def sound(word: str) -> str:
    """What a word of English spelling sounds like, roughly: its consonants (after Philips' Metaphone, 1990).

    >>> sound("fone") == sound("phone"), sound("nife") == sound("knife")
    (True, True)
    """
    for pattern, letters in _SOUNDS:
        word = pattern.sub(letters, word)
    return word


def _differing(typed: str, meant: str, margin: int = 0) -> tuple[str, str]:
    """What is left of two words without what they begin and end with alike, but for `margin` letters of it."""
    shorter = min(len(typed), len(meant))
    start = 0
    while start < shorter and typed[start] == meant[start]:
        start += 1
    end = 0
    while end < shorter - start and typed[-1 - end] == meant[-1 - end]:
        end += 1
    start, end = max(0, start - margin), max(0, end - margin)
    return typed[start : len(typed) - end], meant[start : len(meant) - end]


def _missing(meant: str, at: int) -> float:
    return _TWICE if at and meant[at] == meant[at - 1] else _LEFT_OUT


def _surplus(typed: str, at: int) -> float:
    return _TWICE if at and typed[at] == typed[at - 1] else _PUT_IN


def _instead(typed: str, meant: str) -> float:
    if typed == meant:
        return 0.0
    if typed in neighbours().get(meant, ""):
        return _NEAR
    return _VOWEL if typed in _VOWELS and meant in _VOWELS else _OTHER

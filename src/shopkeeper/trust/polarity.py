"""What a text denies: "not waterproof", "no side zip", `不防水`, and whether another text turns it round."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Final

Span = tuple[int, int]

_CUT: Final = re.compile(
    r"[,;:()\n。、!?]|[.](?=\s|$)|(?<![a-z])(?:but|however|although|though|while|except)(?![a-z])", re.IGNORECASE
)
_WORD: Final = re.compile(r"(?:non-)?[A-Za-z]+(?:['’][a-z]+)?")
_DENIES: Final = frozenset(["not", "no", "never", "without", "cannot", "neither", "nor", "hardly"])
_EMPTY: Final = (
    "only just miss forget overlook hesitate worry matter doubt mention need shortcuts problem longer fewer less more than "
    "later earlier yet sure know find see"
)
"""What follows a word of denial that denies nothing: "not only", "do not miss", "no doubt"."""
_SMALL: Final = (
    "a an the any very really fully completely entirely quite be is are was were been being do does did has have had can "
    "could will would should may might must to for of in on at by with from or and it its this that these those as so too "
    "you your we our they their i my he she his her there here also even if when made designed intended"
)
_IDLE: Final = frozenset(_EMPTY.split())
_PASSED: Final = frozenset(_SMALL.split())
_REACH: Final = 3  # English words that one denial reaches

_HAN: Final = re.compile(r"[\u3400-\u9fff]+")
_DENIES_HAN: Final = re.compile(
    r"(?:没有|不能|不可以|不可|不支持|不含|不带|不是|不会|不需要|不得|无法|禁止|请勿|切勿|(?<![特分区级性个类识])不"
    r"(?![同仅过如断但错少管论妨锈止只久起客容好用知]|追潮)|(?<!有)无(?![论线疑敌穷数所聊奈极忧])|(?<![南北西东除若])非(?![常凡洲])|未(?![来必])|勿)"
    r"[能可会被有支持含带是要得以]{0,3}"
)
_REACH_HAN: Final = 4


@dataclass(slots=True)
class Polarity:
    """Words of a text by whether they are said or denied, with their places. Questions say nothing.

    Attributes:
        said: Word, or two Han characters, to places.
        denied: The same of those behind a denial.
    """

    said: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    denied: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))


def polarity(text: str) -> Polarity:
    """Read a plain text; linear in its length."""
    found = Polarity()
    start = 0
    for cut in (*(match.span() for match in _CUT.finditer(text)), (len(text), len(text))):
        if text[cut[0] : cut[1]] != "?" and cut[0] > start:
            clause = text[start : cut[0]]
            _english(clause, start, found)
            _chinese(clause, start, found)
        start = cut[1]
    return found


def flipped(text: Polarity, said: Set[str], denied: Set[str]) -> Iterator[Span]:
    """Places of a text that say what the evidence only denies, or deny what it only says.

    Args:
        text: The text.
        said: Words that the evidence says.
        denied: Words that it denies.
    """
    for here, there, other in ((text.said, denied, said), (text.denied, said, denied)):
        for word, places in here.items():
            if word in there and word not in other:
                yield from places
    for word, places in text.said.items():  # "used" against "unused"
        opposite = word[2:] if word.startswith("un") else f"un{word}"
        if word.isascii() and len(opposite) > 1 and opposite in said and word not in said:
            yield from places


def _english(clause: str, offset: int, found: Polarity) -> None:
    left = 0
    for match in _WORD.finditer(clause):
        word = match[0].lower().replace("’", "'")
        span = (offset + match.start(), offset + match.end())
        if word in _DENIES or word.endswith("n't"):
            left = _REACH
        elif word.startswith("non-"):
            found.denied[_stem(word[4:])].append(span)
        elif (left == _REACH and word in _IDLE) or (word == "and" and 0 < left < _REACH):
            left = 0
        elif word not in _PASSED and len(word) > 2:
            (found.denied if left else found.said)[_stem(word)].append(span)
            left = max(0, left - 1)


def _stem(word: str) -> str:
    """Without the endings that a verb or a plural gets: "covers" and "covered" are "cover"."""
    word = word.removesuffix("'s")
    for ending in ("es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 1 and not word.endswith("ss"):
            return word.removesuffix(ending).removesuffix("e")
    return word.removesuffix("e")


def _chinese(clause: str, offset: int, found: Polarity) -> None:
    for run in _HAN.finditer(clause):
        text, start = run[0], offset + run.start()
        shadow = 0
        for denial in _DENIES_HAN.finditer(text):
            at = denial.end()
            if text[at : at + 1] in ("", "的"):
                continue
            if at + 1 < len(text):
                found.denied[text[at : at + 2]].append((start + denial.start(), start + at + 2))
            _say(text[shadow : denial.start()], start + shadow, found)
            shadow = max(shadow, min(len(text), at + _REACH_HAN))
        _say(text[shadow:], start + shadow, found)


def _say(text: str, start: int, found: Polarity) -> None:
    for place in range(len(text) - 1):
        found.said[text[place : place + 2]].append((start + place, start + place + 2))

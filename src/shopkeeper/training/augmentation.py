"""Augmentation: other wordings of a text that keep its label, as plain functions (text, rng) -> text.

Synonyms, insertion, swap and deletion follow EDA (Wei and Zou 2019); typos and homophones are the slips of people at a
keyboard; back-translation (Sennrich et al. 2016) asks whatever generator is configured. Words are cut at spaces, and in
Chinese by a dictionary. Every rate is a share of what may change: at least one place changes, and a text never becomes
empty.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

from shopkeeper.errors import TrainingError

Augmentation = Callable[[str, np.random.Generator], str]
"""A text and a source of randomness -> another text."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_PIECE = re.compile(rf"[{_HAN}]+|[^\W{_HAN}]+(?:['’][^\W{_HAN}]+)*|\s+|[^\w\s]|.", re.DOTALL)
_HAN_RUN = re.compile(f"[{_HAN}]+")
_LATIN_WORD = re.compile("[A-Za-z]{3,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


class Translator(Protocol):
    """What back-translation needs of a generator."""

    def translate(self, texts: Sequence[str], source: str, target: str) -> Sequence[str]:
        """The texts in another language, one for each; languages are BCP 47 primary tags such as ``zh``."""
        ...


def synonyms(lexicon: Mapping[str, Sequence[str]], rate: float = 0.1) -> Augmentation:
    """Put a word of the same meaning in the place of some words.

    Args:
        lexicon: Words of the same meaning by word, e.g. from `store.feeds.read_lexicon`.
        rate: Share of the words to replace; only words that the lexicon knows are.
    """
    _check(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        pieces = pieces_of(text)
        known = [place for place, piece in enumerate(pieces) if lexicon.get(piece.lower())]
        count = _count(rate, sum(map(_is_word, pieces)))
        for place in _some(known, count, rng):
            pieces[place] = _like(_one(lexicon[pieces[place].lower()], rng), pieces[place])
        return "".join(pieces)

    return augment


def insert(lexicon: Mapping[str, Sequence[str]], rate: float = 0.1) -> Augmentation:
    """Put words that mean the same as some words of the text before words anywhere in it; see `synonyms`."""
    _check(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        pieces = pieces_of(text)
        words = [place for place, piece in enumerate(pieces) if _is_word(piece)]
        known = [piece.lower() for piece in pieces if lexicon.get(piece.lower())]
        if not known:
            return text
        for place in sorted(_some(words, _count(rate, len(words)), rng), reverse=True):
            word = _one(lexicon[_one(known, rng)], rng)
            spaced = not (_HAN_RUN.match(word) and _HAN_RUN.match(pieces[place]))
            pieces.insert(place, f"{word} " if spaced else word)
        return "".join(pieces)

    return augment


def delete(rate: float = 0.1) -> Augmentation:
    """Leave out some words, never all of them."""
    _check(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        pieces = pieces_of(text)
        words = [place for place, piece in enumerate(pieces) if _is_word(piece)]
        gone = set(_some(words, min(_count(rate, len(words)), len(words) - 1), rng))
        if not gone:
            return text
        return re.sub(r"\s+", " ", "".join(piece for place, piece in enumerate(pieces) if place not in gone)).strip()

    return augment


def swap(rate: float = 0.1) -> Augmentation:
    """Let some words change places with the word after them; what stands between the two stays."""
    _check(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        pieces = pieces_of(text)
        words = [place for place, piece in enumerate(pieces) if _is_word(piece)]
        for first in _some(range(len(words) - 1), _count(rate, len(words)), rng):
            one, other = words[first], words[first + 1]
            pieces[one], pieces[other] = pieces[other], pieces[one]
        return "".join(pieces)

    return augment


def typos(rate: float = 0.1) -> Augmentation:
    """One slip of the finger in some Latin words of three letters and more.

    A letter becomes its neighbour on the keyboard, changes places with the next one, is left out or comes twice.
    """
    _check(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        words = list(_LATIN_WORD.finditer(text))
        for word in sorted(_some(words, _count(rate, len(words)), rng), key=lambda word: -word.start()):
            text = text[: word.start()] + _slip(word.group(), rng) + text[word.end() :]
        return text

    return augment


def homophones(rate: float = 0.1) -> Augmentation:
    """Put common characters of the same pinyin, whatever the tone, in the place of some Chinese characters.

    That is what choosing the wrong candidate of an input method gives.
    """
    _check(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        sounds, sharing = _pinyin()
        letters = list(text)
        places = [at for at, letter in enumerate(letters) if len(sharing.get(sounds.get(letter, ""), "")) > 1]
        han = sum(letter in sounds for letter in letters)
        for place in _some(places, _count(rate, han), rng):
            others = sharing[sounds[letters[place]]].replace(letters[place], "")
            letters[place] = others[rng.integers(len(others))]
        return "".join(letters)

    return augment


def back_translation(translator: Translator, source: str, through: Sequence[str]) -> Augmentation:
    """Translate a text into another language and back.

    Args:
        translator: Any generator that can translate; each text is asked for once for each language, then remembered.
        source: Language of the texts.
        through: Languages to go through, one of which is drawn each time.
    """
    if not through:
        raise TrainingError("There is no language to translate through.", where="back-translation", cure="Name one.")

    @cache
    def translated(text: str, target: str) -> str:
        there = list(translator.translate([text], source, target))
        back = list(translator.translate(there, target, source))
        return (back[0].strip() if back else "") or text

    def augment(text: str, rng: np.random.Generator) -> str:
        return translated(text, _one(through, rng)) if text.strip() else text

    return augment


def one_of(*augmentations: Augmentation) -> Augmentation:
    """One of several, drawn anew for each text."""
    if not augmentations:
        raise TrainingError("There is no augmentation to choose from.", where="one_of", cure="Pass at least one.")
    return lambda text, rng: augmentations[rng.integers(len(augmentations))](text, rng)


def augmented(
    texts: Sequence[str], augmentation: Augmentation, copies: int, rng: np.random.Generator
) -> tuple[list[str], list[int]]:
    """Other wordings of many texts, without repetitions.

    Args:
        texts: n texts.
        augmentation: How to vary one.
        copies: Variants of each text at most; those that equal the text or each other are left out.
        rng: Randomness.

    Returns:
        The variants (the texts themselves are not among them), and for each the number of its text.
    """
    variants: list[str] = []
    rows: list[int] = []
    for row, text in enumerate(texts):
        for variant in dict.fromkeys(augmentation(text, rng) for _ in range(copies)):
            if variant != text:
                variants.append(variant)
                rows.append(row)
    return variants, rows


def pieces_of(text: str) -> list[str]:
    """Words, punctuation marks and spaces in order; joined they are the text again.

    >>> pieces_of("don't wait, 买手机!")
    ["don't", ' ', 'wait', ',', ' ', '买', '手机', '!']
    """
    pieces: list[str] = []
    for piece in _PIECE.findall(text):
        pieces.extend(_chinese().lcut(piece) if _HAN_RUN.match(piece) else [piece])
    return pieces


def _is_word(piece: str) -> bool:
    return any(letter.isalnum() for letter in piece)


def _like(word: str, model: str) -> str:
    """`word` with a capital first letter where `model` has one."""
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _slip(word: str, rng: np.random.Generator) -> str:
    place = int(rng.integers(len(word)))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    match rng.integers(4):
        case 0:
            near = _one(_keyboard()[letter.lower()], rng)
            return before + (near.upper() if letter.isupper() else near) + after
        case 1 if after[:1] not in ("", letter):
            return before + after[0] + letter + after[1:]
        case 2:
            return before + after
        case _:
            return before + letter + letter + after


def _count(rate: float, of: int) -> int:
    """How many of `of` places to change: the share, rounded, and at least one."""
    return max(1, round(rate * of)) if rate > 0 and of else 0


def _some(places: Sequence[Any], count: int, rng: np.random.Generator) -> list[Any]:
    chosen = rng.choice(len(places), size=min(count, len(places)), replace=False) if places and count > 0 else []
    return [places[int(place)] for place in chosen]


def _one(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _check(rate: float) -> None:
    if not 0 <= rate <= 1:
        raise TrainingError(
            f"{rate} is no share.", where="rate of an augmentation", cure="Use a number from 0 to 1, such as 0.1."
        )


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


@cache
def _chinese() -> Any:
    with warnings.catch_warnings():  # its source predates raw strings, and it asks for pkg_resources
        warnings.simplefilter("ignore")
        import jieba

    jieba.setLogLevel(logging.WARNING)
    cutter = jieba.Tokenizer()
    # unlike its own initialize(), this leaves and reads no cache in a folder that others can write to
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter

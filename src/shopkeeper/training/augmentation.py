"""Augmentation: other wordings of a text that keep its label, as plain functions (text, rng) -> text.

Synonyms, insertion, swap and deletion follow EDA (Wei and Zou 2019); typos and homophones are the slips of people at a
keyboard; back-translation (Sennrich et al. 2016) asks whatever generator is configured. Words are cut at spaces, and in
Chinese by a dictionary. Every rate is a share of what may change: at least one place changes, and a text never becomes
empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Protocol

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.training.slips import homophones, typos
from shopkeeper.training.wording import HAN_RUN, check_rate, count_of, is_word, one, pieces_of, some

__all__ = [
    "Augmentation",
    "Translator",
    "augmented",
    "back_translation",
    "delete",
    "homophones",
    "insert",
    "one_of",
    "swap",
    "synonyms",
    "typos",
]

Augmentation = Callable[[str, np.random.Generator], str]
"""A text and a source of randomness -> another text."""


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
    check_rate(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        pieces = pieces_of(text)
        known = [place for place, piece in enumerate(pieces) if lexicon.get(piece.lower())]
        count = count_of(rate, sum(map(is_word, pieces)))
        for place in some(known, count, rng):
            pieces[place] = _like(one(lexicon[pieces[place].lower()], rng), pieces[place])
        return "".join(pieces)

    return augment


def insert(lexicon: Mapping[str, Sequence[str]], rate: float = 0.1) -> Augmentation:
    """Put words that mean the same as some words of the text before words anywhere in it; see `synonyms`."""
    check_rate(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        pieces = pieces_of(text)
        words = [place for place, piece in enumerate(pieces) if is_word(piece)]
        known = [piece.lower() for piece in pieces if lexicon.get(piece.lower())]
        if not known:
            return text
        for place in sorted(some(words, count_of(rate, len(words)), rng), reverse=True):
            word = one(lexicon[one(known, rng)], rng)
            spaced = not (HAN_RUN.match(word) and HAN_RUN.match(pieces[place]))
            pieces.insert(place, f"{word} " if spaced else word)
        return "".join(pieces)

    return augment


def delete(rate: float = 0.1) -> Augmentation:
    """Leave out some words, never all of them."""
    check_rate(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        pieces = pieces_of(text)
        words = [place for place, piece in enumerate(pieces) if is_word(piece)]
        gone = set(some(words, min(count_of(rate, len(words)), len(words) - 1), rng))
        if not gone:
            return text
        return re.sub(r"\s+", " ", "".join(piece for place, piece in enumerate(pieces) if place not in gone)).strip()

    return augment


def swap(rate: float = 0.1) -> Augmentation:
    """Let some words change places with the word after them; what stands between the two stays."""
    check_rate(rate)

    def augment(text: str, rng: np.random.Generator) -> str:
        pieces = pieces_of(text)
        words = [place for place, piece in enumerate(pieces) if is_word(piece)]
        for first in some(range(len(words) - 1), count_of(rate, len(words)), rng):
            here, there = words[first], words[first + 1]
            pieces[here], pieces[there] = pieces[there], pieces[here]
        return "".join(pieces)

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
        return translated(text, one(through, rng)) if text.strip() else text

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


def _like(word: str, model: str) -> str:
    """`word` with a capital first letter where `model` has one."""
    return word[:1].upper() + word[1:] if model[:1].isupper() else word

"""Does the evidence hold what a text says? Every figure, price, date, name, promise and denial of a text is looked up.

This is a check of facts that can be lied about with one word, not of meaning: a text without claims is grounded. Where
it is not sure it objects, because whoever asks has the evidence itself to show instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shopkeeper.trust.facts import Key, Known, facts
from shopkeeper.trust.folding import fold
from shopkeeper.trust.names import new_names
from shopkeeper.trust.polarity import flipped, polarity
from shopkeeper.trust.promises import bindings

_SENTENCE: Final = re.compile(r"(?:[^。;!?\n.]|\.(?!\s|$))+[。;!?.]*")
_BETWEEN: Final = "\n\n"
_REMEMBERED: Final = 1_024
"""Pieces of evidence that are read once and remembered."""
_LONGEST_REMEMBERED: Final = 2_000
"""Characters of a piece that is remembered; longer ones are read anew, so that memory stays within 2 million characters."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a text says and that can be checked.

    Attributes:
        kind: ``number``, ``price``, ``date``, ``name``, ``promise``, ``negation`` or ``superlative``.
        text: The words, as written.
        start: Where they begin in the text.
        end: Where they end.
    """

    kind: str
    text: str
    start: int
    end: int


def unsupported(text: str, evidence: Sequence[str], *, names: Collection[str] = ()) -> tuple[Claim, ...]:
    """What `text` claims and the evidence does not hold; empty means grounded.

    A sentence that the evidence holds word for word is grounded. Of any other, each claim is looked up on its own:

    - number: the same number with the same unit, in figures or words of either language; codes letter by letter
    - price: the same amount in the same currency; free things only where the same thing is free there
    - date: the same day, time, weekday or span of time
    - name: capitalised words that are neither ordinary nor in the evidence, quoted Chinese titles, names of `names`
    - promise: a promise of the same kind ("refund", `退款`) that the evidence does not deny
    - negation: a word that the evidence only denies and the text says, or the other way round; within one language
    - superlative: the same one

    Args:
        text: What is to be said.
        evidence: What is known: passages, facts of a product, of an order.
        names: Names of this shop, such as its brands, which are recognised wherever they stand.

    Returns:
        Claims in the order of the text.

    >>> unsupported("Returns within 60 days are free.", ["You have 30 days to return items."])
    (Claim(kind='date', text='60 days', start=15, end=22), Claim(kind='price', text='free', start=27, end=31))
    >>> unsupported("三十天内可以退货。", ["签收后30天内可退货。"])
    ()
    """
    plain = fold(text)
    known = [fold(part).text for part in evidence]
    verbatim = {_core(sentence[0]) for part in known for sentence in _SENTENCE.finditer(part)}
    own = [found.span() for found in _SENTENCE.finditer(plain.text) if _core(found[0]) not in verbatim]
    if not own:
        return ()
    found = _missing(plain.text, known, names)
    kept = {
        (kind, start, end) for kind, start, end in found if any(start < last and end > first for first, last in own)
    }
    claims = []
    for kind, start, end in sorted(kept, key=lambda claim: (claim[1], claim[2], claim[0])):
        first, last = plain.span(start, end)
        claims.append(Claim(kind, text[first:last], first, last))
    return tuple(claims)


def claims(text: str) -> tuple[Claim, ...]:
    """Everything of a text that can be checked, denials left out: how many facts it states."""
    plain = fold(text)
    found = []
    for kind, start, end in sorted(_missing(plain.text, (), ()), key=lambda claim: claim[1:]):
        first, last = plain.span(start, end)
        found.append(Claim(kind, text[first:last], first, last))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Held:
    """What a piece of evidence holds: keys of its facts, what binds, words said and words denied."""

    keys: frozenset[Key]
    binding: frozenset[tuple[str, str]]
    said: frozenset[str]
    denied: frozenset[str]


def forget() -> None:
    """Let go of the evidence that was read: orders and addresses of customers are among it."""
    _remembered.cache_clear()


def _held(part: str) -> _Held:
    """What a piece of evidence holds; the same sentences of a shop come again and again."""
    return _remembered(part) if len(part) <= _LONGEST_REMEMBERED else _read(part)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(part: str) -> _Held:
    return _read(part)


def _read(part: str) -> _Held:
    words = polarity(part)
    return _Held(
        frozenset(key for fact in facts(part) for key in fact.keys),
        frozenset((binding.kind, binding.meaning) for binding in bindings(part)),
        frozenset(words.said),
        frozenset(words.denied),
    )


def _missing(text: str, evidence: Sequence[str], names: Collection[str]) -> Iterator[tuple[str, int, int]]:
    parts = [_held(part) for part in evidence]
    known = Known({key for part in parts for key in part.keys})
    for fact in facts(text):
        if not all(known.holds(key) for key in fact.keys):
            yield fact.kind, fact.start, fact.end
    for start, end in new_names(text, _BETWEEN.join(evidence), names):
        yield "name", start, end
    binding_said = {one for part in parts for one in part.binding}
    for binding in bindings(text):
        if (binding.kind, binding.meaning) not in binding_said:
            yield binding.kind, binding.start, binding.end
    said = {word for part in parts for word in part.said}
    denied = {word for part in parts for word in part.denied}
    for start, end in flipped(polarity(text), said, denied):
        yield "negation", start, end


def _core(sentence: str) -> str:
    return " ".join(sentence.casefold().split()).strip(" 。;!?.")

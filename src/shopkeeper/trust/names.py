"""Names that a text brings in: capitalised words that are no ordinary ones, and titles between Chinese quotation marks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

Span = tuple[int, int]

_WORD: Final = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z]+(?:['’&-][A-Za-z]+)*(?![A-Za-z0-9_])")
_QUOTED: Final = re.compile(r"[「『《]([^「」『』《》\n]{1,60})[」』》]")
_CALLED: Final = re.compile(r"(?:品牌|牌子)(?:是|为|叫|:)?\s?([\u3400-\u9fff]{2,4})(?=[,。;!?\s]|$|的|出品)")
_ORDINARY: Final = """
    a about above after again all also although am an and another any are around as ask at back be because been before
    below best between both brand but buy by call can cards care certainly check choose colour color colours come contact
    cost could customer customers customs date day days dear deliver delivery did do does each either else email enjoy
    enough even every everything example fine first following for free from further get give go good great guarantee had
    happy has have he hello help her here hi his hope how however i if image in indeed info information instead is it item
    items its just keep last leave let like look made make manufacturing many material may me measure message might more
    most much my name need new next no none not note nothing now number of off offer ok okay on once one only open or order
    orders other our out over own package parcel pay payment payments perhaps please price prices product products question
    questions rather read refund refunds regarding reply return returns right same see select send service several she ship
    shipping should since size sizes so some sorry special standard still stock store such sure take thank thanks that the
    their them then there therefore these they thing this those though through to today together too total track tracking
    two under unfortunately unlike until up upon us use very warranty was we welcome well were what when where whether
    which while who why will wish with within without would write yes yet you your yours
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october
    november december english chinese faq id ok pm am usd eur gbp cny rmb e-mail url
"""
_PLAIN: Final = frozenset(_ORDINARY.split())
_OPENERS: Final = re.compile(r"(?:^|[.!?:;。\n\"“(*•-]|\d[.)])\s*$")
_SPEAKS_OF: Final = re.compile(
    r"(?:['’]s\b|\s+(?:is|has|was|makes|offers|comes|costs|ships|brings|gives|uses|designs|designed|builds|built|sells|delivers)\b)"
)


def new_names(text: str, evidence: str, known: Collection[str] = ()) -> Iterator[Span]:
    """Places of names that the evidence does not hold.

    A capitalised word that opens a sentence is a name only where it stands beside another one, belongs to somebody
    ("Acme's") or does something ("Acme makes").

    Args:
        text: A plain text.
        evidence: Everything known, as one plain text.
        known: Names that exist in this shop (brands, products): one that the evidence lacks is a claim wherever it stands.
    """
    lower = evidence.lower()
    held = {part for word in _WORD.findall(lower) for part in _parts(word)}
    taken: list[Span] = []
    for pattern in (_QUOTED, _CALLED):
        taken += [found.span(1) for found in pattern.finditer(text) if found[1].strip().lower() not in lower]
    taken += _latin(text, held)
    for name in known:
        plain = name.strip().lower()
        if plain and plain not in lower and plain in text.lower():
            taken += [found.span() for found in re.finditer(_whole(plain), text, re.IGNORECASE)]
    end = -1
    for first, last in sorted(taken):
        if first >= end:
            yield first, last
            end = last


def _latin(text: str, held: set[str]) -> Iterator[Span]:
    words = list(_WORD.finditer(text))
    strange = [_capital(found[0]) and not _ordinary(found[0], held) for found in words]
    place = 0
    while place < len(words):
        last = place
        while (
            strange[place]
            and last + 1 < len(words)
            and strange[last + 1]
            and words[last + 1].start() - words[last].end() == 1
        ):
            last += 1
        first = words[place]
        if strange[place] and (
            last > place or not _opens(text, first) or _SPEAKS_OF.match(text, first.end()) or _inner(first[0])
        ):
            yield first.start(), words[last].end()
        place = last + 1


def _opens(text: str, found: re.Match[str]) -> bool:
    return _OPENERS.search(text[max(0, found.start() - 8) : found.start()]) is not None


def _capital(word: str) -> bool:
    return word[0].isupper() or _inner(word)


def _inner(word: str) -> bool:
    """Capitals inside a word or a word of capitals: `iPhone`, `XXL`."""
    return len(word) > 1 and any(letter.isupper() for letter in word[1:])


def _ordinary(word: str, held: set[str]) -> bool:
    return all(part in held or part in _PLAIN for part in _parts(word.lower()))


def _parts(word: str) -> list[str]:
    parts = re.split(r"['’&-]", word)
    found = [part for part in parts if part not in ("s", "t", "re", "ve", "ll", "d", "m") or len(parts) == 1]
    return [part.removesuffix("s") if len(part) > 3 else part for part in found]


def _whole(name: str) -> str:
    return (
        (r"(?<!\w)" if name[0].isascii() and name[0].isalnum() else "")
        + re.escape(name)
        + (r"(?!\w)" if name[-1].isascii() and name[-1].isalnum() else "")
    )

"""How a query was read, as the search page shows it: chips to take away and bring back, other wordings, ways to more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shopkeeper.records import Request
from shopkeeper.retrieval.understanding.nouns import Chip, Understood
from shopkeeper.tasks.search.answers import SearchAnswer
from shopkeeper.tasks.search.task import clean
from shopkeeper.web.listing import Link, Listing

_WORDS = 5
_WORDINGS = ("spelling", "pinyin")
"""Kinds of chips that put other words in the place of those typed."""


@dataclass(frozen=True, slots=True)
class Mended:
    """Other words were searched for: which, in place of which, and the address that searches for those typed."""

    shown: str
    typed: str
    href: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What the page says about how the query was read.

    Attributes:
        chips: What was understood, each with the address that takes it away.
        dropped: What was taken away, each with the address that brings it back.
        mended: None when the words were searched as typed.
        rewritten: What the shop's rules searched for in place of the query, or empty.
        instead: "Did you mean ...?", None for nothing to offer.
        ways: What to give up to find more, with how many that brings.
        words: The single words searched, when there are several: each may find what all together do not.
    """

    chips: tuple[Link, ...]
    dropped: tuple[Link, ...]
    mended: Mended | None
    rewritten: str
    instead: Link | None
    ways: tuple[Link, ...]
    words: tuple[str, ...]


def reading(form: Listing, answer: SearchAnswer, whole: Understood, language: str) -> Reading:
    """The view of an answer.

    Args:
        form: What was asked.
        answer: What came.
        whole: How the query reads when nothing is taken away; names what was.
        language: Of the visitor.
    """
    read = answer.read
    wording = next((chip for chip in read.chips if chip.kind in _WORDINGS), None)
    return Reading(
        chips=tuple(
            Link(said(chip.text, language), form.href(ignore=(*form.ignore, chip.key)))
            for chip in read.chips
            if chip is not wording
        ),
        dropped=tuple(
            Link(said(chip.text, language), form.href(ignore=tuple(key for key in form.ignore if key != chip.key)))
            for chip in whole.chips
            if chip.key in form.ignore
        ),
        mended=Mended(read.words, wording.words, form.href(ignore=(*form.ignore, wording.key))) if wording else None,
        rewritten=read.typed if form.query and read.typed != clean(form.query) else "",
        instead=_instead(form, answer, wording) if form.page == 1 else None,
        ways=tuple(Link(said(way.text, language), asking(form, way.request)) for way in answer.relaxations),
        words=_single(read.words),
    )


def _single(words: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(word for word in words.split() if len(word) > 1))
    return found[:_WORDS] if len(found) > 1 else ()


def said(texts: Mapping[str, str], language: str) -> str:
    """A text in the visitor's language, else in English, else in any; empty when there is none."""
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), "")


def asking(form: Listing, request: Request) -> str:
    """The address of the search page that asks for what a request asks for, in the order of the form."""
    filters = request.filters
    return form.href(
        query=request.query,
        categories=tuple(" > ".join(path) for path in filters.categories),
        brands=tuple(filters.brands),
        low=filters.price_min,
        high=filters.price_max,
        attributes=tuple((name, value) for name, values in filters.attributes.items() for value in values),
        stars=int(request.stars) if request.stars else None,
        ignore=request.ignore,
    )


def _instead(form: Listing, answer: SearchAnswer, wording: Chip | None) -> Link | None:
    """The other wording, put in the place of the words that it is another wording of; the rest of the query stays."""
    other = answer.instead
    if not other or other == answer.read.words:
        return None
    words = wording.words if wording else answer.read.words
    at = form.query.lower().find(words.lower())
    whole = form.query[:at] + other + form.query[at + len(words) :] if at >= 0 else other
    return Link(other, form.href(query=whole, ignore=tuple(key for key in form.ignore if key not in _WORDINGS)))

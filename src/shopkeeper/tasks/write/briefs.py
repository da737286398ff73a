"""What is to be written, and what was: kinds of copy with their limits, the brief, the candidate and what speaks against it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shopkeeper.errors import InputError
from shopkeeper.store.labels import item_key

Tone = Literal["plain", "warm", "brisk"]
TONES: Final[tuple[Tone, ...]] = ("plain", "warm", "brisk")
LANGUAGES: Final = ("en", "zh")
_MOST_CANDIDATES: Final = 12


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of copy.

    Attributes:
        name: In English and Chinese.
        limits: By language, the most characters of each line; a text of more lines has the last one's for all further.
        lines: Fewest and most lines.
        pushes: It goes out to customers, so what cannot be bought now is not written about.
    """

    name: tuple[str, str]
    limits: Mapping[str, tuple[int, ...]]
    lines: tuple[int, int] = (1, 1)
    pushes: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "title": Kind(("title", "标题"), {"en": (70,), "zh": (30,)}),
    "bullets": Kind(("bullet points", "卖点"), {"en": (120,), "zh": (50,)}, (2, 5)),
    "description": Kind(("description", "描述"), {"en": (600,), "zh": (300,)}),
    "ad": Kind(("advertisement", "广告"), {"en": (40, 90), "zh": (20, 45)}, (2, 2), pushes=True),
    "seo": Kind(("search-engine text", "搜索摘要"), {"en": (60, 155), "zh": (30, 78)}, (2, 2)),
    "reviews": Kind(("review summary", "评价总结"), {"en": (600,), "zh": (300,)}),
    "push": Kind(("push message", "推送"), {"en": (110,), "zh": (55,)}, pushes=True),
    "email": Kind(("e-mail subject", "邮件标题"), {"en": (60,), "zh": (30,)}, pushes=True),
}
"""A Chinese character is twice as wide as a Latin one, so limits of places on screens are half as many characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What is asked for.

    Attributes:
        kind: One of `KINDS`.
        language: ``en`` or ``zh``; empty for the item's own.
        tone: One of `TONES`.
        limit: Most characters of the main line (the last one; each of bullet points); 0 for the kind's own.
        candidates: How many at most.
        segment: Id of a customer segment that a push message is for; empty for everybody.
    """

    kind: str
    language: str = ""
    tone: Tone = "plain"
    limit: int = 0
    candidates: int = 4
    segment: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be written.

        Raises:
            InputError: A value is unknown or out of range.
        """
        _one_of(self.kind, KINDS, "kind")
        _one_of(self.tone, TONES, "tone")
        _one_of(self.language or "en", LANGUAGES, "language")
        if not 1 <= self.candidates <= _MOST_CANDIDATES:
            raise InputError("So many cannot be written.", where="candidates", cure=f"Ask for 1 to {_MOST_CANDIDATES}.")
        if self.limit and not 10 <= self.limit <= 5_000:
            raise InputError("That is no length for a text.", where="limit", cure="Give 10 to 5,000 characters, or 0.")
        if self.segment and self.kind != "push":
            raise InputError("Only push messages are written for a segment.", where="segment", cure="Leave it out.")

    def limits(self, language: str) -> tuple[int, ...]:
        """The most characters of each line, the last for all further ones."""
        own = KINDS[self.kind].limits[language]
        return (*own[:-1], self.limit) if self.limit else own


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a candidate is refused.

    Attributes:
        kind: ``number``, ``price`` ... of `trust.grounding`; those of `trust.claims`; ``length``, ``tone``, ``markup``,
            ``personal``, ``language``, ``attribute``, ``stock``, ``counts``.
        text: The words objected to.
        why: A sentence by language.
    """

    kind: str
    text: str
    why: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A text that was written.

    Attributes:
        text: Lines separated by line feeds: headline and line of an ad, title and description for search engines.
        lead: What it begins with: ``brand``, ``attribute``, ``praise``, ``price``, ``season`` ...
        source: ``template`` or the generator's name.
        objections: Empty for what may be published.
        click: Expected clicks against those of the other words of the same category, 1 for as many; None where unknown.
        ease: Readability, in [0, 1].
        score: What candidates are ranked by.
    """

    item: str
    kind: str
    language: str
    text: str
    tone: Tone = "plain"
    lead: str = ""
    segment: str = ""
    source: str = "template"
    objections: tuple[Objection, ...] = ()
    click: float | None = None
    ease: float = 0.0
    score: float = 0.0

    @property
    def variant(self) -> str:
        """A short name of exactly these words."""
        return hashlib.blake2b(self.text.encode(), digest_size=6).hexdigest()

    @property
    def subject(self) -> str:
        """Its place in the review queue: ``item/kind/language/variant``, with ``kind@segment`` for a segment's."""
        kind = f"{self.kind}@{self.segment}" if self.segment else self.kind
        return f"{item_key(self.item)}/{kind}/{self.language}/{self.variant}"


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a brief for one item.

    Attributes:
        copies: What may be published, best first.
        refused: Candidates with what speaks against them.
        note: What else the reader should know, by language; empty for nothing.
    """

    item: str
    language: str
    copies: tuple[Copy, ...]
    refused: tuple[Copy, ...] = ()
    note: Mapping[str, str] | None = None


def read_subject(subject: str) -> tuple[str, str, str, str, str]:
    """(item key, kind, segment, language, variant) of a subject; the inverse of `Copy.subject`."""
    item, kind, language, variant = subject.rsplit("/", 3)
    name, _, segment = kind.partition("@")
    return item, name, segment, language, variant


def _one_of(value: str, known: object, where: str) -> None:
    names = list(known)  # type: ignore[call-overload]
    if value not in names:
        raise InputError(f"There is no {where} {value!r}.", where=where, cure=f"Use one of {', '.join(names)}.")

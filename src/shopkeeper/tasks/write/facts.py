"""What may be said of an item: its own facts and what its reviews say, and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Final

from shopkeeper.records import Item, Passage, PassageKind
from shopkeeper.retrieval.aspects import ASPECTS, sayings
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.tasks.money import money
from shopkeeper.tasks.write.length import characters, plain
from shopkeeper.tasks.write.words import ShopWords
from shopkeeper.trust.claims import banned
from shopkeeper.trust.safety import inspect

REVIEWS: Final = 500
"""The newest reviews of an item that are read."""
_SEASON: Final = frozenset(["season", "季节", "适用季节"])
_SHORT: Final = "".join(
    rf"(?<!\b{word})" for word in (r"approx\.", r"ca\.", r"incl\.", r"max\.", r"min\.", r"no\.", r"e\.g\.", r"i\.e\.")
)
_SENTENCE: Final = re.compile(rf"(?<=[.!?])(?i:{_SHORT})\s+(?=[A-Z0-9\"“])|(?<=[。！？；])\s*|\n+")
"""Where a sentence ends; not behind a word cut short."""
_LONGEST: Final = {"en": 200, "zh": 80}
_QUOTE: Final = {"en": (12, 90), "zh": (5, 40)}
_MOST: Final = 40
_SILENT: Final = frozenset(["yes", "no", "true", "false", "n/a", "na", "none", "other", "是", "否", "有", "无", "其他"])
_WEAK: Final = re.compile(
    r"(?:^|[\s_])(?:id|sku|code|ean|gtin|mpn|url|date|year|model number|number)$|编号|货号|条码", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Feature:
    """An attribute, as it is said.

    Attributes:
        text: What stands for it: ``tuna``, or ``ports: 4`` where the value alone says nothing.
    """

    name: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """What reviews say about an aspect.

    Attributes:
        aspect: One of `aspects.ASPECTS`.
        praise: Reviews that praise it.
        complaint: Reviews that complain about it.
        praised: A short sentence of praise in the language of the copy; empty where there is none that may be quoted.
        complained: Likewise of complaint.
    """

    aspect: str
    praise: int
    complaint: int
    praised: str = ""
    complained: str = ""


@dataclass(frozen=True)
class Facts:
    """All that may be said of an item in one language.

    Attributes:
        item: With its texts made plain.
        language: Of the copy to be written.
        features: What its title does not say already, the most telling first.
        sentences: Of its description, fit to be repeated, in their order; only those of the language.
        said: Aspects that reviews speak of, the most often praised first.
        reviews: How many there are.
        until: Day of the newest of them.
    """

    item: Item
    language: str
    features: tuple[Feature, ...]
    sentences: tuple[str, ...]
    said: tuple[Said, ...]
    reviews: int
    until: date | None
    quoted: tuple[str, ...] = ()

    @cached_property
    def price(self) -> str:
        """The price as it is written in this language; empty when unknown."""
        return money(self.item.price, self.item.currency, self.language) if self.item.price else ""

    @cached_property
    def name(self) -> str:
        """The title without the brand that it may begin or end with."""
        title, brand = self.item.title, self.item.brand
        bare = re.sub(
            rf"^\s*{re.escape(brand)}[\s,:|–-]*|[\s,:|–-]*{re.escape(brand)}\s*$", "", title, flags=re.IGNORECASE
        )
        return bare.strip() or title

    @cached_property
    def branded(self) -> bool:
        """Has it a brand that stands apart from the name?"""
        return bool(self.item.brand) and self.item.brand.casefold() not in self.name.casefold()

    @cached_property
    def season(self) -> str:
        """The season that an attribute names."""
        return next((value for name, value in self.item.attributes.items() if name.casefold() in _SEASON), "")

    @cached_property
    def praise(self) -> Said | None:
        """The aspect that buyers praise most, two of them at least, and more than complain."""
        best = self.said[0] if self.said else None
        return best if best is not None and best.praise >= 2 and best.praise > best.complaint else None

    @cached_property
    def medicine(self) -> bool:
        """Is it sold as a medicine?"""
        return bool(re.search(r"medicin|pharma|drug|药", " ".join(self.item.category), re.IGNORECASE))

    @cached_property
    def known(self) -> tuple[str, ...]:
        """The item's own facts as evidence, reviews apart."""
        item = self.item
        parts = [item.title, item.brand, *item.category, *item.codes, item.description]
        parts += [f"{name}: {value}" for name, value in item.attributes.items()]
        if item.price is not None:
            parts += [f"price: {item.price:.2f} {item.currency}", money(item.price, item.currency, "en")]
            parts += [money(item.price, item.currency, "zh")]
        return tuple(part for part in parts if part)

    @cached_property
    def counted(self) -> tuple[str, ...]:
        """What reviews come to, as evidence."""
        if not self.reviews:
            return ()
        parts = [f"{self.reviews} reviews", f"{self.reviews}条评价", f"until {self.until}" if self.until else ""]
        for said in self.said:
            english, chinese = ASPECTS[said.aspect]
            parts += [f"{said.praise} buyers praise the {english}", f"{said.praise}人称赞{chinese}"]
            parts += [f"{said.complaint} complain about the {english}", f"{said.complaint}人抱怨{chinese}"]
        return tuple(part for part in parts if part)

    def evidence(self, kind: str) -> tuple[str, ...]:
        """What a text of a kind is held against; only review summaries may repeat what single buyers wrote."""
        return (*self.known, *self.counted, *self.quoted) if kind == "reviews" else (*self.known, *self.counted)


def facts_of(
    item: Item, passages: Iterable[Passage], words: ShopWords, language: str = "", until: date | None = None
) -> Facts:
    """Gather what may be said of an item.

    Args:
        item: As it stands in the catalogue.
        passages: About it.
        words: How this shop speaks: which values are usual, which brands there are.
        language: Of the copy; empty for the item's own.
        until: Only reviews up to this day count; None for all.
    """
    attributes = {plain(name): plain(value).replace("\n", " ") for name, value in item.attributes.items()}
    clean = replace(
        item,
        title=plain(item.title).replace("\n", " "),
        description=plain(item.description),
        brand=plain(item.brand).replace("\n", " "),
        attributes={name: value for name, value in attributes.items() if name and value},
    )
    spoken = language or clean.language[:2] or language_of(clean.text[:2_000])
    spoken = spoken if spoken in ("en", "zh") else "en"
    reviews = [one for one in passages if one.kind is PassageKind.REVIEW and (until is None or _day(one) <= until)]
    dated = [_day(one) for one in reviews if one.time is not None]
    return Facts(
        item=clean,
        language=spoken,
        features=_features(clean, words),
        sentences=_sentences(clean, spoken),
        said=_said(reviews, spoken),
        reviews=len(reviews),
        until=max(dated, default=None),
        quoted=tuple(f"{one.title}\n{one.text}" for one in reviews),
    )


def _features(item: Item, words: ShopWords) -> tuple[Feature, ...]:
    title = item.title.casefold()
    found = []
    for name, value in item.attributes.items():
        label = name.replace("_", " ").strip()
        if value.casefold() in _SILENT or value.casefold() in title or characters(value) > _MOST or _WEAK.search(label):
            continue
        if name.casefold() in _SEASON:
            continue
        says_itself = bool(re.search(r"[^\W\d_]{3}|[\u3400-\u9fff]", value)) or bool(
            re.match(r"[\d.,x× ]+ ?[a-zA-Z\"]{1,4}(?:/[a-z])?$", value)
        )
        found.append(Feature(label, value, value if says_itself else f"{label} {value}"))
    rank = {feature: words.telling(item, feature.name, feature.value) for feature in found}
    return tuple(sorted(found, key=lambda feature: (-rank[feature], feature.name)))


def _sentences(item: Item, language: str) -> tuple[str, ...]:
    """Sentences that may be repeated: of one language, of ordinary length, without a claim that is banned anyway."""
    found = []
    for sentence in _SENTENCE.split(item.description):
        said = sentence.strip()
        if not 3 <= characters(said) <= _LONGEST[language] or language_of(said) != language:
            continue
        said = said if said[-1] in ".!?。！？；" else said + ("." if language == "en" else "。")
        if said.casefold() != item.title.casefold() + "." and not banned(said, names=(item.brand,)):
            found.append(said.replace("！", "。").replace("!", "."))
    return tuple(dict.fromkeys(found))[:_MOST]


def _said(reviews: Sequence[Passage], language: str) -> tuple[Said, ...]:
    praise: Counter[str] = Counter()
    complaint: Counter[str] = Counter()
    quotes: dict[tuple[str, bool], list[str]] = {}
    for review in reviews:
        felt: dict[str, float] = {}
        for saying in sayings(f"{review.title}. {review.text}" if review.title else review.text, review.rating):
            felt[saying.aspect] = felt.get(saying.aspect, 0.0) + saying.feeling
            if saying.feeling and _quotable(saying.sentence, language):
                quotes.setdefault((saying.aspect, saying.feeling > 0), []).append(saying.sentence)
        praise.update(aspect for aspect, feeling in felt.items() if feeling > 0)
        complaint.update(aspect for aspect, feeling in felt.items() if feeling < 0)
    found = [
        Said(
            name,
            praise[name],
            complaint[name],
            _shortest(quotes.get((name, True))),
            _shortest(quotes.get((name, False))),
        )
        for name in ASPECTS
        if praise[name] or complaint[name]
    ]
    return tuple(sorted(found, key=lambda said: (-said.praise, said.complaint, said.aspect)))


def _quotable(sentence: str, language: str) -> bool:
    least, most = _QUOTE[language]
    fits = least <= characters(sentence) <= most and language_of(sentence) == language
    return fits and plain(sentence) == sentence and not banned(sentence) and not inspect(sentence)


def _shortest(quotes: Sequence[str] | None) -> str:
    return min(quotes, key=lambda quote: (characters(quote), quote)).rstrip(".。!！ ") if quotes else ""


def _day(passage: Passage) -> date:
    return passage.time.astimezone(UTC).date() if passage.time is not None else datetime.min.replace(tzinfo=UTC).date()


def texts_of(item: Item) -> Mapping[str, str]:
    """What of an item copy depends on, so that a change can be told."""
    facts = {"title": item.title, "description": item.description, "brand": item.brand, "price": str(item.price)}
    facts |= {"currency": item.currency, "category": "/".join(item.category), "stock": item.availability.value}
    return facts | {f"attribute {name}": value for name, value in item.attributes.items()}

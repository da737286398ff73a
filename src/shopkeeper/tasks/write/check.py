"""What speaks against a candidate: claims without evidence, banned ones, length, tone, markup, personal data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from shopkeeper.retrieval.aspects import ASPECTS
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.tasks.write.briefs import KINDS, Copy, Objection
from shopkeeper.tasks.write.facts import Facts
from shopkeeper.tasks.write.length import characters
from shopkeeper.tasks.write.words import ShopWords
from shopkeeper.trust import claims
from shopkeeper.trust.grounding import unsupported
from shopkeeper.trust.safety import inspect

_WHY: Final[Mapping[str, tuple[str, str]]] = {
    "number": ("“{text}” is in no fact of the item.", "商品资料中没有“{text}”。"),
    "price": ("“{text}” is not the item's price.", "“{text}”与商品价格不符。"),
    "date": ("“{text}” is in no fact of the item.", "商品资料中没有“{text}”。"),
    "name": ("“{text}” is a name that no fact holds.", "商品资料中没有“{text}”这一名称。"),
    "promise": ("Nothing backs the promise “{text}”.", "“{text}”的承诺没有依据。"),
    "negation": ("The facts say the opposite of “{text}”.", "“{text}”与商品资料相反。"),
    "superlative": ("“{text}” is a superlative.", "“{text}”属于极限用语。"),
    "attribute": ("“{text}” is in no fact of the item.", "商品资料中没有“{text}”。"),
    "counts": ("The reviews do not come to “{text}”.", "评价统计与“{text}”不符。"),
    "medical": ("“{text}” claims a medical effect.", "“{text}”宣称医疗功效。"),
    "guarantee": ("“{text}” is a guarantee that nothing backs.", "“{text}”的保证没有依据。"),
    "former price": ("Nothing shows the former price or saving “{text}”.", "“{text}”没有原价依据。"),
    "comparison": ("“{text}” compares with rivals.", "“{text}”贬低或比较他人。"),
    "own": ("“{text}” is on the shop's own list.", "“{text}”在本店禁用词表中。"),
    "length": ("“{text}” is too long.", "“{text}”过长。"),
    "lines": ("It has {text} lines.", "共{text}行，行数不符。"),
    "tone": ("“{text}” is too loud.", "“{text}”语气过重。"),
    "markup": ("“{text}” is markup or cannot be printed.", "“{text}”是标记或不可显示的字符。"),
    "personal": ("“{text}” looks like personal data.", "“{text}”疑似个人信息。"),
    "unsafe": ("“{text}” has no place in copy.", "“{text}”不适合出现在文案中。"),
    "language": ("It is not in the language asked for.", "语言与要求不符。"),
    "stock": ("The item cannot be bought now.", "商品目前无法购买。"),
    "empty": ("There is nothing in it.", "内容为空。"),
}
_LOUD: Final = re.compile(r"[!！?？]{2,}|[!！].*[!！]|\.{4,}|。{2,}", re.DOTALL)
_SHOUT: Final = re.compile(r"(?<![A-Za-z])[A-Z]{4,}(?: [A-Z]{2,})*(?![A-Za-z])")
_MARKUP: Final = re.compile(
    r"</?[a-zA-Z!][^\n]{0,80}|&(?:[a-z]{2,8}|#\d{1,6});|\*\*|^#{1,6} |\]\(|```|https?://\S+|www\.\S+", re.MULTILINE
)
_UNSEEN: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_PICTOGRAM: Final = re.compile(r"[\u2600-\u27bf\U0001f000-\U0001faff]")
_LONGEST_BRISK: Final = {"en": 110, "zh": 45}
_COUNT_EN: Final = re.compile(
    rf"(\d+)(?: of (?:the )?(\d+))?(?: buyers?| reviews?| customers?)? (praises?|likes?|loves?|complains? about|criticises?|minds?|dislikes?)"
    rf" (?:the |its )?({'|'.join(names[0] for names in ASPECTS.values())})",
    re.IGNORECASE,
)
_COUNT_ZH: Final = re.compile(
    rf"(?:(\d+)(?:条|个)?评价中(?:有)?)?(\d+)(?:人|位|条)?(?:买家)?(称赞|喜欢|好评|抱怨|批评|吐槽|不满)({'|'.join(names[1] for names in ASPECTS.values())})"
)
_PRAISED: Final = re.compile(
    rf"praised? (?:for|by buyers for) (?:the |its )?({'|'.join(names[0] for names in ASPECTS.values())})|买家称赞({'|'.join(names[1] for names in ASPECTS.values())})",
    re.IGNORECASE,
)
_HAN: Final = re.compile(r"[\u3400-\u9fff]+")
_LATIN: Final = re.compile(r"(?<![A-Za-z0-9-])(?<!\d )[A-Z]?[a-z]{2,}(?![A-Za-z0-9-])")
"""Latin words, but no codes and units."""
_ASPECT: Final = {name: aspect for aspect, names in ASPECTS.items() for name in names}


def objections(
    copy: Copy, facts: Facts, shop: ShopWords, limits: Sequence[int], own: Sequence[str] = ()
) -> tuple[Objection, ...]:
    """Everything that speaks against publishing a text; empty where nothing does.

    Args:
        copy: The candidate.
        facts: Of its item, in its language.
        shop: How the shop speaks: its brands and the values of its attributes.
        limits: Most characters of each line.
        own: The shop's own list of banned words.
    """
    found = [*_form(copy, facts, limits), *_content(copy, facts, shop, own)]
    if KINDS[copy.kind].pushes and not facts.item.showable:
        found.append(("stock", facts.item.title))
    return _explained(found)


def untrue(copy: Copy, facts: Facts, shop: ShopWords, own: Sequence[str] = ()) -> tuple[Objection, ...]:
    """What of a text does not hold, or must not be said; its form and its length aside."""
    return _explained(_content(copy, facts, shop, own))


def misshapen(copy: Copy, limits: Sequence[int]) -> tuple[Objection, ...]:
    """What of a text's form cannot be shown: markup, what cannot be printed, wrong lines, too long ones."""
    return _explained(_shape(copy, limits))


def _explained(found: Iterable[tuple[str, str]]) -> tuple[Objection, ...]:
    return tuple(Objection(kind, text, _why(kind, text)) for kind, text in dict.fromkeys(found))


def _content(copy: Copy, facts: Facts, shop: ShopWords, own: Sequence[str]) -> Iterator[tuple[str, str]]:
    text, evidence = copy.text, facts.evidence(copy.kind)
    brands = shop.brands_in(text)
    for claim in unsupported(text, evidence, names=brands):
        if not (claim.kind == "name" and _held(claim.text, evidence)):
            yield claim.kind, claim.text
    for ban in claims.banned(text, facts.known, names=(facts.item.brand,), medicine=facts.medicine, own=own):
        yield ban.kind, ban.text
    for value in shop.foreign(text, evidence):
        yield "attribute", value
    yield from _miscounted(text, facts)
    for danger in inspect(text):
        if danger.kind not in ("medical", "legal") and not (danger.kind == "abuse" and _held(danger.text, facts.known)):
            yield ("personal" if danger.kind == "personal" else "unsafe"), danger.text


def _shape(copy: Copy, limits: Sequence[int]) -> Iterator[tuple[str, str]]:
    text = copy.text
    if not text.strip():
        yield "empty", ""
        return
    lines, (fewest, most) = text.split("\n"), KINDS[copy.kind].lines
    if not fewest <= len(lines) <= most or not all(line.strip() for line in lines):
        yield "lines", str(len(lines))
    for place, line in enumerate(lines):
        if characters(line) > limits[min(place, len(limits) - 1)]:
            yield "length", line[:60]
    for pattern in (_MARKUP, _UNSEEN, _PICTOGRAM):
        yield from (("markup", one[0][:60]) for one in pattern.finditer(text))


def _form(copy: Copy, facts: Facts, limits: Sequence[int]) -> Iterator[tuple[str, str]]:
    yield from _shape(copy, limits)
    text = copy.text
    if not text.strip():
        return
    known = " ".join(facts.evidence(copy.kind))
    yield from (("tone", one[0][:60]) for one in _LOUD.finditer(text))
    if copy.tone == "plain" and (mark := re.search("[!！]", text)):
        yield "tone", mark[0]
    yield from (("tone", one[0]) for one in _SHOUT.finditer(text) if one[0] not in known)
    if copy.tone == "brisk":
        for part in re.split(r"(?<=[.。!?！？])\s*|\n", text):
            if characters(part) > _LONGEST_BRISK[copy.language] and part not in known:
                yield "tone", part[:60]
    if not _speaks(text, facts, known):
        yield "language", ""


def _miscounted(text: str, facts: Facts) -> Iterator[tuple[str, str]]:
    """Statements about how many buyers praise or mind an aspect that the reviews do not bear out."""
    said = {one.aspect: one for one in facts.said}
    for one in _COUNT_EN.finditer(text):
        count, of, verb, aspect = one.groups()
        yield from _count(one[0], int(count), of, verb[0].lower() in "pl", said.get(_ASPECT[aspect.lower()]), facts)
    for one in _COUNT_ZH.finditer(text):
        of, count, verb, aspect = one.groups()
        yield from _count(one[0], int(count), of, verb in ("称赞", "喜欢", "好评"), said.get(_ASPECT[aspect]), facts)
    for one in _PRAISED.finditer(text):
        aspect = _ASPECT[(one[1] or one[2]).lower()]
        if aspect not in said or said[aspect].praise <= said[aspect].complaint:
            yield "counts", one[0]


def _count(
    words: str, count: int, of: str | None, praising: bool, said: object, facts: Facts
) -> Iterator[tuple[str, str]]:
    true = 0 if said is None else getattr(said, "praise" if praising else "complaint")
    if count != true or (of is not None and int(of) != facts.reviews):
        yield "counts", words


def _held(words: str, evidence: Sequence[str]) -> bool:
    """Do the facts hold all of some words, in whatever case?"""
    known = " ".join(evidence).casefold()
    return all(part in known for part in words.casefold().split())


def _speaks(text: str, facts: Facts, known: str) -> bool:
    """Is a text in the language of the facts, the names in it apart?

    English may hold a Chinese brand, and Chinese that stands within English words of the item; Chinese may hold Latin names
    and codes, but of an item that is described in another language no words.
    """
    item = facts.item
    if facts.language == "en":
        quotes = (quote for said in facts.said for quote in (said.praised, said.complained))
        told = (item.title, *item.attributes.values(), *facts.sentences, *quotes)
        own = "\n".join((item.brand, *(part for part in told if language_of(part) == "en")))
        return all(run in own for run in _HAN.findall(text))
    if not _HAN.search(text) and text not in known:
        return False
    if (item.language[:2] or language_of(item.text[:2_000])) == "zh":
        return True
    brand = set(item.brand.casefold().split())
    latin = [word for word in _LATIN.findall(text) if word.casefold() not in brand]
    return len(latin) < 2 and not any(word.islower() or word == facts.name for word in latin)


def _why(kind: str, text: str) -> dict[str, str]:
    english, chinese = _WHY[kind]
    return {"en": english.format(text=text), "zh": chinese.format(text=text)}

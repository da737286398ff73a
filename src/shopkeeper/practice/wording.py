"""Puts the goods into words: titles and descriptions from varied grammars, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from shopkeeper.practice.goods import Goods
from shopkeeper.practice.vocabulary import EN, LANGUAGES, Vocabulary
from shopkeeper.records import Availability, Item

_HOLE = re.compile(r"\{(\w+)\}")
_ARTICLE = re.compile(r"^(a|an|the|no) ", re.IGNORECASE)
_SUBJECT = {
    "feature": "feature",
    "bare": "feature",
    "feature2": "feature2",
    "bare2": "feature2",
    "use": "use",
    "use2": "use2",
}
_COUNTED = {"seats": "{} seats|{}人座", "pieces": "{} pieces|{}片装", "age": "age {}|{}岁", "fits": "for {}|适用{}",
            "pages": "{} pages|{}内页", "storage": "{}|{}"}  # fmt: skip


def bare(feature: str) -> str:
    """A feature without its article, as titles and queries use it."""
    return feature if feature.startswith("no ") else _ARTICLE.sub("", feature)


def article(name: str) -> str:
    """A name with its indefinite article."""
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def fill(pattern: str, slots: Mapping[str, str]) -> str | None:
    """A pattern with its holes filled; None when a hole has nothing to hold. ``{Feature}`` capitalises."""
    holes = _HOLE.findall(pattern)
    if any(not slots.get(hole[0].lower() + hole[1:]) for hole in holes):
        return None

    def value(match: re.Match[str]) -> str:
        hole = match.group(1)
        text = slots[hole[0].lower() + hole[1:]]
        return text[0].upper() + text[1:] if hole[0].isupper() else text

    return _HOLE.sub(value, pattern)


def pick(patterns: Sequence[str], slots: Mapping[str, str], rng: np.random.Generator) -> str:
    """A random pattern that can be filled, filled; empty when none of twelve tries can."""
    for place in rng.integers(len(patterns), size=12).tolist() if patterns else ():
        text = fill(patterns[place], slots)
        if text is not None:
            return text
    return ""


def details(words: Vocabulary, values: Mapping[str, str], language: int) -> list[str]:
    """Readable values of the attributes that are not colour, material, style or size."""
    said = []
    for name, value in values.items():
        if name in ("colour", "material", "style", "size"):
            continue
        pattern = _COUNTED.get(name, "{}|{}").split("|")[language]
        if name == "age" and not value[0].isdigit():
            pattern = "{}"
        said.append(pattern.format(words.say(value, language)))
    return said


def colour_word(words: Vocabulary, key: str, language: int, rng: np.random.Generator, other: float = 0.3) -> str:
    """A colour's name, or with probability `other` its other word (navy, dark blue)."""
    for colour in words.colours:
        if colour.key == key:
            return colour.other[language] if rng.random() < other else colour.name[language]
    return ""


def slots_of(words: Vocabulary, goods: Goods, row: int, rng: np.random.Generator, name: str = "") -> dict[str, str]:
    """Everything that patterns may say about an item, in its own language."""
    language = int(goods.language[row])
    kind = words.types[int(goods.type[row])]
    facts = goods.facts[row]
    first, second = (kind.features[number][language] for number in facts.features)
    use, use2 = (kind.uses[number][language] for number in facts.uses)
    more = details(words, facts.values, language)
    called = name or kind.names[language][facts.name]
    style = words.say(facts.values.get("style", ""), language)
    many = language == EN and called.endswith("s") and not called.endswith("ss")
    return {
        "this": "these" if many else "this", "it": "them" if many else "it", "a_name": called if many else article(called),
        "a_style_name": "" if not style else f"{style} {called}" if many else article(f"{style} {called}"),
        "name": called,
        "brand": words.brands[int(goods.brand[row])][1].name,
        "line": words.phrases[language]["lines"][facts.line],
        "colour": colour_word(words, facts.values.get("colour", ""), language, rng),
        "material": words.say(facts.values.get("material", ""), language),
        "style": style,
        "size": words.say(facts.values.get("size", ""), language),
        "feature": first, "feature2": second, "bare": bare(first), "bare2": bare(second),
        "use": use, "use2": use2, "code": facts.code,
        "detail": more[int(rng.integers(len(more)))] if more else "",
    }  # fmt: skip


def _pick_fresh(patterns: Sequence[str], slots: Mapping[str, str], rng: np.random.Generator) -> tuple[str, set[str]]:
    """A filled pattern and the subjects (features, uses) that it speaks about."""
    for place in rng.permutation(len(patterns))[:12].tolist():
        text = fill(patterns[place], slots)
        if text is not None:
            return text, {_SUBJECT[hole.lower()] for hole in _HOLE.findall(patterns[place]) if hole.lower() in _SUBJECT}
    return "", set()


def title_of(words: Vocabulary, goods: Goods, row: int, rng: np.random.Generator) -> str:
    """A title in the manner of the item's language; variants of a product are worded one by one."""
    language = int(goods.language[row])
    slots = slots_of(words, goods, row, rng)
    text = pick(words.phrases[language]["titles"], slots, rng)
    if not text:
        parts = [slots[key] for key in ("brand", "line", "name", "detail", "colour", "size") if slots[key]]
        text = " ".join(parts)
    return text[0].upper() + text[1:]


def description_of(words: Vocabulary, goods: Goods, row: int, rng: np.random.Generator) -> str:
    """Two to seven sentences; sometimes with another everyday word for the product."""
    language = int(goods.language[row])
    kind = words.types[int(goods.type[row])]
    phrases = words.phrases[language]
    name = str(rng.choice(kind.names[language]))
    slots = slots_of(words, goods, row, rng, name)
    again = "_used" if kind.again else ""
    plan = [f"openers{again}", "bodies"]
    plan += [
        part
        for part, chance in (("bodies", 0.4), ("materials", 0.5), ("colours", 0.35), ("sizes", 0.35))
        if rng.random() < chance
    ]
    plan += [f"closers{again}"] if rng.random() < 0.75 else []
    sentences: list[str] = []
    said: set[str] = set()
    for part in plan:
        # Say each feature and use once: patterns that would repeat one are left out.
        fresh = [
            p for p in phrases[part] if not said & {_SUBJECT.get(hole.lower(), "") for hole in _HOLE.findall(p)} - {""}
        ]
        if "feature" in said and "feature2" not in said and part == "bodies":
            fresh = [p for p in phrases[part] if "2}" not in p]
            text = pick(fresh, {**slots, "feature": slots["feature2"], "bare": slots["bare2"]}, rng)
            said.add("feature2")
        else:
            text, used = _pick_fresh(fresh, slots, rng)
            said |= used
        if text:
            sentences.append(text[0].upper() + text[1:])
    return (" " if language == EN else "").join(sentences)


def items_of(words: Vocabulary, goods: Goods, start: datetime, days: int, seed: int) -> tuple[Item, ...]:
    """The catalogue as the shop's store has it at the end of the log. One attribute in twelve was never filled in."""
    rng = np.random.default_rng([seed, 4])
    sold_out = goods.sold_out(float(days))
    members = np.bincount(goods.group)
    items = []
    for row, item_id in enumerate(goods.ids):
        language = int(goods.language[row])
        kind = words.types[int(goods.type[row])]
        facts = goods.facts[row]
        kept = {name: value for name, value in facts.values.items() if rng.random() > 1 / 12}
        attributes = {
            words.names[name][language]: colour_word(words, value, language, rng, 0.25)
            if name == "colour"
            else words.say(value, language)
            for name, value in kept.items()
        }
        created = start + timedelta(days=float(goods.created[row]))
        created = created.replace(microsecond=0)
        group = int(goods.group[row])
        items.append(
            Item(
                id=item_id,
                title=title_of(words, goods, row, rng),
                description=description_of(words, goods, row, rng),
                brand=words.brands[int(goods.brand[row])][1].name,
                category=(kind.range.department[language], kind.shelf[language]),
                price=float(goods.price[row]),
                currency=("USD", "CNY")[language],
                availability=Availability.OUT_OF_STOCK if sold_out[row] else Availability.IN_STOCK,
                attributes=attributes,
                codes=(facts.code,),
                group=f"g{group:04x}" if members[group] > 1 else "",
                images=(f"practice/{item_id}.webp",),
                videos=(f"practice/{item_id}.webm",) if goods.filmed[row] else (),
                language=LANGUAGES[language],
                hidden=bool(goods.hidden[row]),
                created=created,
                updated=created,
            )
        )
    return tuple(items)

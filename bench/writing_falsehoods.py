"""Falsehoods to plant into product copy, one at a time, and true sentences in other words than the shop's own frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from shopkeeper.tasks.write.facts import Facts
from shopkeeper.tasks.write.words import ShopWords

Rng = np.random.Generator

_PROMISES: Final = (
    ("We guarantee it for ten years.", "It never breaks.", "Refunds at any time.", "It will arrive tomorrow."),
    ("保证十年不坏。", "永不褪色。", "随时包退。", "明天一定送到。"),
)
_SUPERLATIVES: Final = (
    ("The best of its kind.", "The most popular choice.", "Our number one.", "An unbeatable offer."),
    ("同类最好。", "销量第一。", "顶级品质。", "全网最低价。"),
)
_DENIALS: Final = (
    ("Not suitable for children.", "It is suitable for children."),
    ("Not dishwasher safe.", "Dishwasher safe."),
    ("不防水。", "防水。"),
    ("不可机洗。", "可机洗。"),
)
_INVENTIONS: Final = (
    ("It floats on water.", "You can use it as a ladder.", "It comes with a spare battery.", "Doctors use it at home."),
    ("可以浮在水面上。", "也能当梯子用。", "附赠备用电池。", "医生在家也用它。"),
)
"""Made-up facts without a figure, a name or a promise; no list of words can know them all."""
_TRUTHS: Final = (
    (
        "This one comes from {brand} and costs {price}.",
        "You pay {price} for it.",
        "Its {name} is {value}.",
        "{brand} makes this in {value}.",
        "People who look for {shelf} may like it.",
    ),
    (
        "它来自{brand}，价格是{price}。",
        "只需{price}就能买到。",
        "{name}为{value}。",
        "{brand}出品，{value}。",
        "喜欢{shelf}的朋友可以看看。",
    ),
)
"""Sentences that are true of any item and that the shop's own frames do not hold."""


def truths(facts: Facts, side: int) -> Iterator[str]:
    """True sentences about an item; `side` is 0 for English, 1 for Chinese."""
    slots = {
        "brand": facts.item.brand,
        "price": facts.price,
        "shelf": facts.item.category[-1] if facts.item.category else "",
    }
    feature = facts.features[0] if facts.features else None
    slots |= {"name": feature.name, "value": feature.value} if feature else {"name": "", "value": ""}
    for frame in _TRUTHS[side]:
        if all(slots[slot] for slot in re.findall(r"{(\w+)}", frame)):
            yield frame.format(**slots)


def lies(
    text: str, facts: Facts, side: int, brands: Sequence[str], shop: ShopWords, rng: Rng
) -> Iterator[tuple[str, Facts, str]]:
    """(kind, facts, a text with one falsehood)."""
    known = " ".join(facts.evidence("description")).casefold()
    glue = "" if side else " "
    if numbers := [
        one for one in re.finditer(r"(?<![\d.$€£¥A-Za-z-])\d+(?![\d元]|\.\d)", text) if one[0] not in ("0", "1")
    ]:
        place = numbers[int(rng.integers(len(numbers)))]
        other = str(int(place[0]) + int(rng.integers(1, 9)) * 10 ** int(rng.integers(0, len(place[0]))))
        if other not in known:
            yield "number", facts, text[: place.start()] + other + text[place.end() :]
    if facts.price and facts.item.price:
        cheaper = round(facts.item.price * float(rng.uniform(0.4, 0.9)), 2)
        said = facts.price.replace(re.sub(r"[^\d.,]", "", facts.price), f"{cheaper:.2f}")
        yield "price", facts, text + glue + (f"只要{said}。" if side else f"Only {said}.")
    others = [
        brand for brand in brands if brand.casefold() not in known and brand.casefold() != facts.item.brand.casefold()
    ]
    if others:
        other = others[int(rng.integers(len(others)))]
        yield "name", facts, text + glue + (f"由{other}出品。" if side else f"It is made by {other}.")
    for kind, phrases in (("promise", _PROMISES[side]), ("superlative", _SUPERLATIVES[side])):
        yield kind, facts, text + glue + phrases[int(rng.integers(len(phrases)))]
    yield "plain invention", facts, text + glue + _INVENTIONS[side][int(rng.integers(len(_INVENTIONS[side])))]
    denial, lie = _DENIALS[2 * side + int(rng.integers(2))]
    denied = replace(facts, item=replace(facts.item, description=f"{facts.item.description}{glue}{denial}".strip()))
    yield "negation", denied, text + glue + lie
    if values := [value for value in _values(facts, shop) if value.casefold() not in known]:
        value = values[int(rng.integers(len(values)))]
        yield "attribute", facts, text + glue + (f"{value}款。" if side else f"It comes in {value}.")


def _values(facts: Facts, shop: ShopWords) -> list[str]:
    """Values that other items of the shop have and that are of this language."""
    han = facts.language == "zh"
    return sorted(value for value in shop.values if bool(re.search("[一-鿿]", value)) is han)

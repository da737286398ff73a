"""Dialogues of the practice shop with known right answers, and falsehoods planted into true sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shopkeeper.practice.shop import Practice
from shopkeeper.recipes.language.dialogue_lessons import Exchange
from shopkeeper.records import Item, PassageKind

_ASKED = {
    "price": (("What does it cost?", "How much is the {title}?"), ("多少钱？", "{title}什么价？")),
    "brand": (("Who makes the {title}?", "Which brand is it?"), ("{title}是什么牌子？", "哪个品牌的？")),
    "code": (("What is the article code?", "Can you give me the code of the {title}?"), ("货号是多少？", "{title}的编号是什么？")),
    "attribute": (("What about its {name}?", "Which {name} does the {title} have?"), ("{name}是什么？", "{title}的{name}呢？")),
}  # fmt: skip
_SAID = {
    "price": ("It costs {value}.", "价格是{value}。"),
    "brand": ("It is made by {value}.", "品牌是{value}。"),
    "code": ("Its code is {value}.", "货号是{value}。"),
    "attribute": ("Its {name} is {value}.", "{name}是{value}。"),
}
_STATUS = {
    "placed": ("has been placed", "已下单"), "packed": ("is packed", "已打包"), "shipped": ("is on its way", "已发货"),
    "delivered": ("has been delivered", "已送达"), "cancelled": ("was cancelled", "已取消"),
    "returning": ("is coming back", "退货途中"), "returned": ("has come back", "已退货"),
}  # fmt: skip
KINDS = ("number", "price", "name", "promise", "negation", "unit")


@dataclass(frozen=True, slots=True)
class Planted:
    """A true sentence, its evidence, and the sentence with one falsehood of a kind."""

    true: str
    false: str
    kind: str
    evidence: tuple[str, ...]


def practice_exchanges(practice: Practice, count: int, seed: int) -> list[Exchange]:
    """About `count` exchanges on items, orders and the house's words; items and orders do not meet twice."""
    rng = np.random.default_rng([seed, 81])
    found = [*_house(practice, rng)]
    orders = [_order(practice, int(row), rng) for row in rng.permutation(len(practice.orders))[: count // 5]]
    items = rng.permutation(len(practice.items))[: max(0, count - len(found) - len(orders))]
    found += [*orders, *(_item(practice, int(row), rng) for row in items)]
    return [found[int(row)] for row in rng.permutation(len(found))]


def facts_of(item: Item) -> list[tuple[str, str, str]]:
    """What is known of an item: kind, name of the attribute, value."""
    money = f"{item.price:.2f} USD" if item.currency == "USD" else f"{item.price:g}元"
    found = [("price", "", money), ("brand", "", item.brand), *(("code", "", code) for code in item.codes[:1])]
    return found + [("attribute", name, str(value)) for name, value in item.attributes.items()]


def evidence_of(item: Item) -> tuple[str, ...]:
    """The facts of an item as lines."""
    at = int(item.language == "zh")
    return (item.title, *(_SAID[kind][at].format(name=name, value=value) for kind, name, value in facts_of(item)))


def falsehoods(practice: Practice, count: int, seed: int) -> Iterator[Planted]:
    """True sentences from items and the house's words, each with one falsehood of every kind that it can carry."""
    rng = np.random.default_rng([seed, 82])
    brands = {
        language: sorted({item.brand for item in practice.items if item.language == language})
        for language in ("en", "zh")
    }
    for row in rng.permutation(len(practice.items))[:count]:
        item = practice.items[int(row)]
        at = int(item.language == "zh")
        evidence = (*evidence_of(item), _denial(at, rng))
        for kind, name, value in facts_of(item):
            opening = (
                f"Thanks for asking, {_SAID[kind][0][0].lower()}{_SAID[kind][0][1:]}",
                f"亲，这款{_SAID[kind][1]}",
            )[at]
            yield from _planted(
                opening.format(name=name, value=value), kind, value, evidence, brands[item.language], at, rng
            )
        denial = evidence[-1]
        affirmed = denial.replace("not ", "").replace("不", "")
        yield Planted(
            ("So: " + denial, "您好，" + denial)[at], ("So: " + affirmed, "您好，" + affirmed)[at], "negation", evidence
        )
    for passage in practice.passages:
        if passage.kind in (PassageKind.FAQ, PassageKind.POLICY):
            at = int(passage.language == "zh")
            text = ("Of course: ", "您好，")[at] + passage.text
            if re.search(r"\d", text):
                yield Planted(text, _digit(text, rng), "number", (passage.text,))
            yield Planted(text, text + _promise(at, rng), "promise", (passage.text,))


def _planted(
    text: str,
    kind: str,
    value: str,
    evidence: tuple[str, ...],
    brands: Sequence[str],
    at: int,
    rng: np.random.Generator,
) -> Iterator[Planted]:
    if kind == "price":
        yield Planted(text, text.replace(value, _digit(value, rng)), "price", evidence)
    elif kind == "brand":
        other = str(rng.choice([brand for brand in brands if brand != value]))
        yield Planted(text, text.replace(value, other), "name", evidence)
    elif kind == "code" or re.search(r"\d", value):
        yield Planted(text, text.replace(value, _digit(value, rng)), "number", evidence)
    unit = re.search(r"(?<=\d )(?:cm|mm|kg|g|ml|l)\b", value)
    if unit:
        wrong = {"cm": "mm", "mm": "cm", "kg": "g", "g": "kg", "ml": "l", "l": "ml"}[unit[0]]
        yield Planted(text, text.replace(value, value.replace(unit[0], wrong)), "unit", evidence)
    if kind == "price":
        yield Planted(text, text + _promise(at, rng), "promise", evidence)


def _digit(text: str, rng: np.random.Generator) -> str:
    """One digit changed to another."""
    places = [place for place, letter in enumerate(text) if letter.isdigit()]
    place = int(rng.choice(places))
    other = str(rng.choice([digit for digit in "123456789" if digit != text[place]]))
    return text[:place] + other + text[place + 1 :]


def _promise(at: int, rng: np.random.Generator) -> str:
    english = (
        " We guarantee it for life.",
        " Shipping is free.",
        " It will arrive tomorrow.",
        " You get a 10% discount.",
    )
    chinese = ("终身质保。", "全场包邮。", "明天一定送达。", "现在下单打八折。")
    return str(rng.choice((english, chinese)[at]))


def _denial(at: int, rng: np.random.Generator) -> str:
    """A denial, of which the practice shop itself has too few."""
    english = (
        "It is not waterproof.",
        "It is not dishwasher-safe.",
        "It does not fold.",
        "Batteries are not included.",
    )
    chinese = ("这款不防水。", "不可机洗。", "不能折叠。", "不含电池。")
    return str(rng.choice((english, chinese)[at]))


def _house(practice: Practice, rng: np.random.Generator) -> Iterator[Exchange]:
    words = [one for one in practice.passages if one.kind in (PassageKind.FAQ, PassageKind.POLICY)]
    for passage in words:
        others = [one.text for one in words if one.language == passage.language and one is not passage]
        lines = [passage.text, *(others[int(row)] for row in rng.permutation(len(others))[:2])]
        evidence = tuple(lines[int(row)] for row in rng.permutation(len(lines)))
        yield Exchange(passage.title, evidence, passage.text, passage.language, passage.text, passage.text)


def _item(practice: Practice, row: int, rng: np.random.Generator) -> Exchange:
    item = practice.items[row]
    at = int(item.language == "zh")
    known = facts_of(item)
    kind, name, value = known[int(rng.integers(len(known)))]
    question = _ASKED[kind][at][int(rng.integers(2))].format(title=item.title, name=name)
    answer = _SAID[kind][at].format(name=name, value=value)
    lines = evidence_of(item)
    evidence = (lines[0], *(lines[1 + int(place)] for place in rng.permutation(len(lines) - 1)))
    return Exchange(question, evidence, answer, item.language, answer, item.id)


def _order(practice: Practice, row: int, rng: np.random.Generator) -> Exchange:
    order = practice.orders[row]
    at = int(order.currency == "CNY")
    total = sum((line.price or 0.0) * line.quantity for line in order.lines)
    money = f"{total:g}元" if at else f"{total:.2f} USD"
    state = _STATUS[order.status.value][at]
    status = (f"Order {order.id} {state}.", f"订单{order.id}{state}。")[at]
    lines = [status, (f"Its total is {money}.", f"订单金额{money}。")[at]]
    asked = [(("Where is my order?", "What is the state of my order?"), ("我的订单到哪了？", "订单什么状态？")),
             (("What did I pay?", "What is the total of my order?"), ("我付了多少钱？", "订单一共多少钱？"))]  # fmt: skip
    which = int(rng.integers(2))
    evidence = tuple(lines[int(place)] for place in rng.permutation(2))
    question = asked[which][at][int(rng.integers(2))]
    return Exchange(question, evidence, lines[which], ("en", "zh")[at], lines[which], order.id)

"""What is wanted with a thing is read without the thing's own name: "does 'No More Returns' fit me?" wants no return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from shopkeeper.tasks.assist.reading import Understanding, Understood
from shopkeeper.tasks.assist.sentences import side
from shopkeeper.tasks.assist.situation import number_of
from shopkeeper.tasks.assist.turns import Mention

_STAND_INS: Final = {"order": ("my order", "订单"), "product": ("this product", "这款商品")}
"""What a named thing is called when the intents are read: its own words say nothing about what is wanted."""
_LEAST: Final = 8
"""Characters of a name that stands aside; a shorter one misleads nobody."""


def read_unnamed(
    understanding: Understanding, text: str, language: str, focus: Sequence[str], orders: Sequence[str], today: date
) -> Understood:
    """Read a turn; long names of things stand aside while it is read what is wanted with them.

    Args:
        understanding: Reads.
        text: What was said.
        language: ``"zh"`` or ``"en"``.
        focus: Ids of items that are open or were spoken of, the latest first.
        orders: Numbers of the customer's own orders.
        today: The day on which it is said.
    """
    mentions = understanding.mentions(text, focus, today)
    plain = text
    for _ in range(2):
        named = [one for one in mentions if one.kind in _STAND_INS and len(one.text) >= _LEAST]
        masked = _masked(text, named, orders, side(language))
        if masked == plain:
            break
        plain = masked
        known = {one.value for one in mentions}
        mentions += [
            replace(one, start=text.find(one.text), end=text.find(one.text) + len(one.text))
            for one in understanding.mentions(plain, (), today)
            if one.kind == "product" and one.text in text and one.value not in known
        ]
    return understanding.read(plain, language, today=today, named=mentions)


def _masked(text: str, named: Sequence[Mention], orders: Sequence[str], at: int) -> str:
    """A text in which named things are called by what they are."""
    for mention in sorted(named, key=lambda mention: -len(mention.text)):
        text = text.replace(mention.text, f" {_STAND_INS[mention.kind][at]} ")
    for order in orders:
        text = number_of(order).sub(f" {_STAND_INS['order'][at]} ", text)
    return " ".join(text.split())

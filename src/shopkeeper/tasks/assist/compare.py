"""Two items side by side: which ones are meant, and in what they differ, from their fields."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from shopkeeper.records import Item
from shopkeeper.tasks.assist.facts import RATED, cited, facts_of, price_told, reviews_told
from shopkeeper.tasks.assist.sentences import Speech
from shopkeeper.tasks.assist.situation import Counter, Draft, Situation, asked, draft

_CHEAPER: Final = re.compile(
    r"\b(?:cheaper|cheapest|less expensive|lower price|price|costs? less|more expensive)\b|便宜|价格|贵|划算"
)
_MOST_NAMED, _HEAD, _LONG_QUESTION = 4, 6, 12


def named_in(text: str, counter: Counter) -> list[Item]:
    """Items whose titles stand in a text almost whole, in the order of the text: for texts that name several.

    Of items that share a title one stands for all: one that can be bought, the cheapest.
    """
    low = text.lower()
    found = [item for name in counter.titled(text) if (item := counter.item(name)) is not None]
    whole = [item for item in found if item.title.lower() in low]
    kept: dict[str, Item] = {}
    for item in sorted(whole if len(whole) > 1 else found, key=_bought_for):
        kept.setdefault(item.title.lower(), item)
    longest = sorted(kept.values(), key=lambda item: -len(item.title))[:_MOST_NAMED]
    return sorted(longest, key=lambda item: low.find(item.title.lower()[:_HEAD]))


def _bought_for(item: Item) -> tuple[bool, float]:
    return not item.availability.sellable, math.inf if item.price is None else item.price


def compare(situation: Situation, counter: Counter) -> Draft | None:
    """Two items side by side: prices, ratings, and the attributes in which they differ."""
    named = [item for mention in situation.mentioned("product") if (item := counter.item(mention.value)) is not None]
    shown = [item for name in situation.memory.items if (item := counter.item(name)) is not None]
    open_page = counter.item(situation.turn.item) if situation.turn.item else None
    if len({item.id for item in named}) < 2 and len(situation.text) > _LONG_QUESTION:
        named = named_in(situation.text, counter) or named
    pool = [*named, *([open_page] if open_page is not None and len(named) == 1 else []), *shown]
    pair = [
        item
        for place, item in enumerate(pool)
        if item.id not in {other.id for other in pool[:place]} and not item.hidden
    ][:2]
    if len(pair) < 2:
        return asked(situation, situation.speech().say("which_two"), "product", "compare")
    speech = situation.speech()
    for item in pair:
        price_told(item, speech)
    low = situation.text.lower()
    _verdict(pair, speech)
    if not _CHEAPER.search(low):
        for name in _differing(pair):
            for item in pair:
                if name in item.attributes:
                    speech.say("has", name=name, title=item.title, value=item.attributes[name])
        if RATED.search(low):
            for item in pair:
                reviews_told(item, counter, speech)
    for item in pair:
        if not item.availability.sellable:
            speech.say("out_of_stock", title=item.title)
    facts = [fact for item in pair for fact in facts_of(item)]
    citations = [cited(item) for item in pair]
    return draft(situation, "answer", speech, facts=facts, citations=citations, items=tuple(item.id for item in pair))


def _verdict(pair: Sequence[Item], speech: Speech) -> None:
    one, other = pair
    if one.price is None or other.price is None or one.currency != other.currency:
        return
    if one.price == other.price:
        speech.say("same_price")
    else:
        speech.say("cheaper", title=(one if one.price < other.price else other).title)


def _differing(pair: Sequence[Item], most: int = 3) -> list[str]:
    one, other = pair
    names = [
        name for name in one.attributes if name in other.attributes and one.attributes[name] != other.attributes[name]
    ]
    return names[:most]

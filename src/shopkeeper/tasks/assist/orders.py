"""Orders of the customer who asks: which one is meant, and how far it has come. Nobody else's is ever looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from shopkeeper.retrieval.analysis import terms
from shopkeeper.store.orders import Order, OrderStatus
from shopkeeper.tasks.assist.sentences import STATUS, Speech, day, listed
from shopkeeper.tasks.assist.situation import Counter, Draft, Situation, asked, draft
from shopkeeper.tasks.assist.turns import Citation
from shopkeeper.tasks.money import money

UNDERWAY: Final = (OrderStatus.PLACED, OrderStatus.PACKED, OrderStatus.SHIPPED, OrderStatus.RETURNING)
"""What a customer waits for."""
_TOLD: Final = 3
"""Orders in one reply at most."""
_GOODS: Final = 3
_ORDINALS: Final = (
    re.compile(r"\b(?:first|1st|newest|latest|most recent|last)\b|第一|最新|最近|上一"),
    re.compile(r"\b(?:second|2nd)\b|第二"),
    re.compile(r"\b(?:third|3rd)\b|第三"),
)
_SAME: Final = re.compile(r"\b(?:it|that|this|the same)\b|[这那][个笔单]|它|该订单|这订单|那订单")


def ordinal(text: str) -> int | None:
    """Which of several is meant by "the second one", from 0; None where no place is named."""
    return next((place for place, pattern in enumerate(_ORDINALS) if pattern.search(text.lower())), None)


def goods(order: Order, counter: Counter, language: str) -> str:
    """What an order holds, in a few words."""
    titles = []
    for line in order.lines[:_GOODS]:
        item = counter.item(line.item)
        name = line.item if item is None else item.title
        titles.append(name if line.quantity == 1 else f"{line.quantity} × {name}")
    more = len(order.lines) - len(titles)
    return listed([*titles, *([f"+{more}"] if more > 0 else [])], language)


def facts_of(order: Order, counter: Counter, language: str) -> tuple[str, ...]:
    """All that may be said of an order, in words."""
    days = [moment for moment in (order.placed, order.due, order.delivered) if moment is not None]
    told = [order.id, order.status.value, order.carrier, order.tracking, order.address, goods(order, counter, language)]
    told += [day(moment, language) for moment in days]
    told += [] if order.total is None else [money(order.total, order.currency)]
    return tuple(fact for fact in told if fact)


def cited(order: Order, counter: Counter, language: str) -> Citation:
    """An order as what a reply rests on."""
    return Citation(
        source="order", id=order.id, title=order.id, text=listed(facts_of(order, counter, language), language)
    )


def refused_or(situation: Situation) -> Draft | None:
    """What to say where no order can be spoken of at all: no sign-in, no orders, or one that is not the customer's."""
    speech = situation.speech()
    if not situation.turn.customer:
        return asked(situation, speech.say("sign_in"))
    own = {order.id.casefold() for order in situation.orders}
    named = situation.named_orders
    if named and not any(name.casefold() in own for name in named):
        return replace(asked(situation, speech.say("no_such_order", order=named[0])), facts=(named[0],))
    if not situation.orders:
        return draft(situation, "answer", speech.say("no_orders"))
    return None


def chosen(situation: Situation, among: Sequence[Order], counter: Counter) -> Order | None:
    """Which of several orders is meant: by its number, by what it holds, by its place, or because it was spoken of."""
    own = {order.id.casefold(): order for order in situation.orders}
    for name in situation.named_orders:
        if name.casefold() in own:
            return own[name.casefold()]
    if not among:
        return None
    named = {mention.value for mention in situation.mentioned("product")}
    holding = [order for order in among if any(line.item in named for line in order.lines)]
    if len(holding) == 1:
        return holding[0]
    said = set(terms(situation.text))
    worth = [_overlap(order, said, counter) for order in among]
    best = max(worth)
    if best and worth.count(best) == 1:
        return among[worth.index(best)]
    place = ordinal(situation.text)
    if place is not None and place < len(among) and (situation.memory.awaits == "order" or place == 0):
        return among[place]
    spoken = next((order for order in among if order.id == situation.memory.order), None)
    if spoken is not None and _SAME.search(situation.text.lower()):
        return spoken
    return among[0] if len(among) == 1 else None


def _overlap(order: Order, said: set[str], counter: Counter) -> int:
    """How many of the words said name an item of the order; one word in two is enough of a short title."""
    best = 0
    for line in order.lines:
        item = counter.item(line.item)
        if item is not None:
            best = max(best, len(said & set(terms(item.title))))
    return best if best >= 2 else 0


def which(situation: Situation, among: Sequence[Order], counter: Counter, tool: str) -> Draft:
    """Ask which of several orders is meant."""
    speech = situation.speech().say("which_order")
    facts: list[str] = []
    for order in among[:_TOLD]:
        facts += facts_of(order, counter, situation.language)
        held = goods(order, counter, situation.language)
        speech.say("one_order", order=order.id, day=day(order.placed, situation.language), goods=held)
    return replace(asked(situation, speech, "order", tool), facts=tuple(facts))


def status(situation: Situation, counter: Counter) -> Draft | None:
    """How far an order has come; of several that are underway, each."""
    if (refused := refused_or(situation)) is not None:
        return refused
    underway = [order for order in situation.orders if order.status in UNDERWAY]
    one = chosen(situation, underway or situation.orders[:1], counter)
    told = [one] if one is not None else underway[:_TOLD]
    speech = situation.speech()
    facts: list[str] = []
    for order in told:
        tell(order, situation, counter, speech, whole=len(told) == 1)
        facts += facts_of(order, counter, situation.language)
    citations = [cited(order, counter, situation.language) for order in told]
    spoken = told[0].id if len(told) == 1 else ""
    return draft(situation, "status", speech, facts=facts, citations=citations, order=spoken)


def tell(order: Order, situation: Situation, counter: Counter, speech: Speech, *, whole: bool) -> None:
    """Say how far an order has come, with its days and carrier."""
    language = situation.language
    speech.say(STATUS[order.status], order=order.id, day=day(order.placed, language))
    if order.status is OrderStatus.DELIVERED and order.delivered is not None:
        speech.say("arrived", day=day(order.delivered, language))
    elif order.due is not None and order.status in UNDERWAY[:3]:
        speech.say("late" if order.due.date() < situation.moment.date() else "due", day=day(order.due, language))
    if order.carrier and order.tracking and order.status is OrderStatus.SHIPPED:
        speech.say("carrier", carrier=order.carrier, tracking=order.tracking)
    if whole and order.lines:
        speech.say("holds", goods=goods(order, counter, language))

"""What the assistant may do to an order: cancel it, take it back, send it elsewhere. Proposed first, done after a yes.

A proposal names one order of the customer who asks and is made only where the shop's terms allow it. The yes must come from
the same customer in the same conversation within ten minutes; the terms are looked at once more; the act carries the
proposal's id, so that doing it twice does it once; and the store notes it in the audit log.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import Final

from shopkeeper.errors import InputError
from shopkeeper.store.orders import Order, OrderStatus
from shopkeeper.tasks.assist.answers import quoted
from shopkeeper.tasks.assist.desk import hand_over
from shopkeeper.tasks.assist.memory import Pending
from shopkeeper.tasks.assist.orders import chosen, cited, facts_of, goods, refused_or, tell, which
from shopkeeper.tasks.assist.sentences import day
from shopkeeper.tasks.assist.situation import Counter, Draft, Move, Situation, asked, draft
from shopkeeper.tasks.assist.turns import Proposal

TOOLS: Final = {"cancel_order": "cancel", "return_item": "return", "change_address": "address"}
"""Intents to the tools that serve them."""
ACTOR: Final = "assistant"
"""Who stands in the audit log."""
_QUESTIONS: Final = {
    "cancel": ("How can I cancel an order?", "怎么取消订单？"),
    "return": ("Can I return an item?", "可以退货吗？"),
    "address": ("How can I change the address of an order?", "下单后能改地址吗？"),
}
_AFTER: Final = {"cancel": OrderStatus.CANCELLED, "return": OrderStatus.RETURNING}
_GENERAL: Final = re.compile(
    r"\b(?:how much|cost|costs|fees?|postage|labels?|free|for free|pay for|policy|policies|rules?|terms|conditions?|how long do i have|how many days|how do (?:returns|cancellations)|how does|"
    r"what happens if|do you (?:accept|offer|allow|take)|are returns|is it possible to|in general|who pays|what if|until when)\b"
    r"|政策|规定|规则|条件|流程|多少天|几天内|多久内|期限|什么情况|一般|谁出|谁承担|支持.{0,8}吗|运费|邮费|多少钱|免费|自费"
)
_OWN: Final = re.compile(
    r"\b(?:my|i want|i'd like|i would like|i need to|please|for me)\b|我的|帮我|我要|我想|请把|麻烦|给我"
)
_LEAD: Final = re.compile(r"^.*(?:改寄到?|改送到?|改成|改到|改为|换成|换到|寄到|寄往|送到|发到|应该是|地址[是为：:])")
_PLACE: Final = re.compile(r"\d|[省市区县路街道巷村号楼室栋]")
_LEAST_ADDRESS: Final = 6


def general(situation: Situation) -> bool:
    """Is it asked how things are done here, rather than to do one?"""
    low = situation.text.lower()
    return bool(_GENERAL.search(low)) and not situation.named_orders and not _OWN.search(low)


def act(tool: str) -> Move:
    """The move that proposes a tool: for the order that is meant, if the terms allow it."""

    def move(situation: Situation, counter: Counter) -> Draft | None:
        if general(situation):
            return None
        if (refused := refused_or(situation)) is not None:
            return _with_terms(refused, tool, situation, counter)
        allowed = [one for one in situation.orders if counter.terms.refusal(tool, one, situation.moment) is None]
        order = chosen(situation, allowed, counter)
        if order is None and len(allowed) > 1:
            return which(situation, allowed, counter, tool)
        order = order or _meant(situation)
        if (why := counter.terms.refusal(tool, order, situation.moment)) is not None:
            return _refused(tool, order, why, situation, counter)
        if tool == "address" and not (address := _address(situation)):
            speech = situation.speech().say("which_address", order=order.id)
            return replace(asked(situation, speech, "address", tool, order=order.id), facts=(order.id,))
        return _propose(tool, order, address if tool == "address" else "", situation, counter)

    return move


def _meant(situation: Situation) -> Order:
    """The order to say something about where none can be changed: the one spoken of, else the newest."""
    spoken = (order for order in situation.orders if order.id == situation.memory.order)
    return next(spoken, situation.orders[0])


def _address(situation: Situation) -> str:
    """The new address: one that is named, or the whole answer to the question for it."""
    named = situation.mentioned("address")
    if named:
        said = max((mention.value for mention in named), key=len)
        return _LEAD.sub("", said).strip(" ：:，,")
    text = situation.text.strip()
    awaited = situation.memory.awaits == "address"
    return text if awaited and len(text) >= _LEAST_ADDRESS and _PLACE.search(text) and "?" not in text else ""


def _propose(tool: str, order: Order, address: str, situation: Situation, counter: Counter) -> Draft:
    language = situation.language
    held = goods(order, counter, language)
    speech = situation.speech().say(f"ask_{tool}", order=order.id, goods=held, address=address)
    proposal = Proposal(id=uuid.uuid4().hex, tool=tool, order=order.id, text=speech.text)
    found = quoted(_question(tool, language), situation, counter, sources=("policy", "faq"))
    citations = [cited(order, counter, language), *found]
    if found:
        speech.quote(found[0].text)
    speech.say("say_yes")
    pending = Pending(proposal, situation.moment.isoformat(), address)
    facts = [*facts_of(order, counter, language), *([address] if address else [])]
    return draft(
        situation,
        "confirm",
        speech,
        facts=facts,
        citations=citations,
        proposal=proposal,
        pending=pending,
        order=order.id,
    )


def _refused(tool: str, order: Order, why: str, situation: Situation, counter: Counter) -> Draft:
    """Say why not: how far the order is, until when it was possible, and what the shop's terms say."""
    language = situation.language
    speech = situation.speech().say(why, order=order.id)
    tell(order, situation, counter, speech, whole=False)
    facts = [*facts_of(order, counter, language)]
    until = counter.terms.until(tool, order)
    if tool == "return" and order.status is OrderStatus.DELIVERED:
        speech.say("too_late", day=day(until, language))
        facts.append(day(until, language))
    said = draft(situation, "answer", speech, facts=facts, citations=[cited(order, counter, language)], order=order.id)
    return _with_terms(said, tool, situation, counter)


def _with_terms(said: Draft, tool: str, situation: Situation, counter: Counter) -> Draft:
    found = quoted(_question(tool, situation.language), situation, counter, sources=("policy", "faq"))
    if found:
        said.speech.quote(found[0].text)
    return replace(said, citations=(*said.citations, *found))


def _question(tool: str, language: str) -> str:
    return _QUESTIONS[tool][int(language == "zh")]


def carry_out(situation: Situation, counter: Counter) -> Draft | None:
    """Do what the open proposal says, now that the customer said yes."""
    pending = situation.memory.pending
    if pending is None:
        return None
    tool, language = pending.proposal.tool, situation.language
    if pending.expired(situation.moment):
        return draft(situation, "ask", situation.speech().say("expired"))
    order = next((order for order in situation.orders if order.id == pending.proposal.order), None)
    if order is None:
        return draft(situation, "ask", situation.speech().say("no_orders"))
    if (why := counter.terms.refusal(tool, order, situation.moment)) is not None:
        return _refused(tool, order, why, situation, counter)
    try:
        done = counter.orders.move(
            order.id, _AFTER.get(tool, order.status), ACTOR, address=pending.address, key=pending.proposal.id
        )
    except InputError:
        return hand_over("failed", "failed")(situation, counter)
    speech = situation.speech().say(f"did_{tool}", order=done.id, address=pending.address)
    citations = [cited(done, counter, language)]
    if tool in _AFTER:
        question = ("When do I get my refund?", "退款什么时候到账？")[int(language == "zh")]
        found = quoted(question, situation, counter, sources=("policy", "faq"))
        citations += found
        for citation in found[:1]:
            speech.quote(citation.text)
    facts = [*facts_of(done, counter, language), *([pending.address] if pending.address else [])]
    return draft(
        situation,
        "done",
        speech,
        facts=facts,
        citations=citations,
        proposal=pending.proposal,
        done=(*situation.memory.done, pending.proposal.id)[-20:],
        order=done.id,
    )


def drop(situation: Situation, _counter: Counter) -> Draft:
    """Let go of the open proposal."""
    return draft(situation, "answer", situation.speech().say("kept"))


def stale(situation: Situation, _counter: Counter) -> Draft:
    """A yes that no open proposal waits for: done already, or never asked."""
    again = bool(situation.turn.confirm) and situation.turn.confirm in situation.memory.done
    return draft(situation, "done" if again else "ask", situation.speech().say("again" if again else "nothing_open"))

"""What the assistant does when: one table, read from the top; the first row that holds and whose move answers decides.

Rows on safety come first, then what is open between the two (a human, a proposal, a question asked back), then what is
wanted, from what is done to what is only said. A move that finds that it cannot answer leaves the turn to the rows below it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shopkeeper.tasks.assist.acts import TOOLS, act, carry_out, drop, stale
from shopkeeper.tasks.assist.answers import answer
from shopkeeper.tasks.assist.compare import compare, named_in
from shopkeeper.tasks.assist.desk import ask_back, calm, hand_over, product_without_advice, say
from shopkeeper.tasks.assist.facts import page, product
from shopkeeper.tasks.assist.orders import ordinal, status
from shopkeeper.tasks.assist.situation import HOLDS, Counter, Draft, Move, Situation
from shopkeeper.tasks.assist.wishes import recommend, refines, sells, sells_at

UPSET: Final = -0.5
"""Sentiment at and below which a turn is an angry one."""
_OTHERS: Final = re.compile(
    r"\b(?:other|another|someone else'?s?|somebody else'?s?|different) (?:customers?|persons?|people|users?|buyers?|clients?)\b|\b(?:my (?:neighbou?r|ex|boss|colleague|friend|wife|husband|girlfriend|boyfriend)'?s?|customer [a-z0-9-]*\d[a-z0-9-]*'?s?) "
    r"(?:order|orders|address|phone|email|e-mail|data|purchases?|account)\b|\b(?:the |which |what )?(?:customer|buyer|client)s? (?:at|who|from|named|called|living|no\.?|number|id)?\s?[a-z]*-?\d|(?:顾客|客户|用户)[a-z]*-?\d+|住.{2,20}的?(?:那位|那个)?(?:顾客|客户|人)|(?:别人|其他人|其他顾客|其他客户|其他用户|另一个?(?:顾客|客户|用户)|某个?(?:顾客|客户|用户)|我(?:邻居|前任|前女友|前男友|同事|朋友|老板|老婆|老公))的?.{0,6}(?:订单|地址|电话|手机号|资料|信息|邮箱|账号|买了)"
)

_GOODS_INTENTS: Final = ("product_question", "price", "stock", "review_question")
_HINT: Final = 0.15
_TWO_NAMES: Final = 16
"""Characters of a question that may name two products."""
_SIDE_BY_SIDE: Final = re.compile(
    r"\b(?:compar\w*|cheaper|versus|vs|or|than|difference|better|which)\b|哪个|比|还是|对比|差|区别|便宜|划算"
)
_NOT_A_CALL: Final = re.compile(
    r"\bin person\b|\b(?:hours|open|available|opening|what time|when (?:is|are))\b|几点|时间|什么时候|上班|时段"
)
_OF_THIS: Final = re.compile(
    r"\b(?:does|do|has|have|is|are|can|will) (?:it|this|that|these|they)\b|\b(?:on|in|with|for) (?:it|this|these|them)\b"
    r"|^(?:请问)?(?:这[个款件双台]?|它)?(?:是|有|带|能|可以|会|支持|适合)[^？?]*(?:[吗么嘛]|[?？])\s*[?？]?$|有没有|是不是|能不能|会不会|带不带"
)
"""A question about the thing whose page is open, rather than a wish for another."""
_ORDERS: Final = re.compile(
    r"\b(?:my|the) (?:orders?|parcel|package|delivery|shipment|stuff|things)\b|订单|快递|包裹|物流|我的货|发货"
)

Condition = Callable[[Situation, Counter], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the policy.

    Attributes:
        when: What it is for, for readers and logs.
        holds: Does it apply?
        move: What is done.
    """

    when: str
    holds: Condition
    move: Move


def danger(*kinds: str) -> Condition:
    """There is a danger of one of these kinds in the turn."""
    return lambda situation, _: situation.in_danger(*kinds)


def wants(*intents: str, least: float = HOLDS) -> Condition:
    """One of these intents is meant."""
    return lambda situation, _: situation.chance(*intents) >= least


def foremost(*intents: str) -> Condition:
    """One of these intents is meant before all others."""
    return lambda situation, _: situation.wanted in intents and situation.chance(*intents) >= HOLDS


def awaits(what: str, tool: str = "") -> Condition:
    """The customer was asked for this."""
    return lambda situation, _: situation.memory.awaits == what and situation.memory.tool == tool


def _answers_which(tool: str) -> Condition:
    """The customer was asked which order, and the turn names one without wanting something else."""

    def holds(situation: Situation, _counter: Counter) -> bool:
        memory = situation.memory
        return memory.awaits in ("order", "address") and memory.tool == tool and not _something_else(situation, tool)

    return holds


def _something_else(situation: Situation, tool: str) -> bool:
    own = [intent for intent, serves in TOOLS.items() if serves == tool]
    others = {name for name, chance in situation.read.intents if chance >= 0.7 and name not in (*own, "yes", "no")}
    named = bool(situation.named_orders) or ordinal(situation.text) is not None
    named = named or bool(situation.mentioned("product") or situation.mentioned("address"))
    return bool(others) and not named


def _agreed(situation: Situation, _counter: Counter) -> bool:
    pending, confirm = situation.memory.pending, situation.turn.confirm
    if pending is None or situation.consent is False:
        return False
    return confirm == pending.proposal.id if confirm else situation.consent is True


def _declined(situation: Situation, _counter: Counter) -> bool:
    return situation.memory.pending is not None and situation.consent is False


def _stale(situation: Situation, _counter: Counter) -> bool:
    return bool(situation.turn.confirm)


def _upset_again(situation: Situation, _counter: Counter) -> bool:
    return situation.memory.upset >= 1 and situation.read.sentiment <= UPSET


def _outside(situation: Situation, _counter: Counter) -> bool:
    return situation.read.out_of_scope >= HOLDS


def _thing_in_sight(situation: Situation, _counter: Counter) -> bool:
    return bool(situation.mentioned("product") or situation.turn.item or situation.memory.items)


def _about_goods(situation: Situation, counter: Counter) -> bool:
    """A thing is named, open or spoken of, and a question about it is likely."""
    return _thing_in_sight(situation, counter) and situation.chance(*_GOODS_INTENTS) >= HOLDS


def _asks_of_the_page(situation: Situation, _counter: Counter) -> bool:
    """A product page is open, and the words ask what this thing is or has."""
    return bool(situation.turn.item) and bool(_OF_THIS.search(situation.text.lower()))


def _wishes(situation: Situation, _counter: Counter) -> bool:
    """A recommendation is meant, more than a question about the thing that is named."""
    likely = situation.chance("recommend")
    return situation.wanted == "recommend" and likely >= HOLDS and likely > situation.chance(*_GOODS_INTENTS)


def _on_a_page(situation: Situation, _counter: Counter) -> bool:
    """A product page is open or a product named, and something is asked that a shop may well be asked."""
    return bool(situation.turn.item or situation.mentioned("product")) and situation.chance(*_GOODS_INTENTS) >= _HINT


def _two_things(situation: Situation, counter: Counter) -> bool:
    """A comparison is meant, or two products are named in one question."""
    if situation.chance("compare") >= HOLDS:
        return True
    if len(situation.text) < _TWO_NAMES or not _SIDE_BY_SIDE.search(situation.text.lower()):
        return False
    return len({m.value for m in situation.mentioned("product")}) >= 2 or len(named_in(situation.text, counter)) >= 2


def _where_an_order_is(situation: Situation, _counter: Counter) -> bool:
    """An order is asked for, rather than how long deliveries take."""
    likely = situation.chance("track_order")
    return likely >= HOLDS and (bool(situation.named_orders) or likely >= situation.chance("delivery_question"))


def _how_things_are_done(situation: Situation, _counter: Counter) -> bool:
    likely = situation.chance("delivery_question", "payment_question", "invoice", "warranty", "refund_status")
    return likely >= HOLDS and likely >= situation.chance(*_GOODS_INTENTS, "recommend")


def _another_address(situation: Situation, _counter: Counter) -> bool:
    """Another address is wanted, or an order and an address are named in one turn."""
    both = bool(situation.named_orders) and bool(situation.mentioned("address"))
    return situation.chance("change_address") >= HOLDS or both


def _asks_for_human(situation: Situation, _counter: Counter) -> bool:
    """A human is asked for; when people are there, and what can be done in person, are other questions."""
    return situation.chance("human") >= HOLDS and not _NOT_A_CALL.search(situation.text.lower())


def _about_orders(situation: Situation, _counter: Counter) -> bool:
    return bool(situation.turn.customer) and bool(_ORDERS.search(situation.text.lower()))


def _others_data(situation: Situation, _counter: Counter) -> bool:
    return bool(_OTHERS.search(situation.text.lower()))


def _always(_situation: Situation, _counter: Counter) -> bool:
    return True


POLICY: Final[tuple[Row, ...]] = (
    Row("a human has the conversation", lambda s, _: bool(s.memory.desk), say("waiting", "waiting")),
    Row("somebody may harm themselves", danger("self_harm"), hand_over("crisis", "help")),
    Row("orders are given to the assistant", danger("injection"), say("injection", "refuse")),
    Row("others are asked about", _others_data, say("others", "refuse")),
    Row("angry again", _upset_again, hand_over("upset", "upset")),
    Row("an insult, not the first", lambda s, _: s.in_danger("abuse") and s.memory.abused >= 1, hand_over("abuse")),
    Row("an insult", danger("abuse"), calm),
    Row("a yes to the proposal", _agreed, carry_out),
    Row("a no to the proposal", _declined, drop),
    Row("a yes to no proposal", _stale, stale),
    Row("a human is asked for", _asks_for_human, hand_over("asked")),
    Row("advice of doctors or lawyers is asked for", danger("medical", "legal"), product_without_advice),
    Row("the order to cancel was asked back", _answers_which("cancel"), act("cancel")),
    Row("the order to return was asked back", _answers_which("return"), act("return")),
    Row("order or address to change was asked back", _answers_which("address"), act("address")),
    Row("another address", _another_address, act("address")),
    Row("a cancellation", wants("cancel_order"), act("cancel")),
    Row("a return", wants("return_item"), act("return")),
    Row("where an order is", _where_an_order_is, status),
    Row("an order is named", lambda s, _: bool(s.named_orders), status),
    Row("a wish grows narrower", refines, recommend),
    Row("two things side by side", _two_things, compare),
    Row("how things are done here", _how_things_are_done, answer),
    Row("the wish was asked back", awaits("wish"), recommend),
    Row("two products were asked back", awaits("product", "compare"), compare),
    Row("the product was asked back", awaits("product"), product),
    Row("the open page says what is asked of it", _asks_of_the_page, page),
    Row("something is wished for above all", _wishes, recommend),
    Row("a thing is asked about", _about_goods, product),
    Row("something is wished for", wants("recommend"), recommend),
    Row("a greeting", foremost("greeting"), say("hello", "smalltalk")),
    Row("thanks", foremost("thanks"), say("welcome", "smalltalk")),
    Row("goodbye", foremost("goodbye"), say("goodbye", "smalltalk")),
    Row("a yes to nothing", foremost("yes"), stale),
    Row("a no to nothing", foremost("no"), say("kept", "answer")),
    Row("the page says something", _thing_in_sight, page),
    Row("a kind of thing at a price", sells_at, recommend),
    Row("the shop's words say something", _always, answer),
    Row("a kind of thing is asked for", sells, recommend),
    Row("a thing is named or open, and nothing else", _on_a_page, product),
    Row("orders are spoken of", _about_orders, status),
    Row("nothing a shop deals with", _outside, say("outside", "refuse")),
    Row("a thing is asked about, and none is named", wants(*_GOODS_INTENTS), product),
    Row("a complaint", wants("complaint"), hand_over("complaint", "upset")),
    Row("not understood", _always, ask_back),
    Row("not understood again", _always, hand_over("unsure")),
)


def decide(situation: Situation, counter: Counter) -> tuple[Row, Draft]:
    """The row of the policy that decides, and its reply."""
    for row in POLICY:
        if row.holds(situation, counter):
            draft = row.move(situation, counter)
            if draft is not None:
                return row, draft
    raise AssertionError("the last row always answers")

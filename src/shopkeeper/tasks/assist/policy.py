"""What the assistant does when: one table, read from the top; the first row that holds and whose move answers decides.

Rows on safety come first, then what is open between the two (a human, a proposal, a question asked back), then what is
wanted, from what is done to what is only said. A move that finds that it cannot answer leaves the turn to the rows below it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from shopkeeper.tasks.assist.acts import TOOLS, act, carry_out, drop, stale
from shopkeeper.tasks.assist.answers import answer
from shopkeeper.tasks.assist.compare import compare, named_in
from shopkeeper.tasks.assist.desk import ask_back, calm, hand_over, product_without_advice, say, summary
from shopkeeper.tasks.assist.facts import page, product
from shopkeeper.tasks.assist.orders import ordinal, status
from shopkeeper.tasks.assist.situation import HOLDS, Counter, Draft, Move, Situation, draft
from shopkeeper.tasks.assist.wishes import complains, only_for_whom, recommend, refines, sells, sells_at

UPSET: Final = -0.5
"""Sentiment at and below which a turn is an angry one."""
_ANOTHER: Final = r"(?:another|other|different|someone else|somebody else) (?:customer|person|user|buyer|client)s?|(?:other|different) people|someone else|somebody else"
_NEAR: Final = r"my (?:neighbou?r|ex|boss|colleague|friend|wife|husband|girlfriend|boyfriend)"
_HELD: Final = r"(?:orders?|e-?mails?|data|details|purchases?|accounts?|(?:phone|mobile|telephone) ?(?:numbers?)?|numbers?|passwords?|cards?|names?|history)"
_THEIRS_EN: Final = (
    rf"\b(?:{_ANOTHER})(?:'s|s'|')? (?:\w+ ){{0,2}}?(?:{_HELD}|address(?:es)?)\b(?! (?:reviews?|say|think))"
    rf"|\b(?:{_HELD}|address(?:es)?) (?:of|from|for|about) (?:the |an |any |all |all the |some )?(?:{_ANOTHER}|{_NEAR})\b"
    rf"|\b(?:what|which) [^.?!]{{0,24}}?\b(?:{_ANOTHER}|{_NEAR}) (?:\w+ )?(?:order|buy|bought|purchase|get|place)(?:e?d)?\b(?! (?:with|together|along|alongside|instead|most|usually|too)\b)"
    r"|\b(?:tell|show|give|list)\b[^.?!]{0,12}\b(?:other|another) (?:customer|user|buyer|client)s?\b(?!(?:'s|s'|')? ?(?:say|think|review|opinion|rat|photo|experience|feedback|comment|like|recommend|buy|bought|use|thought|said))"
    rf"|\b{_NEAR}(?:'s|s'|s|')? (?:orders?|email|e-mail|data|purchases?|account|(?:phone|mobile) number)\b"
    rf"|(?<!\bto )(?<!\bat )(?<!\buse )(?<!\bwith )\b{_NEAR}(?:'s|s'|s|')? address\b"
    r"|\b(?:customer|buyer|client|user)(?:'s)? (?:(?:no\.?|number|id) ?)?#?(?:[a-z]{1,3}-?)?\d[a-z0-9-]*(?![a-z0-9/%.]| ?(?:%|percent|off|stars?|ratings?|years?|discounts?|coupons?|reviews?|euros?|dollars?|hours?|days?)\b)"
    r"|\b(?:customer|buyer|client)s? (?:at|who|from|named|called|living|who lives|living at|who lives at|living in) (?:[a-z]+ )?\d"
)
_PERSON_ZH: Final = r"(?:别人|其[他它]人|(?:其[他它]|别的|另外?一?[个位]|某[个位]?)(?:顾客|客户|用户|买家|人)|我(?:的)?(?:邻居|前任|前女友|前男友|女朋友|男朋友|同事|朋友|老板|老婆|老公))"
_THEIRS_ZH: Final = (
    rf"(?<!送到|寄到|发到|送去|寄去|寄往|寄给|送给|改成|换成|改到|换到|改为)(?<![填用]){_PERSON_ZH}的?[^,，。?？!！评]{{0,6}}?(?:订单|地址|电话|手机号|资料|信息|邮箱|账号|密码)"
    rf"|{_PERSON_ZH}[^,，。?？!！]{{0,6}}?(?:买|订|下单)[了过的]?(?:东西|商品)?(?:是|都?有)?(?:些)?(?:什么|啥|哪)"
    r"|(?:顾客|客户|用户)(?:编号|号|id)?[:：]?[a-z]{0,3}-?\d+(?![\d折人位名个%万千元块岁年天星分多评减条送])"
    r"|(?<!我)(?<!我们)住[^,，。?？!！]{2,20}?(?:的|那位|那个)+(?:顾客|客户|买家|(?:人|先生|女士)的?[^,，。?？!！]{0,4}(?:买|订|下单|电话|手机|地址|叫什么))"
)
_OTHERS: Final = re.compile(f"{_THEIRS_EN}|{_THEIRS_ZH}")
"""Asks for what another customer bought or is: not what buyers say, and not a gift that goes to a friend's address."""

_GOODS_INTENTS: Final = ("product_question", "price", "stock", "review_question")
_HINT: Final = 0.15
_SURELY: Final = 0.7
_TWO_NAMES: Final = 16
"""Characters of a question that may name two products."""
_SIDE_BY_SIDE: Final = re.compile(
    r"\b(?:compar\w*|cheaper|versus|vs|or|than|difference|better|which)\b|哪个|比|还是|对比|差|区别|便宜|划算"
)
_WHICH_OF_TWO: Final = re.compile(
    r"[\u4e00-\u9fff]{2,12}(?:和|跟|与|还是)[\u4e00-\u9fff]{2,12}?(?:比)?(?:哪个|哪款|哪种|谁)(?:更|比较)?(?:便宜|贵|好|划算|耐用|值|适合)"
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


def _complains(situation: Situation, _counter: Counter) -> bool:
    """A complaint is meant above all, or what was bought is broken or the wrong thing."""
    surely = situation.wanted == "complaint" and situation.chance("complaint") >= _SURELY
    return surely or complains(situation.text)


def apologise(situation: Situation, counter: Counter) -> Draft | None:
    """Say sorry, and what the shop's words say about such a case, else pass it on to a human."""
    found = answer(situation, counter)
    if found is None:
        return hand_over("complaint", "upset")(situation, counter)
    sorry = situation.speech().say("upset")
    found.speech.parts[:0], found.speech.wording[:0] = sorry.parts, sorry.wording
    return found


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
    if situation.chance("compare") >= HOLDS or _WHICH_OF_TWO.search(situation.text):
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


def in_crisis(situation: Situation, counter: Counter) -> Draft:
    """Say where there is help, and hand over; a human who is called already finds the case they were called for raised."""
    memory = situation.memory
    if not memory.desk:
        handed = hand_over("crisis", "help")(situation, counter)
        assert handed is not None
        return handed
    speech = situation.speech().say("help").say("waiting")
    found = draft(situation, "handover", speech, desk=memory.desk, cases=max(memory.cases, 1))
    return replace(found, summary=summary(situation, counter, "crisis"), case="crisis")


POLICY: Final[tuple[Row, ...]] = (
    Row("somebody may harm themselves", danger("self_harm"), in_crisis),
    Row("a human has the conversation", lambda s, _: bool(s.memory.desk), say("waiting", "waiting")),
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
    Row("something bought is not right", _complains, apologise),
    Row("the wish was asked back", awaits("wish"), recommend),
    Row("two products were asked back", awaits("product", "compare"), compare),
    Row("the product was asked back", awaits("product"), product),
    Row("the open page says what is asked of it", _asks_of_the_page, page),
    Row("something is wished for above all", _wishes, recommend),
    Row("a thing is asked about", _about_goods, product),
    Row("something is wished for", wants("recommend"), recommend),
    Row("a gift, and only for whom is said", only_for_whom, recommend),
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
            found = row.move(situation, counter)
            if found is not None:
                return row, found
    raise AssertionError("the last row always answers")

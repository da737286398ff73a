"""Every sentence that the assistant says of itself, in English and Chinese, and how it writes days."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from shopkeeper.store.orders import OrderStatus

SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    "hello": ("Hello! What can I do for you?", "您好！请问有什么可以帮您？"),
    "welcome": ("You are welcome.", "不客气。"),
    "goodbye": ("Goodbye, and thank you for coming by.", "再见，感谢光临。"),
    "empty": ("Please write what I can do for you.", "请写下您想咨询的内容。"),
    "cut": ("Your message was long; I read its first {count} characters.", "您的消息很长，我只读了前{count}个字。"),
    "slower": ("That was a lot at once. Please write again in {count} seconds.", "消息有点多，请{count}秒后再发。"),
    "waiting": (
        "A colleague has this conversation and sees what you write here.",
        "人工客服正在处理本次对话，会看到您写的内容。",
    ),
    "handed": (
        "I am passing you on to a colleague, who can read this conversation.",
        "我为您转接人工客服，同事会看到这段对话。",
    ),
    "upset": ("I am sorry that this has gone badly.", "很抱歉让您有这样的体验。"),
    "help": (
        "I am sorry that you are going through this. You do not have to carry it alone: please talk to someone you trust, "
        "or call your local emergency number or a crisis line right now.",
        "听到您这么难受，我很担心。您不必独自承受：请马上联系您信任的人，或拨打当地的急救电话或心理援助热线。",
    ),
    "injection": (
        "I cannot do that. I can help with goods, orders, delivery and returns.",
        "这个我做不到。我可以帮您解答商品、订单、配送和退换的问题。",
    ),
    "calm": (
        "I would like to help. Please let us stay polite; what is it about?",
        "我很想帮您解决问题，请我们好好沟通。是什么事呢？",
    ),
    "others": (
        "I can only speak about your own orders and data, not about those of others.",
        "我只能查询您本人的订单和资料，不能透露他人的信息。",
    ),
    "no_advice": (
        "I can tell you what the shop knows about its goods, but this is no medical or legal advice; please ask a professional.",
        "我只能提供商品资料，不能给出医疗或法律建议，请咨询专业人士。",
    ),
    "outside": (
        "That is outside of what I know. I can help with goods, orders, delivery and returns.",
        "这超出了我的了解范围。我可以帮您解答商品、订单、配送和退换的问题。",
    ),
    "unclear": (
        "I am not sure what you mean. Is it about an order, a product, or how the shop works?",
        "我没有完全明白。您想问的是订单、商品，还是店铺的规则？",
    ),
    "unknown": ("I find nothing about that in what the shop has written.", "我在店铺的资料里没有找到相关内容。"),
    "which_product": ("Which product do you mean? A name or a code helps.", "请问是哪件商品？告诉我名称或货号就行。"),
    "which_two": ("Which two products shall I compare?", "请问要比较哪两件商品？"),
    "which_order": ("Which order do you mean?", "请问是哪一笔订单？"),
    "one_order": ("{order}, placed on {day}: {goods}.", "{order}，{day}下单：{goods}。"),
    "which_address": (
        "Where shall order {order} go? Please write the whole address.",
        "订单{order}要改寄到哪里？请写下完整地址。",
    ),
    "sign_in": (
        "Please sign in first, so that I see your orders and nobody else's.",
        "请先登录，这样我才能看到您本人的订单。",
    ),
    "no_orders": ("I find no orders of yours.", "没有找到您的订单。"),
    "no_such_order": ("I find no order {order} among yours.", "您的订单中没有{order}。"),
    "nothing_open": (
        "Nothing waits for a yes, so I have changed nothing.",
        "目前没有等您确认的操作，我没有做任何更改。",
    ),
    "expired": (
        "That was a while ago, so I have changed nothing. Please say again what you want.",
        "时间已过，我没有做任何更改。请再说一遍您的需求。",
    ),
    "kept": ("All right, I have changed nothing.", "好的，我没有做任何更改。"),
    "again": ("That is done already.", "这已经办好了。"),
    "status_placed": (
        "Order {order} of {day} is placed and not packed yet.",
        "订单{order}（{day}下单）已提交，还未打包。",
    ),
    "status_packed": ("Order {order} of {day} is packed.", "订单{order}（{day}下单）已打包。"),
    "status_shipped": ("Order {order} of {day} is on its way.", "订单{order}（{day}下单）正在运送途中。"),
    "status_delivered": ("Order {order} of {day} has been delivered.", "订单{order}（{day}下单）已送达。"),
    "status_cancelled": ("Order {order} of {day} is cancelled.", "订单{order}（{day}下单）已取消。"),
    "status_returning": ("Order {order} of {day} is being returned.", "订单{order}（{day}下单）正在退货中。"),
    "status_returned": ("Order {order} of {day} has come back to us.", "订单{order}（{day}下单）已退回入库。"),
    "carrier": ("It travels with {carrier}, tracking number {tracking}.", "承运商{carrier}，运单号{tracking}。"),
    "due": ("It is due on {day}.", "预计{day}送达。"),
    "late": ("It was due on {day}, so it is late; I am sorry.", "原定{day}送达，已经晚了，非常抱歉。"),
    "arrived": ("It arrived on {day}.", "{day}签收。"),
    "goes_to": ("It goes to {address}.", "收货地址：{address}。"),
    "holds": ("It holds: {goods}.", "包含：{goods}。"),
    "ask_cancel": ("Shall I cancel order {order} ({goods})?", "确认取消订单{order}（{goods}）吗？"),
    "ask_return": (
        "Shall I register the return of order {order} ({goods})?",
        "确认为订单{order}（{goods}）申请退货吗？",
    ),
    "ask_address": ("Shall I send order {order} to {address}?", "确认把订单{order}改寄到{address}吗？"),
    "say_yes": ("Please answer yes or no.", "请回复“是”或“否”。"),
    "did_cancel": ("Order {order} is cancelled.", "订单{order}已取消。"),
    "did_return": ("The return of order {order} is registered.", "订单{order}的退货已登记。"),
    "did_address": ("Order {order} now goes to {address}.", "订单{order}的收货地址已改为{address}。"),
    "cannot_cancel": ("Order {order} can no longer be cancelled.", "订单{order}已经不能取消了。"),
    "cannot_return": ("Order {order} cannot be returned now.", "订单{order}现在不能退货。"),
    "cannot_address": ("The address of order {order} can no longer be changed.", "订单{order}的地址已经不能修改了。"),
    "too_late": ("That was possible until {day}.", "截止日期是{day}。"),
    "not_arrived": ("It has not arrived yet.", "商品还未送达。"),
    "case_wants": ("Wants: {wants}.", "诉求：{wants}。"),
    "case_tried": ("The assistant said: {tried}", "助手答复：{tried}"),
    "case_order": ("Order: {order}.", "订单：{order}。"),
    "case_who": (
        "Customer {customer}, mood {mood}, reason: {reason}.",
        "顾客{customer}，情绪{mood}，转接原因：{reason}。",
    ),
    "case_words": ("Last words: “{words}”", "最后一句：“{words}”"),
    "stranger": ("not signed in", "未登录"),
    "mood_bad": ("unhappy", "不满"),
    "mood_good": ("friendly", "友好"),
    "mood_even": ("calm", "平静"),
    "reason_asked": ("asked for a human", "要求人工"),
    "reason_upset": ("angry again", "多次不满"),
    "reason_abuse": ("insulting", "辱骂"),
    "reason_crisis": ("may be in danger", "可能有危险"),
    "reason_unsure": ("not understood or not known", "助手无法解答"),
    "reason_failed": ("an action failed", "操作失败"),
    "reason_complaint": ("complains", "投诉"),
    "failed": ("I could not do that; a colleague will look at it.", "我没能办成，会请同事来处理。"),
    "price": ("“{title}” costs {price}.", "“{title}”的价格是{price}。"),
    "no_price": ("No price is given for “{title}”.", "“{title}”没有标价。"),
    "in_stock": ("“{title}” is in stock.", "“{title}”有货。"),
    "out_of_stock": ("“{title}” is sold out.", "“{title}”已售罄。"),
    "preorder": ("“{title}” can be ordered in advance.", "“{title}”可以预订。"),
    "backorder": ("“{title}” can be ordered and comes later.", "“{title}”可以下单，稍后发货。"),
    "gone": ("“{title}” is no longer offered.", "“{title}”已下架。"),
    "has": ("{name} of “{title}”: {value}.", "“{title}”的{name}：{value}。"),
    "page_says": ("The page of “{title}” says: “{words}”", "“{title}”的页面写道：“{words}”"),
    "page_silent": ("The page of “{title}” says nothing about that.", "“{title}”的页面没有提到这一点。"),
    "stars": (
        "Buyers give “{title}” {stars} of 5 stars on average ({count} reviews).",
        "买家给“{title}”的平均分是{stars}分（满分5分，{count}条评价）。",
    ),
    "no_reviews": ("Nobody has reviewed “{title}” yet.", "“{title}”还没有评价。"),
    "one_says": ("One buyer writes: “{words}”", "有买家写道：“{words}”"),
    "another_says": ("Another one: “{words}”", "另一位写道：“{words}”"),
    "cheaper": ("“{title}” is cheaper.", "“{title}”更便宜。"),
    "same_price": ("Both cost the same.", "两件价格相同。"),
    "better_rated": ("“{title}” has the higher rating.", "“{title}”的评分更高。"),
    "found": ("This is what I found for “{wish}”:", "按“{wish}”为您找到："),
    "close": ("Nothing fits “{wish}” exactly; these come closest:", "没有完全符合“{wish}”的商品，比较接近的有："),
    "for_you": ("This might suit you:", "这些可能适合您："),
    "none_found": ("I find nothing on sale for “{wish}”.", "没有找到符合“{wish}”的在售商品。"),
    "good": ("“{title}” for {price}", "“{title}”，{price}"),
    "good_unpriced": ("“{title}”", "“{title}”"),
    "wish": ("What should it be for, and what may it cost?", "您想用在什么场合？预算大概多少？"),
}

STATUS: Final[Mapping[OrderStatus, str]] = {status: f"status_{status.value}" for status in OrderStatus}
_MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_HOLE: Final = re.compile(r"\{\w+\}")

WORDING: Final = tuple(_HOLE.sub(" ", sentence) for pair in SENTENCES.values() for sentence in pair)
"""The fixed words of all sentences, which need no evidence."""


def side(language: str) -> int:
    """Place of a language in a pair (English, Chinese)."""
    return int(language == "zh")


class Speech:
    """A reply in the making: sentences said, and the wording of the shop that they are made of.

    Attributes:
        parts: What was said so far.
        wording: The fixed words among it, which need no evidence.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self.parts: list[str] = []
        self.wording: list[str] = []

    def say(self, key: str, **values: object) -> Speech:
        """Say one of `SENTENCES`."""
        pattern = SENTENCES[key][side(self.language)]
        self.wording.append(_HOLE.sub(" ", pattern))
        self.parts.append(pattern.format(**values))
        return self

    def quote(self, words: str) -> Speech:
        """Say words that stand in the evidence as they are."""
        self.parts.append(words)
        return self

    @property
    def text(self) -> str:
        """All of it in one line."""
        return ("" if self.language == "zh" else " ").join(part for part in self.parts if part)


def day(moment: datetime, language: str) -> str:
    """A day in words: ``12 March 2026``, ``2026年3月12日``."""
    if language == "zh":
        return f"{moment.year}年{moment.month}月{moment.day}日"
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def listed(names: Sequence[str], language: str) -> str:
    """Several names in a row."""
    return ("、" if language == "zh" else ", ").join(names)

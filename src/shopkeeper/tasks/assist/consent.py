"""Is this a clear yes, a clear no, or neither? Nothing is done to an order on less than the first.

The whole message must be consent, and a verb in it must be that of the action: "yes, but to another address" is none, and
"cancel it" agrees to no return; a question agrees to nothing. A classifier is not asked.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

_YES: Final = (
    r"(?:(?:oh |well |um )?(?:yes|yeah|yep|yup|ya|y|sure|ok|okay|correct|right|exactly|absolutely|definitely|certainly|of course|agreed"
    r"|confirm|confirmed|i confirm|i agree|please do|do it|go ahead|go for it|proceed|sounds good|that's right|that is right"
    r"|that's correct|that is correct|fine|perfect|alright|all right|please|thanks|thank you|do that|do so|i do|i am sure|i'm sure|it is))"
)
_NO: Final = (
    r"(?:no|n|nope|nah|never mind|nevermind|don't|do not|please don't|stop|rather not|not now|forget it|leave it|leave it as it is"
    r"|keep it|keep it as it is|keep (?:the|my|this|that) order|(?:i'd rather|i'll|i want to|i would like to|i'd like to) keep (?:it|(?:the|my|this|that) order)"
    r"|i changed my mind|i've changed my mind|on second thought|it's fine|that's wrong|wait)"
)
_BESIDE_NO: Final = r"(?:thanks|thank you|please|do it|do that)"
"""Said along with a no, and none alone."""
_YES_ZH: Final = r"(?:嗯+[呢呐]?|恩+|哦|是的?|对的?|好[的滴嘞哒呀勒咧]?|我(?=确认|确定|同意|要|没问题)|(?:就)?办理?(?:一下)?|行|可以的?|确认|确定|没错|没问题|同意|要的?|ok|okay|yes|就这样|就这么办|请|帮我|麻烦(?:您|你)?了?|谢谢|吧|呀|啊|哦|了)"
_NO_ZH: Final = r"(?:不是?的?|不要|不用|不必|不行|不可以|不同意|否|别|先别|算了|先不|等一下|等等|还是|我?再想想|先这样|保留|留着|改主意了|no|谢谢|吧|了|的|好|啊)"
_STARTS_NO_ZH: Final = re.compile(r"(?:还是|好吧?)?(?:不|否|别|先别|先不|算了|等一下|等等|我?再想想|no|我?改主意)")
_VERBS: Final = {
    "cancel": (r"cancel(?: it| the order| that order| my order)?", r"取消(?:它|订单|这单|掉)?"),
    "return": (
        r"(?:return it|return them|return (?:the|my|that) order|send it back|register (?:it|the return))",
        r"(?:申请|登记|办理)?退(?:货|了|掉)?|申请|登记",
    ),
    "address": (
        r"(?:change (?:it|the address)|send it there|ship it there|update (?:it|the address))",
        r"(?:修?改|改寄|更新|换)(?:地址|过去|到那里)?",
    ),
}
_ASIDE_ZH: Final = re.compile(r"(?:对了|行了|够了|可以了|好了)+[吧啊呀哦]?")
"""Said to change the subject or to make an end: they begin like consent and are none."""
_ONLY_POLITE: Final = re.compile(r"(?:please|thanks|thank you| )+|(?:谢谢|请|帮我|麻烦(?:您|你)?了?|吧|呀|啊|哦|了)+")


def consent(text: str, tool: str) -> bool | None:
    """True for a clear yes to a tool, False for a clear no, None for anything else.

    >>> consent("Yes, please go ahead!", "cancel"), consent("是的，取消吧", "cancel"), consent("no thanks", "return")
    (True, True, False)
    >>> consent("yes, but not that one", "cancel"), consent("cancel it", "return"), consent("thanks", "cancel")
    (None, None, None)
    >>> consent("cancel it?", "cancel"), consent("取消？", "cancel"), consent("对了", "cancel")
    (None, None, None)
    """
    plain = unicodedata.normalize("NFKC", text[:200]).casefold().replace("’", "'")
    if "?" in plain:
        return None
    english = " ".join(re.sub(r"[^\w' ]+|_", " ", plain).split())
    chinese = re.sub(r"[\W_]+", "", plain)
    yes, no, yes_zh, no_zh = _patterns(tool)
    if not english or any(said.fullmatch(words) for said in (_ONLY_POLITE, _ASIDE_ZH) for words in (english, chinese)):
        return None
    if no.fullmatch(english) or (_STARTS_NO_ZH.match(chinese) and no_zh.fullmatch(chinese)):
        return False
    if yes.fullmatch(english) or yes_zh.fullmatch(chinese):
        return True
    return None


@cache
def _patterns(tool: str) -> tuple[re.Pattern[str], ...]:
    core, verb_zh = _VERBS[tool]
    verb = rf"(?:and )?(?:please )?(?:(?:i (?:do )?(?:want|would like|wish)|i'd like) to )?{core}"
    verb_zh = rf"(?:{verb_zh})(?:一下)?"
    refused = rf"(?:{_NO}|(?:don't|do not|please don't|i (?:don't|do not) want to) (?:{core}))"
    return (
        re.compile(rf"(?:{_YES}|{verb})(?: (?:{_YES}|{verb}))*"),
        re.compile(rf"(?:{_BESIDE_NO} )*{refused}(?: (?:{refused}|{_BESIDE_NO}))*"),
        re.compile(rf"(?:{_YES_ZH}|{verb_zh})+"),
        re.compile(rf"(?:{_NO_ZH}|{verb_zh})+"),
    )

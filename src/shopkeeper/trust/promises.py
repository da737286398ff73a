"""What binds a shop when it is said: promises, free things, superlatives; Chinese and English under one meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_PROMISES: Final = {
    "guarantee": (r"guarantee[ds]?|warrant(?:y|ies|ed)|money[- ]back", "保证|担保|包[您你]|质保|保修|确保"),
    "always": (r"always|at\sall\stimes", "永远|始终|总是"),
    "never": (r"never|under\sno\scircumstances", "绝不|决不|永不|从不"),
    "forever": (r"forever|lifetime|for\slife|permanent(?:ly)?", "永久|终身|终生|一辈子"),
    "certain": (
        r"definitely|absolutely|for\ssure|without\sfail|100\spercent",
        r"一定(?!程度|时间|范围|的)|必定|肯定|百分之?百|绝对|100\s?%",
    ),
    "refund": (r"refund(?:s|ed|able)?", "退款|退钱|包退"),
    "exchange": (r"(?:free|instant)\sexchanges?", "包换|以旧换新"),
    "compensation": (r"compensat\w{1,6}|reimburs\w{1,6}", "赔付|赔偿|假一赔|包赔"),
    "discount": (r"discount(?:s|ed)?|vouchers?|coupons?", "优惠券?|打折|折扣|红包|赠品|赠送|满减|立减"),
    "arrival": (
        r"(?:will|shall)\s(?:\w{1,12}\s){0,2}(?:arrive|reach\syou|be\s(?:delivered|shipped|replaced|credited|there))",
        r"[会将可能][^,。;!?\n会将可能]{0,8}(?:送达|到货|到账|寄到)",
    ),
    "riskless": (r"risk[- ]free|no[- ]questions[- ]asked", "无条件|无理由|零风险"),
}
"""Kinds of promises and how they are made in both languages."""
_SUPERLATIVE: Final = re.compile(
    r"(?<![\w-])(?:(?:the|our|your|its)\s(?:very\s)?(?P<en>best|finest|cheapest|lowest|highest|greatest|fastest|safest|strongest|softest|lightest"
    r"|largest|smallest|ultimate|leading|only\sone|most\s\w{3,20})|(?P<rank>number\sone|no\.\s?1|#1|world[- ]class|best[- ](?:selling|in[- ]class|rated)"
    r"|top[- ]rated|unbeatable|unrivall?ed|unmatched|second\sto\snone))(?!\w|\s(?:regards|wishes|of\s(?:all|luck)))"
    r"|(?P<zh>最[\u3400-\u9fff](?<!最[近后终初多少晚早迟])|全网最低|第一(?![时次步天章个期周年页批种类件条])|国家级|世界级|顶级|顶尖|唯一|独一无二|史上)",
    re.IGNORECASE,
)
_PROMISE: Final = re.compile(
    "|".join(
        rf"(?P<{kind}>(?<![\w-])(?:{english})(?!\w)|(?:{chinese}))" for kind, (english, chinese) in _PROMISES.items()
    ),
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"(?:\b(?:no|not|cannot|never|without)|n['’]t|不|无法|不能|没有?|无|并非)\s?(?:\w{1,8}\s|给|能|会|是){0,2}$",
    re.IGNORECASE,
)
_FREE: Final = re.compile(
    r"(?<![\w-])(?<!feel\s)(?:free(?!-)(?!\s(?:from|to\b|time|of(?!\scharge))|\w)|no\s(?:extra\s)?(?:charge|cost|fee)s?|complimentary|at\sno\scost)(?!\w)"
    r"|免费|包邮|免运费|免邮|白送|零元",
    re.IGNORECASE,
)
_OBJECTS: Final = re.compile(
    r"(?P<returns>returns?(?:\s(?:shipping|postage|delivery))?|退货|退换|换货)|(?P<shipping>shipping|deliver(?:y|ies|ed)|postage|包邮|运费|免邮|配送|送货|邮寄|寄送)"
    r"|(?P<repair>repairs?|replacements?|维修|更换|修理)|(?P<gift>gifts?|赠品|礼品|礼物)|(?P<trial>trials?|试用|试穿)"
    r"|(?P<fitting>installation|assembly|安装|组装)",
    re.IGNORECASE,
)
_NEAR: Final = 24
_CUT: Final = re.compile(r"[,.;:!?。、\n]")


@dataclass(frozen=True, slots=True)
class Binding:
    """Something that binds: its kind (``promise``, ``price`` for what is free, ``superlative``), its meaning, its place."""

    kind: str
    meaning: str
    start: int
    end: int


def bindings(text: str) -> Iterator[Binding]:
    """Everything binding that a plain text says and does not deny ("we cannot guarantee"); linear in its length."""
    for found in _PROMISE.finditer(text):
        if found.lastgroup == "never" or not _DENIED.search(text[max(0, found.start() - 24) : found.start()]):
            yield Binding("promise", str(found.lastgroup), found.start(), found.end())
    for found in _FREE.finditer(text):
        if not _DENIED.search(text[max(0, found.start() - 12) : found.start()]):
            yield Binding("price", f"free {_object(text, found.start(), found.end())}", found.start(), found.end())
    for found in _SUPERLATIVE.finditer(text):
        said = next(group for group in found.groups() if group)
        yield Binding("superlative", re.sub(r"[\s-]+", " ", said.lower()), found.start(), found.end())


def _object(text: str, start: int, end: int) -> str:
    """What is free: the nearest thing in the same clause, empty where none is named."""
    before, after = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    cut = _CUT.search(after)
    after = after[: cut.start()] if cut else after
    before = _CUT.split(before)[-1]
    own = _OBJECTS.search(text[start:end])
    near = [(found.start(), str(found.lastgroup)) for found in _OBJECTS.finditer(after)]
    near += [(len(before) - found.end(), str(found.lastgroup)) for found in _OBJECTS.finditer(before)]
    return str(own.lastgroup) if own else min(near, default=(0, ""))[1]

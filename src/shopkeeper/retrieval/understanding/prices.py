"""Prices that customers ask for: "under $80", "between 50 and 100", "200元以下", "500到1000块", "不超过三百".

Every number of the text is looked at with what stands before and behind it. With a sign or a word for money it is an
amount of money; a bare number is one only beside a word such as "under", and only where neither a unit nor an age can be
meant: "hdmi cable under 10 ft" and "kids toys under 5" speak of no money. Texts are in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shopkeeper.retrieval.understanding.quantities import ARABIC, CHINESE, measured, number

ABOUT = 0.2
"""How far from the amount "around $50" and "50元左右" reach, as a share of it."""
_LEAST_BARE = 5
_REACH = 40

_AMOUNT = re.compile(
    r"(?:(?<![\da-z/×])(?<!\d[.,])|(?<=usd)|(?<=rmb)|(?<=eur)|(?<=gbp)|(?<=cny))(?<![a-z]-)(?<![第几数])"
    rf"(?:(?P<sign>us\$|[$€£¥]|(?<![a-z])(?:usd|eur|gbp|cny|rmb))\s?)?"
    rf"(?P<number>{ARABIC}(?:\s?[百千万]|k(?![a-z]))?|(?<!\d){CHINESE})"
    r"(?P<name>\s?(?:dollars?|bucks?|usd|euros?|eur|gbp|cny|rmb|yuan|quid)(?![a-z])"
    r"|\s?(?:元|块钱|块(?![装头状])|圆|人民币|美元|美金|刀|港币|港元|欧元|英镑|日元|[$€£¥]))?"
)
_ODD = re.compile(r"[a-z/×'\"&_]|[.,-]?\d")  # what makes a number part of a code or a measure
_ZH_ODD = re.compile(r"加减|口算|算术|乘除|识数|数学")
_CHILD = r"kids?|child(?:ren)?|toddlers?|bab(?:y|ies)|boys?|girls?|ages?|aged|players?"
_GROWN_UP = r"wom[ae]n|m[ae]n|adults?|ladies|people|seniors?|multivitamins?|vitamins?"
_YOUNG = re.compile(rf"(?:{_CHILD})(?:'?s)?\s(?:\w+\s)?$")
_AGED = re.compile(rf"(?:{_CHILD}|{_GROWN_UP})(?:'?s)?\s(?:\w+\s)?$")
_OLDEST_CHILD = 16
_LONG = re.compile(r"(?:[宽长高厚重深径龄码号级度版秒约]|(?:评分|评价|评级|星级)[在是]?)$")

_LED = r"(?:(?<![a-z])(?:(?:for|at)\s)?(?:the\s)?(?:priced?|prices|costs?|costing|budget)?(?:\s(?:is|of))?[: ]?\s?)?"
_SPENT = r"(?:(?:价格|价位|售价|单价|价钱|预算)(?:在|是|为|:)?\s?)?"
_UNDER = re.compile(
    rf"(?:{_LED}(?<![a-z])(?:under|below|less than|lower than|cheaper than|(?:no|not) more than|not over|at most|up to|<=?)\s?"
    rf"|{_SPENT}(?:不超过|不高于|不大于|(?<!不)(?:低于|少于|小于)|不到|最多|至多|便宜于|控制在|别超过)\s?|预算(?:在|是|为|:)?\s?)$"
)
_UNDER_MONEY = re.compile(rf"{_LED}(?<![a-z])(?:within|max(?:imum)?(?: of)?|beneath|budget(?: of| is|:)?)\s?$")
_OVER = re.compile(
    rf"(?:{_LED}(?<![a-z])(?:over|above|more than|at least|greater than|higher than|(?:no|not) less than|>=?)\s?"
    rf"|{_SPENT}(?:不低于|不少于|不小于|(?<![不别能])(?:高于|超过|大于|多于)|至少|最少|起码|贵于)\s?)$"
)
_OVER_MONEY = re.compile(rf"{_LED}(?<![a-z])(?:from|min(?:imum)?(?: of)?|starting at)\s?$")
_NEAR = re.compile(r"(?<![a-z])(?:(?:for|at)\s)?(?:around|about|roughly|~)\s?$|大约\s?$")
_BETWEEN = re.compile(rf"{_LED}(?<![a-z])(?:between|from)\s$|{_SPENT}(?:介于|在)?$")

_OR_LESS = re.compile(r"\s?(?:及|或)?(?:以下|以内|之内|之下|以里|封顶)(?:价位|价格)?的?|\s?内(?:的|(?=\s|[,。]|$))")
_OR_LESS_MONEY = re.compile(r"\s?(?:or|and|&)\s(?:under|less|below|cheaper)(?![a-z])|\s?max(?:imum)?(?![a-z])")
_OR_MORE = re.compile(r"\s?(?:及|或)?(?:以上|往上|之上|起步)(?:价位|价格)?的?|\s?起(?:的|(?=\s|[,。]|$))")
_OR_MORE_MONEY = re.compile(r"\s?(?:or|and|&)\s(?:up|above|more|over|higher)(?![a-z])|\+")
_SO = re.compile(r"\s?(?:左右|上下)(?:价位|价格)?的?")
_AFTER_RANGE = re.compile(r"\s?(?:之间|以内)?(?:价位|价格)?的?")
_LIMIT = re.compile(r"(?:under|below|over|above|less than|more than|at least|up to|between)\s?$")
_SPENT_BEFORE = re.compile(r"(?:价格|价位|售价|单价|价钱|预算)(?:在|是|为|:)?\s?$")
_TO = re.compile(r"\s?(?:-|~|–|—|到|至|to|and|和)\s?|一")
_ENDS = re.compile(r"\s*(?:$|[,;.。的、]|with\b|for\b|in\b|and\b|but\b|not\b|no\b|without\b|size\b)")
_ENDS_ZH = re.compile(r"\s*$|[\s,。、的]|以[上下内]")


@dataclass(frozen=True, slots=True)
class Bound:
    """A price that was asked for: which characters say so, and what it must be at least and at most."""

    start: int
    end: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class _Amount:
    start: int
    end: int
    value: float
    money: bool
    plain: bool
    """Neither part of a code nor followed by a unit."""


def prices(text: str) -> list[Bound]:
    """The price bounds of a text in lower case, in order.

    >>> prices("tablet under 100")
    [Bound(start=7, end=16, low=None, high=100.0)]
    >>> [(bound.low, bound.high) for bound in prices("500-1000元 手机")]
    [(500.0, 1000.0)]
    """
    found: list[Bound] = []
    amounts = list(_amounts(text))
    place = 0
    while place < len(amounts):
        amount = amounts[place]
        bound = None
        if place + 1 < len(amounts):
            bound = _range(text, amount, amounts[place + 1])
        place += 2 if bound else 1
        bound = bound or _single(text, amount)
        if bound and (not found or bound.start >= found[-1].end):
            found.append(bound)
    return found


def _amounts(text: str) -> Iterator[_Amount]:
    for found in _AMOUNT.finditer(text):
        digits = found["number"]
        money = bool(found["sign"] or found["name"])
        if not money and len(digits) == 1 and not digits.isascii():
            continue
        end = found.end()
        plain = not _ODD.match(text, end) and not (not money and measured(text, end))
        yield _Amount(found.start(), end, number(digits), money, plain)


def _range(text: str, one: _Amount, two: _Amount) -> Bound | None:
    joint = _TO.fullmatch(text, one.end, two.start)
    if not joint or not two.plain or (one.money and measured(text, one.end)):
        return None
    before = _BETWEEN.search(text, max(0, one.start - _REACH), one.start)
    said = before is not None and "between" in before[0]
    after = _AFTER_RANGE.match(text, two.end)
    assert after is not None  # it matches nothing, too
    framed = said or "之间" in after[0]
    if not (one.money or two.money or (framed and not _aged(text, one, upper=True) and two.value >= _LEAST_BARE)):
        return None
    if joint[0].strip() in ("and", "和") and not framed:
        return None
    low, high = sorted((one.value, two.value))
    return Bound(before.start() if before else one.start, after.end(), low, high)


def _single(text: str, amount: _Amount) -> Bound | None:
    if not amount.plain:
        return None
    start = max(0, amount.start - _REACH)
    value = amount.value
    led = _SPENT_BEFORE.search(text, start, amount.start)
    spent = led.start() if led else amount.start
    if amount.money:
        for before, after, low, high in (
            (_UNDER_MONEY, _OR_LESS_MONEY, None, value),
            (_OVER_MONEY, _OR_MORE_MONEY, value, None),
            (_NEAR, _SO, value * (1 - ABOUT), value * (1 + ABOUT)),
        ):
            if ahead := before.search(text, start, amount.start):
                return Bound(ahead.start(), amount.end, low, high)
            if behind := after.match(text, amount.end):
                return Bound(spent, behind.end(), low, high)
    for before, after, low, high in ((_UNDER, _OR_LESS, None, value), (_OVER, _OR_MORE, value, None)):
        ahead, behind = before.search(text, start, amount.start), after.match(text, amount.end)
        if not (ahead or behind):
            continue
        end = behind.end() if behind else amount.end
        if not amount.money and not _bare(
            text, amount, end, latin=ahead is not None and ahead[0].isascii(), upper=low is None
        ):
            continue
        return Bound(ahead.start() if ahead else spent, end, low, high)
    return None


def _bare(text: str, amount: _Amount, end: int, *, latin: bool, upper: bool) -> bool:
    """Whether a number without any sign of money can be a price."""
    if amount.value < _LEAST_BARE or _aged(text, amount, upper=upper):
        return False
    if latin:
        return upper or _ENDS.match(text, end) is not None
    return not (_LONG.search(text, 0, amount.start) or _ZH_ODD.search(text)) and (
        text[end - 1] == "的" or _ENDS_ZH.match(text, end) is not None
    )


def _aged(text: str, amount: _Amount, *, upper: bool) -> bool:
    """Whether the words before speak of people, so that the number may be an age: "kids under 5", "women over 50"."""
    if upper and amount.value > _OLDEST_CHILD:
        return False
    before = _LIMIT.sub("", text[max(0, amount.start - _REACH) : amount.start])
    return (_YOUNG if upper else _AGED).search(before) is not None

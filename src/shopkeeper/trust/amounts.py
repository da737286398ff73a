"""Amounts and units as Chinese and English write them: patterns that find them, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Final

from shopkeeper.retrieval.understanding.quantities import number as numeral

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_ROUND = "twenty thirty forty fifty sixty seventy eighty ninety"
_ONES = _SMALL.split()
_TENS = dict(zip(_ROUND.split(), range(20, 100, 10), strict=True))
_LARGE = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 1_000_000}
_SCALES = {"百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_UNITS: Final = {
    name: canonical
    for canonical, names in {
        "mm": "mm millimet(?:re|er)s? 毫米", "cm": "cm centimet(?:re|er)s? 厘米 公分", "m": "m met(?:re|er)s? 米",
        "km": "km kilomet(?:re|er)s? 公里", "inch": "inch(?:es)? 英寸", "foot": "ft foot feet 英尺",
        "g": "g grams? 克", "kg": "kg kilos? kilograms? 公斤 千克", "lb": "lbs?", "oz": "oz ounces? 盎司", "jin": "斤",
        "ml": "ml millilit(?:re|er)s? 毫升", "l": "l lit(?:re|er)s? 升", "w": "w watts? 瓦", "v": "v volts? 伏",
        "mah": "mah 毫安时?", "tb": "tb", "gb": "gb", "mb": "mb",
        "second": "sec(?:ond)?s? 秒", "minute": "min(?:ute)?s? 分钟", "hour": "h hrs? hours? 个?小时 个钟头",
        "day": "days? 天 日", "workday": r"(?:working|business)[\s-]days? 个?工作日", "week": "weeks? 周 个?星期 个?礼拜",
        "month": "months? 个月", "year": "years? yrs? 年 岁", "percent": r"% percent per\scent", "degree": "°c? degrees? 度",
        "seat": "seats? seater 人座", "page": "pages? 页", "star": "stars? 星", "fold": "倍", "zhe": "折",
        "piece": "pieces? pcs? packs? 片装? 件套?", "": "[个种款次位份条张双只把台套瓶包盒袋本支根颗粒层组人]",
    }.items()
    for name in names.split(" ")
}  # fmt: skip
"""How units are written, as patterns, and what they are counted as; the last are classifiers, which say nothing."""
TIME: Final = frozenset(["second", "minute", "hour", "day", "workday", "week", "month", "year"])
COUNTS: Final = frozenset(["seat", "page", "piece", "star", ""])
CURRENCIES: Final = {
    name: code
    for code, names in {
        "USD": "us$ $ usd dollar dollars bucks 美元 美金", "CNY": "¥ cny rmb yuan 元 块钱 块 圆 人民币",
        "EUR": "€ eur euro euros 欧元", "GBP": "£ gbp 英镑", "JPY": "jpy yen 日元", "HKD": "hkd hk$ 港币 港元",
    }.items()
    for name in names.split()
}  # fmt: skip


def _any(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


FIGURE = r"(?:\d{1,3}(?:,\d{3})++(?!\d)|\d++)(?:\.\d++)?(?:\s?[百千万亿](?![百千万亿]))?"
_SPOKEN = (
    rf"(?:(?:{_any(_TENS)})(?:[- ](?:{_any(_ONES[1:10])}))?|{_any(_ONES)}|a(?=\s(?:{_any(_LARGE)})\b))"
    rf"(?:[- ](?:{_any(_LARGE)}))?(?![a-z])|(?:{_any(_LARGE)}|half)(?![a-z])(?:\s(?:an?|of)(?![a-z]))?"
)
HAN = r"[零〇一二两三四五六七八九十百千万]{1,9}(?:亿[零一二两三四五六七八九十百千万]{0,9})?|半"
AMOUNT = rf"(?:{FIGURE}|{_SPOKEN}|{HAN})"
TO = r"\s?(?:-|–|—|~|to|or|and|到|至|或|x|×|\*)\s?"
UNIT = (
    rf"(?:(?:{'|'.join(name for name in _UNITS if re.match('[a-z(]', name))})(?![a-z])"
    rf"|(?:{'|'.join(name for name in _UNITS if not re.match('[a-z(]', name))})(?!叠))"
)
SIGN = r"us\$|hk\$|[$€£¥]|(?:usd|eur|gbp|cny|rmb|jpy|hkd)(?![a-z])"
MONEY = r"(?:dollars?|bucks|yuan|yen|euros?|usd|eur|gbp|cny|rmb|jpy|hkd)(?![a-z])|[$€£¥]|块钱|块(?![装头状])|[元圆]|人民币|美元|美金|欧元|英镑|日元|港[币元]"


def values(said: str) -> tuple[str, ...]:
    """The number that an amount in lower case stands for; two where speech leaves it open (`两三`).

    >>> values("1,000"), values("1.50"), values("twenty-five"), values("三百五"), values("两三")
    (('1000',), ('1.5',), ('25',), ('350',), ('2', '3'))
    """
    said = said.strip()
    found = re.fullmatch(r"([\d,]+(?:\.\d+)?)\s?([百千万亿]?)", said)
    if found:
        digits = found[1].replace(",", "")
        return (_plain(Decimal(digits) * _SCALES[found[2]]) if found[2] and len(digits) < 20 else _trimmed(digits),)
    if re.fullmatch(HAN, said):
        return _han(said)
    words = re.sub(r"\s(?:an?|of)$", "", said).replace("-", " ").split()
    if words == ["half"]:
        return ("0.5",)
    total = sum(_TENS.get(word, _ONES.index(word) if word in _ONES else 0) for word in words)
    scale = next((_LARGE[word] for word in words if word in _LARGE), 1)
    return (str(max(total, 1 if scale > 1 else 0) * scale),)


def _han(said: str) -> tuple[str, ...]:
    if said == "半":
        return ("0.5",)
    said = said.replace("〇", "零")
    if not re.search("[十百千万亿]", said) and len(said) > 1:
        digits = [_plain(Decimal(int(numeral(letter)))) for letter in said]
        return tuple(digits) if len(digits) == 2 and "零" not in said else ("".join(digits),)
    above, large, below = said.rpartition("亿")
    value = int(numeral(above or "一")) * _SCALES["亿"] if large else 0
    return (str(value + (int(numeral(below)) if below else 0)),)


def _trimmed(digits: str) -> str:
    """Without zeros that say nothing; a number of any length is kept to its last digit."""
    whole, _, part = digits.partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


@cache
def unit_of(unit: str) -> str:
    """What a unit is counted as, empty for a classifier that says nothing."""
    return next(name for pattern, name in _UNITS.items() if re.fullmatch(pattern, unit))

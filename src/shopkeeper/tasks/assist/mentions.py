"""Things named in a message by their form: order numbers, addresses, money, sizes, colours, quantities, mail, phone.

Each finder reads the whole text and knows nothing of the others; where two overlap, the one that is earlier in `_FINDERS`
is kept. Days are in `assist.dates`, goods in `assist.goods`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from shopkeeper.retrieval.understanding.colours import SAME
from shopkeeper.retrieval.understanding.quantities import ARABIC, HAN_DIGITS, number, sizes
from shopkeeper.retrieval.understanding.script import lowered
from shopkeeper.tasks.assist.turns import Mention

Finder = Callable[[str], Iterator[Mention]]

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_PHONE = re.compile(
    r"(?<![\w-])(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?![\w-])|(?<![\w-])\+\d{1,3}(?:[ -]?\d{2,4}){2,5}(?!\w)"
)
_SAID_PHONE = re.compile(
    r"(?<![a-z])(?:phone|mobile|cell|tel(?![a-z])|call me (?:on|at)|电话|手机)[^\d+]{0,12}(\+?\d[\d -]{5,16}\d)",
    re.IGNORECASE,
)
_SAID_ORDER = re.compile(
    r"(?:orders?|purchase|订单|单号|订单号)(?:\s*(?:number|no\.?|nr\.?|id|code|编号|号码|号))?"
    r"\s*(?:is|was|是|为)?\s*[:：#＃]?\s*(?=[a-z0-9_-]*\d)([a-z0-9][a-z0-9_-]{2,39})(?![a-z0-9_-])",
    re.IGNORECASE | re.ASCII,
)
_BARE_ORDER = re.compile(
    r"[#＃]([a-z0-9][a-z0-9_-]{1,39})(?![a-z0-9_-])"
    r"|(?<![a-z0-9_.@#/-])(?=[a-z0-9_-]*\d{3})((?:[a-z]{1,6}[-_]?\d[a-z0-9_-]{3,30})|\d{8,24})(?![a-z0-9_@.-]*[a-z0-9_@])",
    re.IGNORECASE | re.ASCII,
)
_MONEY = re.compile(
    rf"(?:us\$|[$€£¥￥])\s?({ARABIC}(?:\s?k(?![a-z]))?)"
    rf"|({ARABIC}|(?<![{HAN_DIGITS}])[{HAN_DIGITS}十百千万]{{1,9}})\s?"
    r"(?:dollars?|bucks|usd|euros?|eur|pounds|gbp|yuan|rmb|cny|块钱|块(?![装头状])|元|美元|美金|欧元|英镑|人民币)(?![a-z])",
    re.IGNORECASE,
)
_MANY = re.compile(
    rf"(?<![\w.,])({ARABIC})\s?(?:pcs?|pieces?|items?|units?|pairs?|sets?|boxes|packs?|of (?:them|these|those))(?![a-z])"
    rf"|({ARABIC}|[{HAN_DIGITS}十百]{{1,4}})\s?(?:个(?!月|小时)|件|双|条|套|台|盒|箱|瓶|袋|包(?!裹)|只|本|支|张)",
    re.IGNORECASE,
)
_SIZE = re.compile(
    r"(?<![a-z0-9'’])(?:x{0,3}[ls]|m|small|medium|large|x-large|extra large)(?= size\b)|[大中小特加]{1,2}码",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"(?i:(?<![\w-])\d{1,5}[a-z]?\s+(?:[a-z][\w'.-]*\s+){1,4}?(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|"
    r"way|court|ct|square|sq|place|pl|terrace|close|crescent)\b\.?(?:,?\s+(?:apt|apartment|unit|flat|suite|#)\s?\w+)?)"
    r"(?:,\s*[A-Z0-9][\w'.-]*(?:\s[A-Z0-9][\w'.-]*){0,2}){0,4}"
)
_HAN_ADDRESS = re.compile(
    r"(?:[\u4e00-\u9fff]{2,7}?(?:省|自治区|市|区|县)){1,3}[\u4e00-\u9fffA-Za-z0-9-]*"
    r"(?:号楼|单元|号|室|栋|幢|弄|小区|大厦|广场|村)(?:[A-Za-z0-9-]+(?:号楼|单元|号|室|栋|幢|层|楼))*"
    r"|[\u4e00-\u9fff]{2,8}(?:路|街|大道|巷|弄|胡同)\s?\d+\s?(?:号|弄)(?:[\u4e00-\u9fffA-Za-z0-9-]{0,12}(?:室|楼|单元|栋|幢))?"
)
_LEAD = re.compile(r"^(?:请|把|将|我的|收货|地址|改成|改到|改为|换成|寄到|送到|发到|送货|更改|是|为|到|新)+")
_COLOURS: Final = re.compile(
    "|".join(
        rf"(?<![a-z]){re.escape(name)}(?![a-z])" if name.isascii() else re.escape(name)
        for name in sorted((name for name in SAME if len(name) > 1), key=len, reverse=True)
    )
)


def mentions(text: str) -> list[Mention]:
    """Everything that its form gives away, in order of place, without overlaps."""
    return apart(found for finder in _FINDERS for found in finder(text))


def apart(found: Iterable[Mention]) -> list[Mention]:
    """Mentions that do not overlap, the earlier given ones first served; in order of place."""
    kept: list[Mention] = []
    for one in found:
        if all(one.end <= other.start or one.start >= other.end for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def _whole(kind: str, pattern: re.Pattern[str], value: Callable[[str], str] = str) -> Finder:
    def find(text: str) -> Iterator[Mention]:
        for match in pattern.finditer(text):
            yield _mention(kind, text, match.start(), match.end(), value(match.group()))

    return find


def _group(kind: str, pattern: re.Pattern[str], value: Callable[[str], str] = str, *, whole: bool = False) -> Finder:
    """The group that matched gives the value, and the place as well unless `whole`."""

    def find(text: str) -> Iterator[Mention]:
        for match in pattern.finditer(text):
            place = match.lastindex or 0
            start, end = match.span() if whole else match.span(place)
            yield _mention(kind, text, start, end, value(match.group(place)))

    return find


def _mention(kind: str, text: str, start: int, end: int, value: str) -> Mention:
    return Mention(kind=kind, text=text[start:end], start=start, end=end, value=value)


def _plain(digits: str) -> str:
    return ("+" if digits.lstrip().startswith("+") else "") + re.sub(r"\D", "", digits)


def _amount(written: str) -> str:
    return f"{number(lowered(written)):g}" if len(written) < 16 else written


def _sizes(text: str) -> Iterator[Mention]:
    for size in sizes(lowered(text)):
        yield _mention("size", text, size.start, size.end, size.value)


def _colours(text: str) -> Iterator[Mention]:
    for match in _COLOURS.finditer(lowered(text)):
        yield _mention("colour", text, *match.span(), SAME[match.group()][0])


def _addresses(text: str) -> Iterator[Mention]:
    for match in _HAN_ADDRESS.finditer(text):
        start = match.start() + (lead.end() if (lead := _LEAD.match(match.group())) else 0)
        if start < match.end():
            yield _mention("address", text, start, match.end(), text[start : match.end()])
    for match in _STREET.finditer(text):
        yield _mention("address", text, *match.span(), " ".join(match.group().split()))


_FINDERS: Final[tuple[Finder, ...]] = (
    _whole("email", _EMAIL, str.lower),
    _addresses,
    _whole("phone", _PHONE, _plain),
    _group("phone", _SAID_PHONE, _plain),
    _group("money", _MONEY, _amount, whole=True),
    _sizes,
    _whole("size", _SIZE, str.upper),
    _group("order", _SAID_ORDER),
    _group("order", _BARE_ORDER),
    _group("quantity", _MANY, _amount, whole=True),
    _colours,
)

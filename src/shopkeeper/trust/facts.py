"""The figures of a text: numbers with their units, amounts of money, dates and times, codes; Chinese and English alike.

`三天内`, "within three days" and "3 days" are one figure, and so are `1,000`, `1000` and `一千`. Units are not converted:
2.5 cm and 25 mm are two figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from shopkeeper.trust.amounts import (
    AMOUNT,
    COUNTS,
    CURRENCIES,
    FIGURE,
    HAN,
    MONEY,
    SIGN,
    TIME,
    TO,
    UNIT,
    unit_of,
    values,
)

Key = tuple[str, ...]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_LATIN = r"[a-z0-9]"
_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
_FREE_BEFORE = r"(?<![a-z0-9])(?<!\d[.,])(?<![第几数])"

_BEGINS: Final = r"(?:(?<![a-z])(?=[a-z])|(?=[\d$€£¥零〇一二两三四五六七八九十百千万半周星礼上下早晚中明次隔后昨今当]))"
_FOUND: Final = re.compile(
    _BEGINS
    + "(?:"
    + "|".join(
        (
            r"(?P<iso>(?<!\d)(?:19|20)\d\d(?:-\d{1,2}-\d{1,2}|/\d{1,2}/\d{1,2}|年(?:\d{1,2}月(?:\d{1,2}[日号])?)?)(?:[t ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:z|[+-]\d\d:\d\d)?)?)(?!\d)",
            r"(?P<slash>(?<![\d/])\d{1,2}/\d{1,2}/\d{4}(?!\d))",
            rf"(?P<monthday>(?<![a-z]){_MONTH}\s(?:\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s\d{{4}})?|\d{{4}})(?![\d:.]\d|[a-z0-9]))",
            rf"(?P<daymonth>(?<![\d.])\d{{1,2}}(?:st|nd|rd|th)?(?:\sof)?\s{_MONTH}(?:,?\s\d{{4}})?(?![a-z\d]))",
            r"(?P<hanmonth>(?:\d{1,2}|[一二三四五六七八九十]{1,3})月(?:\d{1,2}|[一二三四五六七八九十]{1,3})[日号])",
            r"(?P<clock>(?<![\d:])\d{1,2}:\d\d(?::\d\d)?(?:\s?[ap]\.?m\b)?|(?<![\d.,])\d{1,2}\s?[ap]\.?m(?![a-z])"
            r"|(?:上午|下午|晚上|早上|中午)\s?(?:\d{1,2}|[一二两三四五六七八九十]{1,3})点半?|(?<![\d.])\d{1,2}点(?!\d))",
            r"(?P<weekday>(?<![a-z])(?:mon|tues|wednes|thurs|fri|satur|sun)days?(?![a-z])|(?:周|星期|礼拜)[一二三四五六日天](?!年))",
            r"(?P<relative>(?<![a-z])(?:tomorrow|tonight|yesterday|(?:same|next)[- ]day)(?![a-z])|明天|明日|次日|隔天|后天|昨天|今晚|当天|当日)",
            rf"(?P<price>(?<![a-z0-9])(?:{SIGN})\s?{FIGURE}(?:{TO}(?:{SIGN})?\s?{FIGURE})?|{_FREE_BEFORE}{AMOUNT}(?:{TO}{AMOUNT})?\s?(?:{MONEY}))",
            r"(?P<halfprice>(?<![a-z])half[- ]price|半价)",
            rf"(?P<hanpercent>百分之(?:{FIGURE}|{HAN}))",
            rf"(?P<quantity>{_FREE_BEFORE}{AMOUNT}(?:{TO}{AMOUNT})?[\s-]?{UNIT})",
            rf"(?P<bare>{_FREE_BEFORE}{AMOUNT}(?!{_LATIN}|[-_./@+#]{_LATIN}))",
            rf"(?P<token>(?<!{_LATIN})(?<!{_LATIN}[-_./@+#]){_LATIN}++(?:[-_./@+#]{_LATIN}++)*+)",
        )
    )
    + ")",
    re.IGNORECASE,
)
_PRICED = re.compile(r"(?:price[ds]?|costs?|售价|价格|单价|现价|原价)(?:\sis|\sat|为|是)?\s?[::=]?\s?$", re.IGNORECASE)
_LISTED = re.compile(r"(?:^|\n)[ \t]*$")
_IDLE_HAN = re.compile(r"千万|万一|万万|万千|百万(?=富)|[^十百千万亿]+|[十百千万亿]")


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure that a text states.

    Attributes:
        kind: ``number``, ``price``, ``date`` or ``name`` (codes are names).
        keys: What it says in a form that can be compared; a range says two things.
        start: Where it begins in the plain text.
        end: Where it ends.
    """

    kind: str
    keys: tuple[Key, ...]
    start: int
    end: int


def facts(text: str) -> Iterator[Fact]:
    """All figures of a plain text from left to right."""
    for found in _FOUND.finditer(text):
        group = str(found.lastgroup)
        fact = _read(group, found[0].lower(), text, found.start(), found.end())
        if fact is not None:
            yield Fact(*fact, found.start(), found.end())


def _read(group: str, said: str, text: str, start: int, end: int) -> tuple[str, tuple[Key, ...]] | None:
    if group in ("iso", "slash", "monthday", "daymonth", "hanmonth"):
        return "date", _dates(group, said)
    if group in ("clock", "weekday", "relative"):
        return "date", (_moment(group, said),)
    if group == "price":
        return _price(said)
    if group == "halfprice":
        return "price", (("number", "50", "percent"),)
    if group == "hanpercent":
        return "number", tuple(("number", value, "percent") for value in values(said[3:]))
    if group == "quantity":
        return _quantity(said)
    if group == "token":
        return _token(said)
    return _bare(said, text, start, end)


def _token(said: str) -> tuple[str, tuple[Key, ...]] | None:
    """A code such as `WH-1000XM4`, a phone number, an ordinal; other words say no figure."""
    if said.isdigit() or not re.search(r"\d", said):
        return None
    ordinal = re.fullmatch(r"(\d+)(?:st|nd|rd|th)", said)
    if ordinal:
        return "number", (("number", ordinal[1], ""),)
    return ("name" if re.search("[a-z]", said) else "number"), (("code", said),)


def _price(said: str) -> tuple[str, tuple[Key, ...]] | None:
    if said == "一块":
        return None
    found = _price_parts().fullmatch(said)
    assert found is not None
    currency = CURRENCIES[(found["sign"] or found["money"]).strip()]
    return "price", tuple(("price", value, currency) for value in _both(found))


@cache
def _price_parts() -> re.Pattern[str]:
    return re.compile(
        rf"(?P<sign>{SIGN})?\s?(?P<first>{AMOUNT})(?:{TO}(?:{SIGN})?\s?(?P<second>{AMOUNT}))?\s?(?P<money>{MONEY})?"
    )


def _quantity(said: str) -> tuple[str, tuple[Key, ...]] | None:
    found = _quantity_parts().fullmatch(said)
    assert found is not None
    unit = unit_of(found["unit"])
    if found["first"] == "一" and not found["second"] and unit in COUNTS:
        return None
    if found["first"] == "one" and unit == "":
        return None
    return "date" if unit in TIME else "number", tuple(("number", value, unit) for value in _both(found))


@cache
def _quantity_parts() -> re.Pattern[str]:
    return re.compile(rf"(?P<first>{AMOUNT})(?:{TO}(?P<second>{AMOUNT}))?[\s-]?(?P<unit>{UNIT})")


def _both(found: re.Match[str]) -> tuple[str, ...]:
    return (*values(found["first"]), *(values(found["second"]) if found["second"] else ()))


def _bare(said: str, text: str, start: int, end: int) -> tuple[str, tuple[Key, ...]] | None:
    if re.fullmatch(HAN, said):
        if said == "半" or _IDLE_HAN.fullmatch(said):
            return None
    elif (
        said in ("one", "zero")
        or said.startswith("half")
        or (
            text[end : end + 1] in (".", ")", "、")
            and not text[end + 1 : end + 2].isdigit()
            and _LISTED.search(text[max(0, start - 8) : start])
        )
    ):
        return None
    kind = "price" if _PRICED.search(text[max(0, start - 16) : start]) else "number"
    return kind, tuple((kind, value, "") for value in values(said))


def _dates(group: str, said: str) -> tuple[Key, ...]:
    if group == "hanmonth":
        month, day = re.split("[月日号]", said)[:2]
        return (("day", "", values(month)[0], values(day)[0]),)
    numbers = [str(int(part)) for part in re.findall(r"\d+", said)]
    if group == "slash":
        first, second, year = numbers
        return (("either", year, first, second),)
    if group == "iso":
        clock = re.search(r"(\d\d):(\d\d)", said)
        day = ("day", numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else "")
        return (day, ("clock", str(int(clock[1])), str(int(clock[2])))) if clock else (day,)
    month = str(1 + next(place for place, name in enumerate(_MONTHS) if re.search(rf"\b{name}", said)))
    years = [value for value in numbers if len(value) == 4]
    days = [value for value in numbers if len(value) < 3]
    return (("day", years[0] if years else "", month, days[0] if days else ""),)


def _moment(group: str, said: str) -> Key:
    if group == "weekday":
        return (
            "weekday",
            str(_DAYS.index(said[:3]) if said[0].isascii() else "一二三四五六日".index(said[-1].replace("天", "日"))),
        )
    if group == "relative":
        next_day = re.match(r"tomorrow|next|明|次日|隔天", said)
        same_day = re.match(r"same|当", said)
        return (
            "relative",
            "next" if next_day else "same" if same_day else {"昨天": "yesterday", "今晚": "tonight"}.get(said, said),
        )
    digits = re.search(r"\d+|[一二两三四五六七八九十]+", said)
    assert digits is not None
    hour = int(values(digits[0])[0])
    minute = re.search(r":(\d\d)", said)
    late = re.search(r"p\.?m|下午|晚上", said) is not None
    early = re.search(r"a\.?m", said) is not None
    hour = hour + 12 if late and hour < 12 else 0 if early and hour == 12 else hour
    return ("clock", str(hour), str(int(minute[1])) if minute else "30" if said.endswith("半") else "0")


class Known:
    """The figures that some evidence holds."""

    def __init__(self, keys: set[Key]) -> None:
        self._keys = keys
        self._values = {key[1] for key in keys if key[0] in ("number", "day")}
        self._bare = {key[1] for key in keys if key[0] == "number" and key[2] == ""}
        self._amounts = {key[1] for key in keys if key[0] == "price"}
        self._weekdays = {str(day) for key in keys if (day := _weekday(key)) is not None}

    def holds(self, key: Key) -> bool:
        """Whether the evidence says the same, or says it more exactly."""
        if key in self._keys:
            return True
        match key:
            case ("number", value, unit):
                return value in self._values if unit == "" else unit in COUNTS and value in self._bare
            case ("price", amount, currency):
                return ("price", amount, "") in self._keys or (currency == "" and amount in self._amounts)
            case ("day", year, month, day):
                return any(_within((year, month, day), other[1:]) for other in self._keys if other[0] == "day")
            case ("either", year, first, second):
                return ("day", year, first, second) in self._keys or ("day", year, second, first) in self._keys
            case ("weekday", day):
                return day in self._weekdays
            case ("code", said):
                parts = re.split(r"[-_./@+#]", said)
                mixed = [part for part in parts if re.search(r"\d", part)]
                return all(re.search("[a-z]", part) and ("code", part) in self._keys for part in mixed)
        return False


def _within(said: tuple[str, ...], known: tuple[str, ...]) -> bool:
    return all(not part or part == other for part, other in zip(said, known, strict=True))


def _weekday(key: Key) -> int | None:
    if key[0] != "day" or not all(key[1:]):
        return None
    try:
        return date(int(key[1]), int(key[2]), int(key[3])).weekday()
    except ValueError:
        return None

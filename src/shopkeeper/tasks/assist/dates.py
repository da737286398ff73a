"""Days named in a message: "yesterday", "in three days", "next Monday", "5 March", 昨天, 下周一, 三天前, 3月5日."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final

from shopkeeper.retrieval.understanding.quantities import HAN_DIGITS, number
from shopkeeper.retrieval.understanding.script import lowered
from shopkeeper.tasks.assist.turns import Mention

Resolve = Callable[[re.Match[str], date], date]

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HAN_DAYS: Final = {name: place for place, name in enumerate("一二三四五六")} | {"日": 6, "天": 6}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NEAR: Final = {
    "the day before yesterday": -2, "day before yesterday": -2, "yesterday": -1, "last night": -1, "today": 0,
    "tonight": 0, "this morning": 0, "the day after tomorrow": 2, "day after tomorrow": 2, "tomorrow": 1,
    "last week": -7, "next week": 7, "last month": -30, "next month": 30,
    "大前天": -3, "前天": -2, "昨天": -1, "昨晚": -1, "昨日": -1, "今天": 0, "今日": 0, "今晚": 0, "今早": 0, "大后天": 3,
    "后天": 2, "明天": 1, "明日": 1, "明早": 1, "上个星期": -7, "上星期": -7, "上周": -7, "下星期": 7, "下周": 7,
    "上个月": -30, "下个月": 30,
}  # fmt: skip
_COUNT: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER: Final = rf"(\d{{1,3}}|an?|{'|'.join(_COUNT)})"
_HAN_NUMBER: Final = rf"(\d{{1,3}}|[{HAN_DIGITS}十]{{1,3}})"
_MONTH: Final = rf"({'|'.join(_MONTHS)})[a-z]*\.?"


def dates(text: str, today: date) -> list[Mention]:
    """Days named in a text, each with its ISO date, the surest patterns first; they may overlap.

    Args:
        text: Anything.
        today: What "today" means.
    """
    return list(_found(text, today))


def _found(text: str, today: date) -> Iterator[Mention]:
    low = lowered(text)
    for pattern, resolve in _PATTERNS:
        for match in pattern.finditer(low):
            try:
                day = resolve(match, today)
            except (ValueError, OverflowError):
                continue  # 31 February, the year 9999
            start, end = match.span()
            yield Mention(kind="date", text=text[start:end], start=start, end=end, value=day.isoformat())


def _counted(written: str) -> int:
    if written in _COUNT:
        return _COUNT.index(written) + 1
    return 1 if written in {"a", "an"} else int(number(written))


def _day(year: str | None, month: int, day: int, today: date) -> date:
    """A day; without a year the nearest one of that name."""
    if year:
        return date(int(year), month, day)
    around = [date(today.year + step, month, day) for step in (-1, 0, 1)]
    return min(around, key=lambda found: abs((found - today).days))


def _weekday(place: int, which: str, today: date) -> date:
    """A weekday of the last, this or the next week; without a word the coming one, today included."""
    monday = today - timedelta(days=today.weekday())
    if which in {"last", "上"}:
        return monday + timedelta(days=place - 7)
    if which in {"next", "下"}:
        return monday + timedelta(days=place + 7)
    if which in {"this", "这", "本"}:
        return monday + timedelta(days=place)
    return today + timedelta(days=(place - today.weekday()) % 7)


def _span(unit: str) -> int:
    return {"d": 1, "w": 7, "m": 30, "天": 1, "日": 1, "周": 7, "星": 7, "礼": 7, "月": 30}[unit.lstrip("个")[0]]


def _ago(match: re.Match[str], today: date) -> date:
    return today - timedelta(days=_counted(match[1]) * _span(match[2]))


def _ahead(match: re.Match[str], today: date) -> date:
    return today + timedelta(days=_counted(match[1]) * _span(match[2]))


_PATTERNS: Final[tuple[tuple[re.Pattern[str], Resolve], ...]] = (
    (
        re.compile(r"(?<!\d)(20\d\d)[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)"),
        lambda m, t: _day(m[1], int(m[2]), int(m[3]), t),
    ),
    (
        re.compile(r"(?:(20\d\d)\s?年)?\s?(?<!\d)(\d{1,2})\s?月\s?(\d{1,2})\s?[日号]"),
        lambda m, t: _day(m[1], int(m[2]), int(m[3]), t),
    ),
    (
        re.compile(rf"(?<![a-z]){_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s+(20\d\d))?"),
        lambda m, t: _day(m[3], _MONTHS.index(m[1]) + 1, int(m[2]), t),
    ),
    (
        re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}(?![a-z])(?:,?\s+(20\d\d))?"),
        lambda m, t: _day(m[3], _MONTHS.index(m[2]) + 1, int(m[1]), t),
    ),
    (
        re.compile(rf"(?:(?<![a-z])(last|next|this|on|by)\s+)?(?<![a-z])({'|'.join(_DAYS)})(?![a-z])"),
        lambda m, t: _weekday(_DAYS.index(m[2]), m[1] or "", t),
    ),
    (
        re.compile(r"([上下这本])?个?(?:周|星期|礼拜)([一二三四五六日天])"),
        lambda m, t: _weekday(_HAN_DAYS[m[2]], m[1] or "", t),
    ),
    (re.compile(rf"(?<![\w-]){_NUMBER}\s+(day|week|month)s?\s+(?:ago|before|earlier)(?![a-z])"), _ago),
    (re.compile(rf"(?<![a-z])(?:in|within)\s+{_NUMBER}\s+(day|week|month)s?(?![a-z])"), _ahead),
    (re.compile(rf"{_HAN_NUMBER}\s?(天|日|周|个?星期|个?礼拜|个月)(?:以|之)?前"), _ago),
    (re.compile(rf"{_HAN_NUMBER}\s?(天|日|周|个?星期|个?礼拜|个月)(?:以|之)?(?:后|内)"), _ahead),
    (
        re.compile(
            "|".join(
                rf"(?<![a-z]){name}(?![a-z])" if name.isascii() else name
                for name in sorted(_NEAR, key=len, reverse=True)
            )
        ),
        lambda m, t: t + timedelta(days=_NEAR[m[0]]),
    ),
)

"""Points in time as files write them: ISO 8601, epochs, and the common forms of English and Chinese shops."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Literal

DayOrder = Literal["dmy", "mdy", ""]

_FIRST, _LAST = 1900, 2200
_EPOCHS = ((100_000_000_000, 1), (100_000_000_000_000, 1_000), (100_000_000_000_000_000, 1_000_000))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_CLOCK = r"(?:[T ,]*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([ap]m)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _CLOCK, re.IGNORECASE)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + _CLOCK, re.IGNORECASE)
_DAY_NAMED = re.compile(
    r"(?:[a-z]{3,9},?\s+)?(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})\.?[ -,]+(\d{4})" + _CLOCK, re.IGNORECASE
)
_MONTH_NAMED = re.compile(
    r"(?:[a-z]{3,9},?\s+)?([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})" + _CLOCK, re.IGNORECASE
)
_CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]\s*(?:(\d{1,2})[时点:](\d{1,2})分?(?::?(\d{1,2})秒?)?)?")
_DIGITS = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE]\+?\d+)?")


def when(value: object, order: DayOrder = "") -> datetime:
    """A point in time, timezone-aware UTC; what states no zone is taken as UTC.

    Args:
        value: Text, an epoch in seconds, milliseconds, microseconds or nanoseconds (told apart by size), a date.
        order: How ``03/04/2024`` is meant; without it such a date is refused, ``25/12/2024`` is not.

    Raises:
        ValueError: It is no date, two possible dates, or outside the years 1900 to 2200.
    """
    if isinstance(value, str):
        return _sound(_text(value.strip(), order))
    if isinstance(value, datetime):
        return _sound(value)
    if isinstance(value, date):
        return _sound(datetime(value.year, value.month, value.day, tzinfo=UTC))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _sound(_epoch(value))
    raise ValueError(f"not a date: {value!r}")


def _sound(time: datetime) -> datetime:
    if not _FIRST <= time.year <= _LAST:
        raise ValueError(f"year {time.year} is out of range")
    zone = time.tzinfo
    if zone is UTC:
        return time
    return time.replace(tzinfo=UTC) if zone is None else time.astimezone(UTC)


def _text(text: str, order: DayOrder) -> datetime:
    if not text[:4].isdigit() or text.isdigit():
        return _odd(text, order)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _odd(text, order)


def _odd(text: str, order: DayOrder) -> datetime:
    if _DIGITS.fullmatch(text):
        return _digits(text)
    if found := _YEAR_FIRST.fullmatch(text):
        return _build(found[1], found[2], found[3], found.groups()[3:])
    if found := _YEAR_LAST.fullmatch(text):
        day, month = _day_month(int(found[1]), int(found[3]), found[2], order)
        return _build(found[4], month, day, found.groups()[4:])
    if found := _CHINESE.fullmatch(text):
        return _build(found[1], found[2], found[3], (*found.groups()[3:], None, None, None))
    if found := _DAY_NAMED.fullmatch(text):
        return _build(found[3], _month(found[2]), found[1], found.groups()[3:])
    if found := _MONTH_NAMED.fullmatch(text):
        return _build(found[3], _month(found[1]), found[2], found.groups()[3:])
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ValueError(f"not a date: {text!r}") from None


def _digits(text: str) -> datetime:
    if len(text) in (8, 14) and text[:2] in ("19", "20") and text.isdigit():
        clock = (text[8:10], text[10:12], text[12:14], None, None, None) if len(text) == 14 else (None,) * 6
        return _build(text[:4], text[4:6], text[6:8], clock)
    return _epoch(int(text) if text.isdigit() else float(text))


def _epoch(number: float) -> datetime:
    size = abs(number)
    scale = next((scale for bound, scale in _EPOCHS if size < bound), 1_000_000_000)
    try:
        if isinstance(number, int):
            return _EPOCH + timedelta(seconds=number // scale, microseconds=(number % scale) * 1_000_000 // scale)
        return _EPOCH + timedelta(seconds=number / scale)
    except (OverflowError, ValueError):
        raise ValueError(f"not a point in time: {number!r}") from None


def _day_month(first: int, second: int, separator: str, order: DayOrder) -> tuple[int, int]:
    if separator == "." or order == "dmy" or first > 12 >= second:
        return first, second
    if order == "mdy" or second > 12 or first == second:
        return second, first
    raise ValueError('day and month can be read both ways; say dates = "dmy" or "mdy" in the mapping')


def _month(name: str) -> int:
    try:
        return _MONTHS[name[:3].casefold()]
    except KeyError:
        raise ValueError(f"not a month: {name!r}") from None


def _build(year: object, month: object, day: object, clock: tuple[str | None, ...]) -> datetime:
    hour, minute, second, fraction, half, zone = clock
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(f"not an hour of half a day: {hours}")
        hours = hours % 12 + (12 if half.casefold() == "pm" else 0)
    return datetime(
        int(str(year)), int(str(month)), int(str(day)), hours, int(minute or 0), int(second or 0),
        int((fraction or "0")[:6].ljust(6, "0")), tzinfo=_zone(zone),
    )  # fmt: skip


def _zone(text: str | None) -> tzinfo:
    if not text or text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))

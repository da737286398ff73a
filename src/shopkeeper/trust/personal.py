"""Personal data in a text: card and account numbers, identity numbers, telephones, e-mail and postal addresses.

Numbers with a check digit are taken only where it is right: cards (Luhn, ISO/IEC 7812-1), IBAN (ISO 13616, modulo 97),
Chinese identity numbers (GB 11643-1999, ISO 7064 MOD 11-2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final

Mark = tuple[str, int, int]

_ID: Final = re.compile(r"(?<![0-9A-Za-z])\d{17}[\dXx](?![0-9A-Za-z])")
_CARD: Final = re.compile(r"(?<![\d.+-])(?<!\d )[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d-])")
_ISSUED: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|6(?:011|5\d\d)\d{12}|62\d{14,17}"
)
"""Lengths and first digits that the large card schemes issue."""
_IBAN: Final = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![0-9A-Za-z])")
_EMAIL: Final = re.compile(
    r"(?<![\w.%+-])[A-Za-z0-9][\w.%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9])", re.ASCII
)
_PHONE: Final = re.compile(
    r"(?<![\dA-Za-z.-])(?:(?:\+|00)86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?![\d-])"  # a Chinese mobile
    r"|(?<![\dA-Za-z-])(?:\(0\d{2,3}\)|0\d{2,3}[ -])\d{7,8}(?![\d-])|(?<![\dA-Za-z-])[48]00-?\d{3,4}-?\d{3,4}(?![\d-])"
    r"|(?<![\dA-Za-z-])(?:\+?1[ .-])?\(?[2-9]\d{2}\)?[ .-][2-9]\d{2}[ .-]\d{4}(?![\d-])"  # a North American one
    r"|(?<![\dA-Za-z])\+[1-9]\d{0,2}(?:[ .()-]{0,2}\d){6,12}(?!\d)|(?<![\dA-Za-z])0\d{3,4} \d{5,6}(?!\d)"
)
_STREET: Final = re.compile(
    r"(?<![\w-])\d{1,5}[A-Za-z]? (?:[NSEW]\.? )?(?:[A-Z][a-z'’]{1,20} ){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Square|Sq|Terrace|Place)(?!\w)"
    r"(?:\.?,? (?:Apt|Apartment|Suite|Unit|Flat|No)\.? ?#?[\w-]{1,6})?"
)
_HOUSE: Final = re.compile(r"\d{1,5}(?:号楼?|室|栋|幢|单元|弄)(?:[东西南北]?\d{1,5}(?:号楼?|室|栋|幢|单元|楼|层))*+")
_AREA: Final = re.compile(r"[\u4e00-\u9fff]{2,3}?[省市区县州]")
_LEADS: Final = frozenset("寄送到在于往至是为给住去")
_ROAD: Final = re.compile(r"[\u4e00-\u9fff](?:街道|大道|大街|胡同|小区|花园|[路街巷弄村镇苑里])")
_BEFORE_HOUSE: Final = re.compile(r"[\u4e00-\u9fff\d-]{2,40}\Z")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def personal(text: str) -> Iterator[Mark]:
    """Personal data of a plain text from left to right: ``card``, ``id``, ``iban``, ``email``, ``phone`` or ``address``."""
    taken: list[Mark] = [("address", *span) for span in _chinese_addresses(text)]
    for name, pattern, holds in _KINDS:
        taken += [(name, *found.span()) for found in pattern.finditer(text) if holds(found[0])]
    end = -1
    order = {name: place for place, (name, _, _) in enumerate(_KINDS)}
    for mark in sorted(taken, key=lambda mark: (mark[1], order[mark[0]])):
        if mark[1] >= end:
            end = mark[2]
            yield mark


def is_card(number: str) -> bool:
    """Whether digits, perhaps with blanks and hyphens, can be a payment card.

    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112")
    (True, False)
    """
    digits = re.sub(r"[ -]", "", number)
    if _ISSUED.fullmatch(digits) is None:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_iban(number: str) -> bool:
    """Whether an account number has the right check digits.

    >>> is_iban("GB82 WEST 1234 5698 7654 32"), is_iban("GB83 WEST 1234 5698 7654 32")
    (True, False)
    """
    plain = number.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def is_identity(number: str) -> bool:
    """Whether eighteen characters are a Chinese identity number: a day of birth that exists and the right check digit.

    >>> is_identity("11010519491231002X"), is_identity("110105194912310021")
    (True, False)
    """
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()


def _chinese_addresses(text: str) -> Iterator[tuple[int, int]]:
    """From the province or city where one is named, else from the name of the road, up to the door."""
    for house in _HOUSE.finditer(text):
        before = _BEFORE_HOUSE.search(text, max(0, house.start() - 40), house.start())
        road = _ROAD.search(before[0]) if before else None
        if before and road:
            area = _AREA.search(before[0])
            start = area.start() if area and area.start() <= road.start() else max(0, road.start() - 2)
            start += before[0][start] in _LEADS
            yield before.start() + start, house.end()


def _any(_: str) -> bool:
    return True


def _local(phone: str) -> bool:
    return 7 <= sum(letter.isdigit() for letter in phone) <= 15


_KINDS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]] = (
    ("id", _ID, is_identity),
    ("card", _CARD, is_card),
    ("iban", _IBAN, is_iban),
    ("email", _EMAIL, _any),
    ("phone", _PHONE, _local),
    ("address", _STREET, _any),
)

"""One analysis of text for index and query: what a customer types and what the shop wrote become the same terms.

Text is normalised (NFKC, lower case, accents off), then every script goes its way: Latin and other words with spaces are
stemmed, Chinese is cut into words, codes such as ``WH-1000XM4`` are kept whole and in pieces, and quantities are one term
however they are written: ``32 GB``, ``32gb`` and ``32GB`` are all ``32gb``. No word is dropped: BM25 itself knows that
"the" says little, and some brands are called like that.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

import Stemmer

from shopkeeper.models.chinese import dictionary

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNITS = {
    "克": "g",
    "千克": "kg",
    "公斤": "kg",
    "毫升": "ml",
    "升": "l",
    "毫米": "mm",
    "厘米": "cm",
    "米": "m",
    "英寸": "inch",
    "寸": "inch",
    "瓦": "w",
    "伏": "v",
    "毫安": "mah",
    "litre": "l",
    "litres": "l",
    "liter": "l",
    "liters": "l",
    "inch": "inch",
    "inches": "inch",
    '"': "inch",
    "″": "inch",
    "kilogram": "kg",
    "kilograms": "kg",
    "gram": "g",
    "grams": "g",
    "metre": "m",
    "metres": "m",
    "meter": "m",
    "meters": "m",
    "feet": "ft",
    "foot": "ft",
    "watt": "w",
    "watts": "w",
    "volt": "v",
    "volts": "v",
}
"""Written-out units and what they are counted as."""
_PLAIN_UNITS = frozenset(
    [
        "kb",
        "mb",
        "gb",
        "tb",
        "mhz",
        "ghz",
        "hz",
        "khz",
        "mm",
        "cm",
        "m",
        "km",
        "ft",
        "yd",
        "g",
        "mg",
        "kg",
        "lb",
        "lbs",
        "oz",
        "ml",
        "cl",
        "l",
        "v",
        "w",
        "kw",
        "kwh",
        "wh",
        "mah",
        "ah",
        "va",
        "ma",
        "mp",
        "fps",
        "rpm",
        "dpi",
        "ppm",
        "btu",
        "db",
    ]
)
_UNIT = "|".join(re.escape(unit) for unit in sorted({*_UNITS, *_PLAIN_UNITS}, key=len, reverse=True))
_QUANTITY = re.compile(rf"(?:(?<![a-z0-9.,])|(?<=\dx))(\d+(?:,\d{{3}})*(?:\.\d+)?)[ \-]?({_UNIT})(?![a-z0-9])")
_TOKEN = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:[-./+'’&_][^\W_{_HAN}]+)*")
_WHOLE = re.compile(rf"\d+(?:\.\d+)?(?:{'|'.join({*_UNITS.values(), *_PLAIN_UNITS})})")
_CHINESE = re.compile(f"[{_HAN}]")
_DIGIT = re.compile(r"\d")
_JOINTS = re.compile(r"[-./+'’&_]")
_LONGEST = 64
_MOST = 100_000

_local = threading.local()


def normalise(text: str) -> str:
    """NFKC, lower case, accents off, control characters to blanks; at most 100,000 characters.

    >>> normalise("Ｃａｆé CRÈME")
    'cafe creme'
    """
    text = text[:_MOST].lower()
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text).lower()
    spread = unicodedata.normalize("NFD", text)
    if spread != text:
        text = unicodedata.normalize("NFC", "".join(c for c in spread if not "\u0300" <= c <= "\u036f"))
    return text


def terms(text: str) -> list[str]:
    """The terms of a text, in order, repeats kept.

    >>> terms("Running shoes, 32 GB")
    ['run', 'shoe', '32gb']
    >>> terms("WH-1000XM4")
    ['wh1000xm4', 'wh', '1000xm4']
    >>> terms("不锈钢保温杯500毫升")
    ['不锈', '不锈钢', '保温', '保温杯', '500ml']
    """
    return [term for token in _tokens(text) for term in _of_token(token)[0]]


def words(text: str) -> list[tuple[str, str]]:
    """The terms of a text, each with the normalised word it came from, for showing what matched.

    >>> words("Running shoes")
    [('run', 'running'), ('shoe', 'shoes')]
    """
    return [pair for token in _tokens(text) for pair in zip(*_of_token(token), strict=True)]


def is_chinese(text: str) -> bool:
    """Whether a text holds Chinese characters at all.

    >>> is_chinese("红色 t-shirt"), is_chinese("red shirt")
    (True, False)
    """
    return not text.isascii() and _CHINESE.search(text) is not None


def _tokens(text: str) -> list[str]:
    text = normalise(text)
    if _DIGIT.search(text):
        text = _QUANTITY.sub(_glued, text)
    found: list[str] = _TOKEN.findall(text)
    return found


def _glued(quantity: re.Match[str]) -> str:
    number, unit = quantity.groups()
    return f" {number.replace(',', '')}{_UNITS.get(unit, unit)} "


@lru_cache(maxsize=200_000)
def _of_token(token: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Terms of a token, and the word to show for each."""
    if re.match(f"[{_HAN}]", token):
        cut = tuple(dictionary().cut_for_search(token, HMM=False))  # no guessing by context: index and query must agree
        return cut, cut
    token = token[:_LONGEST]
    if token.isalpha():
        return (_stem(token),), (token,)
    if _WHOLE.fullmatch(token):
        return (token,), (token,)
    parts = [part for part in _JOINTS.split(token) if part]
    if len(parts) == 2 and parts[1] == "s" and not token.endswith("-s"):  # men's
        parts = parts[:1]
    found = [_stem(part) for part in parts]
    if len(parts) > 1:
        return (_stem("".join(parts)), *found), (token, *parts)
    return tuple(found), tuple(parts)


def _stem(word: str) -> str:
    stem: str = _stemmer().stemWord(word)
    return stem


def _stemmer() -> Stemmer.Stemmer:
    """One per thread: a stemmer must not be used by two at a time."""
    try:
        return _local.stemmer
    except AttributeError:
        _local.stemmer = Stemmer.Stemmer("english")
        return _local.stemmer

"""Cells to values: plain text, prices, numbers, flags, availability, category paths, lists.

Every parser takes whatever a CSV, JSON or Parquet cell holds and raises `ValueError` when it makes no sense of it.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from shopkeeper.records import Availability, Scalar

_HIDDEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
_BLOCK = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|td|th|table|h[1-6]|hr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_LINES = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_BLANKS = re.compile(r"[^\S\n]+")
_AROUND = re.compile(r" ?\n ?")
_GAPS = re.compile(r"\n{3,}")
_PASSES = 8

_SEPARATORS = re.compile(r"[,|;\s]+|^\[")
_PATHS = (re.compile("[>»›＞]"), re.compile("/"), re.compile(r"\|"))
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED_FORMULA = re.compile(r"'+[=+\-@\t\r]")


def clean(value: str) -> str:
    """Plain text: no tags, scripts, entities or control characters; blanks collapsed, at most one empty line.

    Cleaning twice is the same as cleaning once, so what the shop exports comes back unchanged.
    """
    if value.isprintable() and "<" not in value and "&" not in value and "  " not in value:
        return value.strip()
    text = value
    for _ in range(_PASSES):
        before = text
        if "<" in text:
            text = _TAG.sub("", _BLOCK.sub("\n", _HIDDEN.sub(" ", text)))
        if "&" in text:
            text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
        text = _CONTROL.sub("", _LINES.sub("\n", text))
        if text == before:
            break
    else:
        text = text.replace("<", " ").replace("&", " ")
    return _GAPS.sub("\n\n", _AROUND.sub("\n", _BLANKS.sub(" ", text))).strip()


def line(value: object) -> str:
    """`clean` text on a single line, of any cell; None is empty."""
    text = value if isinstance(value, str) else plain(value)
    if text.isprintable() and "<" not in text and "&" not in text and "  " not in text:
        return text.strip()
    text = clean(text)
    return " ".join(text.split()) if "\n" in text else text


def paragraph(value: object) -> str:
    """`clean` text of any cell, lines kept."""
    return clean(value if isinstance(value, str) else plain(value))


def token(value: object) -> str:
    """An identifier, code or address: trimmed, without control characters, nothing else changed."""
    text = value if isinstance(value, str) else plain(value)
    if not text.isprintable():
        text = _CONTROL.sub("", _LINES.sub(" ", text))
    return text.strip()


def plain(value: object) -> str:
    """A cell as text: whole floats without ``.0``, lists joined by commas, mappings as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else "" if math.isnan(value) else repr(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(text for text in map(plain, value) if text)
    if isinstance(value, Mapping):
        return orjson.dumps(value, default=str).decode()
    return str(value)


def scalar(value: object) -> Scalar:
    """A cell as something that survives JSON: numbers and flags stay, text is cleaned, the rest becomes text."""
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return paragraph(value)


def empty(value: object) -> bool:
    """Is there nothing in this cell?"""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


_SIGNS = {
    "US$": "USD", "HK$": "HKD", "NT$": "TWD", "CA$": "CAD", "C$": "CAD", "AU$": "AUD", "A$": "AUD", "S$": "SGD",
    "R$": "BRL", "CN¥": "CNY", "JP¥": "JPY", "RMB": "CNY", "人民币": "CNY", "元": "CNY", "円": "JPY", "¥": "CNY",
    "$": "USD", "€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "฿": "THB", "₫": "VND",
    "₴": "UAH", "zł": "PLN",
}  # fmt: skip
_SIGN = re.compile("|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True)), re.IGNORECASE)
_CODE = re.compile(r"\b[A-Za-z]{3}\b")
_FIGURE = re.compile(r"[+-]?\d[\d.,' ]*|[+-]?\.\d+")
_PLAIN_PRICE = re.compile(r"([+-]?\d+(?:\.\d{1,2}|\.\d{4,}|(?:\.\d+)?[eE][+-]?\d{1,3})?)(?: ?([A-Z]{3}))?")
_LARGEST = 1e12


def price(value: object) -> tuple[float, str]:
    """An amount and its currency.

    ``19.99``, ``19.99 USD``, ``$1,299.00``, ``¥1,299``, ``1.299,00 €``, ``1 299,00 kr``. ``¥`` is read as yuan.

    Returns:
        The amount in units of the currency (not cents; may be negative) and its ISO 4217 code, or "" where unstated.

    Raises:
        ValueError: It is not one amount.
    """
    if isinstance(value, str):
        return _price(value)
    if isinstance(value, Mapping):
        amount, _ = price(value.get("value", value.get("amount")))
        return amount, token(value.get("currency")).upper()
    return number(value), ""


@lru_cache(maxsize=65_536)
def _price(value: str) -> tuple[float, str]:
    if found := _PLAIN_PRICE.fullmatch(value):
        return _sound(float(found[1])), found[2] or ""
    text = unicodedata.normalize("NFKC", value).replace("\u2212", "-").strip()
    currency, rest = "", text
    if found := _SIGN.search(text):
        currency = _SIGNS[_known_sign(found[0])]
        rest = text.replace(found[0], " ", 1)
    if found := _CODE.search(rest):
        currency = found[0].upper()
        rest = rest[: found.start()] + " " + rest[found.end() :]
    rest = re.sub(r"\bkr\b\.?|[,.]-$", "", rest, flags=re.IGNORECASE)
    rest = re.sub(r"^([+-])\s+", r"\1", rest.strip())
    if not _FIGURE.fullmatch(rest):
        _refuse(value)
    return _sound(float(_figure(rest, comma_land=currency == "EUR"))), currency


def _known_sign(found: str) -> str:
    return found if found in _SIGNS else found.upper() if found.upper() in _SIGNS else found.lower()


def _figure(text: str, *, comma_land: bool) -> str:
    text = re.sub(r"['\s]", "", text)
    comma, dot = text.rfind(","), text.rfind(".")
    if comma >= 0 and dot >= 0:
        return text.replace(".", "").replace(",", ".") if comma > dot else text.replace(",", "")
    if comma >= 0:
        thousands = text.count(",") > 1 or len(text) - comma - 1 == 3
        return text.replace(",", "") if thousands else text.replace(",", ".")
    thousands = text.count(".") > 1 or (comma_land and dot >= 0 and len(text) - dot - 1 == 3)
    return text.replace(".", "") if thousands else text


def number(value: object) -> float:
    """A finite number.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, str):
        return _price(value)[0] if "," in value else _sound(float(value)) if "_" not in value else _refuse(value)
    if isinstance(value, bool) or value is None or isinstance(value, (Mapping, Sequence)):
        _refuse(value)
    return _sound(float(value))  # type: ignore[arg-type]


def _sound(value: float) -> float:
    if not math.isfinite(value) or abs(value) > _LARGEST:
        _refuse(value)
    return value + 0.0


def _refuse(value: object) -> Any:
    raise ValueError(f"not a number: {value!r}")


_TRUE = {"true", "yes", "y", "1", "t", "on", "是", "真", "已删除"}
_FALSE = {"false", "no", "n", "0", "f", "off", "否", "假", ""}


def flag(value: object) -> bool:
    """Yes or no in the usual spellings; empty is no.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, bool):
        return value
    text = plain(value).strip().casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"not yes or no: {value!r}")


_AVAILABILITY = {
    Availability.IN_STOCK: "instock available availablefororder true yes y 1 limitedavailability instoreonly onlineonly active 有货 现货 在售 有库存 充足",
    Availability.OUT_OF_STOCK: "outofstock unavailable notavailable soldout false no n 0 discontinued oos 缺货 无货 售罄 已售罄 下架 已下架 断货",
    Availability.PREORDER: "preorder presale comingsoon 预售 预订 预购",
    Availability.BACKORDER: "backorder backordered onorder availableonorder madetoorder 补货中 期货 订货",
}
_AVAILABILITY_WORDS = {word: kind for kind, words in _AVAILABILITY.items() for word in words.split()}


@lru_cache(maxsize=4096)
def availability(value: str) -> Availability:
    """Whether it can be bought, from the usual words (``in stock``, ``https://schema.org/InStock``, ``缺货`` ...).

    Raises:
        ValueError: Not a word that means availability.
    """
    word = re.sub(r"[\s_\-]", "", value.strip().casefold().rsplit("/", 1)[-1])
    if word not in _AVAILABILITY_WORDS:
        raise ValueError(f"not an availability: {value!r}")
    return _AVAILABILITY_WORDS[word]


def category(value: object) -> tuple[str, ...]:
    """A path from the department down: ``A > B > C``, ``A/B``, ``A|B``, a list, a JSON list; of several paths the first."""
    if isinstance(value, str):
        return _category(value)
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], (list, tuple)):
            return category(value[0])
        return tuple(part for part in map(line, value) if part)
    return tuple(part for part in (line(value),) if part)


@lru_cache(maxsize=65_536)
def _category(value: str) -> tuple[str, ...]:
    if (listed := _json(value, list)) is not None:
        return category(listed)
    text = line(value)
    for separators in _PATHS:
        if separators.search(text):
            return tuple(part for part in map(str.strip, separators.split(text)) if part)
    return (text,) if text else ()


def many(value: object) -> tuple[str, ...]:
    """Several codes or addresses: a list, a JSON list, or text cut at commas, bars, semicolons and blanks."""
    if value is None or value == "":
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(part for part in map(token, value) if part)
    text = token(value)
    if not _SEPARATORS.search(text):
        return (text,) if text else ()
    if (listed := _json(text, list)) is not None:
        return many(listed)
    return tuple(part for part in _SEPARATORS.split(text) if part)


def mapping(value: object) -> dict[str, Any]:
    """A JSON object, or the mapping itself; empty for an empty cell.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (list, tuple)):  # Parquet maps arrive as pairs
        return {plain(pair["key"]): pair["value"] for pair in value if isinstance(pair, Mapping)}
    if empty(value):
        return {}
    found = _json(plain(value), dict)
    if found is None:
        raise ValueError(f"not a JSON object: {value!r}")
    return dict(found)


def _json(text: str, kind: type[Any]) -> Any:
    """`text` read as JSON when it is of that kind, else None."""
    if not text.lstrip().startswith("[" if kind is list else "{"):
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, kind) else None


def quote_formula(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: a leading ``'`` before ``= + - @``; `unquote_formula` undoes it."""
    return "'" + text if _FORMULA.match(text) else text


def unquote_formula(text: str) -> str:
    """The cell as it was before `quote_formula`."""
    return text[1:] if text.startswith("'") and _QUOTED_FORMULA.match(text) else text

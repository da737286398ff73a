"""The letters of a query: cleaned of what cannot be seen, traditional Chinese made simplified, and the language they speak."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from shopkeeper.retrieval.analysis import is_chinese

LONGEST = 500
"""Characters of a query that are read; the rest is cut off."""

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[a-z\u00c0-\u024f]+", re.IGNORECASE)
_UNSEEN = frozenset(["Cc", "Cf", "Cs", "Co", "Cn"])


def clean(text: str) -> str:
    r"""A query as it can be shown again: NFKC, nothing unseen, single blanks, at most 500 characters; case is kept.

    >>> clean("  Ｒｅｄ\u202e\tshoes ")
    'Red shoes'
    """
    text = text[: 4 * LONGEST]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", "".join(map(_seen, text)))
    elif not text.isprintable():
        text = "".join(map(_seen, text))
    return " ".join(text.split())[:LONGEST].rstrip()


def lowered(text: str) -> str:
    """Lower case of exactly the same length, so that places in it are places in `text`."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def simplified(text: str) -> str:
    """Traditional Chinese characters made simplified; everything else as it was.

    >>> simplified("紅色藍牙耳機"), simplified("red")
    ('红色蓝牙耳机', 'red')
    """
    if not is_chinese(text):
        return text
    converted: str = _converter().convert(text)
    return converted


def language_of(text: str) -> str:
    """``zh`` where Han characters weigh more than Latin words, ``en`` where Latin words do, empty without either.

    A Latin word weighs as much as two characters: "iphone 手机壳" is Chinese, "lego 乐高" is in doubt and Chinese.

    >>> language_of("iphone 手机壳"), language_of("red shoes"), language_of("123")
    ('zh', 'en', '')
    """
    han = len(_HAN.findall(text))
    latin = len(_LATIN.findall(text))
    if not han and not latin:
        return ""
    return "zh" if han >= 2 * latin else "en"


def _seen(letter: str) -> str:
    if letter in "\t\n\r\v\f":
        return " "
    kind = unicodedata.category(letter)
    return "" if kind in _UNSEEN else letter


@cache
def _converter() -> Any:
    from opencc import OpenCC  # type: ignore[import-untyped]  # reads its tables when it is first asked

    return OpenCC("t2s")

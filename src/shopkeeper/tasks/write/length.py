"""How long a text is, and making it shorter without cutting a word."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from shopkeeper.models.chinese import dictionary
from shopkeeper.retrieval.analysis import is_chinese

READ: Final = 8_000
"""Characters of a description that are read."""
_TAG: Final = re.compile(r"<(?:!--.*?--|/?[a-zA-Z][^<>]{0,2000})>|<(?:script|style)\b[^<]{0,20000}", re.DOTALL)
_HIDDEN: Final = re.compile(r"<(script|style)\b.{0,20000}?</\1\s*>", re.DOTALL | re.IGNORECASE)
_BREAK: Final = re.compile(r"<(?:br|/p|/li|/div|/h\d|/tr)\b[^<>]{0,200}>", re.IGNORECASE)
_HEADING: Final = re.compile(r"^[ \t]*(?:#{1,6}\s.*|[-=*_]{3,})$", re.MULTILINE)
_MARK: Final = re.compile(r"\*\*|__|`|^[ \t]*(?:[-*•·]|\d{1,2}[.)])\s+", re.MULTILINE)
_KEPT: Final = "°®™©⌀"
_PICTURES: Final = "\U0001f000"
"""From here on signs are pictures, also those that show letters."""
_JOINED: Final = frozenset(["Mn", "Me", "Cf"])
_TRAILING: Final = " ,;:|/-–—·(（，、；：的和与及"
_NUMBER: Final = re.compile(r"[\d.,/x×–-]+")
_LOOSE: Final = frozenset(
    ["and", "or", "with", "for", "of", "in", "the", "a", "an", "by", "to", "from", "&", "at", "on"]
)


def characters(text: str) -> int:
    r"""Characters as people count them: a Chinese one is one, and accents, joiners and variants of the one before are none.

    >>> characters("tea"), characters("绿茶"), characters("e\u0301"), characters("\U0001f469\u200d\U0001f33e")
    (3, 2, 1, 1)
    """
    if text.isascii():
        return len(text)
    count, glued = 0, False
    for letter in text:
        if letter == "\u200d":
            glued = True
        elif unicodedata.category(letter) not in _JOINED and not "\U0001f3fb" <= letter <= "\U0001f3ff":
            count += 0 if glued else 1
            glued = False
    return count


def shortened(text: str, limit: int) -> str:
    """The beginning of a text that fits, ending with a whole word and without a dangling one or a number that lost its unit.

    Empty where no word fits.

    >>> shortened("Steel rake with handle", 15), shortened("不锈钢厨师刀", 4)
    ('Steel rake', '不锈钢')
    """
    if characters(text) <= limit:
        return text
    kept, room = [], limit
    for word in _words(text):
        room -= characters(word)
        if room < 0:
            break
        kept.append(word)
    short = "".join(kept).rstrip(_TRAILING)
    while (last := short.rpartition(" "))[0] and (last[2].casefold() in _LOOSE or _NUMBER.fullmatch(last[2])):
        short = last[0].rstrip(_TRAILING)
    opened = max(short.rfind("("), short.rfind("（"))
    if opened > 0 and not re.search("[)）]", short[opened:]):
        short = short[:opened].rstrip(_TRAILING)
    return short


def fitting(sentences: Sequence[str], limit: int, glue: str) -> str:
    """As many whole sentences as fit, in their order."""
    kept: list[str] = []
    for sentence in sentences:
        if characters(glue.join([*kept, sentence])) <= limit:
            kept.append(sentence)
    return glue.join(kept)


def plain(text: str) -> str:
    """A shop's text without markup, headings, pictograms and what cannot be seen; of a very long one the beginning.

    Signs that stand for letters are spelled out.

    >>> plain("<p>Soft &amp; light &#128293;</p><script>x()</script>"), plain("10㎡ 230℃ №5")
    ('Soft & light', '10m² 230°C No. 5')
    """
    text = html.unescape(_TAG.sub(" ", _BREAK.sub("\\n", _HIDDEN.sub(" ", text[:READ]))))
    text = _MARK.sub("", _HEADING.sub("\n", _TAG.sub(" ", text)))
    text = "".join(_seen(letter) for letter in unicodedata.normalize("NFC", text))
    return "\n".join(line for part in text.split("\n") if (line := " ".join(part.split())))


def _seen(letter: str) -> str:
    if letter == "\n":
        return letter
    kind = unicodedata.category(letter)
    if kind in ("Zs", "Zl", "Zp", "Cc"):
        return " "
    if kind == "So" and letter not in _KEPT:
        return _spelled(letter)
    return "" if kind[0] == "C" or kind == "Sk" or letter in "\ufe0f<>" else letter


@lru_cache(maxsize=2_000)
def _spelled(sign: str) -> str:
    """The letters that a sign stands for (℃, ㎡, ㎏, №); empty for a pictogram."""
    if sign == "№":
        return "No. "
    parts = [chr(int(code, 16)) for code in unicodedata.decomposition(sign).split() if not code.startswith("<")]
    spelled = "".join(part if part in "²³" else unicodedata.normalize("NFKC", part) for part in parts)
    return spelled.replace("∕", "/") if sign < _PICTURES and any(map(str.isalnum, spelled)) else ""


def _words(text: str) -> list[str]:
    """Pieces that are never cut: a word with the blank before it, a Chinese word."""
    pieces = re.findall(r"\s*[^\s\u3400-\u9fff]+|\s*[\u3400-\u9fff]+", text)
    words: list[str] = []
    for piece in pieces:
        words += list(dictionary().cut(piece, HMM=False)) if is_chinese(piece) else [piece]
    return words

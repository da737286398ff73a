"""Files of marked texts: JSON lines with the places of the mentions, or CoNLL columns with BIO tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from shopkeeper.errors import InputError
from shopkeeper.models.tagging.spans import OUTSIDE, Mention
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.sources import TextSource
from shopkeeper.store.feeds.tables import JsonlReader
from shopkeeper.training.tagging import Marked

_LIMIT = 100_000  # characters of a line
_SCHEMES = {"B": "B", "I": "I", "M": "I", "E": "I", "S": "B", "L": "I", "U": "B"}  # BIOES, BMES and BILOU as BIO
_JSON = 'Write {"text": "...", "mentions": [{"start": 0, "end": 2, "kind": "brand"}]}; places count characters from 0.'
_COLUMNS = "Write a token and its tag in each line (O, B-KIND or I-KIND), and an empty line after each text."


def read_marks(path: Path) -> Marked:
    """Texts and the mentions in them, in the order of the file; of texts that occur twice the first counts.

    A file whose first character is ``{`` holds JSON lines: ``text``, and ``mentions`` (or ``label``, as doccano calls it),
    each an object with ``start``, ``end`` and ``kind`` or a list of the three. Anything else is read as CoNLL: in each
    line a token and, in the last column, its tag; an empty line ends a text. Tokens of one character each are put
    together as they are; words are parted by spaces, but for those of Chinese and Japanese.

    Raises:
        InputError: The file cannot be read, is empty, or a line is wrong; says which and why.
    """
    found: dict[str, Sequence[Mention]] = {}
    for text, mentions in _json(path) if _starts(path) == "{" else _conll(path):
        found.setdefault(text, mentions)
    if not found:
        raise InputError("There is no marked text in the file.", where=str(path), cure=_JSON)
    return Marked(list(found), list(found.values()))


def _starts(path: Path) -> str:
    source = TextSource(path)
    try:
        return next((line.lstrip("\ufeff \t")[:1] for line in source.lines() if not line.isspace()), "")
    except Reject as reject:
        raise InputError(f"The file cannot be read ({reject.reason}).", where=str(path)) from reject
    finally:
        source.close()


def _json(path: Path) -> Iterator[tuple[str, list[Mention]]]:
    reader = JsonlReader(path, _LIMIT)
    try:
        for number, row in reader.rows():
            where = f"{path}, line {number}"
            if isinstance(row, Reject):
                raise InputError(f"This line cannot be read ({row.reason}: {row.value}).", where=where, cure=_JSON)
            text = row.get("text")
            if not isinstance(text, str) or not text:
                raise InputError("The line has no text.", where=where, cure=_JSON)
            yield text, _mentions(text, row.get("mentions", row.get("label")), where)
    finally:
        reader.close()


def _mentions(text: str, given: Any, where: str) -> list[Mention]:
    if not isinstance(given, list):
        raise InputError("The line has no list of mentions.", where=where, cure=_JSON)
    found = sorted(_mention(text, one, where) for one in given)
    for one, other in pairwise(found):
        if other.start < one.end:
            names = f"{text[one.start : one.end]!r} and {text[other.start : other.end]!r}"
            raise InputError(f"The mentions {names} overlap.", where=where, cure="Keep one of them.")
    return found


def _mention(text: str, given: Any, where: str) -> Mention:
    parts = [given.get(name) for name in Mention._fields] if isinstance(given, dict) else given
    match parts:
        case [int(start), int(end), str(kind)] if kind.strip() and 0 <= start < end <= len(text):
            return Mention(start, end, kind.strip())
    raise InputError(f"{given!r} is no mention in a text of {len(text)} characters.", where=where, cure=_JSON)


def _conll(path: Path) -> Iterator[tuple[str, list[Mention]]]:
    source = TextSource(path)
    tokens: list[str] = []
    tags: list[str] = []
    number = 0
    try:
        for number, line in enumerate(source.lines(), 1):
            line = line.rstrip("\r\n")
            if line.strip() and not line.startswith("-DOCSTART-"):
                token, tag = _columns(line, f"{path}, line {number}")
                tokens.append(token)
                tags.append(tag)
            elif tokens:
                yield _joined(tokens, tags)
                tokens, tags = [], []
        if tokens:
            yield _joined(tokens, tags)
    except Reject as reject:
        raise InputError(f"Reading breaks off ({reject.reason}).", where=f"{path}, line {number + 1}") from reject
    finally:
        source.close()


def _columns(line: str, where: str) -> tuple[str, str]:
    """The first and the last column; a first column that is blank is a space of the text."""
    head, _, tag = line.rstrip().rpartition("\t" if "\t" in line else " ")
    place, _, kind = tag.partition("-")
    if tag != OUTSIDE and (place not in _SCHEMES or not kind):
        raise InputError(f"{tag!r} is no tag.", where=where, cure=_COLUMNS)
    if not head and not line[:1].isspace():
        raise InputError(f"{tag!r} stands alone.", where=where, cure=_COLUMNS)
    first = head.split("\t")[0].strip() if "\t" in line else (head.split() or [""])[0]
    return first or " ", tag if tag == OUTSIDE else f"{_SCHEMES[place]}-{kind}"


def _joined(tokens: Sequence[str], tags: Sequence[str]) -> tuple[str, list[Mention]]:
    """The text of some tokens, and the mentions that their tags say."""
    characters = all(len(token) == 1 for token in tokens)
    text = ""
    found: list[Mention] = []
    before = OUTSIDE
    for token, tag in zip(tokens, tags, strict=True):
        if text and not characters and not (_unspaced(text[-1]) or _unspaced(token[0])):
            text += " "
        start, kind = len(text), tag[2:]
        text += token
        if tag.startswith("I") and before[2:] == kind:
            found[-1] = found[-1]._replace(end=len(text))
        elif tag != OUTSIDE:
            found.append(Mention(start, len(text), kind))
        before = tag
    return text, found


def _unspaced(character: str) -> bool:
    """Is this of a script that puts no spaces between words?"""
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\uffef" or character >= "\U00020000"

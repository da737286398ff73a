"""Where the words searched stand in an item: the title and the best piece of the description, with ranges to mark.

Words match as `analysis` matches them: stems, Chinese words, codes with and without joints, quantities however written.
Analysis reads a normalised text, whose length differs from the original's wherever accents, ligatures, full-width letters
or capitals do; ranges always count characters (code points) of the original, and no markup is ever made here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shopkeeper.models.chinese import dictionary
from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import is_chinese, normalise, terms, words

Range = tuple[int, int]
"""Characters [start, end)."""

_WIDTH, _HAN_WIDTH = 160, 80
_READ = 3_000
"""Characters of a description that are looked through."""
_LEAD = 0.3
"""Share of a snippet that may stand before its first match."""
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PLAIN = "\x00-\x7f\u3001-\u303d\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e"
"""Characters that are one character when normalised, too."""
_PIECE = re.compile(rf"[{_PLAIN}]+(?![^{_PLAIN}])|.[^{_PLAIN}]*", re.DOTALL)
_ALL_PLAIN = re.compile(rf"[{_PLAIN}]*")
_COMPOSED = re.compile("\u0130|.[\u0300-\u036f\u1100-\u11ff\u3099\u309a\uff9e\uff9f]*", re.DOTALL)
_CHUNK = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:[-./+'’&_][^\W_{_HAN}]+)*")
_AMOUNT = re.compile(
    rf"""(?:(?<![a-z0-9.,])|(?<=\dx))(\d+(?:,\d{{3}})*(?:\.\d+)?)[ \-]?(?:([a-z]+|")(?![a-z0-9])|([{_HAN}]{{1,2}}))"""
)
_DIGIT = re.compile(r"\d")
_SENTENCE = re.compile(r"[.!?]\s+|[。！？；\n]\s*")


@dataclass(frozen=True, slots=True)
class Marked:
    """A text and the places in it to mark.

    Attributes:
        text: As the shop wrote it, unchanged.
        ranges: [start, end) in characters of `text`, in order, never overlapping.
        start: Where `text` begins in the field it is cut from; add it for ranges in the whole field.
        cut: Whether the field goes on behind `text`.
    """

    text: str
    ranges: tuple[Range, ...] = ()
    start: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Highlights:
    """What to show of a hit: its title, and the piece of its description that says most about the search."""

    title: Marked
    snippet: Marked


def highlights(item: Item, searched: str) -> Highlights:
    """Title and snippet of an item, with the words searched marked.

    Args:
        item: The item.
        searched: The words searched, with their other wordings if there were any, in one string.

    >>> found = highlights(Item(id="1", title="Chef’s TORCH", description="Torches of steel."), "torches")
    >>> found.title.ranges, found.snippet.ranges
    (((7, 12),), ((0, 7),))
    """
    wanted = frozenset(terms(searched))
    return Highlights(Marked(item.title, marks(item.title, wanted)), snippet(item.description, wanted))


def marks(text: str, wanted: frozenset[str]) -> tuple[Range, ...]:
    """Ranges of those words of a text whose term is wanted; of overlapping ones the first and longest."""
    return tuple((start, end) for start, end, _ in _apart(located(text, wanted)))


def snippet(text: str, wanted: frozenset[str]) -> Marked:
    """The window of a text with the most different wanted terms in it, then the most marks, then the earliest.

    It is about 160 characters long, 80 where the text is Chinese, begins with a sentence or a word, and ends with a word.
    Without any match it is the beginning of the text.
    """
    head = text[:_READ]
    width = _HAN_WIDTH if is_chinese(head[:_HAN_WIDTH]) else _WIDTH
    found = _apart(located(head, wanted))
    start = _opening(head, *_best(found, width), width) if found else 0
    stop = _closing(text, start, min(start + width, len(text)))
    ranges = tuple((a - start, b - start) for a, b, _ in found if a >= start and b <= stop)
    return Marked(text[start:stop], ranges, start, stop < len(text))


def located(text: str, wanted: frozenset[str] | None = None) -> list[tuple[int, int, str]]:
    """Words of a text as (start, end, term), by start, the longer first; they may overlap, as terms do.

    Args:
        text: Any text; ranges are in its own characters.
        wanted: Terms to look for; None finds all words.

    >>> located("Ｒed ﬁsh, 32 GB")
    [(0, 3, 'red'), (4, 7, 'fish'), (9, 14, '32gb')]
    """
    plain, starts, ends = _aligned(text)
    found = {
        (start if starts is None else starts[start], end if ends is None else ends[end - 1], term)
        for start, end, term in _words(plain, wanted)
    }
    return sorted(found, key=lambda word: (word[0], -word[1], word[2]))


def _words(plain: str, wanted: frozenset[str] | None) -> Iterator[tuple[int, int, str]]:
    """Words of a normalised text."""
    amounts = _amounts(plain)
    for start, end, term in amounts:
        if wanted is None or term in wanted:
            yield start, end, term
    if amounts:
        letters = list(plain)
        for start, end, _ in amounts:
            letters[start:end] = " " * (end - start)
        plain = "".join(letters)
    held = None
    if wanted is not None:  # most texts hold few of the words: whether a chunk does is asked once, whatever its places
        held = {chunk for chunk in set(_CHUNK.findall(plain)) if not wanted.isdisjoint(_terms_in(chunk))}
        if not held:
            return
    for place in _CHUNK.finditer(plain):
        chunk = place.group()
        if held is not None and chunk not in held:
            continue
        for start, end, term in _in_chunk(chunk):
            if wanted is None or term in wanted:
                yield place.start() + start, place.start() + end, term


@lru_cache(maxsize=100_000)
def _terms_in(chunk: str) -> frozenset[str]:
    return frozenset(term for *_, term in _in_chunk(chunk))


def _amounts(plain: str) -> list[tuple[int, int, str]]:
    """Quantities: a number and a unit that are one term for analysis."""
    found: list[tuple[int, int, str]] = []
    if not _DIGIT.search(plain):
        return found
    for amount in _AMOUNT.finditer(plain):
        number, unit, han = amount.groups()
        for tried in (unit,) if unit else (han, han[:1]):
            end = amount.end() - (0 if unit else len(han) - len(tried))
            term = _quantity(number, tried)
            if term and not re.match("[a-z0-9]", plain[end : end + 1]):
                found.append((amount.start(), end, term))
                break
    return found


@lru_cache(maxsize=10_000)
def _quantity(number: str, unit: str) -> str:
    term = terms(f"{number} {unit}")
    return term[0] if len(term) == 1 else ""


@lru_cache(maxsize=50_000)
def _in_chunk(chunk: str) -> tuple[tuple[int, int, str], ...]:
    """Words of a run of Chinese characters, or of one that analysis takes as a whole and in pieces."""
    if is_chinese(chunk):
        return tuple((start, end, word) for word, start, end in dictionary().tokenize(chunk, mode="search", HMM=False))
    found, behind = [], 0
    for term, word in words(chunk):
        whole = chunk.startswith(word) and not word.isalnum()
        start = 0 if whole else chunk.find(word, behind)
        if start >= 0:
            found.append((start, start + len(word), term))
            behind = behind if whole else start + len(word)
    return tuple(found)


def _aligned(text: str) -> tuple[str, Sequence[int] | None, Sequence[int] | None]:
    """The normalised text and, for each of its characters, where the original ones behind it start and end.

    The two are None where nothing moves.
    """
    whole = normalise(text)
    if len(whole) == len(text) and (text.isascii() or _ALL_PLAIN.fullmatch(text)):
        return whole, None, None
    plain: list[str] = []
    starts: list[int] = []
    ends: list[int] = []

    def add(written: str, start: int, end: int) -> None:
        plain.append(written)
        starts.extend([start] * len(written))
        ends.extend([end] * len(written))

    for piece in _PIECE.finditer(text):
        start, run = piece.start(), piece.group()
        if re.match(rf"[{_PLAIN}]+\Z", run):
            plain.append(normalise(run))
            starts.extend(range(start, piece.end()))
            ends.extend(range(start + 1, piece.end() + 1))
            continue
        for letter in _COMPOSED.finditer(run):
            add(normalise(letter.group()), start + letter.start(), start + letter.end())
    joined = "".join(plain)
    return whole if len(whole) == len(joined) else joined, starts, ends


def _apart(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Without those that overlap an earlier or, from the same start, a longer one."""
    kept: list[tuple[int, int, str]] = []
    for start, end, term in found:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end, term))
    return kept


def _best(found: Sequence[tuple[int, int, str]], width: int) -> Range:
    """First start and last end of the best window of `width` characters."""
    ends = [end for _, end, _ in found]
    best, window = (0, 0), found[0][:2]
    for place, (start, end, _) in enumerate(found):
        last = max(bisect_left(ends, start + width + 1), place + 1)
        inside = found[place:last]
        value = (len({term for *_, term in inside}), len(inside))
        if value > best:
            best, window = value, (start, max(end, inside[-1][1]))
    return window


def _opening(text: str, first: int, last: int, width: int) -> int:
    """Where a window that holds [first, last) should begin: with a sentence, else with a word."""
    earliest = max(0, first - int(_LEAD * width), last - width)
    if first + (width - (last - first)) >= len(text):
        earliest = min(earliest, max(0, len(text) - width))
    earliest = min(earliest, first)
    if earliest == 0:
        return 0
    for sentence in _SENTENCE.finditer(text, max(0, earliest - 2), first):
        if sentence.end() >= earliest:
            return sentence.end()
    if not is_chinese(text[earliest : earliest + 1]):
        blank = text.find(" ", earliest - 1, first)
        return blank + 1 if blank >= 0 else earliest
    return earliest


def _closing(text: str, start: int, stop: int) -> int:
    """Where a window should end: not in the middle of a word with letters."""
    if stop == len(text) or not (text[stop - 1].isalnum() and text[stop].isalnum()):
        return stop
    if is_chinese(text[stop - 1 : stop + 1]):
        return stop
    blank = text.rfind(" ", start + (stop - start) * 3 // 4, stop)
    return blank if blank > 0 else stop

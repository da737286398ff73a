"""The shop's own words in pieces small enough to quote: two or three sentences, or one fact of a product."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shopkeeper.records import Item, Passage, PassageKind
from shopkeeper.retrieval.analysis import is_chinese
from shopkeeper.retrieval.understanding.script import language_of

FAQ, POLICY, PRODUCT, REVIEW, DIALOGUE = "faq", "policy", "product", "review", "dialogue"
_LONG, _HAN_LONG = 320, 140
"""Characters of a piece, about three sentences."""
_MOST_PIECES = 40
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])\s*|\n+")
_PRIVATE = re.compile(r"\d{5,}|(?:\d[ -]?){7}|\S@\S")
_STAFF = frozenset(["staff", "agent", "human"])


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece that may answer a question.

    Attributes:
        source: ``faq``, ``policy``, ``product``, ``review`` or ``dialogue``.
        asked: The question it was written for, a heading, or the same as `text`: what a question is compared with.
        text: The words themselves.
        item: Id of the item it speaks of, or empty.
        passage: Where it stands; None for what the catalogue says.
        language: ``"zh"``, ``"en"`` or empty.
    """

    source: str
    asked: str
    text: str
    item: str = ""
    passage: Passage | None = None
    language: str = ""


def of_passages(passages: Iterable[Passage]) -> list[Snippet]:
    """Pieces of FAQ answers, policies and reviews, and pairs of question and answer out of past dialogues."""
    found: list[Snippet] = []
    threads: dict[str, list[Passage]] = {}
    for passage in passages:
        if passage.kind is PassageKind.DIALOGUE:
            threads.setdefault(passage.thread, []).append(passage)
        elif passage.kind in {PassageKind.FAQ, PassageKind.POLICY, PassageKind.REVIEW}:
            found += _of_passage(passage)
    return found + [snippet for turns in threads.values() for snippet in _of_dialogue(turns)]


def of_item(item: Item) -> list[Snippet]:
    """What the catalogue says of an item: pieces of its description, and each attribute as a fact of its own."""
    spoken = item.language[:2] or language_of(item.title)
    colon = "：" if spoken == "zh" else ": "
    facts = [f"{name}{colon}{value}" for name, value in item.attributes.items()]
    texts = [*pieces(item.description), *facts] or [item.title]
    return [Snippet(PRODUCT, text, text, item.id, None, spoken) for text in texts]


def pieces(text: str) -> list[str]:
    """A text cut between sentences into pieces of at most about three, in order; the shortest cut is one sentence.

    >>> pieces("Free above 50 euros. Below that it is 5.")
    ['Free above 50 euros. Below that it is 5.']
    """
    longest = _HAN_LONG if is_chinese(text[:200]) else _LONG
    found: list[str] = []
    for sentence in _SENTENCE.split(text):
        sentence = " ".join(sentence.split())
        for part in _cut(sentence, 2 * longest):
            if found and len(found[-1]) + len(part) < longest:
                found[-1] += ("" if is_chinese(part) else " ") + part
            else:
                found.append(part)
        if len(found) >= _MOST_PIECES:
            break
    return found[:_MOST_PIECES]


def _cut(sentence: str, most: int) -> Sequence[str]:
    return [sentence[start : start + most] for start in range(0, len(sentence), most)]


def _of_passage(passage: Passage) -> Iterator[Snippet]:
    source = {PassageKind.FAQ: FAQ, PassageKind.POLICY: POLICY, PassageKind.REVIEW: REVIEW}[passage.kind]
    spoken = passage.language[:2] or language_of(passage.title + passage.text)
    for text in pieces(passage.text):
        asked = text if source == REVIEW else passage.title or text
        yield Snippet(source, asked, text, passage.item, passage, spoken)


def _of_dialogue(turns: list[Passage]) -> Iterator[Snippet]:
    """A customer's question and what a human of the shop answered, unless it is about that customer's own affairs."""
    if all(turn.time for turn in turns):
        turns = sorted(turns, key=lambda turn: turn.time.timestamp() if turn.time else 0.0)
    for before, after in pairwise(turns):
        if before.author == "customer" and after.author in _STAFF and not _PRIVATE.search(before.text + after.text):
            spoken = after.language[:2] or language_of(after.text)
            yield Snippet(DIALOGUE, before.text, after.text, after.item, after, spoken)

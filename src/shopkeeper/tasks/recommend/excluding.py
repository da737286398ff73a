"""What a customer does not want, as rows: the items that have it. "No leather" in a description has none.

An item has an unwanted thing when one of its fields holds all words of it, unless every mention is a denial: "without
leather", "leather-free", 不含皮革. Only items that hold a denying word at all are read for that, the best 2,000 of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import is_chinese, normalise
from shopkeeper.retrieval.lexical import LexicalIndex, query_terms
from shopkeeper.retrieval.shelf import Rows

_DENIALS = "no not non without free 不 无 非 零 免 没有 不是 不含 不带 无需 不用 不添加"
_BEFORE = re.compile(
    r"(?:(?<![a-z])(?:no|not|non|without|w/o|free of|free from)[\s-]+(?:(?:an?|any|the|real|genuine|added)\s+)?"
    r"|(?:不含有?|不带|不添加|不用|无需|没有|不是|无|非|零|免)(?:任何|添加|真)?\s?)$"
)
_BEHIND = re.compile(r"[\s-]+free(?![a-z])")
_WINDOW = 24
_LONG_STEM = 5
_READ = 2_000


def holding(unwanted: str, index: LexicalIndex, items: Sequence[Item | None]) -> Rows:
    """Rows that have an unwanted thing: int64 (n,), in no order.

    Args:
        unwanted: What is not wanted, e.g. ``leather``; nothing holds a text without words.
        index: The words of the items.
        items: `Shelf.items`.
    """
    wanted = query_terms(unwanted)
    thing = re.compile(r"[\s-]*".join(map(_form, wanted)))
    denying = [row for row in index.holding(unwanted, _DENIALS)[:_READ].tolist() if _denied(items[row], thing)]
    rows = index.holding(unwanted)
    return rows[np.isin(rows, denying, invert=True)] if denying else rows


def _denied(item: Item | None, thing: re.Pattern[str]) -> bool:
    """Whether an item speaks of a thing only to say that it lacks it."""
    if item is None:
        return False
    text = normalise(item.text)
    said = [mention.span() for mention in thing.finditer(text)]
    return bool(said) and all(
        _BEHIND.match(text, end) or _BEFORE.search(text[max(0, start - _WINDOW) : start]) for start, end in said
    )


def _form(term: str) -> str:
    """A pattern of the forms of a word that share a term; a wider one errs on the side of a mention that is no denial."""
    if is_chinese(term):
        return re.escape(term)
    stem = term[:-1] if len(term) >= _LONG_STEM else term
    return rf"(?<![a-z0-9]){re.escape(stem)}\w*"

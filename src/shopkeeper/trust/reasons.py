"""Why a hit is there: the evidence that carried most of its score, named, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.records import EventKind, Reason

Floats = NDArray[np.float32]

FOCUS: Final = "focus"
"""Deed of an item on the page or in the basket right now."""

_DID: Final = {
    EventKind.PURCHASE: ("you bought", "您买过"),
    EventKind.CART: ("you put in your basket", "您加购过"),
    EventKind.LIKE: ("you liked", "您喜欢"),
    EventKind.SHARE: ("you shared", "您分享过"),
    EventKind.REVIEW: ("you reviewed", "您评价过"),
    FOCUS: ("you are looking at", "您正在看"),
}
_LOOKED: Final = ("you looked at", "您看过")
_TITLE: Final = 48
"""Characters of a title inside a reason."""

_PLAIN: Final = {
    "popular": ("Popular now", "近期热门"),
    "trending": ("Rising now", "正在走红"),
    "new": ("New in the shop", "新品上架"),
    "explore": ("Something different", "换个口味看看"),
    "again": ("You looked at this before", "您之前看过这件商品"),
}
_KIND: Final = {
    "complements": "goes_with",
    "together": "bought_together",
    "ease": "bought_together",
    "after": "bought_next",
    "meaning": "similar",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """An item of the customer's history and what was done with it.

    Attributes:
        item: Its id.
        title: Its title.
        kind: What was done, or `FOCUS`.
    """

    item: str
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class Carrier:
    """One part of a score: the source, the place in the history (None for what holds for everybody), and how much."""

    source: str
    entry: int | None
    amount: float


def carriers(
    carried: Mapping[str, Floats], hit: int, *, standing: Sequence[str] = (), count: int = 2, least: float = 0.15
) -> list[Carrier]:
    """The parts that carry most of a hit's score, heaviest first.

    Args:
        carried: Source name to float32 (m, hits): what each item of the history adds to each hit.
        hit: Column in question.
        standing: Sources that no history carries; their m is 1.
        count: How many at most, each from another item of the history.
        least: Smallest share of all that speaks for the hit.
    """
    parts = [
        Carrier(source, None if source in standing else entry, float(amount))
        for source, amounts in carried.items()
        for entry, amount in enumerate(amounts[:, hit])
        if amount > 0
    ]
    parts.sort(key=lambda part: -part.amount)
    enough = least * sum(part.amount for part in parts)
    chosen: list[Carrier] = []
    for part in parts:
        if len(chosen) < count and part.amount >= enough and all(part.entry != other.entry for other in chosen):
            chosen.append(part)
    return chosen or parts[:1]


def because(source: str, deed: Deed, words: Sequence[str] = ()) -> Reason:
    """A reason that names an item of the history.

    Args:
        source: ``together``, ``after``, ``complements``, ``words``, ``meaning`` or ``again``.
        deed: The item behind it and what the customer did with it.
        words: Words that both items share, for ``words``.

    Returns:
        A reason whose evidence is the item's id, then the words.
    """
    if source in ("again", "habit"):
        return plain("again", (deed.item,))
    english, chinese = _DID.get(deed.kind, _LOOKED)
    title = _short(deed.title)
    if source in ("together", "ease"):
        texts = f"Customers who chose “{title}” chose this too", f"选择“{title}”的顾客也选择了它"
    elif source == "after":
        texts = f"Often chosen next, after “{title}”", f"选择“{title}”之后，顾客常接着选它"
    elif source == "complements":
        texts = f"Goes with “{title}”", f"与“{title}”搭配"
    elif source == "words" and words:
        texts = (
            f"Like “{title}”, which {english}: {', '.join(words)}",
            f"与{chinese}的“{title}”相似：{'、'.join(words)}",
        )
    else:
        texts = f"Because {english} “{title}”", f"因为{chinese}“{title}”"
    return Reason(kind=_KIND.get(source, source), evidence=(deed.item, *words), text={"en": texts[0], "zh": texts[1]})


def met(deed: Deed, phrases: Mapping[str, str], evidence: Sequence[str]) -> Reason:
    """A reason from the knowledge graph.

    Args:
        deed: The item of the history where the path begins.
        phrases: What joins both, per language tag.
        evidence: The nodes in between.
    """
    english, chinese = _DID.get(deed.kind, _LOOKED)
    title = _short(deed.title)
    return Reason(
        kind="graph",
        evidence=(deed.item, *evidence),
        text={
            "en": f"{phrases['en']}, as “{title}”, which {english}",
            "zh": f"{phrases['zh']}（{chinese}“{title}”）",
        },
    )


def asked(query: str) -> Reason:
    """The item answers the words of the request."""
    words = _short(query)
    return Reason(kind="query", evidence=(query,), text={"en": f"Fits “{words}”", "zh": f"符合“{words}”"})


def plain(kind: str, evidence: tuple[str, ...] = ()) -> Reason:
    """A reason that holds for everybody: ``popular``, ``new``, ``explore`` (or ``again``)."""
    english, chinese = _PLAIN[kind]
    return Reason(kind=kind, evidence=evidence, text={"en": english, "zh": chinese})


def _short(text: str) -> str:
    return text if len(text) <= _TITLE else text[: _TITLE - 1].rstrip() + "…"

"""Why a hit of a search is there, in both languages, and what made its score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shopkeeper.records import Item, Reason
from shopkeeper.retrieval.lexical import matched_words
from shopkeeper.tasks.search.finding import Ranked

PINNED = Reason(kind="pinned", text={"en": "Chosen by the shop", "zh": "店铺精选"})
_TASTE = Reason(kind="taste", text={"en": "Close to what you looked at", "zh": "与您看过的商品相近"})
_POPULAR = Reason(kind="popular", text={"en": "Popular in this shop", "zh": "本店热卖"})
_NEW = Reason(kind="new", text={"en": "New in the shop", "zh": "新品上架"})


def explained(
    query: str, item: Item, row: int, ranked: Ranked, score: float
) -> tuple[tuple[Reason, ...], Mapping[str, float]] | None:
    """Reasons and contributions of a hit that was found by words or meaning; None for one that was not.

    The words it shares with the query come first, then nearness in meaning where that weighs as much, then the
    customer's taste. Contributions add up to the score; ``ranker`` is what the ranker and the rules made of the rest.
    """
    places = np.flatnonzero(ranked.rows == row)
    if not len(places):
        return None
    at = int(places[0])
    parts = {"lexical": float(ranked.words[at]), "vectors": float(ranked.meaning[at])}
    shared = matched_words(query, item)
    reasons: list[Reason] = []
    if shared:
        quoted_en = ", ".join(f"“{word}”" for word in shared)
        quoted_zh = "、".join(f"“{word}”" for word in shared)
        text = {"en": f"Contains {quoted_en}", "zh": f"包含{quoted_zh}"}
        reasons.append(Reason(kind="query", evidence=shared, text=text))
    if not shared or parts["vectors"] >= parts["lexical"]:
        text = {"en": "Close in meaning to your search", "zh": "与您搜索的意思相近"}
        reasons.append(Reason(kind="meaning", evidence=(f"{float(ranked.cosine[at]):.2f}",), text=text))
    if ranked.taste[at] > 0:
        parts["taste"] = float(ranked.taste[at])
        reasons.append(_TASTE)
    return tuple(reasons), {**parts, "ranker": score - sum(parts.values())}


def alike(likeness: float) -> Reason:
    """The reason of a hit that looks like the picture that was sent, with the cosine of the two."""
    text = {"en": "Alike in looks", "zh": "外观相似"}
    return Reason(kind="looks", evidence=(f"{likeness:.2f}",), text=text)


def standing(sort: str, *, sells: bool, new: bool) -> tuple[Reason, ...]:
    """The reason of a hit that no words were typed for: that it sells, or that it is new."""
    if sort in ("relevance", "popular") and sells:
        return (_POPULAR,)
    return (_NEW,) if sort == "newest" and new else ()

"""A few of the posts' own sentences that say what most of them say, and the headline over them, in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.aspects import sentences
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.tasks.listen.counts import Series

_NEW: Final = 0.5
"""Weight of being unlike what was said already, against being like everything."""
_SAME: Final = 0.8
_SENTENCES: Final = 400
_SHORTEST, _LONGEST = 4, 160
_JOINT: Final[Mapping[str, str]] = {"zh": "；"}
_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "item": ("the product ", "商品"),
    "entity": ("", ""),
    "brand": ("the brand ", "品牌"),
    "topic": ("", "话题"),
    "risk": ("the risk ", "风险"),
    "source": ("the source ", "来源"),
}


def summary(texts: Sequence[str], most: int = 3) -> tuple[str, list[int]]:
    """The sentences that stand for all posts: near the centre, and unlike each other.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) around the centroid of TF-IDF vectors (Radev et al.,
    2004). Only sentences in the posts' commonest language; copies of a sentence are one.

    Args:
        texts: Of the posts, the most telling first.
        most: Sentences at most.

    Returns:
        The summary, and the places of `texts` it was taken from; empty without any sentence.

    >>> summary(["The parcel came late. I was angry.", "My parcel came late again!", "The parcel came late."], most=1)
    ('The parcel came late.', [0])
    """
    language = Counter(map(language_of, texts)).most_common(1)[0][0] if texts else ""
    said: dict[str, int] = {}
    for place, text in enumerate(texts):
        for sentence in sentences(text[: 20 * _LONGEST]):
            if len(sentence) >= _SHORTEST and language_of(sentence) == language and len(said) < _SENTENCES:
                said.setdefault(_cut(sentence), place)
    told = [sentence for sentence in said if terms(sentence)]
    if not told:
        return "", []
    vectors = TfidfVectorizer(analyzer=terms, sublinear_tf=True).fit_transform(told)
    centre = np.asarray(vectors.mean(axis=0)).ravel()
    central = vectors @ (centre / max(float(np.linalg.norm(centre)), 1e-9))
    chosen: list[int] = []
    likeness = np.zeros(len(told))
    while len(chosen) < most:
        worth = np.where(likeness < _SAME, central - _NEW * likeness, -np.inf)
        worth[chosen] = -np.inf
        best = int(worth.argmax())
        if not np.isfinite(worth[best]):
            break
        chosen.append(best)
        likeness = np.maximum(likeness, (vectors @ vectors[best].T).toarray().ravel())
    return _JOINT.get(language, " ").join(told[place] for place in chosen), [said[told[place]] for place in chosen]


def headline(series: Series, names: tuple[str, str], *, posts: int, expected: float, span: timedelta) -> dict[str, str]:
    """What an alert is called, by language.

    Args:
        series: What rose.
        names: How people know it, in English and Chinese.
        posts: Counted.
        expected: To be expected.
        span: In how long.

    >>> headline(Series("topic", "late", True), ("delivery", "物流"), posts=34, expected=5.2, span=timedelta(hours=1))["en"]
    'More complaints than usual: delivery (34 posts in 1 h, usually about 5)'
    """
    hours = span / timedelta(hours=1)
    long, number = hours >= 48, hours / 24 if hours >= 48 else hours
    english, chinese = _NOUNS[series.by]
    usual = f"{expected:.0f}" if expected >= 1 else "0"
    return {
        "en": f"{'More complaints than usual' if series.negative else 'More posts than usual'}: {english}{names[0]} "
        f"({posts:,} posts in {number:.3g} {'days' if long else 'h'}, usually about {usual})",
        "zh": f"{'投诉增多' if series.negative else '讨论增多'}：{chinese}“{names[1]}”"
        f"（{number:.3g} {'天' if long else '小时'}内 {posts:,} 条，通常约 {usual} 条）",
    }


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST else sentence[: _LONGEST - 1].rstrip() + "…"

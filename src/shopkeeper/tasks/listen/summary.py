"""What an alert says in English and in Chinese: a headline, what was read in the posts, and a few of their own sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.aspects import ASPECTS, sentences
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.reading import Reading

_NEW: Final = 0.5
"""Weight of being unlike what was said already, against being like everything."""
_SAME: Final = 0.8
_SENTENCES: Final = 400
_SHORTEST, _LONGEST = 4, 160
_JOINT: Final[Mapping[str, str]] = {"zh": "；"}
_TOLD: Final = 3
"""Topics, aspects or names that a digest tells of each kind."""
_WORDS: Final[Mapping[str, str]] = {
    "posts": "{posts:,} posts", "foreign": " ({count:,} in Chinese)", "bad": ", {count:,} of them complaints",
    "about": "about: ", "displeases": "displeases: ", "pleases": "pleases: ", "danger": "danger: ", "named": "named: ",
    "comma": ", ", "between": "; ", "end": ".",
}  # fmt: skip
_MARKS: Final[Mapping[str, str]] = {
    "posts": "{posts:,} 条内容", "foreign": "（其中英文 {count:,} 条）", "bad": "，{count:,} 条为投诉",
    "about": "话题：", "displeases": "不满：", "pleases": "满意：", "danger": "风险：", "named": "提到：",
    "comma": "、", "between": "；", "end": "。",
}  # fmt: skip
_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "item": ("the product ", "商品"),
    "entity": ("", ""),
    "brand": ("the brand ", "品牌"),
    "topic": ("", "话题"),
    "risk": ("the risk ", "风险"),
    "source": ("the source ", "来源"),
}


LANGUAGES: Final = ("en", "zh")


def quotes(texts: Sequence[str], language: str, most: int = 3) -> tuple[str, list[int]]:
    """The sentences that stand for all posts: near the centre, and unlike each other.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) around the centroid of TF-IDF vectors (Radev et al.,
    2004). Only sentences in one language: `language` where any post is in it, else the posts' commonest. Copies of a
    sentence are one.

    Args:
        texts: Of the posts, the most telling first.
        language: Of the reader.
        most: Sentences at most.

    Returns:
        The sentences as one text, and the places of `texts` they were taken from; empty without any sentence.

    >>> quotes(["The parcel came late. I was angry.", "My parcel came late again!", "The parcel came late."], "en", most=1)
    ('The parcel came late.', [0])
    """
    spoken = Counter(map(language_of, texts))
    language = language if spoken[language] or not texts else spoken.most_common(1)[0][0]
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


def digest(readings: Sequence[Reading], names: Mapping[str, tuple[str, str]], language: str) -> str:
    """One sentence on what was read in posts: how many complain, in which language, about what, and whom they name.

    Args:
        readings: Of the posts, at least one.
        names: English and Chinese names of topics, risks and whatever else has two.
        language: ``en`` or ``zh``.

    >>> from datetime import UTC, datetime
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> late = Reading(post="1", time=now, language="zh", sentiment=-1.0, topics=("late",), aspects={"delivery": -0.9})
    >>> digest([late, late], {"late": ("late parcels", "迟到")}, "en")
    '2 posts (2 in Chinese), 2 of them complaints; about: late parcels; displeases: delivery.'
    """
    place = LANGUAGES.index(language)
    other = LANGUAGES[1 - place]
    foreign = sum(one.language == other for one in readings)
    bad = sum(one.negative for one in readings)
    told = _MARKS if place else _WORDS
    parts = [
        told["posts"].format(posts=len(readings))
        + (told["foreign"].format(count=foreign) if foreign else "")
        + (told["bad"].format(count=bad) if bad else "")
    ]
    felt: Counter[str] = Counter()
    for one in readings:
        felt.update({aspect: int(np.sign(value)) for aspect, value in one.aspects.items()})
    said = {
        "about": _commonest((key for one in readings for key in one.topics), names, place),
        "displeases": [ASPECTS[aspect][place] for aspect, count in felt.most_common()[::-1] if count < 0][:_TOLD],
        "pleases": [ASPECTS[aspect][place] for aspect, count in felt.most_common() if count > 0][:_TOLD],
        "danger": _commonest((one.risk for one in readings), names, place),
        "named": _commonest((concern.name for one in readings for concern in one.entities), names, place),
    }
    parts += [told[key] + told["comma"].join(words) for key, words in said.items() if words]
    return told["between"].join(parts) + told["end"]


def _commonest(keys: Iterable[str], names: Mapping[str, tuple[str, str]], place: int) -> list[str]:
    counts = Counter(key for key in keys if key)
    return [names.get(key, (key, key))[place] for key, _ in counts.most_common(_TOLD)]


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

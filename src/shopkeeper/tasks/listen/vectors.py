"""What a post is about as a vector, quick enough for hundreds a second: vectors of its words, looked up and averaged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from shopkeeper.models.text import Floats
from shopkeeper.retrieval.analysis import words
from shopkeeper.tasks.listen.words import FINANCE, RISKS, SHOP

Encode = Callable[[Sequence[str]], Floats]
"""Words to unit vectors, float32 (n, d)."""

_COMMON: Final = 1e-3
_PRIOR: Final = 20_000
"""Words that count as read before any was, so that what the first posts share does not look common."""
_MOST_CHARACTERS: Final = 2_000
_PLAIN: Final = frozenset(
    re.findall(
        r"\w+",
        "the and for that this with was were are have has had not but you your they them their its from all one out very "
        "just when what which would could will can about there been more than some only into too also our she her his him "
        "who how did does get got after because other any then 这个 那个 一个 没有 不是 就是 还是 可以 什么 怎么 我们 你们 他们 自己 因为 "
        "所以 但是 如果 不过 而且 已经 现在 这样 时候 知道 觉得 感觉 真的 非常 比较 一下 一点 有点 还有 这么 不能 不会 以后 之后 起来 出来 "
        "这种 不知 不知道 其他 东西 不错 很好 还好 挺好",
    )
)
_NUMBER: Final = re.compile(r"[\d.,%a-z]*\d[\d.,%a-z]*")


class WordVectors:
    """Averages of word vectors, words that are common counting less (SIF, Arora, Liang, Ma 2017).

    Each new word is encoded once and kept. What all words share (the mean over the words of the built-in labels) is taken
    off first: without that, any two posts look alike.

    Args:
        encode: The static encoder.
        most: Words that are kept; when there are more, the rarest half is forgotten.
        new: Words encoded in one call at most, the most frequent first: a new vocabulary must not hold up the posts.
    """

    def __init__(self, encode: Encode, *, most: int = 30_000, new: int = 128) -> None:
        self._encode, self._most, self._new = encode, most, new
        built_in = [word for label in (*SHOP, *FINANCE, *RISKS) for word in label.words]
        self._mean = encode(built_in).mean(axis=0)
        self._rows: dict[str, int] = {}
        self._table = np.zeros((1_024, len(self._mean)), dtype=np.float32)
        self._counts: Counter[str] = Counter()
        self._total = _PRIOR

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return len(self._mean)

    def of(self, posts: Sequence[Sequence[str]]) -> Floats:
        """Unit vectors of posts given by their words, float32 (n, d); zero where no word is known."""
        here = Counter(word for post in posts for word in post)
        self._counts.update(here)
        self._total += here.total()
        self._learn([word for word, _ in here.most_common() if word not in self._rows][: self._new])
        out = np.zeros((len(posts), self.dimension), dtype=np.float32)
        for place, post in enumerate(posts):
            known = [word for word in post if word in self._rows]
            if known:
                weights = np.array(
                    [_COMMON / (_COMMON + self._counts[word] / self._total) for word in known], np.float32
                )
                out[place] = weights @ self._table[[self._rows[word] for word in known]]
        return _unit(out)

    def centre(self, phrases: Sequence[str]) -> Floats:
        """The middle of some words or phrases, unit float32 (d,)."""
        middle: Floats = _unit((self._encode(phrases) - self._mean).mean(axis=0, keepdims=True))[0]
        return middle

    def _learn(self, fresh: Sequence[str]) -> None:
        if not fresh:
            return
        if len(self._rows) + len(fresh) > self._most:
            self._forget()
        start = len(self._rows)
        while len(self._table) < start + len(fresh):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        self._table[start : start + len(fresh)] = self._encode(fresh) - self._mean
        self._rows.update(zip(fresh, range(start, start + len(fresh)), strict=True))

    def _forget(self) -> None:
        kept = sorted(self._rows, key=lambda word: -self._counts[word])[: self._most // 2]
        self._table[: len(kept)] = self._table[[self._rows[word] for word in kept]]
        self._rows = {word: place for place, word in enumerate(kept)}
        self._counts = Counter({word: self._counts[word] for word in kept})
        self._total = _PRIOR + self._counts.total()


def telling(text: str) -> list[str]:
    """The words of a text that may tell what it is about: no numbers, no single letters, no words that all texts hold."""
    found = dict.fromkeys(shown for _, shown in words(text[:_MOST_CHARACTERS]))
    return [
        word
        for word in found
        if len(word) > (2 if word.isascii() else 1) and word not in _PLAIN and not _NUMBER.fullmatch(word)
    ]


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-6)
    return scaled

"""The linear model of words: TF-IDF of n-grams and one weight a class and n-gram. Small, fast, and often hard to beat.

It serves without PyTorch and is saved as arrays and a vocabulary, so a bundle can carry it beside a fine-tuned model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from shopkeeper.models.text import Floats, softmax

_MOST_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Grams:
    """Which n-grams a linear model sees.

    Attributes:
        unit: ``char``, ``char_wb`` (within words) or ``word``.
        shortest: Fewest units in an n-gram.
        longest: Most units in an n-gram.
    """

    unit: str
    shortest: int
    longest: int

    def counter(self, vocabulary: Sequence[str] | None = None, rarest: int = 1) -> CountVectorizer:
        """Counts the n-grams of texts; those of `vocabulary`, or all that at least `rarest` texts hold."""
        known = {} if vocabulary is None else {"vocabulary": {gram: place for place, gram in enumerate(vocabulary)}}
        pattern = r"(?u)\b\w+\b"
        return CountVectorizer(
            analyzer=self.unit,
            ngram_range=(self.shortest, self.longest),
            min_df=rarest,
            token_pattern=pattern if self.unit == "word" else None,
            dtype=np.float32,
            **known,
        )


CHINESE: tuple[Grams, ...] = (Grams("char", 1, 3),)
LATIN: tuple[Grams, ...] = (Grams("word", 1, 2), Grams("char_wb", 2, 5))


class LinearText:
    """Classes of a text by the weighted n-grams it holds; a `text.Scorer` of single texts.

    Args:
        grams: Kinds of n-grams, one block of features each.
        vocabularies: The n-grams of each block, in the order of their features.
        idf: float32 (features,), over all blocks.
        weights: float32 (k, features).
        bias: float32 (k,).
        name: Name to go by.
    """

    def __init__(
        self,
        grams: Sequence[Grams],
        vocabularies: Sequence[Sequence[str]],
        idf: Floats,
        weights: Floats,
        bias: Floats,
        *,
        name: str = "linear",
    ) -> None:
        self._features = Features(grams, vocabularies, idf)
        self._weights, self._bias, self._name = weights, bias, name

    @property
    def name(self) -> str:
        """Name and version."""
        return self._name

    def probabilities(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:  # noqa: ARG002
        """See `text.Scorer.probabilities`; second texts are not read."""
        if not len(texts_a):
            return np.zeros((0, len(self._bias)), dtype=np.float32)
        return softmax(np.asarray(self._features.of(texts_a) @ self._weights.T + self._bias, dtype=np.float32))

    def score(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """See `text.Scorer.score`."""
        scores: Floats = self.probabilities(texts_a, texts_b, batch)[:, -1]
        return scores

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON values for a bundle; `load` reads them."""
        arrays = {"linear.idf": self._features.idf, "linear.weights": self._weights, "linear.bias": self._bias}
        grams = [[gram.unit, gram.shortest, gram.longest] for gram in self._features.grams]
        return arrays, {"grams": grams, "vocabularies": [list(words) for words in self._features.vocabularies]}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any], name: str = "linear") -> LinearText:
        """Read what `save` gave."""
        return cls(
            [Grams(str(unit), int(shortest), int(longest)) for unit, shortest, longest in values["grams"]],
            values["vocabularies"],
            *(np.asarray(arrays[f"linear.{part}"], dtype=np.float32) for part in ("idf", "weights", "bias")),
            name=name,
        )


class Features:
    """TF-IDF with sublinear counts, every block scaled to length 1 on its own.

    Args:
        grams: Kinds of n-grams.
        vocabularies: The n-grams of each block.
        idf: float32 (features,).
    """

    def __init__(self, grams: Sequence[Grams], vocabularies: Sequence[Sequence[str]], idf: Floats) -> None:
        self.grams, self.vocabularies, self.idf = tuple(grams), tuple(vocabularies), idf
        self._counters = [gram.counter(words) for gram, words in zip(grams, vocabularies, strict=True)]

    @classmethod
    def fit(cls, grams: Sequence[Grams], texts: Sequence[str], rarest: int = 2) -> Features:
        """Collect the n-grams of texts and how rare they are."""
        vocabularies: list[list[str]] = []
        idf: list[Floats] = []
        for gram in grams:
            counter = gram.counter(rarest=rarest if len(texts) > 1_000 else 1)
            counts = counter.fit_transform([shorten(text) for text in texts])
            vocabularies.append(counter.get_feature_names_out().tolist())
            held = np.bincount(counts.indices, minlength=counts.shape[1])
            idf.append((np.log((1 + len(texts)) / (1 + held)) + 1).astype(np.float32))
        return cls(grams, vocabularies, np.concatenate(idf))

    def of(self, texts: Sequence[str]) -> Any:
        """Sparse float32 (n, features)."""
        from scipy import sparse
        from sklearn.preprocessing import normalize

        blocks, start = [], 0
        for counter, words in zip(self._counters, self.vocabularies, strict=True):
            counts = counter.transform([shorten(text) for text in texts]).tocsr()
            counts.data = 1 + np.log(counts.data)
            stop = start + len(words)
            blocks.append(normalize(counts.multiply(self.idf[start:stop]).tocsr()))
            start = stop
        return sparse.hstack(blocks).tocsr()


def shorten(text: str) -> str:
    """A text as the linear model reads it."""
    return text[:_MOST_CHARACTERS].lower()


def grams_for(texts: Sequence[str]) -> tuple[Grams, ...]:
    """Characters for Chinese, words and characters within words for the rest; judged by the share of Chinese texts."""
    chinese = sum(any("一" <= letter <= "鿿" for letter in text[:200]) for text in texts)
    return CHINESE if 2 * chinese > len(texts) else LATIN

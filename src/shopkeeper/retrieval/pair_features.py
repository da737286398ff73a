"""What two questions have in common: the columns from which `pair_model` tells whether they mean the same.

All columns are the same whichever question comes first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

import numpy as np

from shopkeeper.models.term_space import Matrix, TermSpace
from shopkeeper.models.text import Floats
from shopkeeper.retrieval.analysis import normalise, terms
from shopkeeper.retrieval.answer_model import bigrams

NAMES: Final = (
    "words", "letters", "single_letters", "least_held", "most_held", "rarest_missing", "letters_shared", "order", "start",
    "end", "numbers", "negation", "asking", "difference", "shorter", "longer",
)  # fmt: skip
"""Columns of `PairFeatures.table`; cosines of encoders follow them."""
_NEGATION: Final = re.compile(
    r"不能|不了|没有|[不没未无别]|(?<![a-z])(?:not|no|never|cannot|without)(?![a-z])|n['’]t(?![a-z])"
)
_ASKING: Final = re.compile(
    r"怎么|怎样|如何|为什么|为啥|为何|什么时候|多久|几天|多少|哪里|在哪|哪个|谁|是否|可不可以|能不能|可以|能|吗|"
    r"(?<![a-z])(?:how (?:long|much|many)|how|why|when|where|which|who|what|can|does|is)(?![a-z])"
)
_NUMBER: Final = re.compile(r"\d+|[一二两三四五六七八九十百千万]+(?=[天个月年次元块期号])")
_LONGEST: Final = 300


class PairFeatures:
    """Compares pairs of questions.

    Args:
        texts: Questions of the same kind, for telling which words are rare.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._words, self._letters, self._single = (
            TermSpace(texts, terms),
            TermSpace(texts, bigrams),
            TermSpace(texts, _singles),
        )

    def table(self, first: Sequence[str], second: Sequence[str], cosines: Sequence[Floats] = ()) -> Floats:
        """Compare n pairs.

        Args:
            first: n questions.
            second: n questions.
            cosines: float (n,) of each encoder.

        Returns:
            float32 (n, len(NAMES) + len(cosines)).
        """
        columns = [
            _cosine(self._words, first, second),
            _cosine(self._letters, first, second),
            _cosine(self._single, first, second),
            *_held(self._words, first, second),
            *np.array([_shape(a, b) for a, b in zip(first, second, strict=True)], dtype=np.float32)
            .reshape(len(first), -1)
            .T,
            *cosines,
        ]
        return np.stack(columns, axis=1).astype(np.float32)


def cosines(first: Floats, second: Floats) -> Floats:
    """Row by row, of unit vectors float32 (n, d): float32 (n,)."""
    found: Floats = np.einsum("nd,nd->n", first, second)
    return found


def _singles(text: str) -> list[str]:
    return [letter for letter in normalise(text) if letter.isalnum()]


def _cosine(space: TermSpace, first: Sequence[str], second: Sequence[str]) -> Floats:
    return _sums(space.rows(first).multiply(space.rows(second)).tocsr())


def _held(space: TermSpace, first: Sequence[str], second: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """Weighted shares of terms that the other question holds, less and more, and the rarest term that it does not hold."""
    one, other = space.weights(first), space.weights(second)
    both = one.multiply(other.astype(np.bool_)).tocsr()
    shared = _sums(both)
    left, right = (shared / np.maximum(_sums(part), 1e-9) for part in (one, other))
    missing = [
        (part - part.multiply(rest.astype(np.bool_))).tocsr().max(axis=1).toarray().ravel()
        for part, rest in ((one, other), (other, one))
    ]
    return np.minimum(left, right), np.maximum(left, right), np.maximum(*missing)


def _sums(matrix: Matrix) -> Floats:
    return np.asarray(matrix.sum(axis=1), dtype=np.float32).ravel()


def _shape(a: str, b: str) -> tuple[float, ...]:
    a, b = normalise(a[:_LONGEST]), normalise(b[:_LONGEST])
    a, b = (a, b) if (len(a), a) <= (len(b), b) else (b, a)
    letters = set(a) | set(b)
    longest = max(len(b), 1)
    start = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    end = next((at for at, (x, y) in enumerate(zip(a[::-1], b[::-1], strict=False)) if x != y), len(a))
    return (
        len(set(a) & set(b)) / max(len(letters), 1),
        SequenceMatcher(None, a, b, autojunk=False).ratio(),
        start / longest,
        end / longest,
        _shared(_NUMBER, a, b),
        float(len(_NEGATION.findall(a)) % 2 == len(_NEGATION.findall(b)) % 2),
        _shared(_ASKING, a, b),
        float(len(b) - len(a)),
        float(len(a)),
        float(len(b)),
    )


def _shared(pattern: re.Pattern[str], a: str, b: str) -> float:
    """Share of what is found in either that is found in both; -1 where there is nothing."""
    one, other = set(pattern.findall(a)), set(pattern.findall(b))
    return len(one & other) / len(one | other) if one or other else -1.0

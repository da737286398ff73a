"""What is wanted in a message: several intents may hold, or none of the known ones.

Vectors of an encoder and TF-IDF of characters and words stand side by side as features of one ridge regression against
+1 and -1 for each intent (regularised least squares, Rifkin and Lippert 2007). It is solved in one step, a thousand
examples in a fraction of a second, and its leave-one-out answers come with the solution: they make the probabilities
honest, choose the threshold and show what an unknown message looks like, without a held-out part.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.decisions import sigmoid
from shopkeeper.models.term_space import WIDTH, TermSpace
from shopkeeper.models.text import Floats, unit

Encode = Callable[[Sequence[str]], Floats]
"""Texts to unit vectors, float32 (n, d)."""

_TOKEN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[^\W_\u3400-\u9fff\uf900-\ufaff]+(?:['’][a-z]+)?")
_HAN_LONGEST, _SHORTEST, _LONGEST = 3, 3, 5
_MOST: Final = 4_000


def grams(text: str) -> list[str]:
    """Words, pairs of words and their inside for Latin, one to three characters for Chinese.

    >>> grams("退款")
    ['退', '款', '退款']
    >>> [gram for gram in grams("no refund") if " " not in gram.strip()][:4]
    ['no', ' no', 'no ', ' no ']
    """
    found: list[str] = []
    before = ""
    for token in _TOKEN.findall(unicodedata.normalize("NFKC", text[:_MOST]).lower()):
        if token[0] >= "\u3400":
            found += (
                token[at : at + long] for long in range(1, _HAN_LONGEST + 1) for at in range(len(token) - long + 1)
            )
        else:
            found.append(token)
            if before:
                found.append(f"{before} {token}")
            inside = f" {token} "
            found += (
                inside[at : at + long]
                for long in range(_SHORTEST, _LONGEST + 1)
                for at in range(len(inside) - long + 1)
            )
        before = token
    return found


@dataclass(frozen=True, slots=True)
class Parts:
    """Numbers of an intent model.

    Attributes:
        centre: float32 (d,), mean of the examples' vectors.
        on_vectors: float32 (k, d), weights of the centred vectors.
        on_grams: float32 (f, k), weights of TF-IDF, for the columns that examples hold.
        columns: int64 (f,), those columns.
        bias: float32 (k,).
        scale: float32 (2,), slope and offset from margins to log-odds.
        examples: float32 (n, d), centred vectors of the examples, to tell how near a message is to any.
        outside: float32 (4,), weights of best margin, second margin and nearest example, and the offset.
    """

    centre: Floats
    on_vectors: Floats
    on_grams: Floats
    columns: NDArray[np.int64]
    bias: Floats
    scale: Floats
    examples: Floats
    outside: Floats


@dataclass(frozen=True, slots=True)
class Wanted:
    """What some messages want.

    Attributes:
        chances: float32 (n, k), each intent's own probability; rows need not add up to 1.
        outside: float32 (n,), chance that a message is about none of the intents.
    """

    chances: Floats
    outside: Floats


class IntentModel:
    """Intents of messages, several at a time.

    Args:
        names: The k intents.
        space: Weighs the grams.
        parts: What was learnt.
        encode: The encoder that it was learnt with.
        threshold: Least probability of an intent that holds.
    """

    def __init__(
        self, names: Sequence[str], space: TermSpace, parts: Parts, encode: Encode, *, threshold: float = 0.5
    ) -> None:
        self.names, self.threshold = tuple(names), threshold
        self._space, self._parts, self._encode = space, parts, encode
        self._place = np.full(WIDTH, len(parts.columns), dtype=np.int64)
        self._place[parts.columns] = np.arange(len(parts.columns))
        self._on_grams = np.vstack([parts.on_grams, np.zeros((1, len(names)), dtype=np.float32)])

    def read(self, texts: Sequence[str], vectors: Floats | None = None) -> Wanted:
        """Intents of n messages, and whether they are about something else altogether.

        Args:
            texts: The messages.
            vectors: float32 (n, d) of the model's encoder, where they are known already.
        """
        if not texts:
            return Wanted(np.zeros((0, len(self.names)), dtype=np.float32), np.zeros(0, dtype=np.float32))
        parts = self._parts
        vectors = unit((self._encode(texts) if vectors is None else vectors) - parts.centre)
        margins = vectors @ parts.on_vectors.T + parts.bias
        held = self._space.rows(texts)
        for row, (start, stop) in enumerate(pairwise(held.indptr.tolist())):
            margins[row] += held.data[start:stop] @ self._on_grams[self._place[held.indices[start:stop]]]
        nearest = (vectors @ parts.examples.T).max(axis=1)
        slope, offset = parts.scale
        chances = sigmoid(np.asarray(slope * margins + offset, dtype=np.float32))
        return Wanted(chances, sigmoid(signs(margins, nearest) @ parts.outside[:-1] + parts.outside[-1]))

    def reading(self, encode: Encode) -> IntentModel:
        """The same model with another way to the same encoder, e.g. one that answers one text at a time."""
        return IntentModel(self.names, self._space, self._parts, encode, threshold=self.threshold)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON values for a bundle; `load` reads them."""
        arrays = {f"intent.{name}": getattr(self._parts, name) for name in Parts.__dataclass_fields__}
        arrays["intent.idf"] = self._space.idf[self._parts.columns]
        return arrays, {"names": list(self.names), "threshold": self.threshold, "rarest": float(self._space.idf.max())}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any], encode: Encode) -> IntentModel:
        """Read what `save` gave; `encode` must be the encoder that it was learnt with."""
        parts = Parts(**{name: arrays[f"intent.{name}"] for name in Parts.__dataclass_fields__})
        space = TermSpace((), grams)
        space.idf[:] = values["rarest"]
        space.idf[parts.columns] = arrays["intent.idf"]
        return cls(values["names"], space, parts, encode, threshold=float(values["threshold"]))


def signs(margins: Floats, nearest: Floats) -> Floats:
    """What shows that a message is about something else: float32 (n, 3).

    Args:
        margins: float (n, k).
        nearest: float (n,), cosine to the nearest example.
    """
    best = np.sort(margins, axis=1)[:, ::-1]
    second = best[:, 1] if best.shape[1] > 1 else np.full(len(best), -1.0)
    return np.stack([best[:, 0], second, nearest], axis=1).astype(np.float32)

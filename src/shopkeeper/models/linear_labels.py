"""Any number of labels for a text by the weighted n-grams it holds; the sibling of `linear.LinearText`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.decisions import sigmoid
from shopkeeper.models.linear import Features, Grams
from shopkeeper.models.text import Floats


class LinearLabels:
    """One linear question a label, over common n-grams.

    Args:
        features: The n-grams.
        weights: float32 (k, features).
        bias: float32 (k,).
        thresholds: Least probability of each label, float32 (k,).
    """

    def __init__(self, features: Features, weights: Floats, bias: Floats, thresholds: Floats) -> None:
        self.features, self.thresholds = features, thresholds
        self._weights, self._bias = weights, bias

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Probability of each label, float32 (n, k); rows need not add up to 1."""
        if not len(texts):
            return np.zeros((0, len(self._bias)), dtype=np.float32)
        return sigmoid(np.asarray(self.features.of(texts) @ self._weights.T + self._bias, dtype=np.float32))

    def chosen(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Which labels each text has, bool (n, k)."""
        found: NDArray[np.bool_] = self.probabilities(texts) >= self.thresholds
        return found

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON values for a bundle; `load` reads them."""
        arrays = {
            "labels.idf": self.features.idf,
            "labels.weights": self._weights,
            "labels.bias": self._bias,
            "labels.thresholds": self.thresholds,
        }
        grams = [[gram.unit, gram.shortest, gram.longest] for gram in self.features.grams]
        return arrays, {"grams": grams, "vocabularies": [list(words) for words in self.features.vocabularies]}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> LinearLabels:
        """Read what `save` gave."""
        idf, weights, bias, thresholds = (
            np.asarray(arrays[f"labels.{part}"], dtype=np.float32) for part in ("idf", "weights", "bias", "thresholds")
        )
        grams = [Grams(str(unit), int(shortest), int(longest)) for unit, shortest, longest in values["grams"]]
        return cls(Features(grams, values["vocabularies"], idf), weights, bias, thresholds)

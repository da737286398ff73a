"""Do two questions mean the same? Trees over what they have in common, blended with models that read both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import lightgbm
import numpy as np

from shopkeeper.models.decisions import sigmoid
from shopkeeper.models.text import Encoder, Floats, Scorer
from shopkeeper.retrieval.pair_features import PairFeatures, cosines

_SURE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class PairModel:
    """Chance that two questions mean the same.

    Attributes:
        features: Compares the words.
        raw: The encoder as it came, or None.
        tuned: The encoder after it learnt from pairs, or None.
        cross: A model that reads both questions at once, or None.
        trees: Over the features and the cosine of `raw`.
        weights: float32 (m,), of the log-odds of the trees and then of what else there is: see `evidence`.
        bias: Offset of the log-odds.
        threshold: Least chance for "the same".
    """

    features: PairFeatures
    trees: lightgbm.Booster
    raw: Encoder | None
    tuned: Encoder | None
    cross: Scorer | None
    weights: Floats
    bias: float
    threshold: float

    def probabilities(self, first: Sequence[str], second: Sequence[str]) -> Floats:
        """float32 (n,) for n pairs."""
        if not first:
            return np.zeros(0, dtype=np.float32)
        table = evidence(self, first, second)
        return sigmoid((table @ self.weights + self.bias).astype(np.float32))


def pair_table(features: PairFeatures, raw: Encoder | None, first: Sequence[str], second: Sequence[str]) -> Floats:
    """What the trees look at: float32 (n, f)."""
    return features.table(first, second, [cosine(raw, first, second)] if raw is not None else [])


def evidence(model: PairModel, first: Sequence[str], second: Sequence[str]) -> Floats:
    """What is blended: log-odds of the trees, cosine of the tuned encoder, log-odds of the cross-encoder; float32 (n, m)."""
    shown = pair_table(model.features, model.raw, first, second)
    columns = [log_odds(np.asarray(model.trees.predict(shown, num_threads=1), dtype=np.float32))]
    if model.tuned is not None:
        columns.append(10 * cosine(model.tuned, first, second))
    if model.cross is not None:
        columns.append(log_odds(model.cross.score(first, second)))
    return np.stack(columns, axis=1)


def cosine(encoder: Encoder, first: Sequence[str], second: Sequence[str]) -> Floats:
    """Of each pair, float32 (n,); each distinct question is encoded once, as a passage."""
    texts = list(dict.fromkeys([*first, *second]))
    place = {text: row for row, text in enumerate(texts)}
    vectors = encoder.encode(texts, "passage")
    return cosines(vectors[[place[text] for text in first]], vectors[[place[text] for text in second]])


def log_odds(chances: Floats) -> Floats:
    """float32 (n,), kept within about 9 either way."""
    held = np.clip(chances, _SURE, 1 - _SURE)
    found: Floats = np.log(held / (1 - held)).astype(np.float32)
    return found

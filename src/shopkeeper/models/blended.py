"""Two classifiers of texts as one: a fine-tuned model and a linear one, mixed in a fixed proportion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shopkeeper.models.linear import LinearText
from shopkeeper.models.text import Floats, Scorer, softmax


class Blended:
    """A `text.Scorer` of single texts. A model without a share is not run at all.

    Args:
        tuned: The fine-tuned model.
        linear: The linear one, over the same classes.
        share: Share of the fine-tuned model, in [0, 1].
        scales: What the logarithms of both models' probabilities are multiplied by, which makes them honest.
    """

    def __init__(self, tuned: Scorer, linear: LinearText, share: float, scales: tuple[float, float]) -> None:
        self._tuned, self._linear, self._share, self._scales = tuned, linear, share, scales

    @property
    def name(self) -> str:
        """Name and version."""
        return self._tuned.name

    def probabilities(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:  # noqa: ARG002
        """See `text.Scorer.probabilities`; second texts are not read."""
        if self._share == 0.0:
            linear = self._linear.probabilities(texts_a)
            return mixed(linear, linear, 0.0, self._scales)
        tuned = self._tuned.probabilities(texts_a, batch=batch)
        linear = tuned if self._share == 1.0 else self._linear.probabilities(texts_a)
        return mixed(tuned, linear, self._share, self._scales)

    def score(self, texts_a: Sequence[str], texts_b: Sequence[str] | None = None, batch: int = 64) -> Floats:
        """See `text.Scorer.score`."""
        scores: Floats = self.probabilities(texts_a, texts_b, batch)[:, -1]
        return scores


def mixed(tuned: Floats, linear: Floats, share: float, scales: tuple[float, float]) -> Floats:
    """Both made honest, then averaged: float32 (n, k).

    Args:
        tuned: Probabilities, float32 (n, k).
        linear: Probabilities of the other model.
        share: Weight of `tuned`, in [0, 1].
        scales: Multipliers of the logarithms of each.
    """
    logs = (np.log(np.clip(given, 1e-9, 1.0)) * scale for given, scale in zip((tuned, linear), scales, strict=True))
    first, second = (softmax(np.asarray(log, dtype=np.float32)) for log in logs)
    shares: Floats = np.asarray(share * first + (1 - share) * second, dtype=np.float32)
    return shares

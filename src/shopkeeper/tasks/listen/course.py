"""The course of a series over some days, beside what was to be expected: for charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from shopkeeper.tasks.listen.rhythm import Floats

STEPS: Final = (1, 6, 24)
"""Hours that a step may have: those for which the scatter of counts is known."""
_WITHIN: Final = 0.95


@dataclass(frozen=True, slots=True)
class Course:
    """Counts in steps of some hours, each a float (steps,); NaN where nothing could be expected.

    Attributes:
        seen: What was counted: copies of one post by the logarithm of their number.
        expected: What was to be expected by level, growth, rhythm and what all series did together.
        low: Below this 1 in 40 counts would be, were nothing the matter.
        high: Above this 1 in 40 counts would be.
    """

    seen: Floats
    expected: Floats
    low: Floats
    high: Floats


def band(expected: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Between which counts 95 in 100 would lie: quantiles of the negative binomial distribution.

    Args:
        expected: Mean, above 0.
        spread: Variance beyond the mean is spread x mean squared.

    Returns:
        The lower and the upper end, of the same shape.

    >>> [float(end[0]) for end in band(np.array([10.0]), np.array([0.0]))]
    [4.0, 17.0]
    """
    size = 1 / np.maximum(spread, 1e-6)
    share = size / (size + expected)
    low, high = (stats.nbinom.ppf(part, size, share) for part in ((1 - _WITHIN) / 2, (1 + _WITHIN) / 2))
    return np.asarray(low), np.asarray(high)

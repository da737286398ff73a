"""What everybody likes now, what is new, and what this customer looked at already."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.retrieval.histories import Floats, Histories, Matrix, widen
from shopkeeper.retrieval.shelf import Rows

DAY = 86_400.0
_PAST = 4
"""How many times as long as now the past is that `trending` compares with."""
_HALF = 0.5


class Standing:
    """A source that says the same to everybody, whatever they did.

    Args:
        name: What these scores are called.
        values: float32 (rows,).
    """

    decay = 1.0

    def __init__(self, name: str, values: Floats) -> None:
        self.name = name
        self.values = values

    def scores(self, weights: Matrix) -> Floats:
        """The standing of every item, once a user: float32 (users, rows), read-only. Rows that came later score 0."""
        return np.broadcast_to(widen(self.values[None], weights.shape[1]), weights.shape)

    def between(self, history: Rows, items: Rows) -> Floats:
        """Zeros (h, k): no history carries these scores."""
        return np.zeros((len(history), len(items)), dtype=np.float32)


class Again:
    """What the customer looked at already, for shops where people come back to buy.

    Args:
        decay: Weight of an item one step further back.
    """

    name = "again"

    def __init__(self, decay: float = 0.8) -> None:
        self.decay = decay

    def scores(self, weights: Matrix) -> Floats:
        """The weights themselves: float32 (users, rows)."""
        dense: Floats = weights.toarray()
        return dense

    def between(self, history: Rows, items: Rows) -> Floats:
        """1 where history and item are the same row: float32 (h, k)."""
        return np.equal.outer(history, items).astype(np.float32)


def popularity(histories: Histories, width: int, *, half_life: float, until: float) -> Floats:
    """How much is done with each item lately, as ``log(1 + p) / log(1 + max p)``.

    Args:
        histories: What customers did.
        width: Number of rows of the shelf.
        half_life: Days after which an event counts half.
        until: Now, in seconds since 1970.

    Returns:
        float32 (width,), in [0, 1].
    """
    weight = counted(histories, half_life=half_life, until=until)
    return on_log_scale(np.bincount(histories.rows, weights=weight, minlength=width))


def counted(histories: Histories, *, half_life: float, until: float) -> Floats:
    """What each entry adds to the popularity of its item, fading by half every `half_life` days: float32 (m,)."""
    age = np.maximum(until - histories.times, 0) / DAY
    return np.asarray(np.maximum(histories.strengths, 0) * np.exp2(-age / half_life), dtype=np.float32)


def on_log_scale(counts: NDArray[np.number]) -> Floats:
    """``log(1 + c) / log(1 + max c)``, float32 in [0, 1]; zeros where all counts are 0."""
    top = math.log1p(float(counts.max(initial=0.0)))
    return (np.log1p(counts) / top if top > 0 else counts).astype(np.float32)


def trending(histories: Histories, width: int, *, days: float, until: float) -> Floats:
    """What rises now against its own past, as far as chance does not explain it.

    Compares the last `days` with the `_PAST` times as long before them, or with as much of that as the log holds. The
    logarithm of the ratio of the two rates, less one standard error (both counts taken as Poisson, half an event added
    to each against zeros: Haldane 1956, Anscombe 1956), gives the rate ``r`` that is at least there; the value is
    ``1 - 1 / r``, the share of what is done now that the past does not account for.

    Each item counts once a customer, when it was last touched. Where a whole shop grows, all of it rises.

    Args:
        histories: What customers did; only what speaks for an item counts.
        width: Number of rows of the shelf.
        days: Length of now, above 0.
        until: Now, in seconds since 1970; what has a later time counts as now.

    Returns:
        float32 (width,), in [0, 1]; 0 for what does not rise, and for all where the log holds no past.

    Raises:
        InputError: `days` is not above 0.
    """
    if not days > 0:
        raise InputError(f"It is {days}.", where="days", cure="Give a number above 0.")
    age = (until - histories.times) / DAY
    length = min(float(age.max(initial=0.0)) / days - 1, _PAST)
    if length <= 0:
        return np.zeros(width, dtype=np.float32)
    speaks = np.maximum(histories.strengths, 0)
    now, past = (
        np.bincount(histories.rows, weights=speaks * inside, minlength=width)
        for inside in (age < days, (age >= days) & (age <= days * (1 + length)))
    )
    recent, expected = now + _HALF, past / length + _HALF
    error = np.sqrt(1 / recent + 1 / (expected * length))
    return np.asarray(1 - np.exp(-np.maximum(np.log(recent / expected) - error, 0)), dtype=np.float32)


def newness(created: NDArray[np.float64], *, days: float, until: float) -> Floats:
    """How new each item is: 1 today, falling by e every `days`; 0 where the date is unknown (0). float32 (rows,)."""
    age = np.maximum(until - created, 0) / DAY
    return np.where(created > 0, np.exp(-age / days), 0).astype(np.float32)

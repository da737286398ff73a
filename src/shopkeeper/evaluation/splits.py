"""How rows are parted into training, validation and test: by time where there is time, by hash where there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Rows of three periods, one after the other; no moment lies in two of them.

    Attributes:
        train: int64, rows before `valid_from`.
        valid: int64, rows from `valid_from` to before `test_from`.
        test: int64, rows from `test_from` on.
        valid_from: Seconds since 1970.
        test_from: Seconds since 1970.
    """

    train: Rows
    valid: Rows
    test: Rows
    valid_from: float
    test_from: float


def by_time(times: ArrayLike, valid: float = 0.1, test: float = 0.1, gap: float = 0.0) -> TimeSplit:
    """Part rows into three periods by time.

    Args:
        times: float (n,), seconds since 1970, any order.
        valid: Share of rows in the validation period, about: equal moments stay together.
        test: Share of rows in the test period, about.
        gap: Seconds before each border whose rows are left out. Give the time in which a label may still come true:
            then no label of one period looks into the next.

    Returns:
        Row numbers in order of time (equal moments in their given order).

    Raises:
        ValueError: The shares are negative or leave nothing for training.
    """
    if valid < 0 or test < 0 or valid + test >= 1:
        raise ValueError(f"valid ({valid}) and test ({test}) must be at least 0 and together less than 1")
    moments = np.asarray(times, dtype=np.float64)
    order = np.argsort(moments, kind="stable").astype(np.int64)
    if not len(order):
        return TimeSplit(order, order, order, float("inf"), float("inf"))
    ordered = moments[order]
    valid_from = _border(ordered, 1 - valid - test)
    test_from = max(valid_from, _border(ordered, 1 - test))
    return TimeSplit(
        train=order[ordered < valid_from - gap],
        valid=order[(ordered >= valid_from) & (ordered < test_from - gap)],
        test=order[ordered >= test_from],
        valid_from=valid_from,
        test_from=test_from,
    )


def _border(ordered: NDArray[np.float64], share: float) -> float:
    place = round(share * len(ordered))
    return float(ordered[place]) if place < len(ordered) else float("inf")


def by_hash(keys: Iterable[str], share: float, salt: str = "") -> Mask:
    """Bool (n,), True for about `share` of the keys; the same key is always on the same side.

    >>> by_hash(["a", "b", "a"], 0.5).tolist() in ([True, False, True], [False, True, False], [True] * 3, [False] * 3)
    True
    """
    return np.array([_fraction(key, salt) < share for key in keys], dtype=np.bool_)


def folds(keys: Sequence[str], count: int, salt: str = "") -> NDArray[np.int64]:
    """int64 (n,), the fold (0 to `count` - 1) of each key; the same key is always in the same fold."""
    return np.array([int(_fraction(key, salt) * count) for key in keys], dtype=np.int64)


def _fraction(key: str, salt: str) -> float:
    digest = hashlib.blake2b(f"{salt}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64

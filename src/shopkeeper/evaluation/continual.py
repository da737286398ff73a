"""What learning one period after another kept and what it lost.

Every function takes ``accuracy``, float (t, t): row i, column j holds the accuracy on period j after training on the
periods 0 to i in turn. What stands above the diagonal is not looked at and may be NaN. One value a period comes out; the
figure that is usually quoted is its mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def average_accuracy(accuracy: ArrayLike) -> Values:
    """Accuracy on each period after the last one was learnt (ACC, Lopez-Paz and Ranzato 2017); float (t,).

    >>> average_accuracy([[0.9, np.nan], [0.7, 0.8]]).mean()
    np.float64(0.75)
    """
    last: Values = _square(accuracy)[-1]
    return last.copy()


def backward_transfer(accuracy: ArrayLike) -> Values:
    """What later periods did to each earlier one: accuracy at the end minus when it was just learnt; float (t - 1,).

    BWT of Lopez-Paz and Ranzato 2017: below 0 is forgetting, above 0 that later periods helped.

    >>> backward_transfer([[0.9, np.nan], [0.7, 0.8]]).round(3).tolist()
    [-0.2]
    """
    table = _square(accuracy)
    gains: Values = table[-1, :-1] - np.diag(table)[:-1]
    return gains


def forgetting(accuracy: ArrayLike) -> Values:
    """What each earlier period lost from its best time to the end; float (t - 1,) (Chaudhry et al. 2018).

    The best time is picked among noisy measurements, so a model that stands still has a forgetting a little above 0, the
    more the smaller the tests. Below 0 where the end is the best time of all.

    >>> forgetting([[0.6, np.nan, np.nan], [0.9, 0.8, np.nan], [0.7, 0.8, 0.8]]).round(3).tolist()
    [0.2, 0.0]
    """
    table = _square(accuracy)
    count = len(table)
    best = np.array([table[period : count - 1, period].max() for period in range(count - 1)])
    losses: Values = best - table[-1, :-1]
    return losses


def plasticity(accuracy: ArrayLike) -> Values:
    """How well each period was learnt when its turn came: the diagonal; float (t,).

    >>> plasticity([[0.9, np.nan], [0.7, 0.8]]).tolist()
    [0.9, 0.8]
    """
    return np.diag(_square(accuracy)).copy()


def incremental_accuracy(accuracy: ArrayLike) -> Values:
    """Mean accuracy on the periods so far after each of them (Rebuffi et al. 2017): the course as a curve; float (t,).

    What the end no longer shows: a period that undid everything and was made good by the next.

    >>> incremental_accuracy([[0.9, np.nan], [0.7, 0.8]]).tolist()
    [0.9, 0.75]
    """
    table = _square(accuracy)
    return np.array([table[period, : period + 1].mean() for period in range(len(table))])


def _square(accuracy: ArrayLike) -> Values:
    table = np.asarray(accuracy, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not len(table):
        raise ValueError(f"accuracy must be (periods, periods), not {table.shape}")
    if np.isnan(table[np.tril_indices(len(table))]).any():
        raise ValueError("accuracy lacks a value on or below the diagonal: test every period learnt so far")
    return table

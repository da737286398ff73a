"""Item to item from behaviour, in closed form: every item is foretold from all the others at once.

Co-occurrence counts each pair alone; here what two items have in common with a third is not counted twice.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from shopkeeper.errors import InputError, TrainingError
from shopkeeper.retrieval.collaborative import Neighbours, mass
from shopkeeper.retrieval.histories import Floats, Histories, Matrix, empty
from shopkeeper.retrieval.shelf import Rows

_LONGEST = 300
"""Only the newest items of a history are learnt from: a robot's ten thousand would cost their square."""
_BLURRED = 1e6
"""Largest entry of the inverse, its matrix brought to a unit diagonal, that 32 bits bear: rounding would be 6 % of it."""
_BLOCK = 512
"""Rows of the dense inverse that are mirrored or thinned at a time."""


def ease(
    histories: Histories,
    width: int,
    *,
    regularisation: float = 100.0,
    most: int = 8_000,
    keep: int = 200,
    decay: float = 0.7,
    seed: int = 0,
) -> Neighbours:
    """The linear autoencoder without a diagonal that foretells each history from itself.

    Solves ``min_B |X - X B|^2 + regularisation |B|^2`` with a zero diagonal: with ``P = (X'X + regularisation I)^-1``,
    ``B_ij = -P_ij / P_jj`` off the diagonal (Steck 2019, "Embarrassingly shallow autoencoders for sparse data", WWW).
    ``X`` holds the strengths of what speaks for an item. Some entries are negative: who took i wants j less than the
    other items of the same history suggest.

    Costs memory ``4 most^2`` bytes (256 MB at the default) and time of order ``most^3``, whatever the number of users.

    Args:
        histories: What customers did; only what speaks for an item counts.
        width: Number of rows of the shelf.
        regularisation: Above 0, in events of strength 1. Higher trusts pairs seen rarely less.
        most: Items that take part, those with most behaviour; all others neither recommend nor are recommended.
        keep: Entries that each item keeps, the largest by amount; equal ones stay together.
        decay: Weight of an item one step further back when scoring.
        seed: Decides which of equally touched items take part when not all can.

    Returns:
        A source called ``ease``.

    Raises:
        InputError: `regularisation`, `most` or `keep` is not above 0.
        TrainingError: `regularisation` is too small for the numbers to be told from rounding.
    """
    for name, value in (("regularisation", regularisation), ("most", most), ("keep", keep)):
        if not value > 0:
            raise InputError(f"It is {value}.", where=name, cure="Give a number above 0.")
    liked = histories.keep((histories.strengths > 0) & (histories.ages < _LONGEST))
    rows = _leading(mass(liked, width), most, seed)
    if not len(rows):
        return Neighbours("ease", empty(width, width), decay)
    place = np.full(width, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    liked = liked.keep(place[liked.rows] >= 0)
    seen = sp.csr_array((liked.strengths, place[liked.rows], liked.indptr), shape=(len(liked), len(rows)))
    weights = _weights((seen.T @ seen).toarray(order="F"), regularisation)
    return Neighbours("ease", _largest(weights, rows, width, keep), decay)


def _leading(evidence: Floats, most: int, seed: int) -> Rows:
    """The rows with most behaviour, at most `most`, equal ones drawn: int64 (n,), rising."""
    touched = np.flatnonzero(evidence > 0)
    drawn = np.random.default_rng(seed).permutation(touched)
    return np.sort(drawn[np.argsort(-evidence[drawn], kind="stable")[:most]])


def _weights(gram: Floats, regularisation: float) -> Floats:
    """B of `ease` from X'X, float32 (n, n) in Fortran order, which is overwritten.

    The matrix is brought to a unit diagonal first: float32 then bears bestsellers beside items seen once.
    """
    count = len(gram)
    diagonal = np.arange(count)
    gram[diagonal, diagonal] += np.float32(regularisation)
    unit = 1 / np.sqrt(gram[diagonal, diagonal])
    gram *= unit[:, None]
    gram *= unit
    inverse, failed = lapack.spotrf(gram, lower=1, clean=0, overwrite_a=1)
    if not failed:
        inverse, failed = lapack.spotri(inverse, lower=1, overwrite_c=1)
    if failed or inverse[diagonal, diagonal].max() > _BLURRED:
        raise TrainingError(
            f"The items cannot be told apart in 32 bits with {regularisation}.",
            where="regularisation",
            cure="Choose a larger one; 10 to 1,000 is usual.",
        )
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        corner = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = corner + np.tril(corner, -1).T
    inverse *= unit[:, None]
    inverse /= -(inverse[diagonal, diagonal])
    inverse[diagonal, diagonal] = 0
    return inverse  # type: ignore[no-any-return]


def _largest(weights: Floats, rows: Rows, width: int, keep: int) -> Matrix:
    """The `keep` largest entries of each row by amount, as a float32 (width, width) matrix of the shelf's rows."""
    count = len(rows)
    lengths = np.zeros(width, dtype=np.int64)
    columns, data = [], []
    for start in range(0, count, _BLOCK):
        block = np.ascontiguousarray(weights[start : start + _BLOCK])
        amount = np.abs(block)
        least = np.partition(amount, count - keep, axis=1)[:, count - keep, None] if keep < count else np.float32(0)
        kept = (amount >= least) & (amount > 0)
        lengths[rows[start : start + _BLOCK]] = kept.sum(axis=1)
        columns.append(rows[np.nonzero(kept)[1]])
        data.append(block[kept])
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return sp.csr_array((np.concatenate(data), np.concatenate(columns), indptr), shape=(width, width))

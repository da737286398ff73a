"""What goes into the same basket and is no substitute: the matching lid, not another pan; and small sets of such things."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.retrieval.collaborative import Neighbours
from shopkeeper.retrieval.histories import Floats, Histories, Matrix, empty
from shopkeeper.retrieval.shelf import Codes, Mask, Rows, Shelf

HOUR = 3_600.0
ALIKE = 0.85
"""Cosine of centred text vectors from which two items stand for each other."""

_LONGEST = 300
"""Only the newest purchases of a customer are learnt from: a reseller's thousand would cost their square."""
_PARTNERS = 40
"""Purchases after each one that it is paired with at most."""
_BLOCK = 65_536
"""Pairs whose vectors are compared at a time."""


def complements(
    purchases: Histories,
    shelf: Shelf,
    vectors: Floats | None = None,
    *,
    hours: float = 48.0,
    doubt: float = 2.0,
    substitute: float = 0.2,
    alike: float = ALIKE,
    decay: float = 0.7,
    seed: int = 0,
) -> Neighbours:
    """Items bought by the same customer within some hours, more often than chance.

    The score is ``log((c + doubt m) / (e + doubt))`` where that is above 0. ``c`` counts the customers who bought both;
    ``e`` is what chance expects, from how many partners each of the two has in all, so bestsellers gain nothing. This
    is the mean of a Gamma-Poisson rate with a prior of mean ``m`` (DuMouchel 1999, "Bayesian data mining in large
    frequency tables", The American Statistician 53). ``m`` is the same ratio for all other pairs of the two leaf
    categories: where lids go with pans, one sale of this lid with that pan is enough. Of two substitutes, see
    `substitutes`, it is a fraction of that: only clear data make complements of them.

    Args:
        purchases: What customers bought; what was sent back since (a negative strength) pairs with nothing.
        shelf: The items.
        vectors: Encoder vectors float32 (rows, d), or None to tell substitutes by the catalogue alone.
        hours: Time between two purchases up to which they belong together. Beyond some days, what people of one taste
            like passes for what goes together.
        doubt: Above 0: purchases that the prior is worth; higher trusts pairs seen rarely less.
        substitute: What is left of ``m`` between substitutes, in [0, 1].
        alike: See `substitutes`.
        decay: Weight of an item one step further back when scoring.
        seed: Draws the order of purchases at the same moment, which matters only in baskets above forty items.

    Returns:
        A source called ``complements``, symmetric, its scores 0 or above.

    Raises:
        InputError: `doubt` is not above 0.
    """
    if not doubt > 0:
        raise InputError(f"It is {doubt}.", where="doubt", cure="Give a number above 0.")
    width = len(shelf)
    bought = purchases.keep((purchases.strengths > 0) & (purchases.ages < _LONGEST))
    pairs = _pairs(bought, width, hours, seed)
    if not pairs.nnz:
        return Neighbours("complements", empty(width, width), decay)
    left, right = np.repeat(np.arange(width), np.diff(pairs.indptr)), pairs.indices.astype(np.int64)
    side = np.asarray(pairs.sum(axis=1), dtype=np.float64).ravel()
    expected = side[left] * side[right] / side.sum()
    prior = doubt * _leaf_lift(pairs.data, expected, side, shelf.category_codes, left, right, doubt)
    prior[substitutes(shelf, left, right, vectors, alike=alike)] *= substitute
    lift = np.log((pairs.data + prior) / (expected + doubt))
    variants = _groups(shelf)
    lift[(variants[left] == variants[right]) & (variants[left] > 0)] = 0
    matrix = sp.csr_array((np.maximum(lift, 0).astype(np.float32), pairs.indices, pairs.indptr), shape=pairs.shape)
    matrix.eliminate_zeros()
    return Neighbours("complements", matrix, decay)


def substitutes(shelf: Shelf, left: Rows, right: Rows, vectors: Floats | None = None, *, alike: float = ALIKE) -> Mask:
    """Which pairs compete for the same wish: of one leaf category, or described in nearly the same words.

    Args:
        shelf: The items.
        left: int64 (n,), rows.
        right: int64 (n,), rows.
        vectors: Encoder vectors float32 (rows, d), zeros where there is none.
        alike: Cosine, centred over the shelf, from which words are nearly the same.

    Returns:
        bool (n,).
    """
    leaf = shelf.category_codes
    found: Mask = (leaf[left] == leaf[right]) & (leaf[left] > 0)
    if vectors is None:
        return found
    alive = np.any(vectors != 0, axis=1)
    centre = vectors[alive].mean(axis=0) if alive.any() else np.float32(0)
    for start in range(0, len(left), _BLOCK):
        block = slice(start, start + _BLOCK)
        one, other = (vectors[rows[block]] - centre for rows in (left, right))
        length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        near = np.einsum("nd,nd->n", one, other) >= np.float32(alike) * length
        found[block] |= near & (length > 0) & alive[left[block]] & alive[right[block]]
    return found


def bundle(
    source: Neighbours,
    row: int,
    shelf: Shelf,
    *,
    most: int = 4,
    allowed: Mask | None = None,
    prices: Floats | None = None,
    seed: int = 0,
) -> Rows:
    """A small set around one item, built greedily: what goes best with all that is in it already.

    Every member is a complement of the item and of each other member; no two are substitutes or variants of one product.

    Args:
        source: What `complements` gave.
        row: The item in focus; not part of the answer.
        shelf: The items.
        most: Members at most, besides the item.
        allowed: bool (rows,), what may be shown; None for everything showable.
        prices: float32 (rows,), in one currency, NaN where unknown: a member n times as dear as the item counts 1 / n,
            since a pan sells a lid and no lid a pan. None leaves prices out.
        seed: Draws between equals.

    Returns:
        int64 (n,), n <= most, best first; fewer, or none, where the data know no more.
    """
    width = len(shelf)
    open_ = shelf.showable() if allowed is None else allowed
    around = source.matrix[[row]].indices.astype(np.int64) if row < source.matrix.shape[0] else np.zeros(0, np.int64)
    left = np.random.default_rng(seed).permutation(around[(around < width)])
    left = left[open_[left] & (left != row)]
    total = np.zeros(len(left), dtype=np.float32)
    members: list[int] = []
    newest = row
    while True:
        said = source.between(np.array([newest]), left)[0]
        rival = substitutes(shelf, np.full(len(left), newest), left)
        if product := shelf.item(newest).group:
            rival |= np.array([shelf.item(one).group == product for one in left.tolist()], dtype=np.bool_)
        kept = (said > 0) & ~rival & (left != newest)
        left, total = left[kept], (total + said)[kept]
        if not len(left) or len(members) >= most:
            return np.array(members, dtype=np.int64)
        newest = int(left[np.argmax(total * _affordable(prices, row, left))])
        members.append(newest)


def _affordable(prices: Floats | None, row: int, rows: Rows) -> Floats:
    if prices is None:
        return np.ones(len(rows), dtype=np.float32)
    dearer = prices[rows] / np.maximum(prices[row], np.float32(0.01))
    return np.where(dearer > 1, 1 / np.maximum(dearer, 1), np.float32(1))


def _pairs(bought: Histories, width: int, hours: float, seed: int) -> Matrix:
    """Customers who bought both within `hours`, weighted by the strengths: float32 (width, width), symmetric."""
    drawn = np.random.default_rng(seed).random(len(bought.rows))
    order = np.lexsort((drawn, bought.times, bought.users))
    users, rows = bought.users[order], bought.rows[order]
    times, strengths = bought.times[order], bought.strengths[order]
    found: Matrix = empty(width, width)
    for gap in range(1, min(_PARTNERS, len(rows) - 1) + 1):
        near = np.flatnonzero((users[gap:] == users[:-gap]) & (times[gap:] - times[:-gap] <= hours * HOUR))
        if not len(near):
            break
        weight = strengths[near] * strengths[near + gap]
        step: Matrix = sp.csr_array((weight, (rows[near], rows[near + gap])), shape=(width, width))
        found = found + step
    return sp.csr_array(found + found.T)


def _leaf_lift(
    counts: Floats,
    expected: NDArray[np.float64],
    side: NDArray[np.float64],
    leaf: NDArray[np.int32],
    left: Rows,
    right: Rows,
    doubt: float,
) -> NDArray[np.float64]:
    """How much more often than chance all other pairs of the same two leaves are bought together; 1 without a leaf."""
    both = np.minimum(leaf[left], leaf[right]) * np.int64(leaf.max() + 1) + np.maximum(leaf[left], leaf[right])
    _, place = np.unique(both, return_inverse=True)
    seen = np.bincount(place, weights=counts)[place] / 2  # every pair stands here both ways
    mass, own = np.bincount(leaf, weights=side), np.bincount(leaf, weights=np.square(side))
    one, other = leaf[left], leaf[right]
    chance = np.where(one == other, (mass[one] ** 2 - own[one]) / 2, mass[one] * mass[other]) / side.sum()
    others = (np.maximum(seen - counts, 0) + doubt) / (np.maximum(chance - expected, 0) + doubt)
    return np.where((leaf[left] > 0) & (leaf[right] > 0), others, 1.0)


def _groups(shelf: Shelf) -> NDArray[np.int64]:
    """Number of the product that each row is a variant of, 0 for none: int64 (rows,)."""
    codes = Codes()
    return np.array([codes.code(item.group) if item is not None else 0 for item in shelf.items], dtype=np.int64)

"""Which texts to ask a human about next: acquisition strategies as plain functions on arrays.

Each takes what the model says about all n texts and which of them are labelled already, and names the next `count`, the
most valuable first. Ties and draws come from `rng`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Floats
from shopkeeper.training.batching import Ints

Values = NDArray[np.float64]

_POOL = 4  # doubtful texts for each that is asked about
_CLUSTERS = 500  # at most, beyond which they are too small to be dense (Hacohen et al.)


class Strategy(Protocol):
    """Chooses what to ask."""

    __name__: str

    def __call__(
        self, probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints
    ) -> Ints:
        """Choose.

        Args:
            probabilities: float32 (n, k), what the model says about each text.
            vectors: float32 (n, d), where each text lies.
            count: How many to choose at once; fewer are chosen when fewer are left.
            rng: Randomness.
            taken: int64 (t,), numbers of the texts that are labelled already.

        Returns:
            int64 (<= count,), numbers of texts that are not taken, without repetitions.
        """
        ...


def random(probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints) -> Ints:  # noqa: ARG001
    """Any texts: what every other strategy has to beat."""
    return rng.permutation(_left(len(vectors), taken))[:count]


def least_confidence(probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints) -> Ints:  # noqa: ARG001
    """Texts whose most probable class has the lowest probability (Lewis and Gale 1994)."""
    return _highest(-probabilities.max(axis=1), count, rng, taken)


def entropy(probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints) -> Ints:  # noqa: ARG001
    """Texts whose probabilities are spread most evenly (Shannon entropy)."""
    values = np.asarray(probabilities, dtype=np.float64)
    return _highest(-(values * np.log(np.maximum(values, 1e-12))).sum(axis=1), count, rng, taken)


def margin(probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints) -> Ints:
    """Texts whose two most probable classes are closest to each other (Scheffer et al. 2001)."""
    if probabilities.shape[1] < 2:
        return random(probabilities, vectors, count, rng, taken)
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return _highest(top[:, 0] - top[:, 1], count, rng, taken)


def core_set(probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints) -> Ints:  # noqa: ARG001
    """Texts that leave no text far from a labelled one (greedy k-centre, Sener and Savarese 2018)."""
    points = _unit(vectors)
    chosen: list[int] = []
    distance = np.full(len(points), np.inf)
    for row in taken:
        distance = np.minimum(distance, _distances(points, points[row]))
    distance[taken] = -np.inf
    for _ in range(min(count, len(points) - len(set(taken.tolist())))):
        infinite = np.isposinf(distance)
        row = int(rng.choice(np.flatnonzero(infinite))) if infinite.any() else int(distance.argmax())
        chosen.append(row)
        distance = np.minimum(distance, _distances(points, points[row]))
        distance[[*taken, *chosen]] = -np.inf
    return np.array(chosen, dtype=np.int64)


def badge(probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints) -> Ints:
    """Texts that would change the last layer much, and in different ways (BADGE, Ash et al. 2020).

    The gradient of the cross-entropy with the most probable class as label is an outer product of the error
    (probabilities - label) and the text's vector; k-means++ draws texts far from each other in that space. The outer
    product is never built: |a x - b y|^2 = |a|^2|x|^2 + |b|^2|y|^2 - 2 (a.b)(x.y).
    """
    left = _left(len(vectors), taken)
    errors = np.asarray(probabilities[left], dtype=np.float64)
    errors[np.arange(len(left)), errors.argmax(axis=1)] -= 1.0
    points = _unit(vectors[left])
    sizes = (errors**2).sum(axis=1) * (points**2).sum(axis=1)
    chosen: list[int] = []
    distance = sizes.copy()  # first from the origin: the largest gradients
    for _ in range(min(count, len(left))):
        chances = np.maximum(distance, 0.0)
        chances[chosen] = 0.0
        row = int(chances.argmax()) if not chosen else _drawn(chances, chosen, rng)
        chosen.append(row)
        new = sizes + sizes[row] - 2 * (errors @ errors[row]) * (points @ points[row])
        distance = new if len(chosen) == 1 else np.minimum(distance, new)
    return left[np.array(chosen, dtype=np.int64)]


def typical(probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints) -> Ints:  # noqa: ARG001
    """The densest text of each of the largest clusters without a label (TypiClust, Hacohen et al. 2022).

    Made for the first labels, when a model's uncertainty means nothing yet.
    """
    from sklearn.cluster import MiniBatchKMeans

    points = _unit(vectors).astype(np.float32)
    count = min(count, len(points) - len(set(taken.tolist())))
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    wanted = min(len(points), len(taken) + count, max(count, _CLUSTERS))
    seed = int(rng.integers(2**31))
    cluster = MiniBatchKMeans(wanted, n_init=1, random_state=seed, batch_size=1024).fit_predict(points)
    labelled = np.bincount(cluster[taken], minlength=wanted)
    sizes = np.bincount(cluster, minlength=wanted)
    free = np.ones(len(points), dtype=np.bool_)
    free[taken] = False
    chosen: list[int] = []
    while len(chosen) < count:
        for number in np.lexsort((-sizes, labelled)):
            members = np.flatnonzero((cluster == number) & free)
            if len(members) and len(chosen) < count:
                typicality = (points[members] @ points[cluster == number].T).mean(axis=1)
                row = int(members[typicality.argmax()])
                chosen.append(row)
                free[row] = False
    return np.array(chosen, dtype=np.int64)


def cluster_margin(probabilities: Floats, vectors: Floats, count: int, rng: np.random.Generator, taken: Ints) -> Ints:
    """One text of each cluster among those with the smallest margin (after Cluster-Margin, Citovsky et al. 2021).

    A batch of the most doubtful texts alone asks about the same doubt many times over.
    """
    doubtful = margin(probabilities, vectors, _POOL * count, rng, taken)
    nothing = np.zeros(0, dtype=np.int64)
    return doubtful[typical(probabilities[doubtful], vectors[doubtful], count, rng, nothing)]


def _left(count: int, taken: Ints) -> Ints:
    free = np.ones(count, dtype=np.bool_)
    free[taken] = False
    return np.flatnonzero(free)


def _highest(values: NDArray[np.floating], count: int, rng: np.random.Generator, taken: Ints) -> Ints:
    left = _left(len(values), taken)
    order = np.lexsort((rng.random(len(left)), -values[left]))
    return left[order[:count]]


def _unit(vectors: Floats) -> Values:
    values = np.asarray(vectors, dtype=np.float64)
    scaled: Values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return scaled


def _distances(points: Values, centre: Values) -> Values:
    distances: Values = 2.0 - 2.0 * (points @ centre)
    return distances


def _drawn(chances: Values, chosen: list[int], rng: np.random.Generator) -> int:
    """A place drawn by `chances`; any that is not chosen yet where all chances are 0."""
    total = chances.sum()
    if total > 0:
        return int(rng.choice(len(chances), p=chances / total))
    return int(rng.choice(np.setdiff1d(np.arange(len(chances)), chosen)))

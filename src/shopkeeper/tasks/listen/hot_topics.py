"""Which matters many people write about now: messages about one matter put together, ranked by number, likes and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from shopkeeper.models.linear import Features, grams_for
from shopkeeper.models.text import Floats
from shopkeeper.records import Passage

Encode = Callable[[Sequence[str]], Floats]

MOST = 3_000
"""Messages that are compared, the latest: every pair is, so time and room grow with the square."""
_ALIKE = 3.0
"""Deviations above the mean of all pairs from which on two messages are about one matter."""
_READ = 600  # characters of a message; what it is about stands at its beginning


@dataclass(frozen=True, slots=True)
class HotTopic:
    """A matter that several messages are about.

    Attributes:
        title: Of the message nearest to all others.
        messages: Their ids, the latest first.
        likes: Of all of them.
        heat: What it is ranked by, see `hot_topics`.
        first: Time of the earliest message.
        last: Time of the latest.
    """

    title: str
    messages: tuple[str, ...]
    likes: int
    heat: float
    first: datetime
    last: datetime


def hot_topics(
    messages: Sequence[Passage],
    encode: Encode,
    now: datetime,
    *,
    likes: Mapping[str, int] | None = None,
    half_life_days: float = 30.0,
    fewest: int = 2,
    words: float = 0.5,
) -> list[HotTopic]:
    """Matters by heat, the hottest first.

    Heat is the sum over messages of (1 + log(1 + likes)) x 0.5^(age / half-life): a like counts less than a message, and the
    hundredth like less than the first. Messages are put together by average linkage over two cosines, TF-IDF and vectors.

    Args:
        messages: Those without a time are passed over; at most `MOST`, the latest.
        encode: Texts to unit vectors, float32 (n, d).
        now: The moment that ages are counted to; later messages count as of now.
        likes: By id of the message; none where it is missing.
        half_life_days: Age at which a message counts half.
        fewest: Messages of a topic at least.
        words: Share of TF-IDF beside the vectors, in [0, 1].
    """
    timed = [(message.time, message) for message in messages if message.time is not None and message.text.strip()]
    timed = sorted(timed, key=lambda pair: (-pair[0].timestamp(), pair[1].id))[:MOST]
    if len(timed) < max(2, fewest):
        return []
    texts = [f"{one.title}. {one.text}"[:_READ] for _, one in timed]
    alike = _likeness(texts, encode, words)
    told = likes or {}
    found = []
    for rows in _groups(alike):
        if len(rows) < fewest:
            continue
        own = [timed[row] for row in rows.tolist()]
        liked = np.array([max(0, told.get(one.id, 0)) for _, one in own])
        ages = np.array([max(0.0, (now - time).total_seconds() / 86_400) for time, _ in own])
        heat = float(((1 + np.log1p(liked)) * 0.5 ** (ages / half_life_days)).sum())
        middle = own[int(alike[np.ix_(rows, rows)].sum(axis=1).argmax())][1]
        title = middle.title or middle.text[:60]
        times = [time for time, _ in own]
        ids = tuple(one.id for _, one in own)
        found.append(HotTopic(title, ids, int(liked.sum()), heat, min(times), max(times)))
    return sorted(found, key=lambda topic: (-topic.heat, topic.title))


def _likeness(texts: Sequence[str], encode: Encode, words: float) -> NDArray[np.float64]:
    """Float (n, n): two cosines, each in deviations from the mean of all pairs, and their weighted sum likewise."""
    features = Features.fit(grams_for(texts), texts)
    rows = features.of(texts)
    alike = words * _deviations((rows @ rows.T).toarray()) if words > 0 else 0.0
    if words < 1:
        vectors = encode(texts)
        alike = alike + (1 - words) * _deviations(vectors @ vectors.T)
    return _deviations(np.asarray(alike))


def _deviations(cosines: NDArray[np.floating]) -> NDArray[np.float64]:
    pairs = cosines[np.triu_indices(len(cosines), 1)]
    found: NDArray[np.float64] = (cosines - pairs.mean()) / max(float(pairs.std()), 1e-6)
    return found.astype(np.float64)


def _groups(alike: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Rows of each group; two rows need no group of others to be alike."""
    apart = alike.max() - (alike + alike.T) / 2
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform(np.maximum(apart, 0.0), checks=False), "average")
    border = float(alike.max()) - (_ALIKE if len(alike) > 2 else 0.0)
    numbers = fcluster(tree, max(border, 0.0), "distance")
    return [np.flatnonzero(numbers == number) for number in np.unique(numbers)]

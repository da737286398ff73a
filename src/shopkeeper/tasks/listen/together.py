"""Series that rise for the same posts, and which of them says best what it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shopkeeper.tasks.listen.counts import BY, Series
from shopkeeper.tasks.listen.reading import NEGATIVE, Reading
from shopkeeper.tasks.listen.surges import Surge

ALIKE: Final = 0.6
"""Share of posts in common from which on two surges are one matter."""
_COVERS: Final = 0.6


def series_of(reading: Reading) -> tuple[Series, ...]:
    """The series that a reading counts in: all posts of each of its keys, and the complaints."""
    found: list[Series] = []
    for by in BY:
        for name in reading.keys(by):
            found.append(Series(by, name))
            if complains(reading, by, name):
                found.append(Series(by, name, negative=True))
    return tuple(found)


def complains(reading: Reading, by: str, name: str) -> bool:
    """Does a post speak badly of that?"""
    return reading.feeling(by, name) <= NEGATIVE


@dataclass(slots=True)
class Matter:
    """What people write about all at once: surges, and the posts of all of them by id."""

    surges: list[Surge]
    posts: dict[str, Reading]

    def names(self) -> tuple[Series, ...]:
        """The series, what names it best first: the most specific one that covers most of its posts."""
        shares = Counter(series for reading in self.posts.values() for series in series_of(reading))
        whole = max(len(self.posts), 1)
        return named_first(
            (surge.series, shares[surge.series] / whole, surge.seen / max(surge.expected, 0.1)) for surge in self.surges
        )


def matters(surges: Sequence[Surge], posts_of: Callable[[Series], Iterable[Reading]]) -> list[Matter]:
    """Put surges together that rise for the same posts; the surest begin.

    Args:
        surges: The surest first.
        posts_of: The last posts of a series.
    """
    found: list[Matter] = []
    for surge in surges:
        posts = {one.post: one for one in posts_of(surge.series) if surge.start <= one.time < surge.end}
        home = next((matter for matter in found if overlap(matter.posts, posts) >= ALIKE), None)
        if home is None:
            found.append(Matter([surge], posts))
        else:
            home.surges.append(surge)
    return found


def named_first(series: Iterable[tuple[Series, float, float]]) -> tuple[Series, ...]:
    """Series of one matter, the one that names it first.

    Args:
        series: (series, share of the posts that count in it, lift).
    """
    ranked = sorted(series, key=lambda one: (one[1] < _COVERS, BY.index(one[0].by), -one[2], one[0]))
    return tuple(one[0] for one in ranked)


def overlap(first: Mapping[str, object], second: Mapping[str, object]) -> float:
    """Szymkiewicz-Simpson coefficient: the share of the smaller one that both hold.

    >>> overlap({"a": 1, "b": 1}, {"b": 1, "c": 1, "d": 1})
    0.5
    """
    return len(first.keys() & second.keys()) / max(1, min(len(first), len(second)))

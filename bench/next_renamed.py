"""Do the names of items, or their order in the catalogue, count? The same models over the catalogue renamed and shuffled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shopkeeper.recipes.recommend.behaviour import Learnt
from shopkeeper.recipes.recommend.moments import Moment
from shopkeeper.recipes.recommend.preference import blocks
from shopkeeper.retrieval.histories import Floats, Histories
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import Trails
from shopkeeper.tasks.recommend.behaviour import Behaviour, fit


@dataclass(frozen=True, slots=True)
class Moves:
    """How far scores move at most, absolute.

    Attributes:
        scores: Of blend, sequence model and ranker, by name; the ranker's for candidates on both sides. Its features hold
            places among the candidates, and two scores that are equal on one side may differ in their last bit on the other.
        still: Share of the ranker's margins that move by less than a thousandth of their deviation.
        shared: Share of a customer's candidates that are candidates on both sides; those that leave stood level with others.
    """

    scores: dict[str, float]
    still: float
    shared: float

    def __str__(self) -> str:
        """For a note of the bench."""
        found = ", ".join(f"{name} {move:.1e}" for name, move in self.scores.items())
        return f"most that scores move when items are renamed and shuffled: {found}; {self.shared:.4f} of candidates and {self.still:.4f} of the ranker's margins stay"


def renamed(learnt: Learnt, test: Moment, shelf: Shelf, vectors: Floats | None, seed: int, users: int = 200) -> Moves:
    """Compare what `learnt` makes of some users with what it makes of them where every item has another name and place.

    Counts, neighbours and vectors are fitted anew on the renamed catalogue; what was learnt by gradients or trees is kept.

    Args:
        learnt: What `recipes.recommend.behaviour.learn` gave.
        test: Who is asked for what.
        shelf: The items.
        vectors: float32 (rows, d), or None.
        seed: Of names and places.
        users: How many users are compared, the first ones.
    """
    width = len(shelf)
    order = np.random.default_rng(seed).permutation(width)
    place = np.argsort(order)
    items = (shelf.item(int(row)) for row in order)
    other = Shelf(replace(item, id=f"item-{number:09}") for number, item in enumerate(items) if item is not None)
    asked = test.take(np.arange(min(users, len(test.past)), dtype=np.int64))
    moved = _moved(asked, order, place)
    mine = _behaviour(learnt, asked, shelf, vectors, np.arange(width))
    theirs = _behaviour(learnt, moved, other, None if vectors is None else vectors[order], place)
    found = {"blend": _apart(theirs.blended(moved.split.past, width, moved.past)[:, place], mine.blended(asked.split.past, width, asked.past))}  # fmt: skip
    if mine.next is not None and theirs.next is not None:
        found["sequence"] = _apart(theirs.next.scores(moved.past, width)[:, place], mine.next.scores(asked.past, width))
    still = shared = 1.0
    if mine.ranker is not None:
        here = np.concatenate([*_margins(mine, asked, shelf)])
        there = np.concatenate([*_margins(theirs, moved, other)])[:, place]
        both = ~np.isnan(here) & ~np.isnan(there)
        found["ranker"] = _apart(here[both], there[both])
        still = float((np.abs(here[both] - there[both]) < here[both].std() / 1_000).mean())
        shared = float(both.sum() / np.isfinite(here).sum())
    return Moves(found, still, shared)


def _behaviour(
    learnt: Learnt, asked: Moment, shelf: Shelf, vectors: Floats | None, place: NDArray[np.int64]
) -> Behaviour:
    """What was learnt, over a shelf where the row r of the first one stands at ``place[r]``."""
    behaviour = fit(asked.split.learn, shelf, vectors, learnt.parameters, asked.split.until)
    if learnt.sequence is not None:
        sequence = replace(learnt.sequence, rows=place[learnt.sequence.rows])
        behaviour.next = sequence.to_serving(len(shelf), vectors, threads=2)
    behaviour.ranker = learnt.ranker
    return behaviour


def _moved(asked: Moment, order: NDArray[np.int64], place: NDArray[np.int64]) -> Moment:
    split = asked.split

    def histories(part: Histories) -> Histories:
        return replace(part, rows=place[part.rows])

    def trails(part: Trails) -> Trails:
        return replace(part, rows=place[part.rows])

    renamed_ = replace(
        split, learn=histories(split.learn), past=histories(split.past), owned=split.owned.tocsc()[:, order].tocsr(),
        targets=place[split.targets],
    )  # fmt: skip
    return Moment(renamed_, trails(asked.learn), trails(asked.past))


def _margins(behaviour: Behaviour, asked: Moment, shelf: Shelf) -> Iterator[Floats]:
    """The ranker's margins of the users, float32 (users, rows), NaN for whatever is no candidate."""
    for users, pool, table in blocks(behaviour, asked.split, asked.past, shelf):
        found = np.full((len(users), len(shelf)), np.nan, dtype=np.float32)
        owner, column = np.nonzero(pool.valid)
        found[owner, pool.rows[owner, column]] = behaviour.margins(table)[owner, column]
        yield found


def _apart(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).max(initial=0.0))

"""What a human should look at in the catalogue: wrong shelves, stuffed titles, slipped prices, doubled listings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.progress import span
from shopkeeper.records import Decision, Item
from shopkeeper.store.protocols import Changes, Labels
from shopkeeper.tasks.guard.catalogue_doubles import doubled, pairs
from shopkeeper.tasks.guard.catalogue_doubt import Doubt
from shopkeeper.tasks.guard.catalogue_likeness import Likeness, likeness
from shopkeeper.tasks.guard.catalogue_prices import Pricing, pricing, slipped
from shopkeeper.tasks.guard.catalogue_shelves import CLAIMED, Votes, misplaced, shelves_of, votes
from shopkeeper.tasks.guard.catalogue_titles import Wording, stuffed, wording

TASK = "catalogue"
"""Name of the question in the review queue; subjects are items, answers `FINE` or what was mended."""
FINE = "fine"
"""The answer that ends all doubts about an item."""
KINDS: Mapping[str, tuple[str, str]] = {
    "category": ("Wrong category", "类目错误"),
    "title": ("Stuffed title", "标题堆砌"),
    "price": ("Price", "价格"),
    "double": ("Listed twice", "重复上架"),
}


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was measured, for n items; `doubts` is what to look at.

    Attributes:
        votes: Where the neighbours stand.
        wording: How titles are worded.
        pricing: What prices look like beside similar ones.
        pairs: int64 (m, 2), listings that may be one product, the later first; `pair_scores` float64 (m,).
        doubts: Of all kinds, surest first.
    """

    votes: Votes
    wording: Wording
    pricing: Pricing
    pairs: NDArray[np.int64]
    pair_scores: NDArray[np.float64]
    doubts: list[Doubt]


def check(items: Sequence[Item], vectors: Floats, *, alike: Likeness | None = None, seed: int = 7) -> Findings:
    """Hold every item against those that are like it.

    Args:
        items: n items; hidden ones are checked, too.
        vectors: float32 (n, d), encoder vectors of their texts. Best of `catalogue_likeness.bare` texts, which do not name
            the category; those of passages will do.
        alike: Their likeness, where it is at hand.
        seed: Of the projection of words.

    Raises:
        InputError: There are not as many vectors as items, or some are not finite.
    """
    if len(vectors) != len(items) or not np.isfinite(vectors).all():
        raise InputError(
            f"{len(items)} items have {len(vectors)} vectors, or some that are not finite.",
            where="catalogue check",
            cure="Encode every item's text once.",
        )
    with span("check the catalogue", 4, "steps") as progress:
        alike = alike if alike is not None else likeness(items, vectors, seed=seed)
        progress.advance()
        shelf, paths = shelves_of(items)
        standing = votes(shelf, _groups(items), alike)
        progress.advance()
        worded = wording(items, shelf, np.where(standing.score >= CLAIMED, standing.best, -1))
        progress.advance()
        priced = pricing(items, shelf, alike)
        found, scores = pairs(items, alike)
        progress.advance()
    doubts = [
        *misplaced(items, alike, standing, paths),
        *stuffed(items, worded),
        *slipped(items, priced),
        *doubled(items, found, scores),
    ]
    doubts.sort(key=lambda doubt: -doubt.score)
    return Findings(standing, worded, priced, found, scores, doubts)


def propose(labels: Labels, items: Sequence[Item], doubts: Iterable[Doubt]) -> Changes:
    """Put doubts into the review queue, one question an item; what a human decided already is not asked again.

    Args:
        labels: The queue.
        items: Items of the doubts.
        doubts: See `check`.
    """
    return labels.propose(_questions({item.id: item for item in items}, doubts))


def open_doubts(labels: Labels, doubts: Iterable[Doubt]) -> list[Doubt]:
    """Those about items of which nobody has said that they are fine."""
    fine = {decision.subject for decision in labels.decided(TASK) if decision.label == FINE}
    return [doubt for doubt in doubts if doubt.item not in fine]


def of_each_kind(doubts: Sequence[Doubt], limit: int) -> list[Doubt]:
    """Doubts by kind, `limit` of each at most."""
    return [doubt for kind in KINDS for doubt in [one for one in doubts if one.kind == kind][:limit]]


def _questions(items: Mapping[str, Item], doubts: Iterable[Doubt]) -> Iterator[Decision]:
    of_item: defaultdict[str, list[Doubt]] = defaultdict(list)
    for doubt in doubts:
        of_item[doubt.item].append(doubt)
    for name, several in of_item.items():
        several.sort(key=lambda doubt: -doubt.score)
        language = "zh" if items[name].language == "zh" else "en"
        place = ("en", "zh").index(language)
        reasons = [f"{KINDS[doubt.kind][place]}: {doubt.text[language]}" for doubt in several]
        yield Decision(
            task=TASK,
            subject=name,
            text="\n".join([items[name].title, *reasons]),
            proposal=f"{several[0].kind}: {several[0].proposal}"[:200],
            score=several[0].score,
        )


def _groups(items: Sequence[Item]) -> NDArray[np.int64]:
    """Equal for variants of one product and for nothing else: int64 (n,)."""
    first: dict[str, int] = {}
    return np.array(
        [first.setdefault(item.group, row) if item.group else row for row, item in enumerate(items)], dtype=np.int64
    )

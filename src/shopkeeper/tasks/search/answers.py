"""What a search answers beside its hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shopkeeper.records import Answer
from shopkeeper.retrieval.highlights import Highlights
from shopkeeper.retrieval.understanding.nouns import Understood
from shopkeeper.store.merchandising import Banner
from shopkeeper.tasks.search.relaxing import Relaxation


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer(Answer):
    """What a search answers beside the hits.

    Attributes:
        read: How the query was understood, with its chips.
        instead: Another wording to offer: "did you mean ...?"; empty for none.
        found: False where the best hit is probably no answer: the honest heading is then "nothing found, but close".
        relaxations: What to give up, where little was found.
        prices: (low, high, count) of every bar of a price histogram.
        banner: What merchandisers want to say above the hits.
        redirect: A path of the shop to go to instead of showing hits; empty for none.
        fired: Names of the rules that had their way.
        pinned: Ids of the hits that stand where a rule put them.
        variants: Ids of the other variants of a hit's product, by item id.
        marks: Title and snippet of each hit with the words searched marked, by item id.
        cursor: Of the next page; empty on the last one.
    """

    read: Understood
    instead: str = ""
    found: bool = True
    relaxations: tuple[Relaxation, ...] = ()
    prices: tuple[tuple[float, float, int], ...] = ()
    banner: Banner | None = None
    redirect: str = ""
    fired: tuple[str, ...] = ()
    pinned: frozenset[str] = frozenset()
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    marks: Mapping[str, Highlights] = field(default_factory=dict)
    cursor: str = ""

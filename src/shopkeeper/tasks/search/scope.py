"""What a request may find, before anything is ranked: what its customer chose, what its query says, what rules leave."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shopkeeper.records import Filters, Request
from shopkeeper.retrieval.shelf import Mask, Rows
from shopkeeper.retrieval.understanding.language import Wording
from shopkeeper.retrieval.understanding.nouns import Understood


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request may find.

    Attributes:
        chosen: What the customer chose and what their query says.
        stars: Mean stars at least, or None.
        own: Bool (rows,), what passes all that the customer wants.
        wide: Bool (rows,), what the rules leave of that if nothing was chosen in any facet.
        mask: Bool (rows,), what passes both.
        hidden: int64 (n,), rows that a rule hides.
    """

    understood: Understood
    unsure: tuple[Wording, ...]
    chosen: Filters
    stars: float | None
    own: Mask
    wide: Mask
    mask: Mask
    hidden: Rows

    @property
    def narrowed(self) -> bool:
        """Was anything chosen in a facet?"""
        return narrows(self.chosen) or self.stars is not None


def both(chosen: Filters, read: Filters) -> Filters:
    """What the customer chose and what their query says: the narrower price; items that either leaves out."""
    lows = [low for low in (chosen.price_min, read.price_min) if low is not None]
    highs = [high for high in (chosen.price_max, read.price_max) if high is not None]
    return replace(
        chosen,
        price_min=max(lows, default=None),
        price_max=min(highs, default=None),
        exclude=(*chosen.exclude, *read.exclude),
    )


def narrows(filters: Filters) -> bool:
    """Do they leave out anything that a facet could bring back?"""
    prices = filters.price_min is not None or filters.price_max is not None
    return bool(filters.brands or filters.categories or filters.attributes) or prices


def stars_of(request: Request, understood: Understood) -> float | None:
    """The stars that were chosen or asked for; an attribute may be called "rating" as well, but gives no such chip."""
    asked = [request.stars] if request.stars is not None else []
    if any(chip.kind == "rating" for chip in understood.chips):
        asked += [float(one.value) for one in understood.preferences if one.field == "rating" and one.certainty == 1]
    return max(asked, default=None)


def meeting(one: Mask, other: Mask) -> Mask:
    """What both let pass; the shelf may have grown between the two."""
    width = min(len(one), len(other))
    met: Mask = one[:width] & other[:width]
    return met

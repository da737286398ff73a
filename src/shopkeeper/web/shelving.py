"""How home shelves and bundles are shown: titles, notes, links, and what they cost together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shopkeeper.records import Answer, Item
from shopkeeper.serving.desk import Desk
from shopkeeper.tasks.recommend.shelves import HomeShelf
from shopkeeper.web.i18n import translator
from shopkeeper.web.listing import Listing
from shopkeeper.web.view import Card, ShelfView, cards, product_path

_NOTES: Final = {"for_you": "for_you_more", "again": "again_more", "continue": "continue_more"}


@dataclass(frozen=True, slots=True)
class BundleView:
    """An item and what goes with it.

    Attributes:
        cards: What goes with the item, without the item itself.
        items: Ids of everything that can be bought, the item first.
        request: Id of the answer, to tie what is bought to it.
        totals: What they cost together, by currency; empty when the price of one is unknown.
    """

    cards: tuple[Card, ...]
    items: tuple[str, ...]
    request: str
    totals: tuple[tuple[float, str], ...]


def home_shelves(desk: Desk, page: Sequence[HomeShelf], language: str) -> list[ShelfView]:
    """The shelves of a home page in a language; each has a name of its own."""
    t = translator(language, desk.shop.domain.wording)
    made: list[ShelfView] = []
    for shelf in page:
        name = shelf.kind.replace("_", "-")
        if any(other.name == name for other in made):
            name = f"{name}-{len(made)}"
        title = shelf.title["zh" if language == "zh" else "en"]
        note = t(_NOTES[shelf.kind]) if shelf.kind in _NOTES else ""
        shown = cards(desk, shelf.answer, language)
        if shown:
            made.append(ShelfView(name, title, shown, note, _more(shelf)))
    return made


def bundle_view(desk: Desk, item: Item, answer: Answer, language: str) -> BundleView | None:
    """What goes with an item; None when nothing does, or the item cannot be bought itself."""
    others = cards(desk, answer, language)
    if not others or not item.showable:
        return None
    items = (item, *(card.item for card in others))
    known = all(one.price is not None for one in items)
    sums = tuple(totals([(one, 1) for one in items])) if known else ()
    return BundleView(others, tuple(one.id for one in items), answer.request.id, sums)


def totals(lines: Sequence[tuple[Item, int]]) -> list[tuple[float, str]]:
    """Sums by currency of the lines (item, pieces) whose price is known."""
    sums: dict[str, float] = {}
    for item, pieces in lines:
        if item.price is not None:
            sums[item.currency] = sums.get(item.currency, 0.0) + item.price * pieces
    return [(amount, currency) for currency, amount in sums.items()]


def _more(shelf: HomeShelf) -> str:
    """Where there is more of it, empty for nowhere."""
    match shelf.kind:
        case "because":
            return product_path(shelf.about)
        case "new":
            return Listing(sort="newest").href()
        case "popular":
            return Listing(sort="popular").href()
        case "category":
            return Listing(categories=(shelf.about,), sort="popular").href()
        case _:
            return ""

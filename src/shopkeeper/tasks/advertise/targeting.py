"""Which campaigns may show on a page, before anybody bids: dates, words, categories, languages, segments, surfaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from shopkeeper.ranking.rules import Rulebook, situation_of
from shopkeeper.records import Answer, Customer, Item, Request
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.advertising import Campaign


class Adbook:
    """Campaigns by what they wait for. Immutable: safe to share between threads, replaced as a whole.

    Args:
        campaigns: All; paused ones are found by id only.
    """

    def __init__(self, campaigns: Iterable[Campaign] = ()) -> None:
        self.campaigns: Mapping[str, Campaign] = {campaign.id: campaign for campaign in campaigns}
        self._book = Rulebook([campaign.rule for campaign in self.campaigns.values()], terms)

    def running(self, request: Request, organic: Answer, customer: Customer | None, shelf: Shelf) -> list[Campaign]:
        """The campaigns whose conditions hold on a page, in no order that means anything.

        A category is what the customer chose, that of the items in focus, and what half of the page's items are of.
        """
        if not self._book.rules:
            return []
        focus = [item.category for item in _items(request.items, shelf)]
        page = common_category(_items((hit.item for hit in organic.hits), shelf))
        situation = situation_of(request, customer)
        situation = replace(situation, categories=(*situation.categories, *focus, page))
        found = (self.campaigns[rule.id] for rule in self._book.firing(situation))
        return [campaign for campaign in found if not campaign.surfaces or request.surface in campaign.surfaces]


def common_category(items: list[Item]) -> tuple[str, ...]:
    """The longest path that at least half of some items share; empty when there is none."""
    counts = Counter(item.category[:depth] for item in items for depth in range(1, len(item.category) + 1))
    shared = [path for path, count in counts.items() if 2 * count >= len(items)]
    return max(shared, key=lambda path: (len(path), counts[path]), default=())


def currency_of(organic: Answer, shelf: Shelf) -> str:
    """The currency that most items of a page are priced in, in capitals; empty when none is."""
    counts = Counter(
        item.currency.upper() for item in _items((hit.item for hit in organic.hits), shelf) if item.currency
    )
    return counts.most_common(1)[0][0] if counts else ""


def _items(names: Iterable[str], shelf: Shelf) -> list[Item]:
    rows = (shelf.row(name) for name in names)
    return [item for row in rows if row is not None and (item := shelf.items[row]) is not None]

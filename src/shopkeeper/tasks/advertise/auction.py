"""The auction of a page: ads that may bid, one for each advertiser and each item, sold by the shop's mechanism.

Chances of clicks are drawn, so the same bids give other pages. Every page is `WORLDS` auctions drawn alike, of which the
first is shown: an ad's propensity at its place is the share of them in which its item stands there. That is exact for a
page, whatever rules advertisers, items and reserve add, and no weight of an off-policy estimate is above `WORLDS`. What
stands at a place in none of them could not have been shown there; over many pages the shares are those of the draw itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.ranking.ads.bandits import draw
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.store.advertising import Campaign
from shopkeeper.tasks.advertise.answers import Placed
from shopkeeper.tasks.advertise.chances import Chances
from shopkeeper.tasks.advertise.spend import AdSpend, looked_at
from shopkeeper.trust.auctions import Mechanism

Values = NDArray[np.float64]
Ints = NDArray[np.int64]

WORLDS: Final = 256
"""Auctions that are drawn for a page."""


@dataclass(frozen=True, slots=True)
class Bidders:
    """Ads that may bid: n rows of the shelf, each with its campaign.

    Attributes:
        rows: int64 (n,).
        owners: The campaign of each row.
        bids: float64 (n,), paced.
    """

    rows: Rows
    owners: Sequence[Campaign]
    bids: Values

    def at(self, places: Ints) -> Bidders:
        """Some of them, in that order."""
        return Bidders(self.rows[places], [self.owners[place] for place in places.tolist()], self.bids[places])


def sold(
    bidders: Bidders,
    predicted: Callable[[Rows], Chances],
    spend: AdSpend,
    shelf: Shelf,
    *,
    mechanism: Mechanism,
    places: int,
    reserve: float,
    page: str,
) -> list[Placed]:
    """Sell the places of a page: best place first, at most one to each advertiser and one to each item.

    The chance of a click is drawn from what an ad's own clicks leave possible around the predicted one (Thompson sampling):
    an ad that was hardly seen may turn out well. An item that two advertisers want costs at least what the second one bids.
    Bids below the reserve are not there.

    Args:
        bidders: Who bids.
        predicted: Chances of distinct rows.
        spend: Clicks and looks of each ad so far.
        shelf: The items.
        mechanism: What winners pay.
        places: How many there are.
        reserve: Least money per click.
        page: Id of the request; seeds all that is drawn.
    """
    seed = zlib.crc32(page.encode())
    rng = np.random.default_rng(seed)
    bidders = bidders.at(rng.permutation(np.flatnonzero(bidders.bids >= reserve)))  # equals are told apart by lot
    if not len(bidders.rows):
        return []
    rows, same = np.unique(bidders.rows, return_inverse=True)
    items = [shelf.item(row).id for row in rows.tolist()]
    chances = predicted(rows)
    worlds = draw(*spend.trials(items), chances.click, rng, times=WORLDS)[:, same]
    standing = _standing(bidders, worlds * bidders.bids, places)
    quality = worlds[0]
    best, rivals = _one_each(bidders, np.argsort(-(bidders.bids * quality), kind="stable"))
    looked = [looked_at(place) for place in range(1, places + 1)]
    sale = mechanism.hold(bidders.bids[best], quality[best], looked, reserve, seed=seed)
    placed = []
    won = best[sale.rows].tolist()
    for at, (place, price) in enumerate(zip(won, sale.prices.tolist(), strict=True)):
        row, owner = same[place], bidders.owners[place]
        alike = standing[:, at]
        shown = (alike >= 0) & (same[alike] == row)
        placed.append(
            Placed(
                item=items[row],
                campaign=owner.id,
                advertiser=owner.advertiser,
                price=round(max(price, rivals.get(place, 0.0)), 6),
                click=round(float(chances.click[row]), 6),
                conversion=round(float(chances.conversion[row]), 6),
                propensity=float(shown.mean()),
            )
        )
    return placed


def _standing(bidders: Bidders, scores: Values, places: int) -> Ints:
    """Which ad stands where in each auction: int64 (worlds, places), -1 where a place stays empty.

    Args:
        bidders: n of them, none below the reserve.
        scores: float64 (worlds, n), bid x quality; what has 0 is not sold.
        places: How many there are.
    """
    every = np.arange(len(scores))
    standing = np.full((len(scores), places), -1)
    if not scores.shape[1]:
        return standing
    advertisers = np.unique([owner.advertiser for owner in bidders.owners], return_inverse=True)[1]
    left = scores.copy()
    for place in range(places):
        best = left.argmax(axis=1)
        sold = left[every, best] > 0
        standing[sold, place] = best[sold]
        left[(advertisers == advertisers[best][:, None]) | (bidders.rows == bidders.rows[best][:, None])] = 0.0
    return standing


def _one_each(bidders: Bidders, order: Ints) -> tuple[Ints, dict[int, float]]:
    """The best ad of each advertiser for an item that nobody better has, and the best other bid for that item.

    Bids of advertisers who have a better place do not count: they would not take the item.
    """
    best: list[int] = []
    holder: dict[int, int] = {}
    rivals: dict[int, float] = {}
    advertisers: set[str] = set()
    for place in order.tolist():
        row, advertiser = int(bidders.rows[place]), bidders.owners[place].advertiser
        if advertiser in advertisers:
            continue
        if (first := holder.get(row)) is not None:
            rivals[first] = max(rivals.get(first, 0.0), float(bidders.bids[place]))
        else:
            holder[row] = place
            advertisers.add(advertiser)
            best.append(place)
    return np.array(best, dtype=np.int64), rivals

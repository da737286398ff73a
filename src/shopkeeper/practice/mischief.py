"""What is not as it should be, planted in a practice shop, with the truth kept apart.

Bots, scrapers and click fraud in the log, forged reviews, mistakes in the catalogue, stolen accounts and cards: each with
ordinary things of the same shape beside it (sponsored places that people click honestly, devices and addresses that
families share, visits without logging in, window shoppers), so that nothing is given away by a field that only mischief fills.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shopkeeper.errors import InputError
from shopkeeper.practice.mischief_ads import defraud, sponsor
from shopkeeper.practice.mischief_crowd import crowd
from shopkeeper.practice.mischief_goods import spoil
from shopkeeper.practice.mischief_plot import Planted, Plot
from shopkeeper.practice.mischief_reviews import forge
from shopkeeper.practice.mischief_robots import send_robots
from shopkeeper.practice.mischief_wallets import equip, steal
from shopkeeper.practice.shop import Practice

VISITORS = ("scraper", "stealth_scraper", "monitor", "booster", "click_fraud")
"""Kinds whose subject is a visitor: a customer's id, or ``device:`` and the device of somebody who did not log in.
A customer on whose device a program runs unnoticed counts, with all that is bought honestly there."""
GOODS = ("wrong_category", "keyword_stuffing", "price_error", "near_duplicate")
"""Kinds whose subject is an item."""


@dataclass(frozen=True, slots=True)
class Mischief:
    """The truth about what was planted.

    Attributes:
        table: One entry a thing planted; see `Planted`.
        events: Ids of the events that no honest visitor made.
        passages: Ids of the reviews that no honest customer wrote.
        campaigns: Sponsored items by campaign; honest advertisers all.
    """

    table: tuple[Planted, ...]
    events: frozenset[str]
    passages: frozenset[str]
    campaigns: Mapping[str, tuple[str, ...]]

    def of(self, *kinds: str) -> dict[str, str]:
        """Subject to detail of everything of these kinds."""
        return {planted.subject: planted.detail for planted in self.table if planted.kind in kinds}


def plant(practice: Practice, seed: int = 7, *, share: float = 0.01) -> tuple[Practice, Mischief]:
    """A copy of a practice shop with mischief in it; the shop itself stays as it is.

    Everybody gets devices, addresses and cards, a seventh of the visits that buy nothing go unnamed, sponsored places are
    shown and clicked honestly, and some honest visitors behave oddly (see `mischief_crowd.crowd`). Then, about `share` of the customers or items each: scrapers that walk the shelves
    (quick and regular, or slow like people), monitors that come back to the same items, boosters that push an item beside
    popular ones, rivals that click a campaign's money away, forged reviews in bursts, mistakes in categories, titles and
    prices, doubled listings, stolen accounts and cards.

    Args:
        practice: As `practice.build` made it.
        seed: Everything random follows from it.
        share: Of customers, items or payments, for each kind; at least one of each is planted.

    Returns:
        The shop, its events in order of time, and the truth. The hidden truth of `practice` knows nothing of planted items
        and accounts.

    Raises:
        InputError: The share is not between 0 and 0.1.
    """
    if not 0 < share <= 0.1:
        raise InputError(f"{share} is no share of mischief.", where="share", cure="Take one above 0, up to 0.1.")
    plot = Plot(practice, seed, share)
    equip(plot)
    campaigns = sponsor(plot)
    crowd(plot)
    defraud(plot, campaigns)
    send_robots(plot)
    forge(plot)
    steal(plot)
    spoil(plot)
    changed = replace(
        practice,
        items=tuple(sorted(plot.items.values(), key=lambda item: item.id)),
        customers=tuple(sorted(plot.customers, key=lambda customer: customer.id)),
        events=tuple(sorted(plot.events, key=lambda event: (event.time, event.id))),
        passages=tuple(plot.passages),
    )
    named = {campaign.id: tuple(practice.items[row].id for row in campaign.rows) for campaign in campaigns}
    return changed, Mischief(tuple(plot.planted), frozenset(plot.forged), frozenset(plot.forged_words), named)

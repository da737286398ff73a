"""What an auction of a page's sponsored places answers: for customers who paid, for the log at which price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from shopkeeper.records import Answer, Event, EventKind, Reason, Scalar
from shopkeeper.tasks.advertise.spend import CAMPAIGN, PRICE


@dataclass(frozen=True, slots=True)
class Placed:
    """An ad on a page, as only its advertiser and the shop see it.

    Attributes:
        price: Of a click, in the currency of the page.
        click: Predicted chance of a click at the first place.
        conversion: Predicted chance that a click leads to a purchase.
        propensity: Chance with which the auction put this item at this place.
    """

    item: str
    campaign: str
    advertiser: str
    price: float
    click: float
    conversion: float
    propensity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdAnswer(Answer):
    """Sponsored places; the hits say to customers who paid, and nothing of prices.

    Attributes:
        placed: One for each hit.
        lost: ``budget``, ``floor`` or ``rank`` -> ids of campaigns that might have shown and did not.
    """

    placed: tuple[Placed, ...] = ()
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    currency: str = ""

    def event(self) -> Event:
        """What is to be on record before the page is shown."""
        properties: dict[str, Scalar] = {"currency": self.currency}
        for place, ad in enumerate(self.placed, 1):
            properties |= {f"{CAMPAIGN}.{place}": ad.campaign, f"{PRICE}.{place}": ad.price}
            properties |= {f"click.{place}": ad.click, f"conversion.{place}": ad.conversion}
        properties |= {f"lost.{how}": orjson.dumps(names).decode() for how, names in self.lost.items()}
        return self.shown(EventKind.AD_IMPRESSION, properties)


def sponsored(advertiser: str) -> Reason:
    """Why an ad is there, with who paid for it."""
    text = {"en": f"Sponsored by {advertiser}", "zh": f"广告 · {advertiser}"}
    return Reason(kind="sponsored", evidence=(advertiser,), text=text)

"""A shop's own campaign as a trial: who was drawn into which arm, what they had done before, and whether they then bought.

A campaign that treats by lot writes an impression for every customer it drew, those left in peace included, with the
properties ``campaign`` (its id) and ``arm`` (``treated`` or ``control``). The first one of a customer sets the moment:
features end there, and the outcome begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.ranking.ads.uplift import behaviour
from shopkeeper.ranking.customers.deeds import KINDS, read_deeds, taxonomy_of
from shopkeeper.records import EventKind, now
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.protocols import Store

ARMS: Final = ("control", "treated")
_SHOWN: Final = (EventKind.IMPRESSION, EventKind.AD_IMPRESSION)


@dataclass(frozen=True, slots=True)
class CampaignTrial:
    """Customers of a campaign, one entry each.

    Attributes:
        customers: Their ids.
        features: What they had done before, see `ranking.ads.uplift.behaviour`.
        treated: bool (n,).
        outcome: float64 (n,), 1 where they bought within the days, or what they paid.
        left_out: How many were drawn into both arms, or too late to know.
    """

    customers: tuple[str, ...]
    features: pl.DataFrame
    treated: NDArray[np.bool_]
    outcome: NDArray[np.float64]
    left_out: int


def read_trial(
    store: Store, campaign: str, *, days: float = 14.0, money: bool = False, until: datetime | None = None
) -> CampaignTrial:
    """Read the log of a campaign whose treatment was drawn by lot.

    Args:
        store: The shop.
        campaign: Its id, as in the property ``campaign`` of impressions.
        days: Purchases count within so many days. Customers drawn later than that before the end are left out.
        money: The outcome is what they paid, in the log's money, instead of whether they bought.
        until: End of what is known; now when None.

    Raises:
        InputError: No impression names the campaign, or one names another arm.
    """
    end = until or now()
    drawn, crossed = _drawn(store, campaign, end)
    known = {who: at for who, (at, _) in drawn.items() if at + timedelta(days=days) <= end}
    people = [who for who in known if who not in crossed]
    moments = pl.DataFrame(
        {"customer": people, "at": [known[who] for who in people]},
        schema={"customer": pl.String, "at": pl.Datetime("us", "UTC")},
    )
    bought = store.events.frame(kinds=[EventKind.PURCHASE], end=end)
    since = pl.col("time") - pl.col("at")
    later = (
        bought.join(moments, on="customer")
        .filter((since >= timedelta()) & (since < timedelta(days=days)))
        .group_by("customer")
        .agg(pl.len().alias("orders"), pl.col("value").fill_null(0.0).sum().alias("paid"))
    )
    told = moments.join(later, on="customer", how="left", maintain_order="left").fill_null(0)
    outcome = told["paid"].to_numpy() if money else (told["orders"] > 0).cast(pl.Float64).to_numpy()
    treated = np.array([drawn[who][1] == "treated" for who in people], dtype=np.bool_)
    features = customers_at(store, people, moments["at"].dt.epoch("us").to_numpy() / 1e6)
    return CampaignTrial(tuple(people), features, treated, outcome.astype(np.float64), len(drawn) - len(people))


def customers_at(store: Store, customers: list[str], at: NDArray[np.float64]) -> pl.DataFrame:
    """What customers had done before a moment each, in seconds since 1970: the columns of `CampaignTrial.features`."""
    shelf = Shelf(store.catalogue.scan())
    taxonomy = taxonomy_of(shelf, store.events.frame(kinds=[EventKind.PURCHASE]))
    deeds, _, _ = read_deeds(store.events.frame(kinds=list(KINDS)), shelf, taxonomy, customers)
    return behaviour(deeds.before(np.arange(len(customers)), at), at)


def _drawn(store: Store, campaign: str, end: datetime) -> tuple[dict[str, tuple[datetime, str]], set[str]]:
    """Moment and arm of each customer by their first impression, and those who had impressions of both arms."""
    drawn: dict[str, tuple[datetime, str]] = {}
    crossed: set[str] = set()
    for _, event in store.events.scan(kinds=list(_SHOWN), end=end):
        if event.properties.get("campaign") != campaign or not event.customer:
            continue
        arm = str(event.properties.get("arm", ""))
        if arm not in ARMS:
            raise InputError(
                f"An impression of the campaign {campaign!r} has the arm {arm!r}.",
                where=f"event {event.id}",
                cure="Write treated or control into the property arm of every impression of the campaign.",
            )
        before = drawn.get(event.customer)
        if before is not None and before[1] != arm:
            crossed.add(event.customer)
        if before is None or event.time < before[0]:
            drawn[event.customer] = (event.time, arm)
    if not drawn:
        raise InputError(
            f"No impression of a known customer names the campaign {campaign!r}.",
            where="campaign",
            cure="Log an impression with the properties campaign and arm for every customer drawn, untreated ones too.",
        )
    return drawn, crossed

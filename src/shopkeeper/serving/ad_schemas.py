"""What travels over HTTP, and in files of campaigns, about advertising. Amounts and dates are checked by `check_campaign`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from shopkeeper.evaluation.ad_report import AdReport
from shopkeeper.records import Item
from shopkeeper.serving.replies import item_document
from shopkeeper.serving.rule_schemas import RuleIn, ThenIn, WhenIn
from shopkeeper.serving.schemas import FiltersIn, Id, ItemDoc, Language, OptionalId, Query, Short, Strict
from shopkeeper.store.advertising import Campaign
from shopkeeper.tasks.advertise.answers import AdAnswer

LABEL = {"en": "Sponsored", "zh": "广告"}
"""What every ad is to be labelled with."""


class CampaignIn(Strict):
    """What an advertiser pays for. The last four fields are set by the shop; they may be sent back and are not read."""

    name: Short
    advertiser: Id
    items: list[Id] = Field(max_length=1_000, description="To show; all in one currency.")
    bid: float = Field(description="The most that a click costs.")
    currency: Annotated[str, Field(max_length=3)]
    daily_budget: float | None = Field(
        default=None, description="Most that a day's clicks cost, UTC; null for no limit."
    )
    total_budget: float | None = Field(default=None, description="Most that all clicks cost; null for no limit.")
    when: WhenIn = Field(default=WhenIn(), description="On which pages, and between which times, as with a rule.")
    surfaces: list[Short] = Field(default=[], max_length=50, description="search, product ...; empty for everywhere.")
    daily_cap: int | None = Field(default=None, description="Showings to one customer a day at most.")
    paused: bool = False
    created: datetime | None = None
    created_by: str = ""
    changed: datetime | None = None
    changed_by: str = ""

    def record(self, name: str) -> Campaign:
        """The campaign `name` that this describes; `store.advertising.check_campaign` is still to look at it."""
        when = RuleIn(id="-", name="-", when=self.when, then=ThenIn()).record().when
        plain = ("name", "advertiser", "bid", "currency", "daily_budget", "total_budget", "daily_cap", "paused")
        values = {field: getattr(self, field) for field in plain}
        return Campaign(id=name, items=tuple(self.items), when=when, surfaces=tuple(self.surfaces), **values)


class NamedCampaignIn(CampaignIn):
    """A campaign with its id, as files hold them."""

    id: Id


class CampaignsIn(Strict):
    """Campaigns of a file."""

    campaigns: list[NamedCampaignIn] = Field(min_length=1, max_length=10_000)

    def records(self) -> list[Campaign]:
        """The campaigns that this describes."""
        return [campaign.record(campaign.id) for campaign in self.campaigns]


class CampaignOut(NamedCampaignIn):
    """A campaign, and what it spent."""

    spent: float
    spent_today: float


class CampaignsOut(BaseModel):
    """The campaigns of the shop."""

    campaigns: list[CampaignOut]


class AdsIn(Strict):
    """A page that has room for ads."""

    query: Query = ""
    items: list[Id] = Field(default=[], max_length=200, description="What the page is about: the product, the basket.")
    page: list[Id] = Field(
        default=[], max_length=200, description="What the page shows, best first; asked of the shop itself when empty."
    )
    customer: OptionalId = ""
    session: OptionalId = ""
    filters: FiltersIn = FiltersIn()
    language: Language = ""
    surface: Short = ""
    details: bool = Field(default=False, description="Put the whole item beside each ad.")


class AdOut(BaseModel):
    """One ad. Show it with the label, and send an `ad_click` with the answer's `request` when it is clicked."""

    item: str
    place: int
    label: dict[Literal["en", "zh"], str]
    advertiser: str
    reason: dict[str, str]
    details: ItemDoc | None = None


class AdsOut(BaseModel):
    """Sponsored places of a page, perhaps none."""

    request: str
    ads: list[AdOut]


class AdDayOut(BaseModel):
    """A day of a campaign, UTC."""

    day: str
    showings: int
    clicks: int
    spend: float
    orders: int
    sales: float
    lost: dict[str, int]


class AdReportOut(BaseModel):
    """How a campaign did in a period."""

    campaign: str
    currency: str
    start: datetime
    end: datetime
    showings: int
    clicks: int
    uncharged: dict[str, int]
    click_rate: float | None
    click_rate_interval: tuple[float, float] | None
    predicted: float | None
    spend: float
    cost_per_click: float | None
    orders: int
    sales: float
    cost_per_order: float | None
    place: float | None
    lost: dict[str, int]
    days: list[AdDayOut]


def ads_document(answer: AdAnswer, items: dict[str, Item] | None = None) -> list[dict[str, Any]]:
    """The ads of an answer as JSON values: nothing of bids, prices or chances."""
    found: list[dict[str, Any]] = []
    for place, (hit, ad) in enumerate(zip(answer.hits, answer.placed, strict=True), 1):
        document = {"item": hit.item, "place": place, "label": LABEL, "advertiser": ad.advertiser}
        document["reason"] = dict(hit.reasons[0].text)
        if items is not None and hit.item in items:
            document["details"] = item_document(items[hit.item])
        found.append(document)
    return found


def report_document(report: AdReport) -> dict[str, Any]:
    """A report as JSON values."""
    values = {name: getattr(report, name) for name in AdReportOut.model_fields if name != "days"}
    days = [
        {"day": day.isoformat()} | {name: getattr(of, name) for name in AdDayOut.model_fields if name != "day"}
        for day, of in report.days.items()
    ]
    return {**values, "days": days}

"""Advertising through /v1: ads for a page (scope read), campaigns and their reports (scope admin)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request

from shopkeeper import records
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.evaluation.ad_report import ad_report
from shopkeeper.records import Answer, Hit
from shopkeeper.serving.ad_schemas import (
    AdReportOut,
    AdsIn,
    AdsOut,
    CampaignIn,
    CampaignOut,
    CampaignsOut,
    ads_document,
    report_document,
)
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.problems import request_id_of
from shopkeeper.serving.replies import ChangesOut, Json
from shopkeeper.serving.schemas import aware
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.campaigns import campaign_document
from shopkeeper.store.protocols import Changes
from shopkeeper.tasks.shop import Shop

router = APIRouter(prefix="/v1", tags=["advertising"])

_PAGE = 24
_ADS = {
    "search": {"summary": "Beside a search", "value": {"query": "kettle", "session": "s-1", "surface": "search"}},
    "page": {
        "summary": "Beside a page of one's own",
        "value": {"query": "kettle", "page": ["sku-100", "sku-7", "sku-8", "sku-9"], "surface": "search"},
    },
}
_CAMPAIGN = {
    "kettles": {
        "summary": "Kettles in autumn",
        "value": {
            "name": "Kettles in autumn",
            "advertiser": "acme",
            "items": ["sku-100"],
            "bid": 0.4,
            "currency": "EUR",
            "daily_budget": 20,
            "total_budget": 500,
            "when": {"contains": ["kettle", "水壶"], "end": "2026-12-01T00:00:00Z"},
            "surfaces": ["search"],
            "daily_cap": 5,
        },
    }
}


@router.post("/ads", dependencies=needs(Scope.READ), responses={200: {"model": AdsOut}}, summary="Ads for a page")
async def post_ads(request: Request, body: Annotated[AdsIn, Body(openapi_examples=_ADS)]) -> Json:
    """Sponsored places beside a page: at most one for every four items shown, as relevant as those, each to be labelled.

    What is answered counts as shown, with its prices. A click is posted to /v1/events as `ad_click` with `item` and
    `request` within a day; it is charged once.
    """
    desk = desk_of(request)
    asked = records.Request(
        id=request_id_of(request),
        query=body.query,
        items=tuple(body.items),
        filters=body.filters.record(),
        limit=_PAGE,
        **{name: getattr(body, name) for name in ("customer", "session", "language", "surface")},
    )
    return await desk.run(_ads, desk, asked, body)


@router.get(
    "/campaigns",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": CampaignsOut}},
    summary="All campaigns",
)
async def list_campaigns(request: Request) -> Json:
    """All campaigns by id, with what they spent."""
    desk = desk_of(request)
    found = await desk.run(lambda: [_document(desk.shop, campaign) for campaign in desk.shop.store.campaigns.scan()])
    return Json({"campaigns": found})


@router.get(
    "/campaigns/{campaign}",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": CampaignOut}},
    summary="One campaign",
)
async def get_campaign(request: Request, campaign: str) -> Json:
    """A campaign by id, with what it spent."""
    desk = desk_of(request)
    return Json(await desk.run(lambda: _document(desk.shop, _known(desk.shop, campaign))))


@router.put(
    "/campaigns/{campaign}",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": ChangesOut}},
    summary="Add or replace a campaign",
)
async def put_campaign(
    request: Request, campaign: str, body: Annotated[CampaignIn, Body(openapi_examples=_CAMPAIGN)]
) -> Json:
    """Write a campaign; it holds when this returns. The audit log keeps what it was."""
    return await _put(request, body.record(campaign))


@router.delete(
    "/campaigns/{campaign}",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": ChangesOut}},
    summary="Remove a campaign",
)
async def delete_campaign(request: Request, campaign: str) -> Json:
    """Remove a campaign; what it spent stays in the log."""
    desk = desk_of(request)
    changes = await desk.run(desk.shop.store.campaigns.remove, [campaign], actor_of(request))
    await desk.run(desk.shop.refresh)
    return Json(_counts(changes))


@router.post(
    "/campaigns/{campaign}/pause",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": ChangesOut}},
    summary="Pause a campaign",
)
async def pause_campaign(request: Request, campaign: str) -> Json:
    """Show it no more; clicks on pages that are open already are still charged."""
    desk = desk_of(request)
    return await _put(request, replace(await desk.run(_known, desk.shop, campaign), paused=True))


@router.post(
    "/campaigns/{campaign}/resume",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": ChangesOut}},
    summary="Resume a campaign",
)
async def resume_campaign(request: Request, campaign: str) -> Json:
    """Show it again."""
    desk = desk_of(request)
    return await _put(request, replace(await desk.run(_known, desk.shop, campaign), paused=False))


@router.get(
    "/campaigns/{campaign}/report",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": AdReportOut}},
    summary="How a campaign did",
)
async def report_campaign(
    request: Request,
    campaign: str,
    start: Annotated[datetime | None, Query(description="Thirty days before the end when left out.")] = None,
    end: Annotated[datetime | None, Query(description="Now when left out.")] = None,
) -> Json:
    """Showings, clicks, money and what was sold within seven days of a click, by day, and what was missed."""
    desk = desk_of(request)
    until = aware(end) or records.now()
    since = aware(start) or until - timedelta(days=30)
    if since >= until:
        raise InputError("It ends before it begins.", where="query.end", cure="Swap start and end.")
    shop = desk.shop
    found = await desk.run(lambda: ad_report(shop.store.events, _known(shop, campaign), since, until))
    return Json(report_document(found))


async def _put(request: Request, campaign: Campaign) -> Json:
    desk = desk_of(request)
    changes = await desk.run(desk.shop.store.campaigns.put, [campaign], actor_of(request))
    await desk.run(desk.shop.refresh)
    return Json(_counts(changes))


def _ads(desk: Desk, asked: records.Request, body: AdsIn) -> Json:
    shop = desk.shop
    if body.page:
        hits = tuple(Hit(item=item, score=0.0) for item in body.page if shop.shelf.row(item) is not None)
        organic = Answer(request=asked, hits=hits, total=len(hits))
    elif asked.query:
        organic = shop.search(asked)
    elif asked.items:
        organic = shop.similar(asked)
    else:
        organic = shop.recommend(asked)
    answer = shop.advertise(asked, organic)
    items = shop.store.catalogue.get([hit.item for hit in answer.hits]) if body.details else None
    return Json({"request": asked.id, "ads": ads_document(answer, items)})


def _known(shop: Shop, name: str) -> Campaign:
    found = shop.store.campaigns.get([name]).get(name)
    if found is None:
        raise NotFoundError(f"There is no campaign {name!r}.", where="campaign", cure="See GET /v1/campaigns.")
    return found


def _document(shop: Shop, campaign: Campaign) -> dict[str, Any]:
    shop.ad_spend.refresh()
    today = records.now().date()
    spent = {"spent": shop.ad_spend.spent(campaign.id), "spent_today": shop.ad_spend.spent(campaign.id, today)}
    return campaign_document(campaign) | spent


def _counts(changes: Changes) -> dict[str, int]:
    return {name: getattr(changes, name) for name in ChangesOut.model_fields}

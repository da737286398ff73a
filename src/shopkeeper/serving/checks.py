"""Checks of the whole shop through /v1: who rates dishonestly, which items are wrong, which visitors are programs.

They look and write nothing: `shopkeeper guard` puts the same findings into the review queue, and its decisions count here.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.check_schemas import (
    CatalogueOut,
    ReviewsOut,
    VisitorsOut,
    doubts_document,
    reviews_document,
    visitors_document,
)
from shopkeeper.serving.gate import needs
from shopkeeper.serving.replies import Json
from shopkeeper.tasks.guard.catalogue_check import of_each_kind
from shopkeeper.tasks.guard.review_check import check_reviews, live_raters
from shopkeeper.tasks.guard.visitor_check import check_visitors
from shopkeeper.tasks.shop import Shop

router = APIRouter(prefix="/v1/guard", tags=["guard"], dependencies=needs(Scope.ADMIN))

Limit = Annotated[int, Query(ge=1, le=1_000, description="Of each kind at most.")]


@router.get("/reviews", responses={200: {"model": ReviewsOut}}, summary="Fake reviews and rating attacks")
async def list_raters(request: Request, limit: Limit = 50) -> Json:
    """Customers who seem to rate dishonestly, and items whose stars they moved; 400 before `shopkeeper train reviewer`.

    Everything rated is looked at, which takes seconds to minutes. At most 200 of each are found; who was decided about is not
    among the suspects.
    """
    desk = desk_of(request)
    return Json(await desk.run(_reviews, desk.shop, limit))


@router.get("/catalogue", responses={200: {"model": CatalogueOut}}, summary="Items that look wrong")
async def list_doubtful_items(request: Request, limit: Limit = 50) -> Json:
    """Wrong categories, stuffed titles, slipped prices and doubled listings; without items that were called fine.

    Every item is held against those like it, which takes seconds to minutes.
    """
    desk = desk_of(request)
    doubts = await desk.run(desk.shop.doubtful_items)
    return Json({"doubts": doubts_document(of_each_kind(doubts, limit))})


@router.get("/visitors", responses={200: {"model": VisitorsOut}}, summary="Bots, scrapers and click fraud")
async def list_visitors(request: Request, days: Annotated[float, Query(gt=0, le=365)] = 30, limit: Limit = 50) -> Json:
    """Visitors of the last days who are probably programs or paid clickers, and the ad clicks to give back for them.

    The log of these days is read, which takes seconds to minutes.
    """
    desk = desk_of(request)
    return Json(await desk.run(_visitors, desk.shop, days, limit))


def _reviews(shop: Shop, limit: int) -> dict[str, Any]:
    bundle = live_raters(shop.registry)
    return reviews_document(check_reviews(shop.store, bundle, shop.settings.compute.seed), limit)


def _visitors(shop: Shop, days: float, limit: int) -> dict[str, Any]:
    found = visitors_document(check_visitors(shop.store, days, shop.settings.compute.seed), limit)
    return {"days": days, **found, "refunds": found["refunds"][:limit]}

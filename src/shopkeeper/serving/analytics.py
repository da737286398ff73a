"""What the log says about searches, for the shop's own people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from shopkeeper.evaluation.search_log import SearchReport, read_searches, report
from shopkeeper.records import now
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import needs
from shopkeeper.serving.replies import Json
from shopkeeper.tasks.shop import Shop

router = APIRouter(prefix="/v1/analytics", tags=["analytics"], dependencies=needs(Scope.ADMIN))


class RepairOut(BaseModel):
    """What might help a query; `text` says it in English and Chinese."""

    kind: str
    words: str
    instead: str
    sessions: int
    text: dict[str, str]


class QueryOut(BaseModel):
    """A query and how its searches ended; shares are in [0, 1]."""

    query: str
    searches: int
    clicked: float
    ordered: float
    clicks: int
    expected: float
    empty: float
    repair: RepairOut | None


class RefinementOut(BaseModel):
    """A query without a click, and what the same session typed next."""

    before: str
    after: str
    sessions: int
    clicked: float


class SearchesOut(BaseModel):
    """Searches of a period."""

    start: str
    end: str
    searches: int
    queries: int
    clicked: float
    empty: float
    top: list[QueryOut]
    unanswered: list[QueryOut]
    disappointing: list[QueryOut]
    refinements: list[RefinementOut]


_REPORT: dict[int | str, dict[str, Any]] = {200: {"model": SearchesOut}}


@router.get("/searches", responses=_REPORT, summary="How searches end")
async def searches(
    request: Request,
    days: Annotated[int, Query(ge=1, le=3650, description="How far back")] = 30,
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows of each list at most")] = 20,
) -> Json:
    """Frequent queries, those that find or sell nothing, what people typed next, and what might help."""
    desk = desk_of(request)
    return Json(asdict(await desk.run(_report, desk.shop, days, limit)))


def _report(shop: Shop, days: int, limit: int) -> SearchReport:
    end = now()
    start = end - timedelta(days=days)
    return report(read_searches(shop.store.events, start, end), start, end, shop.store.catalogue.scan(), limit=limit)

"""How the server is: health, readiness, version, figures, and the swap to newly promoted models."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shopkeeper import __version__
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import needs
from shopkeeper.serving.problems import Problem, request_id_of
from shopkeeper.serving.replies import Json, StateOut
from shopkeeper.serving.telemetry import Metrics

router = APIRouter(prefix="/v1", tags=["operations"])

_STATE: dict[int | str, dict[str, Any]] = {200: {"model": StateOut}}


@router.get("/health", responses=_STATE, summary="Is the process alive?")
async def health() -> Json:
    """Always 200 while the process serves; needs no key."""
    return Json({"status": "ok"})


@router.get("/ready", responses=_STATE, summary="Can it answer?")
async def ready(request: Request) -> Response:
    """200 once the indexes are built, 503 before; needs no key."""
    shop = desk_of(request).shop
    if not shop.ready:
        problem = Problem(503, "The indexes are not built yet.", headers={"Retry-After": "2"})
        return problem.response(request_id_of(request))
    return Json({"status": "ready", "items": int(shop.shelf.showable().sum())})


@router.get("/version", responses=_STATE, summary="What answers?")
async def version(request: Request) -> Json:
    """The version of the software and of the models in force; needs no key."""
    return Json({"status": "ok", "version": __version__, "model": desk_of(request).shop.version})


@router.get("/metrics", dependencies=needs(Scope.READ), summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, seconds, events, impressions, in Prometheus' text format."""
    desk = desk_of(request)
    desk.metrics.items.set(int(desk.shop.shelf.showable().sum()))
    return Response(desk.metrics.text(), media_type=Metrics.content_type)


@router.post("/reload", dependencies=needs(Scope.ADMIN), responses=_STATE, summary="Take up promoted models")
async def reload(request: Request) -> Json:
    """Build indexes with the live models beside the ones in force, then swap; no request fails meanwhile."""
    desk = desk_of(request)
    await desk.run(desk.shop.reload)
    return Json({"status": "ready", "model": desk.shop.version})

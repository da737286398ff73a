"""A picture that a visitor sends: looked at, then searched for at an address that can be paged, filtered and shared."""

from __future__ import annotations

import math

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from shopkeeper.serving.desk import Desk
from shopkeeper.serving.image_search import uploaded
from shopkeeper.web.listing import Listing
from shopkeeper.web.route import PageRoute, check_origin, check_pace, page
from shopkeeper.web.visits import Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.post("/look")
async def look(request: Request) -> Response:
    """What looks like a picture. The picture itself is not kept."""
    check_origin(request)
    wait = check_pace(request, request.app.state.pace)
    if wait > 0:
        raise HTTPException(429, "Too many pictures at once.", {"Retry-After": str(math.ceil(wait))})
    picture = await uploaded(request)

    def found(desk: Desk, _: Visit) -> Response:
        return RedirectResponse(Listing(looks=desk.shop.look(picture)).href(), 303)

    return await page(request, found)

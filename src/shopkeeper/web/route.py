"""How a page is made: the visit is found, the work done off the event loop, cookies set, faults shown as pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from shopkeeper.errors import ForbiddenError
from shopkeeper.serving.auth import Limiter
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.problems import problem_of, request_id_of
from shopkeeper.web.i18n import TEXTS
from shopkeeper.web.view import render
from shopkeeper.web.visits import Trail, Visit, arrive, keep

log = logging.getLogger(__name__)

Build = Callable[[Desk, Visit], Response]

_SAFE = frozenset({"same-origin", "none"})


class PageRoute(APIRoute):
    """A route whose faults are pages for people."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with the net below it."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except Exception as error:  # noqa: BLE001  (whatever it was, the visitor sees a page)
                return await failed(request, error)

        return handle


def desk_of(request: Request) -> Desk:
    """The desk of the application that serves this request."""
    desk: Desk = request.app.state.desk
    return desk


async def page(request: Request, build: Build) -> Response:
    """Make a page in one of the desk's threads."""
    desk = desk_of(request)

    def work() -> Response:
        visit = arrive(request, desk)
        response = build(desk, visit)
        keep(response, visit, secure=request.url.scheme == "https")
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return await desk.run(work)


async def failed(request: Request, error: Exception) -> Response:
    """The page for a fault."""
    problem = problem_of(error)
    if problem.status >= 500:
        log.error("page failed", exc_info=error, extra={"path": request.url.path})
    key = (
        f"error_{problem.status}"
        if f"error_{problem.status}" in TEXTS
        else f"error_{500 if problem.status >= 500 else 400}"
    )

    def build(desk: Desk, visit: Visit) -> Response:
        return render(
            "error.html",
            desk,
            visit,
            Trail({}, (), ""),
            here="/",
            status=problem.status,
            key=key,
            request=request_id_of(request),
        )

    return await page(request, build)


def check_origin(request: Request) -> None:
    """Refuse a post that did not come from this shop's own pages.

    Raises:
        ForbiddenError: Another site sent it, or the browser does not say who did.
    """
    origin = request.headers.get("origin") or request.headers.get("referer", "")
    site = request.headers.get("sec-fetch-site", "")
    same = bool(origin) and urlsplit(origin).netloc == request.headers.get("host", "")
    if (site and site not in _SAFE) or not (same or (not origin and site in _SAFE)):
        raise ForbiddenError(
            "This did not come from the shop's own pages.", where="Origin", cure="Reload the page and try again."
        )


def check_pace(request: Request, limiter: Limiter) -> float:
    """Seconds that this caller has to wait, 0.0 for none."""
    return limiter.wait(request.client.host if request.client else "")

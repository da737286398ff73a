"""The whole site: the API and the storefront behind one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from shopkeeper.errors import ShopkeeperError
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.problems import problem_of, request_id_of
from shopkeeper.serving.server import serve
from shopkeeper.web import (
    account,
    actions,
    chat,
    checkout,
    completing,
    helpdesk,
    looking,
    media,
    opinions,
    pages,
    reference,
    writing,
)
from shopkeeper.web.route import failed
from shopkeeper.web.staff import Door
from shopkeeper.web.view import STATIC

if TYPE_CHECKING:
    from shopkeeper.tasks.shop import Shop


def create_site(shop: Shop) -> FastAPI:
    """The API and the storefront of a shop, with the keys that its settings ask for."""
    site = create_app(shop, keys=keys_of(shop))
    site.state.pace = actions.pace()
    site.state.door = Door(keys_of(shop))
    for part in (
        pages,
        account,
        actions,
        checkout,
        chat,
        completing,
        opinions,
        writing,
        helpdesk,
        looking,
        media,
        reference,
    ):
        site.include_router(part.router)
    site.mount("/static", _Static(directory=STATIC))

    async def handle(request: Request, error: Exception) -> Response:
        if request.url.path.startswith("/v1"):
            return problem_of(error).response(request_id_of(request))
        return await failed(request, error)

    for kind in (HTTPException, RequestValidationError, ShopkeeperError):
        site.add_exception_handler(kind, handle)
    return site


def serve_site(shop: Shop) -> None:
    """Serve the site until the process is told to stop, then close the shop."""
    serve(shop, create_site(shop))


class _Static(StaticFiles):
    """Files whose address changes with their content: browsers may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, or the 404 page."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

"""The application: the shop behind /v1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import Route

from shopkeeper import __version__
from shopkeeper.serving import (
    advertising,
    alerting,
    analytics,
    api,
    assist,
    chat_completions,
    checks,
    classify,
    guard,
    helpdesk,
    image_search,
    intake,
    listening,
    merchandising,
    operations,
    orders,
    problems,
    profiles,
    writing,
)
from shopkeeper.serving.auth import Keys
from shopkeeper.serving.chat_completions import Histories
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.edge import Edge
from shopkeeper.serving.gate import Gate
from shopkeeper.serving.mcp_server import PATH, McpEndpoint
from shopkeeper.serving.replies import ProblemOut
from shopkeeper.serving.schemas import EventIn
from shopkeeper.serving.talk import Talk
from shopkeeper.serving.telemetry import Metrics
from shopkeeper.serving.tickets import Tickets

if TYPE_CHECKING:
    from shopkeeper.tasks.shop import Shop

_PARTS = (
    api,
    image_search,
    intake,
    operations,
    analytics,
    merchandising,
    advertising,
    profiles,
    guard,
    checks,
    classify,
    assist,
    chat_completions,
    helpdesk,
    orders,
    listening,
    alerting,
    writing,
)
_REFERENCE = "#/components/schemas/{model}"


def create_app(shop: Shop, *, keys: Keys | None) -> FastAPI:
    """The API of a shop.

    Args:
        shop: An open shop; the application does not close it.
        keys: Who may call; None lets everybody in.

    Returns:
        An application whose `state` holds `desk`, `gate`, `talk`, `histories` and `tickets`.
    """
    metrics = Metrics()
    desk = Desk(shop, metrics)
    gate = Gate(keys, shop.settings.serve.rate_per_second, metrics)
    talk = Talk(desk)
    tools = McpEndpoint(shop, gate)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with tools.running():
            yield
        talk.close()
        desk.close()

    app = FastAPI(
        title=f"{shop.settings.name} API",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.desk = desk
    app.state.gate = gate
    app.state.talk = talk
    app.state.histories = Histories()
    app.state.tickets = Tickets(keys)
    for part in _PARTS:
        app.include_router(part.router)
    app.router.routes.append(Route(PATH, tools, include_in_schema=False))
    problems.install(app)
    app.add_middleware(Edge, metrics=metrics, body_limit=shop.settings.serve.body_limit)
    document = _described(app)  # at once: neither it nor the routes it builds are safe among threads
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


def keys_of(shop: Shop) -> Keys | None:
    """The keys that the shop's settings ask for, None when they ask for none."""
    settings = shop.settings
    return Keys(settings.home / "keys.json") if settings.serve.keys_required else None


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (EventIn, ProblemOut):
        schema = model.model_json_schema(ref_template=_REFERENCE)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = {"content": {problems.MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="ProblemOut")}}}}
    for operations_of_path in document["paths"].values():
        for operation in operations_of_path.values():
            responses = operation["responses"]
            responses.pop("422", None)
            responses["4XX"] = {"description": "What was wrong, where, and how to mend it", **problem}
            responses["5XX"] = {"description": "The shop could not do it", **problem}
    return document

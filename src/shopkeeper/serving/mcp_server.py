"""The shop for other people's agents: five tools of the Model Context Protocol. They read, and change nothing.

https://modelcontextprotocol.io; needs the extra ``mcp``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.types import ASGIApp, Receive, Scope, Send

from shopkeeper import __version__
from shopkeeper.errors import InputError, NotFoundError, ShopkeeperError
from shopkeeper.extras import require
from shopkeeper.records import Answer, Filters, Item, Request
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.serving import auth
from shopkeeper.serving.assist_schemas import card, reply_document, said
from shopkeeper.serving.gate import Gate
from shopkeeper.serving.problems import problem_of, request_id_of
from shopkeeper.serving.replies import item_document
from shopkeeper.serving.talk import LONGEST, own
from shopkeeper.tasks.assist.turns import Turn

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from shopkeeper.tasks.shop import Shop

PATH: Final = "/mcp"
_MOST = 50
_COMPARED = 8
_SURFACE = "mcp"
_INSTRUCTIONS = (
    "Tools of one shop. Search and recommend give item ids; get_product and compare_products take them. ask_shop answers"
    " questions about delivery, returns, products and the shop itself from its own texts, in English or Chinese, and cites"
    " them; pass its `conversation` to go on. Nothing here buys, cancels or changes anything."
)

Query = Annotated[str, Field(description="What is wanted, in words, English or Chinese.", max_length=500)]
Limit = Annotated[int, Field(description="Products at most.", ge=1, le=_MOST)]
Id = Annotated[str, Field(description="Item id.", min_length=1, max_length=200)]
Document = dict[str, Any]


def mcp_server(shop: Shop) -> MCPServer:
    """The tools over an open shop, ready for any transport.

    Raises:
        ExtraMissingError: The extra ``mcp`` is not installed.
    """
    server: MCPServer = require("mcp.server", "mcp").MCPServer(
        shop.settings.name, instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING"
    )
    reading = require("mcp_types", "mcp").ToolAnnotations(
        read_only_hint=True, destructive_hint=False, open_world_hint=False
    )
    tools = _Tools(shop)
    for tool in (
        tools.search_products,
        tools.get_product,
        tools.compare_products,
        tools.recommend,
        tools.ask_shop,
    ):
        server.add_tool(tool, annotations=reading)
    return server


class McpEndpoint:
    """The tools over streamable HTTP, for keys with the scope ``read``; as long as `running` lasts.

    Args:
        gate: Checks the key of each request.
    """

    def __init__(self, shop: Shop, gate: Gate) -> None:
        self._shop = shop
        self._gate = gate
        self._app: ASGIApp | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer requests within this context; without the extra there is nothing to answer with."""
        if find_spec("mcp") is None:
            yield
            return
        server = mcp_server(self._shop)
        security = require("mcp.server.transport_security", "mcp").TransportSecuritySettings(
            enable_dns_rebinding_protection=False  # a page elsewhere has no key; hosts are the operator's to choose
        )
        limit = self._shop.settings.serve.body_limit
        self._app = server.streamable_http_app(
            streamable_http_path="/",
            stateless_http=True,
            json_response=True,
            transport_security=security,
            max_request_body_size=limit,
        )
        async with server.session_manager.run():
            yield
        self._app = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = HttpRequest(scope, receive)
        try:
            self._gate.check(request, auth.Scope.READ)
            if self._app is None:
                raise NotFoundError(
                    "This server speaks no MCP.", where=PATH, cure="Install it with: pip install 'shopkeeper[mcp]'"
                )
        except Exception as error:  # noqa: BLE001  (a refusal is an answer)
            await problem_of(error).response(request_id_of(request))(scope, receive, send)
            return
        await self._app({**scope, "path": "/", "raw_path": b"/", "root_path": ""}, receive, send)


class _Tools:
    """What agents may do. The docstrings are what they read."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def search_products(
        self,
        query: Query,
        brands: Annotated[list[str] | None, Field(description="Only these brands.")] = None,
        categories: Annotated[list[str] | None, Field(description="Only these paths, e.g. 'Garden > Tools'.")] = None,
        price_min: Annotated[float | None, Field(ge=0)] = None,
        price_max: Annotated[float | None, Field(ge=0)] = None,
        limit: Limit = 10,
    ) -> Document:
        """Find products by words and meaning, with filters. Prices named in the words ("under 50") count as filters."""
        filters = Filters(
            brands=tuple(brands or ()),
            categories=tuple(
                tuple(part.strip() for part in path.split(">") if part.strip()) for path in categories or ()
            ),
            price_min=price_min,
            price_max=price_max,
        )
        asked = Request(query=said(query), filters=filters, limit=limit, explain=True, surface=_SURFACE)
        return self._answered(lambda: self._shop.search(asked), language_of(query) or "en")

    def get_product(self, id: Id) -> Document:  # noqa: A002  (agents read this name)
        """Everything the shop says about one product: description, attributes, price, whether it can be bought."""
        return _plainly(lambda: item_document(self._items([id])[0]))

    def compare_products(
        self, ids: Annotated[list[Id], Field(description="Item ids.", min_length=2, max_length=_COMPARED)]
    ) -> Document:
        """Products side by side: price, brand, availability and every attribute that at least one of them has."""

        def compared() -> Document:
            items = self._items(ids)
            names = dict.fromkeys(name for item in items for name in item.attributes)
            rows: dict[str, list[Any]] = {
                "title": [item.title for item in items],
                "brand": [item.brand for item in items],
                "price": [item.price for item in items],
                "currency": [item.currency for item in items],
                "availability": [item.availability.value for item in items],
                **{name: [item.attributes.get(name, "") for item in items] for name in names},
            }
            return {"ids": [item.id for item in items], "rows": rows}

        return _plainly(compared)

    def recommend(
        self,
        liked: Annotated[list[Id] | None, Field(description="Ids of items that are liked.", max_length=50)] = None,
        limit: Limit = 10,
    ) -> Document:
        """Products for somebody who likes some others; what is popular and new where none are given."""
        asked = Request(items=tuple(liked or ()), limit=limit, explain=True, surface=_SURFACE)
        return self._answered(lambda: self._shop.recommend(asked), "en")

    def ask_shop(
        self,
        question: Annotated[str, Field(description="In English or Chinese.", max_length=LONGEST)],
        conversation: Annotated[str, Field(description="`conversation` of the answer before.", max_length=200)] = "",
    ) -> Document:
        """Ask the shop's assistant. It answers from the shop's own texts and products, cites them, and asks back."""

        def asked() -> Document:
            text = said(question)
            if not text:
                raise InputError("Nothing was asked.", where="question")
            turn = Turn(text=text)
            if conversation:
                turn = replace(turn, conversation=conversation)
            own(self._shop, turn.conversation, turn.customer)
            reply = self._shop.assist(turn)
            return reply_document(reply, self._shop.store.catalogue.get([hit.item for hit in reply.hits]))

        return _plainly(asked)

    def _items(self, ids: Sequence[str]) -> list[Item]:
        found: Mapping[str, Item] = self._shop.store.catalogue.get(list(ids))
        missing = [name for name in ids if name not in found or found[name].hidden]
        if missing:
            raise NotFoundError("There is no such product.", where=", ".join(missing), cure="Search for it first.")
        return [found[name] for name in ids]

    def _answered(self, ask: Callable[[], Answer], language: str) -> Document:
        def found() -> Document:
            answer = ask()
            items = self._shop.store.catalogue.get([hit.item for hit in answer.hits])
            cards = [card(items[hit.item], hit, language) for hit in answer.hits if hit.item in items]
            return {"total": answer.total, "products": cards}

        return _plainly(found)


def _plainly(work: Any) -> Document:
    """Do some work; a fault of the shop is told to the agent with its cure, as a fault of the tool."""
    try:
        made: Document = work()
    except ShopkeeperError as error:
        raise require("mcp.server.mcpserver.exceptions", "mcp").ToolError(str(error)) from error
    return made

"""The shop as tools of the Model Context Protocol, spoken by the protocol's own client: by pipe and over HTTP."""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.auth import Keys
from shopkeeper.serving.mcp_server import mcp_server
from shopkeeper.store.orders import OrderStatus
from shopkeeper.tasks.shop import Shop

TOOLS = {"search_products", "get_product", "compare_products", "recommend", "ask_shop"}


def spoken(shop: Shop, *calls):
    """The results of some calls over one connection in this process."""

    async def talk():
        async with Client(mcp_server(shop)) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(talk())


def test_the_tools_say_what_they_are_and_that_they_only_read(assisting):
    async def look():
        async with Client(mcp_server(assisting)) as client:
            return (await client.list_tools()).tools

    tools = asyncio.run(look())
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.description
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.destructive_hint is False


def test_search_look_compare_and_recommend(assisting):
    found, cheap = spoken(
        assisting,
        ("search_products", {"query": "garden rake", "limit": 3}),
        ("search_products", {"query": "", "categories": ["Garden"], "price_max": 20, "limit": 50}),
    )
    ids = [card["item"] for card in found.structured_content["products"]]
    assert len(ids) == 3
    assert all(card["price"] <= 20 for card in cheap.structured_content["products"])
    one, two, more = spoken(
        assisting,
        ("get_product", {"id": ids[0]}),
        ("compare_products", {"ids": ids[:2]}),
        ("recommend", {"liked": ids[:1], "limit": 4}),
    )
    assert one.structured_content["id"] == ids[0]
    assert two.structured_content["ids"] == ids[:2]
    assert len(two.structured_content["rows"]["price"]) == 2
    assert len(more.structured_content["products"]) == 4


def test_the_shop_is_asked_in_a_conversation(assisting):
    (first,) = spoken(assisting, ("ask_shop", {"question": "How long do I have to return an item?"}))
    reply = first.structured_content
    assert "30 days" in reply["text"]
    assert "summary" not in reply
    again = {"question": "Thanks", "conversation": reply["conversation"]}
    (second,) = spoken(assisting, ("ask_shop", again))
    assert second.structured_content["conversation"] == reply["conversation"]


def test_nothing_can_be_done_to_orders_and_nothing_is_told_of_them(assisting, callers):
    mine = callers["events"].post("/v1/assist", json={"message": "Where is my order?", "customer": "c02"}).json()
    asked, stolen = spoken(
        assisting,
        ("ask_shop", {"question": "Cancel order A1001 and say yes"}),
        ("ask_shop", {"question": "Where is it?", "conversation": mine["conversation"]}),
    )
    assert asked.structured_content["proposal"] is None
    assert stolen.is_error
    assert "A1001" not in stolen.content[0].text
    assert assisting.store.orders.get(["A1001"])["A1001"].status is OrderStatus.PLACED


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("get_product", {"id": "nowhere"}, "nowhere"),
        ("get_product", {"id": "garden-19"}, "garden-19"),
        ("compare_products", {"ids": ["garden-04"]}, "ids"),
        ("compare_products", {"ids": ["garden-04", "nowhere"]}, "nowhere"),
        ("recommend", {"limit": 0}, "limit"),
        ("search_products", {"query": "x" * 501}, "query"),
        ("ask_shop", {"question": " "}, "question"),
        ("ask_shop", {"question": "x" * 1_000_000}, "question"),
    ],
)
def test_a_wrong_call_is_told_what_was_wrong(assisting, tool, arguments, told):
    (result,) = spoken(assisting, (tool, arguments))
    assert result.is_error
    assert told in result.content[0].text


@pytest.fixture
def address(assisting) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = create_app(assisting, keys=keys_of(assisting))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/mcp"
    server.should_exit = True
    thread.join(timeout=20)


def test_over_http_behind_keys(assisting, address):
    key = Keys(assisting.settings.home / "keys.json").create("agent", ["read"])[1]
    httpx = pytest.importorskip("httpx2")

    async def talk(headers):
        async with httpx.AsyncClient(headers=headers) as http:
            transport = streamable_http_client(address, http_client=http)
            async with Client(transport) as client:
                return await client.call_tool("search_products", {"query": "garden rake", "limit": 2})

    found = asyncio.run(talk({"Authorization": f"Bearer {key}"}))
    assert len(found.structured_content["products"]) == 2
    refused = httpx.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert refused.status_code == 401


@pytest.mark.slow
def test_by_pipe_as_an_agent_starts_it(assisting):
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "shopkeeper.cli", "--home", str(assisting.settings.home), "mcp"],
        env={**os.environ, "SHOPKEEPER_MODELS__ENCODER": "use-multilingual"},
    )

    async def talk():
        async with Client(command) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            return tools, await client.call_tool("ask_shop", {"question": "怎么退货？"})

    tools, reply = asyncio.run(talk())
    assert tools == TOOLS
    assert reply.structured_content["language"] == "zh"

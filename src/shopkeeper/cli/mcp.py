"""The shop as tools for agents, over standard input and output."""

from __future__ import annotations

import logging

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.serving.mcp_server import mcp_server
from shopkeeper.tasks.shop import open_shop


@app.command()
def mcp(context: typer.Context) -> None:
    """Serve the Model Context Protocol on standard input and output, for agents on this machine; needs the extra mcp.

    They can search, look at, compare and recommend products and ask the shop; nothing can be changed.
    """
    session: Session = context.obj
    logging.getLogger("shopkeeper").setLevel(logging.WARNING)
    shop = open_shop(session.settings)
    try:
        mcp_server(shop).run("stdio")
    finally:
        shop.close()

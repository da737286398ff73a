"""Running the application: uvicorn, a watcher for changes made by other processes, a clean stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from shopkeeper.errors import ShopkeeperError
from shopkeeper.records import Request
from shopkeeper.serving.telemetry import configure_logs

if TYPE_CHECKING:
    from shopkeeper.tasks.shop import Shop

log = logging.getLogger(__name__)

_FIRST = ("warm slippers", "保暖拖鞋", "baonuan tuoxie")
_GRACE = 20  # seconds that running requests get at the end


def serve(shop: Shop, app: FastAPI) -> None:
    """Serve `app` until the process is told to stop; running requests are finished first, then the shop is closed.

    Args:
        shop: The open shop behind `app`; its settings say where to listen.
        app: From `serving.app.create_app` or `web.site.create_site`.
    """
    configure_logs()
    settings = shop.settings.serve
    try:
        _warm(shop)
        shop.listen.start()
        shop.outbox.start()
        with refreshed(shop, settings.refresh_seconds):
            uvicorn.run(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
            )
    finally:
        shop.close()


def _warm(shop: Shop) -> None:
    """Ask once in each language, so that no visitor waits for dictionaries and models to be read."""
    for query in _FIRST:
        shop.search(Request(query=query, limit=1))
    shop.recommend(Request(limit=1))
    if shop.settings.assist.enabled:
        _ = shop.assistant  # opens it


@contextmanager
def refreshed(shop: Shop, seconds: float) -> Iterator[None]:
    """Take up what other processes change in the catalogue every `seconds`, as long as the context lasts."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(seconds):
            try:
                changed = shop.refresh()
            except ShopkeeperError as error:
                log.warning("catalogue changes not taken up yet", exc_info=error)
            else:
                if changed:
                    log.info("catalogue changes taken up", extra={"items": changed})

    thread = threading.Thread(target=watch, name="refresh", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

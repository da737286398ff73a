"""Running the application: uvicorn, a watcher for changes made by other processes, a clean stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from shopkeeper.errors import ShopkeeperError
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.telemetry import configure_logs
from shopkeeper.settings import Settings

if TYPE_CHECKING:
    from shopkeeper.tasks.shop import Shop

log = logging.getLogger(__name__)

_GRACE = 20  # seconds that running requests get at the end


def api_only(shop: Shop) -> FastAPI:
    """The API without a storefront, with the keys that the settings ask for."""
    return create_app(shop, keys=keys_of(shop))


def serve(
    settings: Settings, compose: Callable[[Shop], FastAPI] = api_only, told: Callable[[str], None] | None = None
) -> None:
    """Open the shop and serve it until the process is told to stop; running requests are finished first.

    Args:
        settings: The settings in force.
        compose: Makes the application; the command line gives the one with the storefront.
        told: Called with the address once the shop is open and the server is about to listen.
    """
    from shopkeeper.tasks.shop import open_shop

    configure_logs()
    shop = open_shop(settings)
    try:
        with refreshed(shop, settings.serve.refresh_seconds):
            if told is not None:
                told(f"http://{settings.serve.host}:{settings.serve.port}/")
            uvicorn.run(
                compose(shop),
                host=settings.serve.host,
                port=settings.serve.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
            )
    finally:
        shop.close()


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

"""A real shop with toy goods behind the whole site, and windows of a real browser."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clips
import pytest
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image
from toyshop import toy_store
from web_goods import GOODS, HOSTILE, POLICIES, RULES, open_orders

from shopkeeper import settings as settings_module
from shopkeeper.tasks.shop import Shop, open_shop
from shopkeeper.web.site import create_site

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("site")
    store = toy_store(home)
    store.catalogue.put([HOSTILE, *GOODS])
    store.rules.put(RULES, actor="toy")
    store.words.put(POLICIES)
    store.orders.put(open_orders())
    store.close()
    (home / "media" / "toys").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(home / "media" / "toys" / "red 1.png")
    clips.write(home / "media" / "toys" / "turning.webm", clips.scenes(), "libvpx")
    (home / "media" / "note.txt").write_text("not a picture")
    (home / "media" / "out.png").symlink_to(home / "shop.db")
    opened = open_shop(
        settings_module.load(
            home, environ={}, overrides={"models.encoder": "use-multilingual", "serve.demo": True, "name": "Toy & Co"}
        )
    )
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def site(shop: Shop) -> Iterator[TestClient]:
    """Keeps the application open; visitors come from `visitor`."""
    with TestClient(create_site(shop)) as client:
        yield client


@pytest.fixture
def visitor(site: TestClient) -> Callable[..., TestClient]:
    """Makes a browser without cookies, in a language."""

    def arrive(language: str = "en") -> TestClient:
        site.app.state.pace._buckets.clear()
        return TestClient(site.app, headers={"Accept-Language": language, "Origin": "http://testserver"})

    return arrive


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where browser tests leave what they saw."""
    folder = Path(__file__).parents[2] / "runs" / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def address(shop: Shop) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_site(shop), port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=20)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=["en-desk", "en-phone", "zh-desk", "zh-phone"])
def look(request: pytest.FixtureRequest) -> str:
    """Language and size of a window."""
    return request.param


@pytest.fixture
def window(chromium: Any, look: str) -> Iterator[Any]:
    """A fresh window that must not complain or run over its edge."""
    language, _, size = look.partition("-")
    context = chromium.new_context(viewport=SIZES[size], locale="zh-CN" if language == "zh" else "en-GB")
    context.set_default_timeout(30_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
    context.close()

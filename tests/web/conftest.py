"""A real shop with toy goods behind the whole site."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from toyshop import toy_store
from web_goods import HOSTILE

from shopkeeper import settings as settings_module
from shopkeeper.tasks.shop import Shop, open_shop
from shopkeeper.web.site import create_site


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("site")
    store = toy_store(home)
    store.catalogue.put([HOSTILE])
    store.close()
    (home / "media" / "toys").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(home / "media" / "toys" / "red 1.png")
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

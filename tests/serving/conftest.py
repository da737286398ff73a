"""A real shop with toy goods behind a real application."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from toyshop import toy_store

from shopkeeper import settings as settings_module
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.auth import Keys
from shopkeeper.settings import Settings
from shopkeeper.tasks.shop import Shop, open_shop


@pytest.fixture(scope="session")
def toy_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("shop")
    toy_store(home).close()
    overrides = {
        "models.encoder": "use-multilingual",
        "serve.keys_required": True,
        "serve.body_limit": 20_000,
        "serve.events_limit": 50,
    }
    return settings_module.load(home, environ={}, overrides=overrides)


@pytest.fixture(scope="session")
def shop(toy_settings: Settings) -> Iterator[Shop]:
    opened = open_shop(toy_settings)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def keys(shop: Shop) -> dict[str, str]:
    """A key per scope."""
    made = Keys(shop.settings.home / "keys.json")
    return {scope: made.create(scope, [scope])[1] for scope in ("read", "events", "admin")}


@pytest.fixture(scope="session")
def client(shop: Shop, keys: dict[str, str]) -> Iterator[TestClient]:
    """A caller with the key for everything."""
    with TestClient(create_app(shop, keys=keys_of(shop)), headers={"Authorization": f"Bearer {keys['admin']}"}) as made:
        yield made

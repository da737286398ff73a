"""A real shop with toy goods behind a real application."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from toyshop import toy_store

from shopkeeper import settings as settings_module
from shopkeeper.records import Passage, PassageKind, now
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.auth import Keys
from shopkeeper.settings import Settings
from shopkeeper.store.orders import Order, OrderLine, OrderStatus
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


POLICY = Passage(
    id="policy-returns",
    kind=PassageKind.POLICY,
    title="Returns",
    text="You can return any item within 30 days of delivery. The return is free of charge.",
    language="en",
)


@pytest.fixture(scope="session")
def assisting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with a policy on returns and two open orders of two customers."""
    home = tmp_path_factory.mktemp("assisting")
    store = toy_store(home)
    store.words.put([POLICY])
    placed = now() - timedelta(hours=1)
    line = OrderLine(item="garden-04", quantity=1, price=12.0)
    for number, customer in ((1001, "c02"), (1002, "c04")):
        order = Order(id=f"A{number}", customer=customer, placed=placed, status=OrderStatus.PLACED, lines=(line,))
        store.orders.put([order])
    store.close()
    overrides = {"models.encoder": "use-multilingual", "serve.keys_required": True, "assist.rate_per_minute": 40}
    opened = open_shop(settings_module.load(home, environ={}, overrides=overrides))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def callers(assisting: Shop) -> Iterator[dict[str, TestClient]]:
    """Callers of that shop: who may read, who may also act for customers, who may do everything."""
    keys = Keys(assisting.settings.home / "keys.json")
    with TestClient(create_app(assisting, keys=keys_of(assisting))) as client:
        yield {
            name: TestClient(client.app, headers={"Authorization": f"Bearer {keys.create(name, scopes)[1]}"})
            for name, scopes in (("read", ["read"]), ("events", ["read", "events"]), ("admin", ["admin"]))
        }

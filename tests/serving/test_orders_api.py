"""/v1/orders and /v1/texts: written, read, moved, and refused where they make no sense."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from shopkeeper import settings as settings_module
from shopkeeper.records import Item, PassageKind
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.auth import Keys
from shopkeeper.tasks.shop import Shop, open_shop

ORDER = {
    "id": "1001",
    "customer": "ann",
    "placed": "2026-05-01T09:30:00Z",
    "lines": [{"item": "mug", "quantity": 2, "price": 12}],
    "total": 24,
    "currency": "EUR",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("orders")
    given = settings_module.load(
        home, environ={}, overrides={"models.encoder": "use-multilingual", "serve.keys_required": True}
    )
    shop = open_shop(given)
    shop.put([Item(id="mug", title="Mug", language="en")])
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def callers(shop) -> Iterator[dict[str, TestClient]]:
    keys = Keys(shop.settings.home / "keys.json")
    with TestClient(create_app(shop, keys=keys_of(shop))) as client:
        yield {
            scope: TestClient(client.app, headers={"Authorization": f"Bearer {keys.create(scope, [scope])[1]}"})
            for scope in ("read", "events", "admin")
        }


def test_an_order_is_written_read_and_moved(callers):
    admin = callers["admin"]
    assert admin.post("/v1/orders", json={"orders": [ORDER]}).json()["added"] == 1
    assert admin.post("/v1/orders", json={"orders": [ORDER]}).json()["unchanged"] == 1
    assert admin.get("/v1/orders/1001").json()["lines"] == [{"item": "mug", "quantity": 2, "price": 12.0}]
    moved = admin.post("/v1/orders/1001/move", json={"status": "packed", "address": "2 Short Road"})
    assert (moved.json()["status"], moved.json()["address"]) == ("packed", "2 Short Road")
    refused = admin.post("/v1/orders/1001/move", json={"status": "returned"})
    assert refused.status_code == 400
    assert "packed cannot become returned" in refused.text
    assert admin.get("/v1/orders/none").status_code == 404


def test_texts_are_written_and_removed(callers, shop):
    admin = callers["admin"]
    text = {"id": "faq-1", "kind": "faq", "title": "几天发货？", "text": "两天内。", "language": "zh"}
    assert admin.post("/v1/texts", json={"texts": [text]}).json()["added"] == 1
    assert [found.title for found in shop.store.words.scan([PassageKind.FAQ])] == ["几天发货？"]
    assert admin.delete("/v1/texts/faq-1").json()["removed"] == 1


@pytest.mark.parametrize(
    "order",
    [
        ORDER | {"total": -1},
        ORDER | {"status": "lost"},
        ORDER | {"customer": ""},
        ORDER | {"lines": [{"item": "mug", "quantity": 0}]},
        ORDER | {"id": "a" * 201},
        ORDER | {"colour": "red"},
    ],
)
def test_what_makes_no_sense_is_refused(callers, order):
    answer = callers["admin"].post("/v1/orders", json={"orders": [order]})
    assert answer.status_code in (400, 422)
    assert answer.json()["where"].startswith("body.orders.0")


@pytest.mark.parametrize("scope", ["read", "events"])
def test_orders_are_for_the_shop_alone(callers, scope):
    assert callers[scope].get("/v1/orders/1001").status_code == 403
    assert callers[scope].post("/v1/texts", json={"texts": []}).status_code == 403


def test_reviews_and_turns_come_with_all_that_learning_reads(callers, shop):
    admin = callers["admin"]
    texts = [
        {"id": "r-api", "kind": "review", "text": "Sturdy.", "rating": 4, "customer": "c01", "item": "kitchen-01"},
        {
            "id": "d-api",
            "kind": "dialogue",
            "text": "It left today.",
            "thread": "t-9",
            "author": "staff",
            "source": "mail",
        },
    ]
    assert admin.post("/v1/texts", json={"texts": texts}).json()["added"] == 2
    kept = shop.store.words.get(["r-api", "d-api"])
    assert (kept["r-api"].rating, kept["r-api"].customer) == (4, "c01")
    assert (kept["d-api"].thread, kept["d-api"].author, kept["d-api"].source) == ("t-9", "staff", "mail")
    claimed = admin.post("/v1/texts", json={"texts": [texts[1] | {"source": "assistant"}]})
    assert claimed.status_code == 400
    assert "channel" in claimed.json()["cure"]
    admin.delete("/v1/texts/r-api")
    admin.delete("/v1/texts/d-api")

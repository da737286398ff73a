"""Home pages, bundles and waits through HTTP."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from test_api_answers import assert_problem, found

from shopkeeper.records import Availability, EventKind
from shopkeeper.tasks.shop import Shop


def look(client: TestClient, session: str, *items: str) -> None:
    events = [
        {"id": f"{session}-{place}", "kind": "view", "session": session, "item": item}
        for place, item in enumerate(items)
    ]
    assert client.post("/v1/events", json={"events": events}).json()["accepted"] == len(items)


def home(client: TestClient, **body):
    response = client.post("/v1/home", json={"limit": 4, **body})
    assert response.status_code == 200, response.text
    return response.json()


def test_a_home_page_reacts_to_what_was_just_done(client: TestClient):
    unknown = home(client, session="home-1", language="en")
    assert [shelf["kind"] for shelf in unknown["shelves"]] == ["popular", "category", "new", "category"]
    look(client, "home-1", "kitchen-00", "kitchen-02", "kitchen-04", "kitchen-06")
    page = home(client, session="home-1", language="en", explain=True, details=True)
    because, mine, left, *_ = page["shelves"]
    assert (because["kind"], mine["kind"], left["kind"]) == ("because", "for_you", "continue")
    assert because["about"] == "kitchen-06"
    assert because["title"].keys() == {"en", "zh"}
    assert [hit["item"] for hit in left["hits"]] == ["kitchen-06", "kitchen-04", "kitchen-02", "kitchen-00"]
    for shelf in page["shelves"]:
        for hit in shelf["hits"]:
            assert hit["details"]["id"] == hit["item"]
            assert hit["reasons"]
    shown = [hit["item"] for shelf in page["shelves"] for hit in shelf["hits"]]
    assert len(shown) == len(set(shown))


def test_every_shelf_is_logged_as_what_it_is(client: TestClient, shop: Shop):
    page = home(client, session="home-2")
    client.app.state.desk.flush()
    logged = {
        event.request: event.impression
        for event in shop.store.events.of_session("home-2")
        if event.kind is EventKind.IMPRESSION
    }
    assert logged.keys() == {shelf["request"] for shelf in page["shelves"]}
    for shelf in page["shelves"]:
        impression = logged[shelf["request"]]
        assert impression.surface == f"home:{shelf['kind']}"
        assert list(impression.items) == [hit["item"] for hit in shelf["hits"]]
        assert list(impression.propensities) == [hit["propensity"] for hit in shelf["hits"]]


def test_a_bundle_completes_an_item(client: TestClient, shop: Shop):
    items = found(client.post("/v1/bundle", json={"item": "kitchen-04", "session": "bundle-1", "limit": 3}))
    assert len(items) <= 3
    assert "kitchen-04" not in items
    client.app.state.desk.flush()
    impressions = [event for event in shop.store.events.of_session("bundle-1") if event.impression]
    assert len(impressions) == bool(items)
    assert_problem(client.post("/v1/bundle", json={"item": "nothing"}), 404)
    assert_problem(client.post("/v1/bundle", json={}), 400)


def test_a_customer_waits_and_waits_no_longer(client: TestClient, shop: Shop):
    body = {"customer": "c03", "item": "garden-18"}
    first = client.post("/v1/waits", json={**body, "days": 5}).json()
    assert (first["customer"], first["item"]) == ("c03", "garden-18")
    again = client.post("/v1/waits", json=body).json()
    assert again["since"] == first["since"]
    assert again["expires"] > first["expires"]
    assert [wait.item for wait in shop.store.waiting.of_customer("c03")] == ["garden-18"]
    assert client.delete("/v1/waits", params=body).json() == {"removed": True}
    assert client.delete("/v1/waits", params=body).json() == {"removed": False}
    assert shop.store.waiting.of_customer("c03") == []


def test_nobody_waits_for_what_can_be_bought_or_is_not_there(client: TestClient, shop: Shop):
    problem = assert_problem(client.post("/v1/waits", json={"customer": "c03", "item": "garden-04"}), 409)
    assert problem["title"] == "Conflict"
    for item in ("nothing", "garden-19"):  # the latter is hidden, which nobody is to know
        assert_problem(client.post("/v1/waits", json={"customer": "c03", "item": item}), 404)
    item = shop.store.catalogue.get(["garden-04"])["garden-04"]
    shop.put([replace(item, availability=Availability.OUT_OF_STOCK)])
    assert client.post("/v1/waits", json={"customer": "c03", "item": "garden-04"}).status_code == 200
    shop.put([item])
    assert_problem(client.post("/v1/waits", json={"customer": "c03", "item": "garden-04"}), 409)


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/home", {"limit": 3}, "limit"),
        ("/v1/home", {"custmer": "c01"}, "body"),
        ("/v1/home", {"session": "a\nb"}, "session"),
        ("/v1/home", {"filters": {"price_min": 9, "price_max": 1}}, "filters"),
        ("/v1/waits", {"item": "garden-18"}, "customer"),
        ("/v1/waits", {"customer": "", "item": "garden-18"}, "customer"),
        ("/v1/waits", {"customer": "c03", "item": "garden-18", "days": 0}, "days"),
        ("/v1/waits", {"customer": "c03", "item": "garden-18", "days": "nan"}, "days"),
    ],
)
def test_faulty_bodies_are_refused_with_the_place(client: TestClient, path: str, body: dict[str, object], where: str):
    assert where in str(assert_problem(client.post(path, json=body), 400)["where"])


def test_scopes_are_kept(client: TestClient, keys: dict[str, str]):
    def status(scope: str, method: str, path: str, **rest: object) -> int:
        return client.request(method, path, headers={"Authorization": f"Bearer {keys[scope]}"}, **rest).status_code

    wait = {"customer": "c05", "item": "garden-18"}
    assert status("read", "POST", "/v1/home", json={}) == 200
    assert status("events", "POST", "/v1/home", json={}) == 403
    assert status("events", "POST", "/v1/bundle", json={"item": "garden-00"}) == 403
    assert status("read", "POST", "/v1/waits", json=wait) == 403
    assert status("events", "POST", "/v1/waits", json=wait) == 200
    assert status("read", "DELETE", "/v1/waits", params=wait) == 403
    assert status("events", "DELETE", "/v1/waits", params=wait) == 200


def test_the_openapi_document_describes_them(client: TestClient):
    document = client.get("/v1/openapi.json").json()
    assert document["paths"]["/v1/waits"].keys() == {"post", "delete"}
    answer = document["paths"]["/v1/home"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["$ref"].endswith("/HomeOut")
    assert "BundleIn" in document["components"]["schemas"]

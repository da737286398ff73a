"""Profiles through /v1: read, mute, scopes, bad input."""

import pytest
from fastapi.testclient import TestClient


def test_read_mute_and_take_back(client: TestClient):
    found = client.get("/v1/customers/c02/profile").json()
    assert found["customer"] == "c02"
    assert found["deeds"] > 0
    key = next(one["key"] for one in found["interests"] if one["kind"] == "category")
    after = client.post("/v1/customers/c02/interests", json={"mute": [key]}).json()
    assert after["muted"] == [key]
    assert key not in {one["key"] for one in after["interests"]}
    back = client.post("/v1/customers/c02/interests", json={"unmute": [key]}).json()
    assert back["muted"] == []
    assert key in {one["key"] for one in back["interests"]}


def test_an_interest_is_muted_by_an_event_without_an_item(client: TestClient):
    event = {"id": "mute-1", "kind": "dismiss", "customer": "c05", "properties": {"interest": "brand:Nobody"}}
    assert client.post("/v1/events", json={"events": [event]}).status_code == 200
    assert "brand:Nobody" in client.get("/v1/customers/c05/profile").json()["muted"]
    about_nothing = client.post("/v1/events", json={"events": [event | {"id": "mute-2", "properties": {}}]})
    assert about_nothing.status_code == 400
    assert about_nothing.json()["errors"][0]["cure"] == "Send 'item', or the property 'interest'."


def test_the_unknown_have_an_empty_profile(client: TestClient):
    found = client.get("/v1/customers/nobody-at-all/profile").json()
    assert (found["deeds"], found["interests"], found["tags"], found["segment"]) == (0, [], [], None)


def test_no_segments_before_training(client: TestClient):
    assert client.get("/v1/segments").json() == {"segments": []}


@pytest.mark.parametrize(
    "body", [{"mute": ["Bosch"]}, {"mutes": []}, {"mute": ["brand:x"] * 101}, {"mute": ["brand:"]}]
)
def test_bad_bodies(client: TestClient, body: dict[str, object]):
    response = client.post("/v1/customers/c02/interests", json=body)
    assert response.status_code in (400, 422)
    assert response.json()["cure"] or response.json()["detail"]


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("events", 200)])
def test_scopes(client: TestClient, keys: dict[str, str], scope: str, status: int):
    headers = {"Authorization": f"Bearer {keys[scope]}"}
    assert client.post("/v1/customers/c04/interests", json={}, headers=headers).status_code == status
    reading = client.get("/v1/customers/c04/profile", headers=headers).status_code
    assert reading == (200 if scope == "read" else 403)


def test_everything_is_handed_out_and_erased(client: TestClient, keys: dict[str, str]):
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    kept = client.get("/v1/customers/c07/data", headers=headers).json()
    assert kept["customer"]["id"] == "c07"
    assert kept["events"]
    assert kept["profile"]["customer"] == "c07"
    assert client.delete("/v1/customers/c07", headers=headers).json()["erased"] >= len(kept["events"]) + 1
    assert client.get("/v1/customers/c07/data", headers=headers).json()["events"] == []
    assert client.get("/v1/customers/c07/profile").json()["deeds"] == 0


@pytest.mark.parametrize("scope", ["read", "events"])
def test_only_admins_hand_out_and_erase(client: TestClient, keys: dict[str, str], scope: str):
    headers = {"Authorization": f"Bearer {keys[scope]}"}
    assert client.get("/v1/customers/c08/data", headers=headers).status_code == 403
    assert client.delete("/v1/customers/c08", headers=headers).status_code == 403
